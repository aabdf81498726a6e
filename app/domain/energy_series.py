"""Energy of one gateway as rows without a hole: a half hour, a day or a month each.

What nothing is known of has its row, too: whoever adds rows up sees what is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ..models import Account
from . import energy_totals, gateways
from .energy import day_of
from .half_hours import LENGTH_S, Total, day_bounds

HALF_HOUR, DAY, MONTH = "half_hour", "day", "month"
# how much may be asked for at once: days, days, months
AT_MOST = {HALF_HOUR: 31, DAY: 366, MONTH: 120}


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: "half_hour", "day" or "month", and the first and the last day."""

    period: str
    first: date
    last: date

    @property
    def size(self) -> int:
        """Return how much it is of what `AT_MOST` limits."""
        if self.period == MONTH:
            months = (self.last.year - self.first.year) * 12
            return months + self.last.month - self.first.month + 1
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Row:
    """What one period is worth. `start`: the moment in UTC, 2026-11-22, or 2026-11."""

    start: str
    #: how long the period is
    seconds: int
    total: Total


@dataclass(frozen=True, slots=True)
class Series:
    """The rows of one gateway, and where the days of its site begin."""

    public_id: str
    zone: str
    rows: list[Row]


class _Days(NamedTuple):
    """Days of one installation."""

    gateway_id: int
    installation_id: int
    first: date
    last: date
    zone: str

    def each(self) -> Iterator[date]:
        """Yield them."""
        return _each(self.first, self.last)


def series(actor: Account, public_id: str, span: Span, now: datetime, *, zone: str) -> Series:
    """Return the energy of a span of days; of whole months, where months are asked.

    Rows begin with the day the installation was opened, and end with today: what was before is
    somebody else's. `zone` is that of a site that has none of its own. Three queries.

    Raises:
        NotFound: There is no such gateway, or none the actor may know of.
    """
    installation = gateways.get_visible(actor, public_id, now)
    there = installation.zone or zone
    today, _ = day_of(now, there)
    opened, _ = day_of(installation.opened_at, there)
    first, last = max(span.first, opened), min(span.last, today)
    if span.period == MONTH:
        first, last = max(span.first.replace(day=1), opened.replace(day=1)), _end(last)
    days = _Days(installation.gateway_id, installation.id, first, last, there)
    if first > last:
        rows: Iterator[Row] = iter(())
    elif span.period == HALF_HOUR:
        rows = _half_hours(days, now)
    else:
        rows = _days(days) if span.period == DAY else _months(days)
    return Series(public_id, there, list(rows))


def _half_hours(days: _Days, now: datetime) -> Iterator[Row]:
    known = energy_totals.days_half_hours(*days[:4])
    for day in days.each():
        start, end = day_bounds(day, days.zone)
        of_day = known.get(day, {})
        while start < min(end, now.timestamp()):
            total = Total()
            if start in of_day:
                total.add(of_day[start].energy, of_day[start].self_wh)
            yield Row(f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%SZ}", LENGTH_S, total)
            start += LENGTH_S


def _days(days: _Days) -> Iterator[Row]:
    known = energy_totals.days(*days[:4])
    for day in days.each():
        total = known[day].total if day in known else Total()
        yield Row(f"{day:%Y-%m-%d}", _seconds(day, days.zone), total)


def _months(days: _Days) -> Iterator[Row]:
    known = energy_totals.days(*days[:4])
    first = days.first
    while first <= days.last:
        end, total, seconds = _end(first), Total(), 0
        for day in _each(first, end):
            seconds += _seconds(day, days.zone)
            if day in known:
                total.add(known[day].total.energy, known[day].total.self_wh)
        yield Row(f"{first:%Y-%m}", seconds, total)
        first = end + timedelta(days=1)


def _each(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _seconds(day: date, zone: str) -> int:
    start, end = day_bounds(day, zone)
    return int(end - start)


def _end(day: date) -> date:
    """Return the last day of a month."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
