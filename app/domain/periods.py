"""Days, months and years of a site's calendar: what a page of history is about. Pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from re import compile as regex
from typing import Self

from .half_hours import day_bounds

# nothing was measured before, and zones overflow near the ends of the calendar
EARLIEST, LATEST = 2000, 2200

TYPED = regex(r"([0-9]{4})(?:[-/]([0-9]{1,2})(?:[-/]([0-9]{1,2}))?)?")


class Span(StrEnum):
    """How much time a page is about."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Period:
    """A day, a month or a year, by its first day."""

    span: Span
    first: date

    @classmethod
    def around(cls, span: Span, day: date) -> Self:
        """Return the day, month or year that a day lies in."""
        if span is Span.YEAR:
            day = day.replace(month=1)
        return cls(span, day if span is Span.DAY else day.replace(day=1))

    @property
    def last(self) -> date:
        """Return its last day."""
        if self.span is Span.DAY:
            return self.first
        if self.span is Span.YEAR:
            return self.first.replace(month=12, day=31)
        # no month has more than 31 days
        return (self.first + timedelta(days=31)).replace(day=1) - timedelta(days=1)

    @property
    def name(self) -> str:
        """Return what addresses call it: 2026-11-22, 2026-11 or 2026."""
        return f"{self.first:%Y-%m-%d}"[: {Span.DAY: 10, Span.MONTH: 7, Span.YEAR: 4}[self.span]]

    @property
    def before(self) -> Self:
        """Return the one before."""
        return type(self).around(self.span, self.first - timedelta(days=1))

    @property
    def after(self) -> Self:
        """Return the one after."""
        return type(self).around(self.span, self.last + timedelta(days=1))

    def parts(self) -> Iterator["Period"]:
        """Yield the days of a month, the months of a year; nothing for a day."""
        if self.span is Span.DAY:
            return
        part = Period.around(Span.DAY if self.span is Span.MONTH else Span.MONTH, self.first)
        while part.first <= self.last:
            yield part
            part = part.after

    def bounds(self, zone: str) -> tuple[float, float]:
        """Return when it begins and ends at a site (epoch seconds)."""
        return day_bounds(self.first, zone)[0], day_bounds(self.last, zone)[1]


def typed(text: str) -> Period | None:
    """Return the day, month or year that was typed (2026-11-22, 2026/11, 2026), or None."""
    found = TYPED.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
    except ValueError:
        return None
    if not EARLIEST <= first.year <= LATEST:
        return None
    return Period(Span.DAY if day else Span.MONTH if month else Span.YEAR, first)


def latest_day(period: Period, within: tuple[date, date]) -> date:
    """Return the latest day of a period that lies within two days, or the nearest that does."""
    return max(within[0], min(period.last, within[1]))
