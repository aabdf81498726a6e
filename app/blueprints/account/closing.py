"""退会: what will happen, then the password, then it has happened."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, logout_user

from ... import clock
from ...domain import accounts, closing, gateways, gift_orders, passwords
from ...domain.errors import Rejected
from ...transaction import transaction
from ..signin import customers_only
from ..signin.entering import start_anew
from ..signin.limited import client_address, spend
from . import bp
from .forms import ClosingForm


@bp.route("/close", methods=["GET", "POST"])
@login_required
def close() -> ResponseReturnValue:
    """Say what closing the account means, then do it."""
    customers_only()
    form = ClosingForm()
    if request.method != "POST":
        return show_closing(form)
    if not form.validate():
        return show_closing(form), 422
    now = clock.now()
    try:
        spend(passwords.CHANGE, accounts.limit_subject(current_user.email), now)
        with transaction():
            closing.close(
                current_user,
                form.typed("current_password"),
                network_address=client_address(),
                now=now,
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return show_closing(form), status
    logout_user()
    start_anew("language")
    return redirect(url_for("account.closed"), code=303)


def show_closing(form: ClosingForm) -> str:
    """Render what will happen, and the form."""
    owned = gateways.count_owned(current_user)
    points = gift_orders.count_lapsing(current_user.id)
    return render_template("account/close.html", form=form, gateways=owned, points=points)


@bp.get("/closed")
def closed() -> str:
    """Say that the account is closed, to somebody who has none any more."""
    return render_template("account/closed.html")
