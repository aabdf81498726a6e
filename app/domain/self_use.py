"""What a home used of its own sun, day by day: what counters know, and what is missing.

A half hour counts where counters know both generation and sale, whatever the polling: energy that
was spread between two good readings counts. Where power had to stand in for a counter, or nothing
is known, it is missing (欠測) and counts nothing. What was sold is taken off each half hour by
itself, so that a battery which sells what it bought takes nothing from another one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy import select

from ..extensions import db
from ..models import EnergyTotal, PollState
from ..profiles.base import QUANTITIES
from . import half_hours
from .energy import day_of
from .energy_totals import METHOD_BITS
from .half_hours import COUNTER, HalfHour, day_bounds
from .half_hours import starts as starts_of

QUANTITIES_USED = ("pv_wh", "export_wh")
# seconds are rounded half hour by half hour
ROUNDED_S = 2
# rows fetched at once
AT_ONCE = 2000

#: first and last half hour of a stretch, as places in the day
Stretch = tuple[int, int]


class Day(NamedTuple):
    """One day: self-consumed tenths of a Wh, seconds counters know, and what is missing."""

    dwh: int
    known_s: int
    seconds: int
    missing: tuple[Stretch, ...]
    #: False: its half hours were cleared away, nobody can say any more
    is_kept: bool = True


class Told(NamedTuple):
    """What is known of one quantity in a half hour: tenths of a Wh, seconds, methods."""

    dwh: int
    seconds: int
    methods: int


#: generation and sale of a half hour
Pair = tuple[Told | None, Told | None]


# ---- pure -----------------------------------------------------------------------------------


def judged(pair: Pair) -> tuple[int, int] | None:
    """Return the tenths of a Wh that a half hour counts, and its seconds; None: missing."""
    made, sold = pair
    if made is None or sold is None or made.methods != COUNTER or sold.methods != COUNTER:
        return None
    # what was made while nobody knows what was sold may all have been sold
    if sold.seconds + ROUNDED_S < made.seconds:
        return None
    return max(0, made.dwh - sold.dwh), made.seconds


def count(day: date, zone: str, pairs: Mapping[float, Pair]) -> Day:
    """Return what a day's half hours, by start, are worth."""
    begins, ends = day_bounds(day, zone)
    dwh = known_s = 0
    missing: list[int] = []
    for place, start in enumerate(starts_of(day, zone)):
        counted = judged(pairs.get(start, (None, None)))
        if counted is None:
            missing.append(place)
        else:
            dwh, known_s = dwh + counted[0], known_s + counted[1]
    return Day(dwh, known_s, int(ends - begins), tuple(_stretches(missing)))


def nothing(day: date, zone: str) -> Day:
    """Return a day that nothing is known of."""
    return count(day, zone, {})


def _stretches(places: Sequence[int]) -> Iterator[Stretch]:
    """Yield places that follow each other as (first, last)."""
    first = last = -2
    for place in places:
        if place != last + 1:
            if first >= 0:
                yield first, last
            first = place
        last = place
    if first >= 0:
        yield first, last


# ---- read -----------------------------------------------------------------------------------


class Home(NamedTuple):
    """Whose days: an installation with its gateway."""

    gateway_id: int
    installation_id: int


def days_of_many(homes: Sequence[Home], first: date, last: date) -> Iterator[dict[date, Day]]:
    """Yield for each home, in the order of its ids, the days that something is known of.

    One home at a time is held; half hours are looked at only where the day's totals do not tell.
    """
    opened = _open_half_hours(homes, first, last)
    wanted = sorted({home.installation_id: home for home in homes}.values(), key=lambda h: h[1])
    rows = _Rows(wanted, first, last)
    for home in wanted:
        yield _days(home, rows.of(home), opened.get(home.installation_id, {}))


class Light(NamedTuple):
    """What a day's row tells without its half hours."""

    gateway_id: int
    installation_id: int
    day: date
    zone: str
    self_wh: float | None
    methods: int
    made_s: int
    sold_s: int
    has_half_hours: bool


class _Rows:
    """The light columns of many homes' days, read in one go, given home by home."""

    def __init__(self, homes: Sequence[Home], first: date, last: date) -> None:
        self._rows = (
            Light(*row)
            for row in db.session.execute(
                select(
                    EnergyTotal.gateway_id,
                    EnergyTotal.installation_id,
                    EnergyTotal.day,
                    EnergyTotal.zone,
                    EnergyTotal.self_wh,
                    EnergyTotal.methods,
                    EnergyTotal.pv_measured_s + EnergyTotal.pv_filled_s,
                    EnergyTotal.export_measured_s + EnergyTotal.export_filled_s,
                    EnergyTotal.half_hours.is_not(None),
                )
                .where(
                    EnergyTotal.installation_id.in_([home.installation_id for home in homes]),
                    EnergyTotal.day.between(first, last),
                )
                .order_by(EnergyTotal.installation_id, EnergyTotal.day)
                .execution_options(yield_per=AT_ONCE)
            )
        )
        self._next = next(self._rows, None)

    def of(self, home: Home) -> list[Light]:
        """Return a home's rows; homes are asked in the order of their ids."""
        found = []
        while self._next is not None and self._next.installation_id == home.installation_id:
            found.append(self._next)
            self._next = next(self._rows, None)
        return found


def _days(
    home: Home, rows: Sequence[Light], opened: Mapping[date, tuple[str, dict[float, Pair]]]
) -> dict[date, Day]:
    days: dict[date, Day] = {}
    looked_at: dict[date, str] = {}
    for row in rows:
        whole = None if row.day in opened else _whole(row)
        if whole:
            days[row.day] = whole
        elif row.has_half_hours:
            looked_at[row.day] = row.zone
        else:
            days[row.day] = nothing(row.day, row.zone)._replace(is_kept=False)
    for day, packed in _packed(home, list(looked_at)):
        zone = looked_at[day]
        told = half_hours.unpack(packed, day, zone, home.installation_id)
        pairs = {start: _pair(one) for start, one in told.items()}
        days[day] = count(day, zone, pairs | opened.get(day, ("", {}))[1])
    for day, (zone, pairs) in opened.items():
        if day not in days:
            days[day] = count(day, zone, pairs)
    return days


def _whole(row: Light) -> Day | None:
    """Return a day that its totals alone tell: counters know all of it."""
    begins, ends = day_bounds(row.day, row.zone)
    seconds = int(ends - begins)
    if row.self_wh is None or row.made_s != seconds or row.sold_s != seconds:
        return None
    if {_methods(row.methods, quantity) for quantity in QUANTITIES_USED} != {COUNTER}:
        return None
    return Day(round(row.self_wh * half_hours.TENTHS), seconds, seconds, ())


def _methods(bits: int, quantity: str) -> int:
    place = QUANTITIES.index(quantity)
    return bits >> METHOD_BITS * place & (1 << METHOD_BITS) - 1


def _packed(home: Home, days: Sequence[date]) -> Iterator[tuple[date, bytes]]:
    if days:
        for day, packed in db.session.execute(
            select(EnergyTotal.day, EnergyTotal.half_hours).where(
                EnergyTotal.gateway_id == home.gateway_id,
                EnergyTotal.installation_id == home.installation_id,
                EnergyTotal.day.in_(days),
            )
        ):
            assert packed is not None
            yield day, packed


def _pair(one: HalfHour) -> Pair:
    made, sold = (
        Told(
            round(energy.wh * half_hours.TENTHS),
            round(energy.measured_s + energy.filled_s),
            energy.methods,
        )
        if (energy := one.energy.get(quantity))
        else None
        for quantity in QUANTITIES_USED
    )
    return made, sold


def _open_half_hours(
    homes: Sequence[Home], first: date, last: date
) -> dict[int, dict[date, tuple[str, dict[float, Pair]]]]:
    """Return what is not written yet, as it will be, by installation and day; one query."""
    found: dict[int, dict[date, tuple[str, dict[float, Pair]]]] = {}
    wanted = {home.installation_id for home in homes}
    for kept, zone in db.session.execute(
        select(PollState.half_hours, PollState.counted_zone).where(
            PollState.gateway_id.in_({home.gateway_id for home in homes})
        )
    ):
        for told in kept:
            one = HalfHour.from_json(told)
            if one.installation_id not in wanted:
                continue
            day, _begins = day_of(datetime.fromtimestamp(one.start, UTC), zone)
            if first <= day <= last:
                of_day = found.setdefault(one.installation_id, {}).setdefault(day, (zone, {}))
                of_day[1][one.start] = _pair(one.rounded())
    return found
