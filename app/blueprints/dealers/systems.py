"""保守しているシステム: a dealer's list of what it looks after, and one of it."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import linked, links, live, systems
from ...domain.live import RANKS
from ...domain.people import PREFECTURES
from ...domain.systems import Asked
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..context import settings
from ..signin.limited import client_address
from .looking import open_link
from .systems_csv import answer_csv
from .wizard import bp

GATEWAY = "<string(length=12):gateway_id>"
STATES = tuple(state.value for state in RANKS)


@bp.get("/dealer/systems", endpoint="systems")
@login_required
def index() -> str:
    """List the systems the dealer looks after, worst first."""
    return render_template("dealers/systems/list.html", **page_asked())


@bp.get("/dealer/systems/list", endpoint="system_rows")
@login_required
def rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = page_asked()
    page = render_template("dealers/systems/_list.html", **shown)
    return page, {"HX-Replace-Url": url_for("dealers.systems", **shown["filters"])}


@bp.get("/dealer/systems.csv", endpoint="systems_csv")
@login_required
def csv() -> ResponseReturnValue:
    """Give all that the list finds as a file.

    Raises:
        NotFound: Who is signed in is no dealer's person.
    """
    now = clock.now()
    found = systems.find(current_user, asked(), now)
    rows = systems.show_all(current_user, found, now, zone=settings().site_zone)
    return answer_csv(rows, now, count=len(found.ids))


def asked() -> Asked:
    """Return what the page's address asks for; what makes no sense asks for nothing."""
    state, prefecture = request.args.get("state", ""), request.args.get("prefecture", "")
    return Asked(
        words=listing.words(),
        state=state if state in STATES else "",
        prefecture=prefecture if prefecture in PREFECTURES else "",
    )


def page_asked() -> dict[str, Any]:
    """Return the page of systems that was asked for, and what was asked."""
    now, chosen = clock.now(), asked()
    found = systems.find(current_user, chosen, now)
    page = listing.page()
    filters = {"q": chosen.words, "state": chosen.state, "prefecture": chosen.prefecture}
    return {
        "shown": systems.show(current_user, found, now, zone=settings().site_zone, page=page),
        "found": found,
        "asked": chosen,
        "filters": {name: value for name, value in filters.items() if value},
        "states": STATES,
        "prefectures": [name for name in PREFECTURES if found.prefectures[name]],
    }


@bp.get(f"/dealer/systems/{GATEWAY}", endpoint="system")
@login_required
def show(gateway_id: str) -> str:
    """Show one system with its customer's registration data. The look is written down."""
    now = clock.now()
    link = open_link(gateway_id, now)
    return render_template(
        "dealers/systems/show.html",
        link=link,
        installation=link.installation,
        account=link.installation.account,
        live=live.get_live(current_user, gateway_id, now, zone=settings().site_zone),
        past=linked.list_past(link.installation, now, dealer_id=link.dealer_id),
    )


@bp.route(f"/dealer/systems/{GATEWAY}/decline", methods=["GET", "POST"], endpoint="decline")
@login_required
def decline(gateway_id: str) -> ResponseReturnValue:
    """Say what declining means, then give the maintenance back."""
    now = clock.now()
    link = linked.get_open(current_user, gateway_id, now)
    if request.method != "POST":
        return render_template(
            "dealers/systems/decline.html", link=link, installation=link.installation
        )
    with transaction():
        links.decline(current_user, gateway_id, network_address=client_address(), now=now)
    flash(_("保守を辞退しました。お客様にメールでお知らせします。"), "success")
    return redirect(url_for("dealers.systems"), code=303)
