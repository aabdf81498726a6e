"""What electricity costs by the clock: templates of common plans as data, and a home's own prices.

A template is a TOML file in the folder `tariffs` of the content: who sells it, what document it
comes from and as of when, from (and until) when it holds, and prices, of which the first that fits
counts. The operator replaces them; the portal refuses to start with one that is wrong.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .history import starts_at
from .national_holidays import is_national_holiday

DAY_MIN = 1440
#: a price at the socket beyond this is a slip of the pen
MOST_YEN = 200.0
DAYS = ("weekday", "weekend")
#: among a plan's days off: the national holidays; the others are given as "12-31"
NATIONAL = "national"


class BrokenTariff(Exception):
    """A template is wrong; the message names its file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Price:
    """Yen per kWh from a minute of the day until another; it may cross midnight."""

    yen: float
    begins: int = 0
    ends: int = DAY_MIN
    #: "weekday", "weekend" (with the plan's days off) or "" for both
    days: str = ""
    #: empty: all
    months: tuple[int, ...] = ()

    def fits(self, at: datetime, kind: str) -> bool:
        """Tell whether it counts at a moment of the site's clock, on a day of that kind."""
        minute = at.hour * 60 + at.minute
        if self.begins < self.ends:
            in_time = self.begins <= minute < self.ends
        else:
            in_time = minute >= self.begins or minute < self.ends
        return (
            in_time
            and (not self.days or self.days == kind)
            and (not self.months or at.month in self.months)
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """A plan of a supplier, or a home's own prices (then `code` is empty)."""

    code: str
    buy: tuple[Price, ...]
    name: str = ""
    company: str = ""
    name_en: str = ""
    company_en: str = ""
    source: str = ""
    as_of: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    #: days that count as weekends: `NATIONAL`, and days of the year such as "12-31"
    days_off: tuple[str, ...] = ()

    def buy_yen(self, starts: Iterable[float], zone: str) -> list[float]:
        """Return what a kWh costs in half hours that begin then (epoch seconds)."""
        there = ZoneInfo(zone)
        return [self._at(starts_at(start).astimezone(there)) for start in starts]

    def _at(self, at: datetime) -> float:
        kind = DAYS[at.weekday() >= 5 or self._is_off(at.date())]
        return next(price.yen for price in self.buy if price.fits(at, kind))

    def _is_off(self, day: date) -> bool:
        if f"{day:%m-%d}" in self.days_off:
            return True
        return NATIONAL in self.days_off and is_national_holiday(day)

    def holds_on(self, day: date) -> bool:
        """Tell whether its prices are those of that day."""
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_until is None or day <= self.valid_until)


def own(day_yen: float, night_yen: float, begins: int, ends: int) -> Tariff:
    """Return a home's own prices: at night, between two minutes of the day, and else."""
    return Tariff("", (Price(night_yen, begins, ends), Price(day_yen)))


def listed(folder: Path, today: date) -> list[Tariff]:
    """Return the templates that hold today, by company and name."""
    found = (one for one in load(folder).values() if one.holds_on(today))
    return sorted(found, key=lambda one: (one.company, one.name))


@lru_cache(maxsize=8)
def load(folder: Path) -> Mapping[str, Tariff]:
    """Return every template of a folder by its code, which is its file's name.

    Raises:
        BrokenTariff: One of them is wrong.
    """
    return {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}


def _read(path: Path) -> Tariff:
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        prices = tuple(_price(one) for one in told.pop("buy"))
        made = Tariff(path.stem, prices, days_off=tuple(told.pop("days_off", ())), **told)
        _check(made)
        _check_days_off(made)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise BrokenTariff(f"{path.name}: {error!r}") from error
    return made


def _price(told: Mapping[str, Any]) -> Price:
    known = {"from", "to", "yen", "days", "months"}
    if told.keys() - known:
        raise ValueError(f"unknown: {sorted(told.keys() - known)}")
    price = Price(
        float(told["yen"]), days=told.get("days", ""), months=tuple(told.get("months", ()))
    )
    if "from" in told or "to" in told:
        price = replace(price, begins=minutes(told["from"]), ends=minutes(told["to"]))
    return price


def minutes(typed: str) -> int:
    """Return the minute of the day of "01:30"; "24:00" is the end of it.

    Raises:
        ValueError: It is no time on the half hour.
    """
    hour, _, minute = typed.partition(":")
    if not (hour.isascii() and hour.isdecimal() and minute in ("00", "30")):
        raise ValueError(f"no time on the half hour: {typed}")
    found = int(hour) * 60 + int(minute)
    if found > DAY_MIN:
        raise ValueError(f"no time of a day: {typed}")
    return found


def _check(one: Tariff) -> None:
    for name in ("name", "company", "source", "as_of", "valid_from"):
        if not getattr(one, name):
            raise ValueError(f"{name} is missing")
    for name in ("as_of", "valid_from", "valid_until"):
        if not isinstance(getattr(one, name), date | None):
            raise ValueError(f"{name} must be a date")
    for price in one.buy:
        if not 0 < price.yen <= MOST_YEN:
            raise ValueError(f"{price.yen} yen is no price of a kWh")
        if price.days not in ("", *DAYS):
            raise ValueError(f"days must be one of {DAYS}")
        if not all(isinstance(month, int) and 1 <= month <= 12 for month in price.months):
            raise ValueError("months must be 1 to 12")
        if price.begins == price.ends:
            raise ValueError("a price that begins when it ends")
    last = one.buy[-1] if one.buy else None
    if last is None or (last.begins, last.ends, last.days, last.months) != (0, DAY_MIN, "", ()):
        raise ValueError("the last price must stand for all other times")


def _check_days_off(one: Tariff) -> None:
    for day in set(one.days_off) - {NATIONAL}:
        if not re.fullmatch(r"\d\d-\d\d", day):
            raise ValueError(f'a day off is "{NATIONAL}" or like "12-31": {day}')
        # a leap year has every day of a year
        date.fromisoformat(f"2024-{day}")
