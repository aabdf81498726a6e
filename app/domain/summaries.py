"""What a home generated and used, month by month: figures that tell nothing of who lived there."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, union_all

from ..extensions import db
from ..models import Installation, Reading

MONTHS = 12
# how many readings at either end of a month are looked at for a counter that was known
LOOKED_AT = 5
# a month counts as whole if its first and last readings are no further from its ends
SLACK = timedelta(days=1)


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
    readings = _ends(installation.gateway_id, since, until) if since < until else []
    energy = {name: _counted(readings, name) for name in COUNTERS}
    whole = bool(readings) and (readings[0][0] - start <= SLACK and end - readings[-1][0] <= SLACK)
    return {
        "month": f"{start:%Y-%m}",
        "pv_wh": energy["pv_wh"],
        "load_wh": consumption(energy, has_battery=_has_battery(readings)),
        "whole": whole,
    }


COUNTERS = ("pv_wh", "load_wh", "import_wh", "export_wh", "charge_wh", "discharge_wh")
BATTERY = ("charge_wh", "discharge_wh")

Moment = tuple[datetime, Mapping[str, Any]]


def _ends(gateway_id: int, since: datetime, until: datetime) -> list[Moment]:
    """Return the first and the last readings of a time, in their order."""
    within = (
        select(Reading.taken_at, Reading.counters)
        .where(
            Reading.gateway_id == gateway_id,
            Reading.taken_at >= since,
            Reading.taken_at < until,
        )
        .limit(LOOKED_AT)
    )
    first, last = (
        select(within.order_by(order).subquery())
        for order in (Reading.taken_at.asc(), Reading.taken_at.desc())
    )
    # a month with few readings finds them at both ends
    rows: dict[datetime, Mapping[str, Any]] = {}
    for at, counters in db.session.execute(union_all(first, last)):
        rows[at] = counters
    return sorted(rows.items())


def _counted(readings: Sequence[Moment], name: str) -> float | None:
    """Return by how much a lifetime counter rose; None if that is unknown, or it was reset."""
    known = [wh for _at, counters in readings if (wh := counters.get(name)) is not None]
    if len(known) < 2 or known[-1] < known[0]:
        return None
    return float(known[-1] - known[0])


def _has_battery(readings: Sequence[Moment]) -> bool:
    return any(name in counters for _at, counters in readings for name in BATTERY)


def consumption(energy: Mapping[str, float | None], *, has_battery: bool) -> float | None:
    """Return what was used: by its own counter, else as the balance of all others."""
    if energy["load_wh"] is not None:
        return energy["load_wh"]
    terms = [
        *((energy[name], 1) for name in ("pv_wh", "import_wh")),
        (energy["export_wh"], -1),
        *([(energy["discharge_wh"], 1), (energy["charge_wh"], -1)] if has_battery else []),
    ]
    balance = 0.0
    for wh, sign in terms:
        if wh is None:
            return None
        balance += sign * wh
    return max(balance, 0.0)
