"""What a home used of its own sun, day by day: what counters know, and what is missing.

A half hour counts where counters know both generation and sale, whatever the polling: energy that
was spread between two good readings counts. Where power had to stand in for a counter, or nothing
is known, it is missing (欠測) and counts nothing. What was sold is taken off each half hour by
itself, so that a battery which sells what it bought takes nothing from another one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    and_,
    cast,
    false,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
)

from ..extensions import db
from ..models import EnergyTotal, Installation, PollState
from ..profiles.base import QUANTITIES
from . import half_hours
from .energy import day_of
from .energy_totals import METHOD_BITS
from .half_hours import COUNTER, HalfHour, day_bounds
from .half_hours import starts as starts_of

QUANTITIES_USED = ("pv_wh", "export_wh")
# seconds are rounded half hour by half hour
ROUNDED_S = 2
# days whose half hours are fetched at once
AT_ONCE = 2000
DAY_S = 86_400
METHODS_MASK = (1 << METHOD_BITS) - 1

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


@lru_cache(maxsize=4096)
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


class Days(Mapping[date, Day]):
    """The days of a home that something is known of.

    Nearly all are known wholly, and of those a number is all there is to tell: they are kept as
    numbers in a row, so that a half-year adds up without a look at each of its days.
    """

    __slots__ = ("_first", "_others", "_whole")

    def __init__(self, first: date, whole: list[int | None], others: dict[date, Day]) -> None:
        """Take the days from `first` on, in tenths of a Wh, and those that are not whole."""
        self._first, self._whole, self._others = first, whole, others

    def add_up(
        self, first: date, last: date, most: int | None = None
    ) -> tuple[int, int, list[date]]:
        """Return what is wholly known of some days together: tenths of a Wh, days; and the rest.

        A day with more than `most` is of the rest.
        """
        begin = (first - self._first).days
        some = self._whole[begin : (last - self._first).days + 1]
        if most is not None:
            some = [None if dwh is None or dwh > most else dwh for dwh in some]
        rest = (
            [first + timedelta(days=place) for place, dwh in enumerate(some) if dwh is None]
            if None in some
            else []
        )
        return sum(dwh for dwh in some if dwh), len(some) - len(rest), rest

    def __getitem__(self, day: date) -> Day:
        """Return a day.

        Raises:
            KeyError: Nothing is known of it.
        """
        place = (day - self._first).days
        dwh = self._whole[place] if 0 <= place < len(self._whole) else None
        return self._others[day] if dwh is None else Day(dwh, DAY_S, DAY_S, ())

    def __iter__(self) -> Iterator[date]:
        """Go through the days that something is known of."""
        for place, dwh in enumerate(self._whole):
            day = self._first + timedelta(days=place)
            if dwh is not None or day in self._others:
                yield day

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _day in self)


def days_of_many(homes: Sequence[Home], first: date, last: date) -> Iterator[Days]:
    """Yield for each home, in the order of its ids, the days that something is known of.

    Half hours are looked at only where the day's totals do not tell, some thousand at a time.
    """
    opened = _open_half_hours(homes, first, last)
    told = _totals([home.installation_id for home in homes], first, last)
    wanted = sorted({home.installation_id: home for home in homes}.values(), key=lambda h: h[1])
    none: list[int | None] = [None] * ((last - first).days + 1)
    waiting: list[tuple[Home, list[int | None], list[date]]] = []
    for home in wanted:
        whole, looked_at = told.get(home.installation_id) or (none.copy(), [])
        for day in opened.get(home.installation_id, ()):
            place = (day - first).days
            if whole[place] is not None:
                whole[place] = None
                looked_at.append(day)
        waiting.append((home, whole, looked_at))
        if sum(len(days) for _home, _whole, days in waiting) > AT_ONCE:
            yield from _looked_at(waiting, opened, first)
            waiting = []
    yield from _looked_at(waiting, opened, first)


def _totals(
    installation_ids: Sequence[int], first: date, last: date
) -> dict[int, tuple[list[int | None], list[date]]]:
    """Return what days' totals tell, by installation: those that are whole, and those to look at.

    One row for each home: a half-year is too many to be fetched day by day.
    """
    whole = _is_whole(installation_ids, first, last)
    place = _place(first)
    dwh = cast(func.round(EnergyTotal.self_wh * half_hours.TENTHS), BigInteger)
    rows = db.session.execute(
        select(
            EnergyTotal.installation_id,
            func.aggregate_strings(cast(place, Text) + " " + cast(dwh, Text), " ").filter(whole),
            func.aggregate_strings(cast(place, Text), " ").filter(~whole),
        )
        .where(
            EnergyTotal.installation_id.in_(installation_ids),
            EnergyTotal.day.between(first, last),
        )
        .group_by(EnergyTotal.installation_id)
    )
    found: dict[int, tuple[list[int | None], list[date]]] = {}
    for installation_id, numbers, places in rows:
        days: list[int | None] = [None] * ((last - first).days + 1)
        told = map(int, (numbers or "").split())
        for at, value in zip(told, told, strict=True):
            days[at] = value
        looked_at = [first + timedelta(days=int(at)) for at in (places or "").split()]
        found[installation_id] = days, looked_at
    return found


def _is_whole(installation_ids: Sequence[int], first: date, last: date) -> ColumnElement[bool]:
    """Return what is true of a day that its totals alone tell: counters know all of it.

    Where clocks change, a day is looked at half hour by half hour.
    """
    zones = db.session.scalars(
        select(Installation.zone).where(Installation.id.in_(installation_ids)).distinct()
    )
    mask = sum(METHODS_MASK << METHOD_BITS * QUANTITIES.index(name) for name in QUANTITIES_USED)
    by_counters = sum(COUNTER << METHOD_BITS * QUANTITIES.index(name) for name in QUANTITIES_USED)
    return and_(
        EnergyTotal.self_wh.is_not(None),
        EnergyTotal.pv_measured_s + EnergyTotal.pv_filled_s == DAY_S,
        EnergyTotal.export_measured_s + EnergyTotal.export_filled_s == DAY_S,
        EnergyTotal.methods.bitwise_and(mask) == by_counters,
        or_(
            false(),
            *(
                and_(EnergyTotal.zone == zone, EnergyTotal.day.not_in(_odd_days(zone, first, last)))
                for zone in zones
            ),
        ),
    )


@lru_cache(maxsize=64)
def _odd_days(zone: str, first: date, last: date) -> tuple[date, ...]:
    """Return the days that are shorter or longer than others: clocks change."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return tuple(day for day in days if (bounds := day_bounds(day, zone))[1] - bounds[0] != DAY_S)


def _place(first: date) -> ColumnElement[int]:
    """Return how many days a row's day is after another."""
    if db.session.get_bind().dialect.name == "postgresql":
        return type_coerce(EnergyTotal.day - first, Integer)
    return cast(func.julianday(EnergyTotal.day) - func.julianday(first.isoformat()), Integer)


def _looked_at(
    homes: Sequence[tuple[Home, list[int | None], list[date]]],
    opened: Mapping[int, Mapping[date, tuple[str, dict[float, Pair]]]],
    first: date,
) -> Iterator[Days]:
    """Yield the days of homes, with those that only half hours tell."""
    keys = [(*home, day) for home, _whole, days in homes for day in days]
    rows: dict[Home, list[tuple[date, str, bytes | None]]] = defaultdict(list)
    columns = (EnergyTotal.gateway_id, EnergyTotal.installation_id, EnergyTotal.day)
    # what one home alone has may be many
    for place in range(0, len(keys), AT_ONCE):
        for gateway_id, installation_id, day, zone, packed in db.session.execute(
            select(*columns, EnergyTotal.zone, EnergyTotal.half_hours).where(
                tuple_(*columns).in_(keys[place : place + AT_ONCE])
            )
        ):
            rows[Home(gateway_id, installation_id)].append((day, zone, packed))
    for home, whole, _days in homes:
        others: dict[date, Day] = {}
        of_home = opened.get(home.installation_id, {})
        for day, zone, packed in rows.get(home, ()):
            if packed is None:
                others[day] = nothing(day, zone)._replace(is_kept=False)
            else:
                pairs = _pairs(packed, day, zone) | of_home.get(day, ("", {}))[1]
                others[day] = count(day, zone, pairs)
        for day, (zone, pairs) in of_home.items():
            if day not in others:
                others[day] = count(day, zone, pairs)
        yield Days(first, whole, others)


def _pairs(packed: bytes, day: date, zone: str) -> dict[float, Pair]:
    """Return generation and sale of the half hours of a day, by start."""
    made, sold = (
        [
            None if tenths == half_hours.UNKNOWN_WH else Told(tenths, seconds, methods)
            for tenths, seconds, methods in zip(*column, strict=True)
        ]
        for column in half_hours.unpack_columns(packed, day, zone, QUANTITIES_USED)
    )
    return dict(zip(starts_of(day, zone), zip(made, sold, strict=True), strict=True))


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
    # no zone is further from UTC than a day
    until = datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp() + 2 * DAY_S
    for kept, zone in db.session.execute(
        select(PollState.half_hours, PollState.counted_zone).where(
            PollState.gateway_id.in_({home.gateway_id for home in homes})
        )
    ):
        for told in kept:
            # long after a period all that is open is younger
            if told[0] >= until:
                continue
            one = HalfHour.from_json(told)
            if one.installation_id not in wanted:
                continue
            day, _begins = day_of(datetime.fromtimestamp(one.start, UTC), zone)
            if first <= day <= last:
                of_day = found.setdefault(one.installation_id, {}).setdefault(day, (zone, {}))
                of_day[1][one.start] = _pair(one.rounded())
    return found
