"""Energy of gateways by day and half hour: written once it is settled, read with what is not yet.

Whoever writes has locked the gateway's poll state (`polling.py`): a day's row is read and written
again, and nobody else does so meanwhile.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, or_, select, tuple_
from sqlalchemy.orm import undefer

from ..extensions import db
from ..models import EnergyTotal, Installation, MeterCheckpoint, PollState
from ..profiles.base import QUANTITIES
from . import half_hours
from .energy import day_of
from .half_hours import FOREVER, TENTHS, UNKNOWN_WH, Energy, HalfHour, Owner, Total
from .inserts import insert

# four bits for each quantity
METHOD_BITS = 4
# keys asked for in one statement
KEYS = 2000

#: gateway, installation (0 is nobody's), day
Key = tuple[int, int, date]


class Settled(NamedTuple):
    """Half hours of one gateway in which nothing more will settle."""

    gateway_id: int
    zone: str
    half_hours: Sequence[HalfHour]
    #: a recount: what was written from this moment on gives way
    replaces_from: float = float("inf")


# ---- writing --------------------------------------------------------------------------------


def write(settled: Iterable[Settled]) -> None:
    """Write half hours into the rows of their days; two statements however many there are."""
    days: dict[Key, dict[float, HalfHour]] = defaultdict(dict)
    zones: dict[int, str] = {}
    replaces: dict[int, float] = {}
    for one in settled:
        zones[one.gateway_id], replaces[one.gateway_id] = one.zone, one.replaces_from
        for half_hour in one.half_hours:
            day, _ = day_of(datetime.fromtimestamp(half_hour.start, UTC), one.zone)
            days[one.gateway_id, half_hour.installation_id, day][half_hour.start] = half_hour
    rows = []
    for key, known_zone, packed in _present(days):
        zone = known_zone or zones[key[0]]
        kept = half_hours.unpack(packed, key[2], zone, key[1]) if packed else {}
        until = replaces[key[0]]
        kept = {start: one for start, one in kept.items() if start < until}
        rows.append(_row(key, zone, kept | days[key]))
    if rows:
        table = cast(Table, EnergyTotal.__table__)
        new = insert(table)
        names = [name for name in rows[0] if name not in ("gateway_id", "installation_id", "day")]
        db.session.connection().execute(
            new.on_conflict_do_update(
                index_elements=[table.c.gateway_id, table.c.installation_id, table.c.day],
                set_={name: new.excluded[name] for name in names},
            ),
            rows,
        )


def _present(days: Mapping[Key, object]) -> Iterator[tuple[Key, str | None, bytes | None]]:
    """Yield each key with the zone and the half hours its row holds, None if there is no row."""
    columns = (EnergyTotal.gateway_id, EnergyTotal.installation_id, EnergyTotal.day)
    keys = sorted(days)
    for place in range(0, len(keys), KEYS):
        some = keys[place : place + KEYS]
        found = {
            (gateway_id, installation_id, day): (zone, packed)
            for gateway_id, installation_id, day, zone, packed in db.session.execute(
                select(*columns, EnergyTotal.zone, EnergyTotal.half_hours).where(
                    tuple_(*columns).in_(some)
                )
            )
        }
        for key in some:
            yield key, *found.get(key, (None, None))


def _row(key: Key, zone: str, kept: Mapping[float, HalfHour]) -> dict[str, Any]:
    """Return a day's row; its totals are the sums of what the row says of the half hours."""
    gateway_id, installation_id, day = key
    packed = half_hours.pack(kept, day, zone)
    summed = half_hours.total(half_hours.unpack(packed, day, zone, installation_id).values())
    row: dict[str, Any] = {
        "gateway_id": gateway_id,
        "installation_id": installation_id,
        "day": day,
        "zone": zone,
        "self_wh": None if summed.self_wh is None else round(summed.self_wh, 1),
        "methods": 0,
        "half_hours": packed,
    }
    for number, quantity in enumerate(QUANTITIES):
        one, name = summed.energy.get(quantity), quantity.removesuffix("_wh")
        row[quantity] = round(one.wh, 1) if one else None
        row[f"{name}_measured_s"] = int(one.measured_s) if one else 0
        row[f"{name}_filled_s"] = int(one.filled_s) if one else 0
        row["methods"] |= (one.methods if one else 0) << METHOD_BITS * number
    return row


def keep_checkpoints(rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what meters stood at before the first sample of a day; a recount writes it anew."""
    if rows:
        table = cast(Table, MeterCheckpoint.__table__)
        new = insert(table)
        db.session.connection().execute(
            new.on_conflict_do_update(
                index_elements=[table.c.gateway_id, table.c.day],
                set_={name: new.excluded[name] for name in ("taken_at", "meters", "half_hours")},
            ),
            rows,
        )


def owners(gateway_ids: Sequence[int]) -> dict[int, list[Owner]]:
    """Return whose each gateway was and is, in order of time."""
    found: dict[int, list[Owner]] = {gateway_id: [] for gateway_id in gateway_ids}
    if gateway_ids:
        for row in db.session.execute(
            select(
                Installation.gateway_id,
                Installation.id,
                Installation.opened_at,
                Installation.closed_at,
            )
            .where(Installation.gateway_id.in_(gateway_ids))
            .order_by(Installation.opened_at)
        ):
            until = row.closed_at.timestamp() if row.closed_at else FOREVER[1]
            found[row.gateway_id].append((row.opened_at.timestamp(), until, row.id))
    return found


# ---- reading --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Day:
    """What one day of the site is worth, for one installation."""

    day: date
    zone: str
    total: Total


def days(gateway_id: int, installation_id: int, first: date, last: date) -> dict[date, Day]:
    """Return the days from `first` to `last` that something is known of; two queries."""
    found = {
        row.day: Day(row.day, row.zone, _total(row))
        for row in db.session.scalars(
            select(EnergyTotal).where(
                EnergyTotal.gateway_id == gateway_id,
                EnergyTotal.installation_id == installation_id,
                EnergyTotal.day.between(first, last),
            )
        )
    }
    for day, zone, one in _open(gateway_id, installation_id):
        if first <= day <= last:
            kept = found.setdefault(day, Day(day, zone, Total()))
            kept.total.add(one.energy, one.self_wh)
    return found


def day_half_hours(gateway_id: int, installation_id: int, day: date) -> dict[float, HalfHour]:
    """Return the half hours of a day that something is known of, by start; two queries.

    None of a day whose half hours were cleared away are left.
    """
    return days_half_hours(gateway_id, installation_id, day, day).get(day, {})


def days_half_hours(
    gateway_id: int, installation_id: int, first: date, last: date
) -> dict[date, dict[float, HalfHour]]:
    """Return the half hours of days, each by start; two queries. For months at a time."""
    found: dict[date, dict[float, HalfHour]] = defaultdict(dict)
    for row in db.session.scalars(
        select(EnergyTotal)
        .options(undefer(EnergyTotal.half_hours))
        .where(
            EnergyTotal.gateway_id == gateway_id,
            EnergyTotal.installation_id == installation_id,
            EnergyTotal.day.between(first, last),
        )
    ):
        if row.half_hours:
            found[row.day] = half_hours.unpack(row.half_hours, row.day, row.zone, installation_id)
    for day, _, one in _open(gateway_id, installation_id):
        if first <= day <= last:
            found[day][one.start] = one
    return dict(found)


def series(
    gateway_id: int,
    installation_id: int,
    spans: Sequence[tuple[date, date]],
    quantities: Sequence[str],
) -> list[tuple[float, list[float | None]]]:
    """Return Wh of quantities by half hour, in order of time; two queries. For many months.

    Spans of days do not overlap. A half hour in which none of them is known may be absent.
    """
    found: dict[float, list[float | None]] = {}
    rows = db.session.execute(
        select(EnergyTotal.day, EnergyTotal.zone, EnergyTotal.half_hours).where(
            EnergyTotal.gateway_id == gateway_id,
            EnergyTotal.installation_id == installation_id,
            EnergyTotal.half_hours.is_not(None),
            or_(*(EnergyTotal.day.between(*span) for span in spans)),
        )
    )
    for day, zone, packed in rows:
        assert packed is not None
        columns = (
            [None if tenths == UNKNOWN_WH else tenths / TENTHS for tenths in column.tenths]
            for column in half_hours.unpack_columns(packed, day, zone, quantities)
        )
        starts = half_hours.starts(day, zone)
        found.update(zip(starts, map(list, zip(*columns, strict=True)), strict=True))
    for day, _zone, one in _open(gateway_id, installation_id):
        if any(first <= day <= last for first, last in spans):
            told = (one.energy.get(quantity) for quantity in quantities)
            found[one.start] = [energy.wh if energy else None for energy in told]
    return sorted(found.items())


def _total(row: EnergyTotal) -> Total:
    energy = {}
    for number, quantity in enumerate(QUANTITIES):
        wh, name = getattr(row, quantity), quantity.removesuffix("_wh")
        if wh is not None:
            energy[quantity] = Energy(
                wh,
                getattr(row, f"{name}_measured_s"),
                getattr(row, f"{name}_filled_s"),
                row.methods >> METHOD_BITS * number & (1 << METHOD_BITS) - 1,
            )
    return Total(energy, row.self_wh)


def _open(gateway_id: int, installation_id: int) -> Iterator[tuple[date, str, HalfHour]]:
    """Yield the half hours that are not written yet, as they will be: day, zone, half hour."""
    found = db.session.execute(
        select(PollState.half_hours, PollState.counted_zone).where(
            PollState.gateway_id == gateway_id
        )
    ).one_or_none()
    if found is None:
        return
    for kept in found.half_hours:
        one = HalfHour.from_json(kept)
        if one.installation_id == installation_id:
            day, _ = day_of(datetime.fromtimestamp(one.start, UTC), found.counted_zone)
            yield day, found.counted_zone, one.rounded()
