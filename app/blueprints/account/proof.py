"""ご本人の確認: what changes how one signs in asks first for the password, or a passkey, again.

A browser that was left open, or a cookie that was stolen, must not be enough to lock the owner out.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import ParamSpec

from flask import g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import accounts, passkeys, passwords, sessions
from ...domain.errors import Rejected
from ...transaction import transaction
from ..context import settings
from ..paths import is_page, local_path, referring_path
from ..signin.forms import PasskeyForm
from ..signin.limited import client_address, spend, spend_address
from ..signin.passkeys import offer, record_refused, site, take
from . import bp
from .forms import ConfirmForm

Asked = ParamSpec("Asked")

GOOD_FOR = timedelta(minutes=10)
# a form that was opened in time may take a while to fill in
GOOD_FOR_FORMS = timedelta(minutes=30)


def recently_proved(
    view: Callable[Asked, ResponseReturnValue],
) -> Callable[Asked, ResponseReturnValue]:
    """Lead by way of the confirmation page, unless the person has just shown who it is."""

    @wraps(view)
    def guarded(*args: Asked.args, **kwargs: Asked.kwargs) -> ResponseReturnValue:
        within = GOOD_FOR if request.method == "GET" else GOOD_FOR_FORMS
        if sessions.was_proved(g.signed_in, clock.now(), within):
            return view(*args, **kwargs)
        page = request.full_path.rstrip("?") if request.method == "GET" else referring_path()
        there = url_for("account.confirm", next=page or None)
        if request.accept_mimetypes.best == "application/json":
            return jsonify(location=there), 401
        return redirect(there, code=303)

    return guarded


@bp.route("/confirm", methods=["GET", "POST"])
@login_required
def confirm() -> ResponseReturnValue:
    """Ask for the password again."""
    form = ConfirmForm(next=request.args.get("next"))
    if request.method != "POST":
        return _page(form)
    if not form.validate():
        return _page(form), 422
    now = clock.now()
    try:
        spend(passwords.CONFIRM, accounts.limit_subject(current_user.email), now)
        with transaction():
            passwords.confirm(
                g.signed_in,
                form.typed("current_password"),
                network_address=client_address(),
                now=now,
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return _page(form), status
    return redirect(_target(form.typed("next")), code=303)


@bp.post("/confirm/passkey/options")
@login_required
def confirm_options() -> ResponseReturnValue:
    """Say what the browser is to ask of a device that has one of the account's passkeys."""
    return offer(passkeys.CONFIRM, current_user)


@bp.post("/confirm/passkey")
@login_required
def confirm_by_passkey() -> ResponseReturnValue:
    """Take a passkey in the place of the password."""
    sent = PasskeyForm()
    now = clock.now()
    try:
        spend_address(passkeys.ACTION, now)
        taken = take(passkeys.CONFIRM, current_user)
        if taken is None:
            raise passkeys.PasskeyRefused
        with transaction():
            passkeys.prove(
                site(),
                taken[0],
                sent.typed("credential"),
                network_address=client_address(),
                now=now,
                only=current_user,
            )
            sessions.prove_again(g.signed_in, now)
    except Rejected as refusal:
        record_refused(refusal, "confirmation_refused")
        form = ConfirmForm(formdata=None, next=sent.typed("next"))
        status = form.show_rejection(refusal)
        return _page(form), status
    return redirect(_target(sent.typed("next")), code=303)


def _page(form: ConfirmForm) -> str:
    return render_template(
        "account/confirm.html",
        form=form,
        has_passkey=passkeys.count(current_user) > 0,
        passkey_domain=settings().passkey_domain,
    )


def _target(asked: str) -> str:
    home = url_for("account.show")
    path = local_path(asked, home)
    return path if is_page(path) else home
