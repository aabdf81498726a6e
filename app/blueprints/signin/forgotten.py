"""A forgotten password, and a forgotten user ID. Both answer the same, whoever asks."""

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ... import clock
from ...domain import accounts, limits, normalise, passwords, sessions
from ...domain.errors import Rejected
from ...domain.limits import TooManyFailures
from ...domain.passwords import ResetUrlDead
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from . import bp
from .forms import ForgottenIdForm, ForgottenPasswordForm, NewPasswordForm
from .limited import client_address, spend, subject_of


@bp.route("/forgotten-password", methods=["GET", "POST"])
def forgot_password() -> ResponseReturnValue:
    """Mail a URL for a new password."""
    form = ForgottenPasswordForm()
    if request.method != "POST":
        return render_template(
            "signin/forgot_password.html", form=form, sent="sent" in request.args
        )
    if not form.validate():
        return render_template("signin/forgot_password.html", form=form), 422
    now = clock.now()
    try:
        spend(passwords.FORGOTTEN, subject_of(form.typed("email")), now)
        with transaction():
            passwords.request_reset(form.typed("email"), hours=settings().reset_url_hours, now=now)
    except TooManyFailures as refusal:
        status = form.show_rejection(refusal)
        return render_template("signin/forgot_password.html", form=form), status
    return redirect(url_for("signin.forgot_password", sent=1), code=303)


@bp.route("/new-password/<signed>", methods=["GET", "POST"])
def reset_password(signed: str) -> ResponseReturnValue:
    """Set a new password by the URL of the mail."""
    form = NewPasswordForm()
    secret_key, now, status = str(current_app.secret_key), clock.now(), 200
    try:
        account = passwords.find_reset(secret_key, signed, now=now).account
        if request.method == "POST":
            status = 422
            if form.validate():
                with transaction():
                    passwords.reset(
                        secret_key,
                        signed,
                        form.typed("password"),
                        rule=settings().password_rule,
                        network_address=client_address(),
                        now=now,
                    )
                    if account:
                        limits.clear(sessions.ACTION, [subject_of(account.email)])
                flash(
                    _("新しいパスワードを設定しました。新しいパスワードでログインしてください。"),
                    "success",
                )
                return redirect(url_for("signin.login"), code=303)
    except ResetUrlDead as refusal:
        return render_template("signin/reset_dead.html", message=str(refusal)), 410
    except Rejected as refusal:
        status = form.show_rejection(refusal)
    return render_template("signin/reset_password.html", form=form, account=account), status


@bp.route("/forgotten-id", methods=["GET", "POST"])
def forgot_id() -> ResponseReturnValue:
    """Mail the user ID to the registered address."""
    form = ForgottenIdForm()
    if request.method != "POST":
        return render_template("signin/forgot_id.html", form=form, sent="sent" in request.args)
    if not form.validate():
        return render_template("signin/forgot_id.html", form=form), 422
    now = clock.now()
    try:
        spend(
            accounts.FORGOTTEN_ID, f"gateway:{normalise.gateway_id(form.typed('gateway_id'))}", now
        )
        with transaction():
            accounts.remind_of_id(form.typed("gateway_id"), form.typed("phone"), now=now)
    except TooManyFailures as refusal:
        status = form.show_rejection(refusal)
        return render_template("signin/forgot_id.html", form=form), status
    return redirect(url_for("signin.forgot_id", sent=1), code=303)
