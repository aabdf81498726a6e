"""ログイン中の端末: where one is signed in, and signing out there."""

from flask import flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import sessions
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import signin
from . import bp
from .proof import recently_proved


@bp.get("/devices")
@login_required
def devices() -> str:
    """List where one is signed in."""
    shown = sessions.list_open(current_user, clock.now(), signin.lifetimes())
    return render_template("account/devices.html", shown=shown, here=g.signed_in)


@bp.post("/devices/<int:session_id>/sign-out")
@login_required
@recently_proved
def sign_out_device(session_id: int) -> ResponseReturnValue:
    """Sign out elsewhere."""
    with transaction():
        sessions.end_one(g.signed_in, session_id, clock.now())
    flash(_("選んだ端末からログアウトしました。"), "success")
    return redirect(url_for("account.devices"), code=303)


@bp.post("/devices/sign-out")
@login_required
@recently_proved
def sign_out_elsewhere() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    with transaction():
        sessions.end_all(current_user, clock.now(), but=g.signed_in)
    flash(_("この端末を除くすべての端末からログアウトしました。"), "success")
    return redirect(url_for("account.devices"), code=303)
