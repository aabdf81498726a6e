"""One's own data (お客様情報) and password."""

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import accounts, normalise, passwords
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address, spend
from .forms import PasswordForm

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.get("/")
@login_required
def show() -> ResponseReturnValue:
    """Show one's own data; a dealer's person finds it with the dealer's."""
    if current_user.dealer_id is not None:
        return redirect(url_for("dealers.show"), code=303)
    return render_template("account/show.html", phone=normalise.phone(current_user.phone))


@bp.route("/password", methods=["GET", "POST"])
@login_required
def password() -> ResponseReturnValue:
    """Change one's password."""
    form = PasswordForm()
    if request.method != "POST":
        return render_template("account/password.html", form=form)
    if not form.validate():
        return render_template("account/password.html", form=form), 422
    now = clock.now()
    try:
        spend(passwords.CHANGE, accounts.limit_subject(current_user.email), now)
        with transaction():
            passwords.change(
                g.signed_in,
                form.typed("current_password"),
                form.typed("password"),
                rule=settings().password_rule,
                network_address=client_address(),
                now=now,
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("account/password.html", form=form), status
    flash(_("パスワードを変更しました。ほかの端末はログアウトされました。"), "success")
    return redirect(url_for("account.show"), code=303)


from . import (  # noqa: E402  # they hang their views on `bp`
    closing,  # noqa: F401
    details,  # noqa: F401
    devices,  # noqa: F401
    email,  # noqa: F401
    passkeys,  # noqa: F401
    proof,  # noqa: F401
    second_factor,  # noqa: F401
    tokens,  # noqa: F401
)
