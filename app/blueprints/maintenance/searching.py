"""The menu, and the search for the gateway that a dealer is linked to or unlinked from."""

from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import installations, linked
from .. import listing
from . import bp


@bp.get("", strict_slashes=False)
@login_required
def menu() -> str:
    """Offer the two ways on, and say what it means to let a dealer look after a system."""
    return render_template("maintenance/menu.html")


@bp.get("/link")
@login_required
def to_link() -> str:
    """List the gateways a dealer may be linked to."""
    return render_template("maintenance/search.html", **found("link"))


@bp.get("/link/list")
@login_required
def to_link_rows() -> ResponseReturnValue:
    """Return the list alone, while one types."""
    return rows("link")


@bp.get("/unlink")
@login_required
def to_unlink() -> str:
    """List the gateways that have a dealer."""
    return render_template("maintenance/search.html", **found("unlink"))


@bp.get("/unlink/list")
@login_required
def to_unlink_rows() -> ResponseReturnValue:
    """Return the list alone, while one types."""
    return rows("unlink")


def rows(way: str) -> ResponseReturnValue:
    """Return the list alone; the address of the page follows."""
    shown = found(way)
    asked = {name: shown[name] for name in ("q", "sort") if shown[name]}
    page = render_template("maintenance/_sites.html", **shown)
    return page, {"HX-Replace-Url": url_for(f"maintenance.to_{way}", **asked)}


def found(way: str) -> dict[str, Any]:
    """Return the page of gateways that was asked for, and what was asked."""
    now = clock.now()
    words, sort = listing.words(), listing.sort(installations.ORDERS)
    shown = installations.search(
        current_user,
        words,
        order=sort or "site",
        page=listing.page(),
        maintained_at=now if way == "unlink" else None,
    )
    dealers = linked.count_open([one.id for one in shown.rows], now)
    return {"way": way, "shown": shown, "dealers": dealers, "q": words, "sort": sort}
