"""保守を任せる販売店様登録: form, confirmation, done."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import accounts, gateways, limits, linked, links
from ...domain.errors import Rejected
from ...transaction import transaction
from ..signin.limited import client_address, spend
from . import DEALER, GATEWAY, bp
from .forms import LinkForm

T = TypeVar("T")


@bp.route(f"/link/{GATEWAY}", methods=["GET", "POST"])
@login_required
def link(gateway_id: str) -> ResponseReturnValue:
    """Ask which dealer, show all of it, and register it: the same fields go all the way.

    The confirmation sends them once more, and they are checked once more.
    """
    installation = gateways.get_owned(current_user, gateway_id)
    form = LinkForm()
    if request.method != "POST" or "back" in request.form:
        return show_form(installation, form)
    if not form.validate():
        return show_form(installation, form, 422)
    try:
        if "register" in request.form:
            made = counted(lambda: register(gateway_id, form))
            return redirect(done_url(gateway_id, made.dealer.dealer_no), code=303)
        dealer = counted(lambda: find(installation, form))
    except Rejected as refusal:
        return show_form(installation, form, form.show_rejection(refusal))
    return render_template(
        "maintenance/link_confirm.html",
        form=form,
        mandate=form.mandate(),
        dealer=dealer,
        **around(installation),
    )


def show_form(installation: Any, form: LinkForm, status: int = 200) -> tuple[str, int]:
    """Render the form as it stands."""
    page = render_template("maintenance/link.html", form=form, **around(installation))
    return page, status


def around(installation: Any) -> dict[str, Any]:
    """Return what the pages show besides: the gateway, and the dealers it has."""
    return {
        "installation": installation,
        "present": linked.list_open(installation, clock.now()),
        "at_most": len(links.SLOTS),
    }


def find(installation: Any, form: LinkForm) -> Any:
    """Return the dealer, if it may be linked.

    Raises:
        Rejected: There is no such dealer, or it may not.
    """
    dealer = links.find_dealer(form.typed("dealer_no"), form.typed("phone"))
    links.check(installation, dealer, form.mandate(), clock.now())
    return dealer


def register(gateway_id: str, form: LinkForm) -> linked.Link:
    """Link the dealer.

    Raises:
        Rejected: There is no such dealer, or it may not be linked.
    """
    return links.link(
        current_user,
        gateway_id,
        dealer_no=form.typed("dealer_no"),
        phone=form.typed("phone"),
        mandate=form.mandate(),
        network_address=client_address(),
        now=clock.now(),
    )


def counted(ask: Callable[[], T]) -> T:
    """Ask whether a dealer is known: counted beforehand, and taken back if it is.

    Raises:
        TooManyFailures: Earlier failures ask for a wait.
        Rejected: What `ask` raises.
    """
    subject = accounts.limit_subject(current_user.email)
    spend(links.ACTION, subject, clock.now())
    try:
        with transaction():
            answer = ask()
    except links.DealerUnknown:
        raise
    except Rejected:
        forgive(subject)
        raise
    forgive(subject)
    return answer


def forgive(subject: str) -> None:
    """Take back what was counted: this was no guess."""
    with transaction():
        limits.forgive(links.ACTION, [f"address:{client_address()}", subject])


def done_url(gateway_id: str, dealer_no: int | None) -> str:
    """Return the page that says it is done."""
    return url_for("maintenance.linked_done", gateway_id=gateway_id, dealer_no=dealer_no)


@bp.get(f"/link/{GATEWAY}/{DEALER}/done")
@login_required
def linked_done(gateway_id: str, dealer_no: int) -> str:
    """Say that the dealer looks after the gateway now."""
    found = linked.get_open_of_owner(current_user, gateway_id, dealer_no, clock.now())
    return render_template("maintenance/link_done.html", link=found)
