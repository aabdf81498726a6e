"""What a sample makes of a gateway's row of latest values: means of a minute, totals of the day."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from ..profiles.base import Sample
from .energy import Piece, day_of, energy_between

# 現在(平均値): the mean of the last 60 s
MEAN_S = 60.0

# epoch seconds, then pv_w, load_w, grid_w, battery_w
Moment = list[float | None]

TODAY = {
    "pv_today_wh": "pv_wh",
    "load_today_wh": "load_wh",
    "sold_today_wh": "export_wh",
    "bought_today_wh": "import_wh",
    "charged_today_wh": "charge_wh",
    "discharged_today_wh": "discharge_wh",
}


class Site(NamedTuple):
    """The open installation a gateway's energy counts for: its id, since when, its zone."""

    installation_id: int | None
    opened_at: datetime | None
    zone: str


class Today(NamedTuple):
    """The totals so far (Wh by column), of which day and which installation."""

    day: date | None
    installation_id: int | None
    totals: Mapping[str, float | None]


def window_after(window: Iterable[Moment], at: datetime, sample: Sample) -> list[Moment]:
    """Return the moments of the last minute, this sample's included."""
    moment = at.timestamp()
    newest: Moment = [moment, sample.pv_w, sample.load_w, sample.grid_w, sample.battery_w]
    return [kept for kept in window if (kept[0] or 0.0) > moment - MEAN_S] + [newest]


def means(window: list[Moment]) -> dict[str, float | None]:
    """Return the mean powers in W, by column; what no sample of the minute knew is None."""
    grid = [kept[3] for kept in window if kept[3] is not None]
    return {
        "pv_now_w": _mean([kept[1] for kept in window]),
        "load_now_w": _mean([kept[2] for kept in window]),
        # the two directions are told apart first: a minute may hold some of both
        "sold_now_w": _mean([max(-w, 0.0) for w in grid]),
        "bought_now_w": _mean([max(w, 0.0) for w in grid]),
        "battery_now_w": _mean([kept[4] for kept in window]),
    }


def _mean(values: list[float | None] | list[float]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def today_after(today: Today, pieces: list[Piece], at: datetime, site: Site) -> Today:
    """Return the day's totals with these pieces.

    They begin anew at the site's midnight and with a new installation, which counts from the moment
    it opened. A total is None until something is known of it.
    """
    day, start = day_of(at, site.zone)
    if site.opened_at:
        start = max(start, site.opened_at.timestamp())
    same = today.day == day and today.installation_id == site.installation_id
    totals: dict[str, float | None] = dict(today.totals if same else dict.fromkeys(TODAY))
    more = energy_between(pieces, start, at.timestamp())
    for column, quantity in TODAY.items():
        if quantity in more:
            totals[column] = (totals[column] or 0.0) + more[quantity]
    return Today(day, site.installation_id, totals)


def reading(gateway_id: int, at: datetime, sample: Sample) -> dict[str, Any]:
    """Return the row that keeps a sample."""
    return {
        "gateway_id": gateway_id,
        "taken_at": at,
        "pv_w": sample.pv_w,
        "load_w": sample.load_w,
        "grid_w": sample.grid_w,
        "battery_w": sample.battery_w,
        "soc_pct": sample.soc_pct,
        "counters": sample.counters,
    }
