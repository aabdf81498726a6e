"""The monitor screens: live values of one gateway, and the choice among several."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import gateways, live, people
from ...domain.errors import NotFound
from ...domain.live import Live
from ...domain.paging import Page
from .. import listing
from ..context import settings
from ..dealers.looking import open_link
from ..eco.offering import offers_for
from ..words import language
from .watching import note_watched

bp = Blueprint("monitor", __name__, url_prefix="/monitor")

GATEWAY = "<string(length=12):gateway_id>"


@bp.get("")
@bp.get(f"/{GATEWAY}")
@login_required
def show(gateway_id: str | None = None) -> ResponseReturnValue:
    """Show the live screen of a gateway; of the only one, or a choice, if none is named."""
    if gateway_id is None:
        return choose()
    shown = look(gateway_id)
    is_dealers = current_user.role == "dealer"
    if is_dealers:
        open_link(gateway_id, clock.now())
    return render_template(
        "monitor/show.html",
        live=shown,
        tag=shown.tag(language()),
        tiles_url=url_for("monitor.tiles", gateway_id=gateway_id),
        is_dealers=is_dealers,
        has_others=not is_dealers and gateways.has_several(current_user, clock.now()),
        offers_eco=current_user.role == "customer" and offers_for(gateway_id, clock.now()),
    )


def choose() -> ResponseReturnValue:
    """Lead to the only gateway; list several; say what to do if there is none.

    Dealers have a list of their own, with their customers.
    """
    if current_user.role == "dealer":
        return redirect(url_for("dealers.systems"))
    choice, search = find()
    if choice.found == 1 and not search:
        return redirect(url_for("monitor.show", gateway_id=choice.rows[0].public_id))
    return render_template("monitor/choose.html", choice=choice, search=search)


@bp.get("/choices")
@login_required
def choices() -> str:
    """Return the list of gateways alone, while one types."""
    choice, search = find()
    return render_template("monitor/_choices.html", choice=choice, search=search)


def find() -> tuple[Page[Live], str]:
    """Return the page of gateways asked for, and the words that were searched for."""
    search = listing.words()
    choice = live.list_live(
        current_user,
        clock.now(),
        zone=settings().site_zone,
        search=search,
        page=listing.page(),
    )
    return choice, search


@bp.get(f"/{GATEWAY}/tiles")
@login_required
def tiles(gateway_id: str) -> ResponseReturnValue:
    """Return all that changes on the live screen, or 304 if it looks as it did.

    `Polls` answers most of them; what comes here has no gateway to show, as a rule.
    """
    shown = look(gateway_id)
    tag = shown.tag(language())
    if request.headers.get("HX-PTag") == tag:
        return "", 304, {"HX-PTag": tag}
    url = url_for("monitor.tiles", gateway_id=gateway_id)
    page = render_template("monitor/_tiles.html", live=shown, tag=tag, tiles_url=url, alone=True)
    return page, 200, {"HX-PTag": tag}


def look(gateway_id: str) -> Live:
    """Return what a gateway's live screen shows, and note that somebody watches it.

    Raises:
        NotFound: There is no such gateway, or none who is signed in may know of.
    """
    if not people.is_gateway_id(gateway_id):
        # PostgreSQL takes no NUL, not even to look for it
        raise NotFound
    now = clock.now()
    shown = live.get_live(current_user, gateway_id, now, zone=settings().site_zone)
    note_watched(shown, now)
    return shown
