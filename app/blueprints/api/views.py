"""What there is to read."""

from collections.abc import Mapping

from flask import Response, g, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue

from ... import clock
from ...domain import api_tokens, energy_series, live, people
from ...domain.errors import NotFound
from ...domain.half_hours import HELD, METHODS, Energy
from ...domain.live import Live
from ...domain.readings import TODAY
from ..context import settings
from . import asking, bp
from .access import scoped

QUANTITIES = tuple(TODAY.values())
# what tells how a quantity is known; bits of `half_hours`
TOLD_BY: Mapping[str, int] = METHODS | {"held": HELD}


@bp.get("/", strict_slashes=False, provide_automatic_options=False)
def index() -> ResponseReturnValue:
    """Lead a person who types the address to the page that explains it."""
    return redirect(url_for("guide.show"))


@bp.get("/gateways", provide_automatic_options=False)
@scoped()
def gateways() -> Response:
    """List the gateways that the token's account may see."""
    place = asking.place()
    shown, following = live.list_after(
        g.bearer.account,
        clock.now(),
        zone=settings().site_zone,
        after=place.cursor,
        size=place.size,
    )
    return jsonify(gateways=[_gateway(one) for one in shown], next_cursor=following)


@bp.get("/gateways/<gateway_id>/latest", provide_automatic_options=False)
@scoped(api_tokens.LATEST)
def latest(gateway_id: str) -> Response:
    """Return what a gateway measured last.

    Raises:
        NotFound: There is no such gateway, or none the token's account may know of.
    """
    asked = asking.Parameters()
    asked.only()
    asked.judge()
    if not people.is_gateway_id(gateway_id):
        # PostgreSQL takes no NUL, not even to look for it
        raise NotFound
    shown = live.get_live(g.bearer.account, gateway_id, clock.now(), zone=settings().site_zone)
    return jsonify(
        **_gateway(shown),
        taken_at=f"{shown.taken_at:%Y-%m-%dT%H:%M:%SZ}" if shown.taken_at else None,
        is_current=shown.is_current and shown.taken_at is not None,
        pv_w=_tenths(shown.pv_w),
        load_w=_tenths(shown.load_w),
        grid_w=_tenths(shown.grid_w),
        battery_w=_tenths(shown.battery_w),
        soc_pct=shown.soc_pct,
        today={quantity: _tenths(shown.today[column]) for column, quantity in TODAY.items()},
    )


@bp.get("/gateways/<gateway_id>/history", provide_automatic_options=False)
@scoped(api_tokens.HISTORY)
def history(gateway_id: str) -> Response:
    """Return a gateway's energy by half hour, day or month.

    Raises:
        NotFound: There is no such gateway, or none the token's account may know of.
    """
    span = asking.span()
    found = energy_series.series(
        g.bearer.account, gateway_id, span, clock.now(), zone=settings().site_zone
    )
    return jsonify(
        id=found.public_id,
        zone=found.zone,
        period=span.period,
        rows=[_row(row) for row in found.rows],
    )


def _gateway(shown: Live) -> dict[str, object]:
    return {
        "id": shown.public_id,
        "site_name": shown.site_name,
        "zone": shown.zone,
        "state": shown.overall.value,
    }


def _row(row: energy_series.Row) -> dict[str, object]:
    energy = {name: _energy(row.total.energy.get(name)) for name in QUANTITIES}
    told = {"start": row.start, "seconds": row.seconds, "self_wh": _tenths(row.total.self_wh)}
    return told | energy


def _energy(one: Energy | None) -> dict[str, object]:
    if one is None:
        return {"wh": None, "measured_s": 0, "filled_s": 0, "methods": []}
    return {
        "wh": _tenths(one.wh),
        "measured_s": int(one.measured_s),
        "filled_s": int(one.filled_s),
        "methods": [name for name, bit in TOLD_BY.items() if one.methods & bit],
    }


def _tenths(value: float | None) -> float | None:
    """Return a figure with one decimal; unknown stays unknown, and nothing is minus nothing."""
    return None if value is None else round(float(value), 1) + 0.0
