"""The sign-in page of each face, and signing out."""

from typing import Literal

import structlog
from flask import flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, login_user, logout_user
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from ... import clock
from ...domain import accounts, audit, limits, sessions
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..paths import is_page, local_path, referring_path
from . import bp, outlived
from .forms import SignInForm
from .limited import KNOWN_BROWSER, client_address, know_browser, spend, subject_of

log = structlog.get_logger()

Face = Literal["manage", "monitor"]
HOME = {"manage": "manage.menu", "monitor": "monitor.show"}
# what of an anonymous visit goes on after signing in; all else could be somebody else's
KEPT = ("language", "registration_draft", KNOWN_BROWSER)


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
    page = outlived.sign_in_url("", _face_of(referring_path()))
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
    return _show(_face_of(page or request.path), form, lapsed=True), 401


def _sign_in(face: Face) -> ResponseReturnValue:
    form = SignInForm(next=request.args.get("next"))
    if request.method != "POST":
        if current_user.is_authenticated:
            return redirect(_target(form, face))
        return _show(face, form)
    if not form.validate():
        return _show(face, form), 422
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
    return _show(face, form), status


def _begin(face: Face, form: SignInForm) -> Response:
    """Begin a session and lead on.

    Raises:
        limits.TooManyFailures: Account or network address still has to wait.
        accounts.WrongCredentials: Unknown, wrong, locked or closed.
    """
    now, subject = clock.now(), subject_of(form.typed("email"))
    spend(sessions.ACTION, subject, now)
    with transaction():
        signed_in = sessions.sign_in(
            form.typed("email"),
            form.typed("password"),
            network_address=client_address(),
            browser=request.user_agent.string,
            now=now,
            replaces=g.signed_in,
        )
        limits.clear(sessions.ACTION, [subject])
        kept_for = outlived.keep(outlived.unpack(form.typed("outlived")), signed_in)
        # held: it carries the token, and the commit would let go of it
        account = signed_in.account
    # a new cookie: nothing that was set before may work for who is signed in
    start_anew(*KEPT)
    know_browser(form.typed("email"))
    login_user(account)
    if kept_for:
        outlived.show_on(kept_for)
    return redirect(_target(form, face), code=303)


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


def _show(face: Face, form: SignInForm, *, lapsed: bool = False) -> str:
    return render_template("signin/login.html", face=face, form=form, lapsed=lapsed)


def _target(form: SignInForm, face: Face) -> str:
    home = url_for(HOME[face])
    target = local_path(form.typed("next"), home)
    return target if is_page(target) else home


def _face_of(page: str) -> Face:
    home = url_for(HOME["monitor"])
    return "monitor" if f"{page.partition('?')[0]}/".startswith(f"{home}/") else "manage"


def start_anew(*kept: str) -> None:
    """Empty the cookie but for the names given."""
    stays = {name: session[name] for name in kept if name in session}
    session.clear()
    session.update(stays)
    session.permanent = True
