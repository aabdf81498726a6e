"""What a home generated and used, month by month: figures that tell nothing of who lived there."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import literal, select, union_all

from ..extensions import db
from ..models import Installation, Reading
from ..profiles.base import QUANTITIES
from .energy import BATTERY, consumption

MONTHS = 12
# how many readings at either end of a month are looked at for a counter that was known: an hour
LOOKED_AT = 60
# a month counts as whole if its first and last readings are no further from its ends
SLACK = timedelta(days=1)

Moment = tuple[datetime, Mapping[str, Any]]


def last_year(installation: Installation, now: datetime) -> list[dict[str, Any]]:
    """Return generation and consumption of twelve months up to `now`, the first month first.

    Each has `month` ("2026-11"), `pv_wh` and `load_wh` (None where no counter tells), and `whole`:
    whether readings of this ownership span the month. One indexed query a month.
    """
    return [_month(installation, start, end, now) for start, end in _months(now, installation.zone)]


def _months(now: datetime, zone: str) -> Iterator[tuple[datetime, datetime]]:
    local = now.astimezone(ZoneInfo(zone))
    for back in range(MONTHS - 1, -1, -1):
        year, month = divmod(local.year * 12 + local.month - 1 - back, 12)
        after, month_after = divmod(year * 12 + month + 1, 12)
        yield (
            datetime(year, month + 1, 1, tzinfo=ZoneInfo(zone)),
            datetime(after, month_after + 1, 1, tzinfo=ZoneInfo(zone)),
        )


def _month(
    installation: Installation, start: datetime, end: datetime, now: datetime
) -> dict[str, Any]:
    since, until = max(start, installation.opened_at), min(end, now)
    first, last = _ends(installation.gateway_id, since, until) if since < until else ([], [])
    energy = {name: _counted(first, last, name) for name in QUANTITIES}
    has_battery = any(name in counters for _at, counters in first + last for name in BATTERY)
    whole = bool(first) and first[0][0] - start <= SLACK and end - last[0][0] <= SLACK
    return {
        "month": f"{start:%Y-%m}",
        "pv_wh": energy["pv_wh"],
        "load_wh": consumption(energy, has_battery=has_battery),
        "whole": whole,
    }


def _ends(gateway_id: int, since: datetime, until: datetime) -> tuple[list[Moment], list[Moment]]:
    """Return the first readings of a time, and the last ones, each from the end inwards."""
    within = (
        select(Reading.taken_at, Reading.counters)
        .where(
            Reading.gateway_id == gateway_id,
            Reading.taken_at >= since,
            Reading.taken_at < until,
        )
        .limit(LOOKED_AT)
    )
    both = (
        select(literal(is_last).label("is_last"), found.c.taken_at, found.c.counters)
        for is_last, found in (
            (False, within.order_by(Reading.taken_at.asc()).subquery()),
            (True, within.order_by(Reading.taken_at.desc()).subquery()),
        )
    )
    ends: tuple[list[Moment], list[Moment]] = ([], [])
    for is_last, at, counters in db.session.execute(union_all(*both)):
        ends[is_last].append((at, counters))
    # a union promises no order
    ends[False].sort(key=_taken_at)
    ends[True].sort(key=_taken_at, reverse=True)
    return ends


def _taken_at(moment: Moment) -> datetime:
    return moment[0]


def _counted(first: Sequence[Moment], last: Sequence[Moment], name: str) -> float | None:
    """Return by how much a lifetime counter rose; None if that is unknown, or it was reset.

    A counter that was known only in the middle, or from some day on, tells nothing of the month.
    """
    began, ended = _known(first, name), _known(last, name)
    if began is None or ended is None or began[0] >= ended[0] or began[1] > ended[1]:
        return None
    return ended[1] - began[1]


def _known(readings: Sequence[Moment], name: str) -> tuple[datetime, float] | None:
    for at, counters in readings:
        wh = counters.get(name)
        if wh is not None:
            return at, float(wh)
    return None
