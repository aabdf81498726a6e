"""The monitor screens: live values of one gateway, and the choice among several."""

from datetime import datetime, timedelta

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...config import Settings
from ...domain import gateways, live, normalise, people, polling
from ...domain.errors import NotFound
from ...domain.live import Choice, Live
from ...domain.polling import Pace
from ...extensions import limiter
from ...transaction import transaction
from .. import signin
from ..context import settings, spoken
from ..words import language

bp = Blueprint("monitor", __name__, url_prefix="/monitor")

GATEWAY = "<string(length=12):gateway_id>"
# "somebody watches" is written at most this often per gateway
WATCH_AGAIN = timedelta(seconds=10)


@bp.get("")
@bp.get(f"/{GATEWAY}")
@login_required
def show(gateway_id: str | None = None) -> ResponseReturnValue:
    """Show the live screen of a gateway; of the only one, or a choice, if none is named."""
    if gateway_id is None:
        return choose()
    shown = look(gateway_id)
    return render_template(
        "monitor/show.html",
        live=shown,
        tag=shown.tag(language()),
        has_others=gateways.count_visible(current_user) > 1,
    )


def choose() -> ResponseReturnValue:
    """Lead to the only gateway; list several; say what to do if there is none."""
    choice, search = find()
    if choice.found == 1 and not search:
        return redirect(url_for("monitor.show", gateway_id=choice.shown[0].public_id))
    return render_template("monitor/choose.html", choice=choice, search=search)


@bp.get("/choices")
@login_required
def choices() -> str:
    """Return the list of gateways alone, while one types."""
    choice, search = find()
    return render_template("monitor/_choices.html", choice=choice, search=search)


def find() -> tuple[Choice, str]:
    """Return the page of gateways asked for, and the words that were searched for."""
    search = normalise.line(request.args.get("q", ""))[:100]
    choice = live.list_live(
        current_user,
        clock.now(),
        zone=settings().site_zone,
        search=search,
        page=request.args.get("page", 1, type=int),
    )
    return choice, search


# whoever is signed in may watch many screens at once, from behind one address
@bp.get(f"/{GATEWAY}/tiles")
@limiter.free
def tiles(gateway_id: str) -> ResponseReturnValue:
    """Return all that changes on the live screen, or 304 if it looks as it did."""
    token, chosen, now = session.get("_user_id"), settings(), clock.now()
    found = None
    if token and people.is_gateway_id(gateway_id):
        zone = chosen.site_zone
        found = live.poll(token, gateway_id, now, zone=zone, lifetimes=signin.lifetimes())
    if found is None:
        refusal: ResponseReturnValue = nothing_to_poll()
        return refusal
    seen, shown = found
    signin.see(seen, now)
    note_watched(shown, now)
    tag = shown.tag(language())
    if request.headers.get("HX-PTag") == tag:
        return "", 304, {"HX-PTag": tag}
    # not `render_template`: the partial needs nothing of what is gathered for every page
    partial = current_app.jinja_env.get_template("monitor/tiles.html")
    return partial.render(live=shown, tag=tag, settings=spoken()), 200, {"HX-PTag": tag}


@login_required
def nothing_to_poll() -> ResponseReturnValue:
    """Lead who is not signed in to where one signs in; anything else does not exist.

    Raises:
        NotFound: Always, to who is signed in.
    """
    raise NotFound


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


def note_watched(shown: Live, now: datetime) -> None:
    """Write down that somebody watches, if that was not done just now."""
    chosen = settings()
    watched_for = timedelta(seconds=chosen.watched_for_s)
    if shown.watched_until is None or shown.watched_until < now + watched_for - WATCH_AGAIN:
        with transaction():
            polling.watch(shown.id, now, for_s=chosen.watched_for_s, pace=pace(chosen))


def pace(chosen: Settings) -> Pace:
    """Return how often gateways are asked, as configured."""
    return Pace(chosen.poll_interval_s, chosen.poll_watched_s, chosen.poll_backoff_max_s)
