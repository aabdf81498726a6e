"""The sign-in page of each face, and signing out."""

import structlog
from flask import flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, logout_user
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from ... import clock
from ...domain import accounts, audit, limits, sessions, signing_in
from ...domain.errors import Rejected
from ...domain.signing_in import Pending
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..paths import referring_path
from . import bp, outlived, pending, second
from .entering import Face, Way, browser, face_of, finish, show_sign_in, start_anew, target
from .forms import SignInForm
from .limited import KNOWN_BROWSER, client_address, spend, subject_of

log = structlog.get_logger()


@bp.route("/sign-in", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Sign in to the management face."""
    return _sign_in("manage")


@bp.route("/monitor/sign-in", methods=["GET", "POST"])
def login_monitor() -> ResponseReturnValue:
    """Sign in to the monitoring face."""
    return _sign_in("monitor")


@bp.post("/sign-out")
@login_required
def logout() -> Response:
    """End this session, here and in the database, and show its face's sign-in page."""
    page = outlived.sign_in_url("", face_of(referring_path()))
    with transaction():
        sessions.end(g.signed_in, clock.now())
    logout_user()
    start_anew("language", KNOWN_BROWSER)
    flash(_("ログアウトしました。"), "success")
    return redirect(page, code=303)


def show_again() -> ResponseReturnValue:
    """Show the sign-in page in answer to a form that outlived its session, which it carries."""
    page = outlived.form_page()
    form = SignInForm(formdata=None, next=page, outlived=outlived.pack())
    return show_sign_in(face_of(page or request.path), form, lapsed=True), 401


def _sign_in(face: Face) -> ResponseReturnValue:
    form = SignInForm(next=request.args.get("next"))
    if request.method != "POST":
        if current_user.is_authenticated:
            return redirect(target(form.typed("next"), face))
        return show_sign_in(face, form)
    if not form.validate():
        return show_sign_in(face, form), 422
    try:
        return _begin(face, form)
    except accounts.WrongCredentials as refusal:
        _record_refused(refusal)
        status = form.show_rejection(refusal)
    except Rejected as refusal:
        status = form.show_rejection(refusal)
    except DBAPIError as error:
        # an attempt that cannot be counted is not made; what was typed stays
        log.error("backend_down", error=type(error).__name__)
        form.form_errors = [
            _("ただいまログインできません。しばらくしてから、もう一度お試しください。")
        ]
        status = 503
    return show_sign_in(face, form), status


def _begin(face: Face, form: SignInForm) -> ResponseReturnValue:
    """Begin a session and lead on, or ask for the second step.

    Raises:
        limits.TooManyFailures: Account or network address still has to wait.
        accounts.WrongCredentials: Unknown, wrong, locked or closed.
    """
    now, subject = clock.now(), subject_of(form.typed("email"))
    way = Way(face, form.typed("next"), form.typed("outlived"))
    spend(sessions.ACTION, subject, now)
    with transaction():
        opened = signing_in.by_password(
            form.typed("email"),
            form.typed("password"),
            browser(),
            two_for_staff=settings().second_factor == "required",
            now=now,
        )
        limits.clear(sessions.ACTION, [subject])
        entry = None if isinstance(opened, Pending) else way.carry(opened)
    if isinstance(opened, Pending):
        pending.keep(opened, face)
        return second.lead_on(opened, way)
    assert entry
    return finish(entry, way)


def _record_refused(refusal: accounts.WrongCredentials) -> None:
    """Write a failed attempt into the audit log, the same row whether the user ID exists or not."""
    with transaction():
        audit.record(
            "sign_in_refused",
            actor_id=None,
            subject="account",
            subject_id=refusal.account_id,
            network_address=client_address(),
            now=clock.now(),
        )
