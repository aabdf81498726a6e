"""保守を任せている販売店様解除: which dealer, confirmation, done."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import gateways, linked, links
from ...transaction import transaction
from .. import listing
from ..signin.limited import client_address
from . import DEALER, GATEWAY, bp


@bp.get(f"/unlink/{GATEWAY}")
@login_required
def dealers(gateway_id: str) -> str:
    """List the dealers of a gateway, one of which is to be unlinked."""
    return render_template("maintenance/dealers.html", **found(gateway_id))


@bp.get(f"/unlink/{GATEWAY}/list")
@login_required
def dealer_rows(gateway_id: str) -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = found(gateway_id)
    page = render_template("maintenance/_dealers.html", **shown)
    there = url_for("maintenance.dealers", gateway_id=gateway_id, q=shown["q"] or None)
    return page, {"HX-Replace-Url": there}


def found(gateway_id: str) -> dict[str, Any]:
    """Return the dealers that were asked for, and what was asked."""
    installation = gateways.get_owned(current_user, gateway_id)
    words = listing.words()
    present = linked.list_open(installation, clock.now())
    return {
        "installation": installation,
        "present": present,
        "shown": linked.among(present, words),
        "q": words,
    }


@bp.route(f"/unlink/{GATEWAY}/{DEALER}", methods=["GET", "POST"])
@login_required
def unlink(gateway_id: str, dealer_no: int) -> ResponseReturnValue:
    """Show who goes and who remains, then end the dealer's maintenance with this very request."""
    now = clock.now()
    if request.method == "POST":
        with transaction():
            links.unlink(
                current_user, gateway_id, dealer_no, network_address=client_address(), now=now
            )
        there = url_for("maintenance.unlinked", gateway_id=gateway_id, dealer_no=dealer_no)
        return redirect(there, code=303)
    link = linked.get_open_of_owner(current_user, gateway_id, dealer_no, now)
    present = linked.list_open(link.installation, now)
    return render_template(
        "maintenance/unlink.html",
        link=link,
        installation=link.installation,
        remaining=[one for one in present if one.id != link.id],
    )


@bp.get(f"/unlink/{GATEWAY}/{DEALER}/done")
@login_required
def unlinked(gateway_id: str, dealer_no: int) -> ResponseReturnValue:
    """Say that the dealer's maintenance has ended."""
    link = linked.get_of_owner(current_user, gateway_id, dealer_no)
    if linked.is_open_at(link, clock.now()):
        return redirect(
            url_for("maintenance.unlink", gateway_id=gateway_id, dealer_no=dealer_no), code=303
        )
    return render_template("maintenance/unlink_done.html", link=link)
