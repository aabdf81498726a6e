"""Signing in and out, and what becomes of it when one forgets or stays away too long."""

from datetime import timedelta
from functools import lru_cache

from flask import Blueprint, g, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ... import clock
from ...domain import sessions
from ...domain.errors import NotFound
from ...domain.sessions import AccountRow, Lifetime, Lifetimes
from ...extensions import login
from ...transaction import transaction
from ..context import settings
from ..forms import KEPT_PAGE
from . import outlived

bp = Blueprint("signin", __name__)

# the session row says all; a fingerprint of the browser in the cookie would add nothing
login.session_protection = None


def load_signed_in(token: str) -> AccountRow | None:
    """Return who is signed in with this session token; `g.signed_in` holds the session."""
    g.signed_in = sessions.find(token, now=clock.now(), lifetimes=lifetimes())
    return g.signed_in.account if g.signed_in else None


def lifetimes() -> Lifetimes:
    """Return how long sessions last, as configured."""
    chosen = settings()
    return _lifetimes(
        chosen.session_idle_days_customer,
        chosen.session_max_days_customer,
        chosen.session_idle_hours_staff,
        chosen.session_max_days_staff,
    )


@lru_cache(maxsize=8)
def _lifetimes(
    idle_days: int, max_days: int, staff_idle_hours: int, staff_max_days: int
) -> Lifetimes:
    return Lifetimes(
        customer=Lifetime(timedelta(days=idle_days), timedelta(days=max_days)),
        staff=Lifetime(timedelta(hours=staff_idle_hours), timedelta(days=staff_max_days)),
    )


@bp.before_app_request
def see_who_is_there() -> None:
    """Load who is signed in before any view opens a transaction, and note the sign of life."""
    g.signed_in = None
    if not current_user.is_authenticated:
        return
    now = clock.now()
    ends_kept = (
        KEPT_PAGE in session
        and request.method == "POST"
        # stands between signing in and the form that is to come back filled
        and request.endpoint != "agreement.agree"
    )
    if ends_kept or sessions.needs_touch(g.signed_in, now):
        with transaction():
            sessions.touch(g.signed_in, now)
            if ends_kept:
                outlived.forget_kept()


def customers_only() -> None:
    """Keep what only customers have from everybody else who is signed in.

    Raises:
        NotFound: Somebody else is signed in.
    """
    if current_user.is_authenticated and current_user.role != "customer":
        raise NotFound


def operators_only() -> ResponseReturnValue | None:
    """Ask who is not signed in to do so; to everybody but operators the console does not exist.

    Raises:
        NotFound: Somebody else is signed in.
    """
    if not current_user.is_authenticated:
        answer: ResponseReturnValue = login.unauthorized()
        return answer
    if current_user.role != "operator":
        raise NotFound
    return None


def ask_to_sign_in() -> ResponseReturnValue:
    """Answer in place of a view that only who is signed in may see."""
    return outlived.turn_away() or views.show_again()


login.unauthorized_handler(ask_to_sign_in)

from . import forgotten, passkeys, second, views  # noqa: E402, F401  # they hang their views on `bp`
