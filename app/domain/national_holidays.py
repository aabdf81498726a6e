"""The national holidays of Japan, by the rules of the law (国民の祝日に関する法律).

For 2022 and later: the years around 2020 had holidays moved by laws of their own.
"""

from datetime import date, timedelta
from functools import lru_cache

#: month, day
FIXED = (
    (1, 1),
    (2, 11),
    (2, 23),
    (4, 29),
    (5, 3),
    (5, 4),
    (5, 5),
    (8, 11),
    (11, 3),
    (11, 23),
)
#: month, which of its Mondays
MONDAYS = ((1, 2), (7, 3), (9, 3), (10, 2))
SUNDAY = 6
DAY = timedelta(days=1)


def is_national_holiday(day: date) -> bool:
    """Tell whether a day is a national holiday, in a holiday's place, or between two of them."""
    return day in _of(day.year)


@lru_cache(maxsize=16)
def _of(year: int) -> frozenset[date]:
    named = {date(year, month, day) for month, day in FIXED}
    named |= {_monday(year, month, which) for month, which in MONDAYS}
    named |= {_equinox(year, 3, 20.8431), _equinox(year, 9, 23.2488)}
    off = set(named)
    for one in named:
        if one.weekday() == SUNDAY:
            # 振替休日: the next day that is none
            instead = one + DAY
            while instead in named:
                instead += DAY
            off.add(instead)
        if one + 2 * DAY in named and (one + DAY).weekday() != SUNDAY:
            # 国民の休日: a day between two holidays
            off.add(one + DAY)
    return frozenset(off)


def _monday(year: int, month: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (which - 1))


def _equinox(year: int, month: int, in_1980: float) -> date:
    # the usual formula, good for 1980 to 2099; the day itself is announced the February before
    since = year - 1980
    return date(year, month, int(in_1980 + 0.242194 * since - since // 4))
