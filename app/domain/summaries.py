"""What a home generated and used, month by month: figures that tell nothing of who lived there."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ..models import Installation
from . import energy_totals
from .half_hours import Total, day_bounds

MONTHS = 12
# a month counts as whole if no more than a day of its generation is unknown
SLACK = timedelta(days=1)


def last_year(installation: Installation, now: datetime) -> list[dict[str, Any]]:
    """Return generation and consumption of twelve months up to `now`, the first month first.

    Each has `month` ("2026-11"), `pv_wh` and `load_wh` (None where nothing is known), and `whole`:
    whether the energy of this ownership is known for all of the month. Two queries.
    """
    months = list(_months(now, installation.zone))
    first, last = months[0], months[-1] + timedelta(days=31)
    totals = {month: Total() for month in months}
    for day, one in energy_totals.days(
        installation.gateway_id, installation.id, first, last
    ).items():
        totals[day.replace(day=1)].add(one.total.energy, one.total.self_wh)
    return [_told(month, total, installation.zone) for month, total in totals.items()]


def _months(now: datetime, zone: str) -> Iterator[date]:
    """Yield the first days of twelve months, this one's last."""
    local = now.astimezone(ZoneInfo(zone))
    for back in range(MONTHS - 1, -1, -1):
        year, month = divmod(local.year * 12 + local.month - 1 - back, 12)
        yield date(year, month + 1, 1)


def _told(month: date, total: Total, zone: str) -> dict[str, Any]:
    pv, load = total.energy.get("pv_wh"), total.energy.get("load_wh")
    following = (month + timedelta(days=31)).replace(day=1)
    length_s = day_bounds(following, zone)[0] - day_bounds(month, zone)[0]
    known_s = pv.measured_s + pv.filled_s if pv else 0.0
    return {
        "month": f"{month:%Y-%m}",
        "pv_wh": round(pv.wh, 1) if pv else None,
        "load_wh": round(load.wh, 1) if load else None,
        "whole": length_s - known_s <= SLACK.total_seconds(),
    }
