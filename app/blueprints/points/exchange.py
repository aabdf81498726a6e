"""Exchange of points: choose, confirm, and see what became of it."""

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import gift_orders, ledger, normalise, tokens
from ...domain.energy import day_of
from ...domain.errors import NotFound, Rejected
from ...domain.gifts import Gift, Wanted
from ...extensions import gettext as _
from ...transaction import transaction
from .. import listing
from ..context import settings
from ..signin.limited import client_address
from . import bp, words
from .forms import OrderForm, QuantityForm

GIFT = "/gifts/<string:gift>"


@bp.get("/gifts")
@login_required
def gifts() -> str:
    """Show what points can be exchanged for."""
    today = day_of(clock.now(), settings().site_zone)[0]
    catalogue = words.catalogue()
    return render_template(
        "points/gifts.html",
        balance=ledger.balance(current_user.id),
        gifts=catalogue.offered(today),
        as_of=catalogue.as_of,
        name_of=words.name_of,
        text_of=words.text_of,
    )


@bp.route(GIFT, methods=["GET", "POST"])
@login_required
def choose(gift: str) -> ResponseReturnValue:
    """Ask how many."""
    found = gift_asked(gift)
    form = QuantityForm(data={"quantity": request.args.get("quantity", "1")})
    if request.method == "POST":
        if form.validate():
            try:
                one = wanted(gift, form.typed("quantity"))
                if one.points > ledger.balance(current_user.id).points:
                    raise ledger.NotEnough
            except Rejected as refusal:
                form.show_rejection(refusal)
            else:
                page = url_for("points.confirm", gift=gift, quantity=one.quantity)
                return redirect(page, code=303)
        return show_choice(found, form), 422
    return show_choice(found, form)


@bp.route(f"{GIFT}/confirm", methods=["GET", "POST"])
@login_required
def confirm(gift: str) -> ResponseReturnValue:
    """Show what will be ordered, then order it: the points are reserved at once."""
    found = gift_asked(gift)
    form = OrderForm()
    try:
        one = wanted(gift, request.args.get("quantity", ""))
        if form.validate_on_submit():
            with transaction():
                order_id = gift_orders.order(
                    current_user,
                    one,
                    once=form.typed("once") or tokens.new_token(),
                    network_address=client_address(),
                    now=clock.now(),
                )
            flash(_("交換を受け付けました。"), "success")
            return redirect(url_for("points.show_order", gift_order_id=order_id), code=303)
    except Rejected as refusal:
        quantity = QuantityForm(formdata=None, data={"quantity": request.args.get("quantity", "")})
        quantity.show_rejection(refusal)
        return show_choice(found, quantity), 422
    return render_template(
        "points/confirm.html",
        wanted=one,
        form=form,
        once=form.typed("once") or tokens.new_token(),
        balance=ledger.balance(current_user.id),
        name_of=words.name_of,
        text_of=words.text_of,
    )


@bp.get("/orders")
@login_required
def orders() -> str:
    """Show one's orders with what became of them."""
    return render_template(
        "points/orders.html",
        shown=gift_orders.list_mine(current_user, listing.page()),
        name_of=words.name_of,
    )


@bp.get("/orders/<int:gift_order_id>")
@login_required
def show_order(gift_order_id: int) -> ResponseReturnValue:
    """Show an order, and the code of a gift that is done."""
    one = gift_orders.get_mine(current_user, gift_order_id)
    answer = make_response(
        render_template(
            "points/order.html",
            order=one,
            code=gift_orders.code_of(one, secret_key=words.secret_key()),
            name_of=words.name_of,
        )
    )
    # a code is money
    answer.headers["Cache-Control"] = "no-store"
    return answer


def gift_asked(code: str) -> Gift:
    """Return the gift that the address names.

    Raises:
        NotFound: It is not offered (any more).
    """
    found = words.catalogue().find(code, day_of(clock.now(), settings().site_zone)[0])
    if found is None:
        raise NotFound
    return found


def wanted(gift: str, typed: str) -> Wanted:
    """Return what is to be ordered.

    Raises:
        NotOffered: The quantity is none that may be.
    """
    # in full width too, but no sign before it is passed over
    digits = normalise.line(typed)
    return gift_orders.wanted(
        words.catalogue(),
        gift,
        int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 6 else 0,
        clock.now(),
        zone=settings().site_zone,
    )


def show_choice(gift: Gift, form: QuantityForm) -> str:
    """Render how many of a gift."""
    return render_template(
        "points/choose.html",
        gift=gift,
        form=form,
        balance=ledger.balance(current_user.id),
        name_of=words.name_of,
        text_of=words.text_of,
    )
