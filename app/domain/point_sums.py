"""What a membership's half-year is worth: kWh by rate, days, coverage, what is missing.

Pure functions. Kept with the transaction as JSON: a statement shows what was known on that day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Any

from . import self_use
from .programme import Bound, HalfYear, Programme, Rate, rate_on
from .self_use import DAY_S, Day, Days, Stretch

# tenths of a Wh in a kWh
DWH_PER_KWH = 10_000
MONTHS = range(1, 13)


@dataclass(frozen=True, slots=True)
class Sums:
    """Energy of the days that count, and what the figure rests on."""

    first: date
    last: date
    #: yen per kWh, tenths of a Wh: a rate may change within a half-year
    parts: tuple[tuple[Decimal, int], ...]
    #: by month, such as 2026-06
    months: Mapping[str, int]
    known_s: int
    seconds: int
    missing: Mapping[date, tuple[Stretch, ...]]
    #: tenths of a Wh, by day, that no household's generator makes: they count nothing
    over: Mapping[date, int] = field(default_factory=dict)
    #: False: some of it was cleared away, so that it can be counted no more
    is_kept: bool = True

    @property
    def dwh(self) -> int:
        """Return all tenths of a Wh."""
        return sum(dwh for _rate, dwh in self.parts)

    @property
    def over_dwh(self) -> int:
        """Return all tenths of a Wh that no household's generator makes."""
        return sum(self.over.values())

    @property
    def days(self) -> int:
        """Return how many days counted."""
        return (self.last - self.first).days + 1

    @property
    def points(self) -> int:
        """Return the points: rounded down once."""
        yen = sum((rate * dwh for rate, dwh in self.parts), Decimal(0)) / DWH_PER_KWH
        return int(yen.to_integral_value(ROUND_FLOOR))

    @property
    def coverage(self) -> float:
        """Return how much of the time counters know, in %; never 100 while something is missing."""
        if self.known_s >= self.seconds:
            return 100.0
        return min(99.9, 100 * self.known_s / self.seconds)

    @property
    def missing_half_hours(self) -> int:
        """Return how many half hours count nothing."""
        return sum(last - first + 1 for of_day in self.missing.values() for first, last in of_day)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "parts": [[str(rate), dwh] for rate, dwh in self.parts],
            "months": dict(self.months),
            "known_s": self.known_s,
            "seconds": self.seconds,
            "missing": {
                day.isoformat(): [list(one) for one in of_day]
                for day, of_day in self.missing.items()
            },
            **({"over": {f"{day}": dwh for day, dwh in self.over.items()}} if self.over else {}),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Sums":
        """Return what `to_json` wrote down."""
        return cls(
            date.fromisoformat(kept["first"]),
            date.fromisoformat(kept["last"]),
            tuple((Decimal(rate), dwh) for rate, dwh in kept["parts"]),
            kept["months"],
            kept["known_s"],
            kept["seconds"],
            {
                date.fromisoformat(day): tuple((first, last) for first, last in of_day)
                for day, of_day in kept["missing"].items()
            },
            {date.fromisoformat(day): dwh for day, dwh in kept.get("over", {}).items()},
        )


def member_days(
    period: HalfYear, member_from: date | None, member_until: date | None
) -> tuple[date, date] | None:
    """Return the first and the last day of a period that a membership counts, if there are any."""
    if member_from is None:
        return None
    first, last = max(period.first, member_from), period.last
    if member_until is not None:
        last = min(last, member_until - timedelta(days=1))
    return (first, last) if first <= last else None


def add_up(
    known: Mapping[date, Day], first: date, last: date, programme: Programme, *, zone: str
) -> Sums:
    """Return the sums of days from `first` to `last`; those that are not known are missing."""
    parts: dict[Decimal, int] = {}
    months: dict[str, int] = {}
    missing: dict[date, tuple[Stretch, ...]] = {}
    over: dict[date, int] = {}
    known_s = seconds = 0
    is_kept = True
    for month, rate, most, since, until in _stretches(
        first, last, programme.rates, programme.bounds
    ):
        dwh, days, rest = _whole_days(known, since, until, most)
        known_s, seconds = known_s + days * DAY_S, seconds + days * DAY_S
        for day in rest:
            one = known.get(day) or self_use.nothing(day, zone)
            dwh += one.dwh if most is None else min(one.dwh, most)
            if most is not None and one.dwh > most:
                over[day] = one.dwh - most
            known_s, seconds = known_s + one.known_s, seconds + one.seconds
            is_kept = is_kept and one.is_kept
            if one.missing:
                missing[day] = one.missing
        parts[rate] = parts.get(rate, 0) + dwh
        months[month] = months.get(month, 0) + dwh
    return Sums(first, last, tuple(parts.items()), months, known_s, seconds, missing, over, is_kept)


def _whole_days(
    known: Mapping[date, Day], first: date, last: date, most: int | None
) -> tuple[int, int, list[date]]:
    """Return tenths of a Wh and number of days that need no look at each, and the other days."""
    if isinstance(known, Days):
        return known.add_up(first, last, most)
    return 0, 0, [first + timedelta(days=number) for number in range((last - first).days + 1)]


@lru_cache(maxsize=256)
def _stretches(
    first: date, last: date, rates: tuple[Rate, ...], bounds: tuple[Bound, ...]
) -> tuple[tuple[str, Decimal, int | None, date, date], ...]:
    """Return days from `first` to `last` in parts of one month, one rate and one bound each.

    A bound is in tenths of a Wh a day.
    """
    months = {date(year, month, 1) for year in range(first.year, last.year + 1) for month in MONTHS}
    changes = months | {one.since for one in rates} | {one.since for one in bounds}
    begins = [first, *sorted(day for day in changes if first < day <= last)]
    ends = [*(begin - timedelta(days=1) for begin in begins[1:]), last]
    return tuple(
        (
            f"{begin:%Y-%m}",
            rate_on(rates, begin) or Decimal(0),
            next((int(b.kwh * DWH_PER_KWH) for b in reversed(bounds) if b.since <= begin), None),
            begin,
            end,
        )
        for begin, end in zip(begins, ends, strict=True)
    )
