"""Energy between two moments: pieces, what lies within a time, and where a site's days begin.

Moments are epoch seconds. `meters.py` makes pieces of samples; they never overlap for one quantity.
"""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

# what power says of a time: start, end, Wh, and whether a value was held beyond its sample
Stretch = tuple[float, float, float, bool]


class Piece(NamedTuple):
    """Wh of one quantity between two moments.

    `method` is "counter", "power", or "balance" where the counters of all others tell it. `filled`
    tells that the samples on both sides are too far apart for the time to count as measured.
    `shape` is what power says of parts of the time: the energy is spread like it.
    """

    quantity: str
    start: float
    end: float
    wh: float
    method: str
    filled: bool = False
    shape: tuple[Stretch, ...] = ()

    def between(self, start: float, end: float) -> float:
        """Return the Wh that fell between two moments."""
        if start <= self.start < self.end <= end:
            return self.wh
        begins, ends = max(start, self.start), min(end, self.end)
        if ends <= begins:
            return 0.0
        even = self.wh * ((ends - begins) / (self.end - self.start))
        known = sum(wh for _, _, wh, _ in self.shape)
        if known <= 0:
            return even
        part = sum(_within(stretch, begins, ends) for stretch in self.shape)
        told_s = sum(until - since for since, until, _, _ in self.shape)
        untold_s = self.end - self.start - told_s
        # all that power does not account for lies where power is unknown
        if known >= self.wh or untold_s <= 0:
            return self.wh * (part / known)
        told_here = sum(
            max(0.0, min(until, ends) - max(since, begins)) for since, until, _, _ in self.shape
        )
        return part + (self.wh - known) * max(0.0, ends - begins - told_here) / untold_s


def _within(stretch: Stretch, start: float, end: float) -> float:
    since, until, wh, _ = stretch
    return wh * max(0.0, min(until, end) - max(since, start)) / (until - since)


def energy_between(pieces: Iterable[Piece], start: float, end: float) -> dict[str, float]:
    """Return Wh by quantity that fell between two moments.

    A quantity no piece speaks of is absent: unknown, not 0.
    """
    sums: dict[str, float] = {}
    for piece in pieces:
        if piece.end > start and piece.start < end:
            sums[piece.quantity] = sums.get(piece.quantity, 0.0) + piece.between(start, end)
    return sums


def day_of(at: datetime, zone: str) -> tuple[date, float]:
    """Return the day of a moment at the site, and when that day began (epoch seconds)."""
    # offsets change on quarter hours at the finest, so what is cached stays true for one
    return _day_of_quarter(int(at.timestamp()) // 900, zone)


@lru_cache(maxsize=4096)
def _day_of_quarter(quarter: int, zone: str) -> tuple[date, float]:
    there = ZoneInfo(zone)
    day = datetime.fromtimestamp(quarter * 900, there).date()
    return day, datetime(day.year, day.month, day.day, tzinfo=there).timestamp()
