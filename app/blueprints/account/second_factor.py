"""二段階認証: the authenticator app of one's account, and its recovery codes."""

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import factors
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..signin import app_setup
from ..signin.forms import SetUpForm
from ..signin.limited import client_address, spend
from . import bp
from .proof import recently_proved


def for_staff() -> bool:
    """Tell whether dealers' people and operators need a second factor."""
    return settings().second_factor == "required"


@bp.get("/second-factor")
@login_required
def second_factor() -> str:
    """Show whether it is on, and since when."""
    shown = factors.overview(current_user, for_staff=for_staff())
    return render_template("account/second_factor.html", shown=shown)


@bp.route("/second-factor/app", methods=["GET", "POST"])
@login_required
@recently_proved
def set_up_app() -> ResponseReturnValue:
    """Set an app up, the first one or another one in its place."""
    form, now = SetUpForm(), clock.now()
    if request.method != "POST":
        return _setup_page(form)
    if not form.validate():
        return _setup_page(form), 422
    try:
        spend(factors.ACTION, factors.limit_subject(current_user.id), now)
        with transaction():
            codes = factors.set_up(
                str(current_app.secret_key),
                current_user,
                app_setup.secret_for(current_user.id),
                form.typed("code"),
                network_address=client_address(),
                now=now,
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return _setup_page(form), status
    app_setup.forget()
    return _codes_page(codes)


@bp.post("/second-factor/codes")
@login_required
@recently_proved
def renew_codes() -> ResponseReturnValue:
    """Make ten new recovery codes and show them this once."""
    try:
        with transaction():
            codes = factors.renew_codes(
                current_user, network_address=client_address(), now=clock.now()
            )
    except Rejected as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("account.second_factor"), code=303)
    return _codes_page(codes)


@bp.route("/second-factor/off", methods=["GET", "POST"])
@login_required
@recently_proved
def turn_off() -> ResponseReturnValue:
    """Let the password be enough again."""
    if request.method != "POST":
        return render_template("account/second_factor_off.html")
    try:
        with transaction():
            factors.turn_off(
                current_user,
                for_staff=for_staff(),
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        flash(str(refusal), "error")
    else:
        flash(_("二段階認証を解除しました。"), "success")
    return redirect(url_for("account.second_factor"), code=303)


def _setup_page(form: SetUpForm) -> str:
    return render_template(
        "account/second_factor_app.html",
        form=form,
        app=app_setup.shown(current_user.id, current_user.email),
    )


def _codes_page(codes: list[str]) -> str:
    # in answer to the form, not by a redirect: they are shown this once, and kept nowhere
    return render_template(
        "signin/recovery_codes.html",
        codes=codes,
        url=url_for("account.second_factor"),
        face="manage",
    )
