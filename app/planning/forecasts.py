"""Likely courses of a home's next hours: each of sun and use, as the home has lived through them.

What comes is taken to be like what was: the use of days of the same kind (working days, weekends;
of these weeks, and of the same weeks a year ago), and the sun of these weeks by what reached the
panels of what a clear sky gives. Their spread is the forecast's uncertainty.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from .battery import Floats
from .sun import Panels, clear_evenings

LENGTH_S = 1800
# from 18:00 on, to the end of the next day: the night, its sun, and the evening after it
BEGINS_HOUR = 18
SLOTS = 60
# what is carried out of it before the next plan takes over
DAY_SLOTS = 48

# fewer days say nothing about a home
LEAST_DAYS = 14
LEAST_OF_KIND = 3
RECENT_DAYS = 56
SUN_DAYS = 42
MOST_COURSES = 20
# of the same weeks a year ago
LAST_YEAR = 364
AROUND_DAYS = 14
MOST_OF_LAST_YEAR = 8
# half hours that may be unknown in a day that still counts
MOST_UNKNOWN = 6
# below this share of the day's best a ratio to the clear sky is noise
CLEAR_ENOUGH = 0.1
# one in so many of the days whose sky was not like the one that is forecast
OTHERS = 4


class Sky(StrEnum):
    """What a weather report says of a day."""

    SUNNY = "sunny"
    CLOUDY = "cloudy"
    WET = "wet"


class TooLittleKnown(Exception):
    """The home's past is too short for a forecast: `days` of it can be used."""

    def __init__(self, days: int) -> None:
        super().__init__(f"{days} days")
        self.days = days


@dataclass(frozen=True, slots=True)
class Past:
    """What a home generated and used; NaN is unknown. `since` is when the first half hour began."""

    since: float
    pv_wh: Floats
    load_wh: Floats

    def window(self, values: Floats, start: float, length: int) -> Floats | None:
        """Return some half hours of `pv_wh` or `load_wh` from a moment on, if all lie in it."""
        place = round((start - self.since) / LENGTH_S)
        if place < 0 or place + length > len(values):
            return None
        return values[place : place + length]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Likely courses, of the same weight each: rows of `pv_wh` and `load_wh`."""

    starts: Floats
    pv_wh: Floats
    load_wh: Floats
    #: how many days of use and of sun it rests on
    use_days: int
    sun_days: int
    #: what the weather report said, None without one
    sky: Sky | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Where a home stands and what lies on its roof."""

    zone: str
    latitude: float
    longitude: float
    panels: Panels = field(default_factory=Panels)


def begins(day: date, zone: str) -> float:
    """Return when the plan for the day after `day` begins (epoch seconds)."""
    return datetime(day.year, day.month, day.day, BEGINS_HOUR, tzinfo=ZoneInfo(zone)).timestamp()


def is_day_off(day: date) -> bool:
    """Tell a weekend from a working day."""
    return day.weekday() >= 5


def forecast(site: Site, past: Past, today: date, *, sky: Sky | None = None) -> Forecast:
    """Return likely courses from this evening to the end of tomorrow.

    `past` may reach into today's afternoon; what a window would need of later is not looked at.

    Raises:
        TooLittleKnown: The home's past is too short.
    """
    start = begins(today, site.zone)
    starts = np.asarray(start + LENGTH_S * np.arange(SLOTS), dtype=np.float64)
    use, use_days = _use(site, past, today)
    sun, sun_days = _sun(site, past, today, starts, sky)
    count = max(len(use), len(sun))
    # every course of use meets a course of sun; 7 has no factor in common with the usual counts
    return Forecast(
        starts,
        sun[np.arange(count) * 7 % len(sun)],
        use[np.arange(count) % len(use)],
        use_days,
        sun_days,
        sky if sun_days else None,
    )


# ---- use -------------------------------------------------------------------------------------


def _use(site: Site, past: Past, today: date) -> tuple[Floats, int]:
    windows = {
        back: found
        for back in range(2, RECENT_DAYS + 2)
        if (found := _known(past, past.load_wh, begins(today - timedelta(back), site.zone)))
        is not None
    }
    kind = is_day_off(today + timedelta(1))
    alike = [
        found for back, found in windows.items() if is_day_off(today - timedelta(back - 1)) is kind
    ]
    if len(windows) < LEAST_DAYS or len(alike) < LEAST_OF_KIND:
        raise TooLittleKnown(len(windows))
    recent = alike[:MOST_COURSES]
    before = _last_year(site, past, today, list(windows.values())[:AROUND_DAYS], kind)
    return np.stack([*recent, *before]), len(recent) + len(before)


def _last_year(
    site: Site, past: Past, today: date, latest: list[Floats], kind: bool
) -> list[Floats]:
    """Return the same weeks of a year ago, brought to the level of these weeks."""
    around = {
        shift: found
        for shift in range(-AROUND_DAYS, AROUND_DAYS + 1)
        if (
            found := _known(
                past, past.load_wh, begins(today - timedelta(LAST_YEAR - shift), site.zone)
            )
        )
        is not None
    }
    earlier = [found for shift, found in around.items() if shift <= 0]
    if len(earlier) < LEAST_OF_KIND:
        return []
    level = float(np.clip(np.mean(latest) / max(float(np.mean(earlier)), 1.0), 0.6, 1.6))
    alike = [
        found * level
        for shift, found in sorted(around.items(), key=lambda one: abs(one[0]))
        if is_day_off(today - timedelta(LAST_YEAR - shift - 1)) is kind
    ]
    return alike[:MOST_OF_LAST_YEAR]


def _known(past: Past, values: Floats, start: float) -> Floats | None:
    """Return a window whose few unknown half hours are filled with its mean, None if many are."""
    found = past.window(values, start, SLOTS)
    if found is None:
        return None
    unknown = np.isnan(found)
    count = int(unknown.sum())
    if count == 0:
        return found
    if count > MOST_UNKNOWN:
        return None
    return np.where(unknown, np.nanmean(found), found)


# ---- sun -------------------------------------------------------------------------------------


def _sun(
    site: Site, past: Past, today: date, starts: Floats, sky: Sky | None
) -> tuple[Floats, int]:
    found = [
        (begun, known)
        for back in range(2, SUN_DAYS + 2)
        if (known := _known(past, past.pv_wh, begun := begins(today - timedelta(back), site.zone)))
        is not None
    ]
    if not found:
        # panels that are known but have no past: a cloudy day by the rule of thumb
        share = {Sky.SUNNY: 0.8, Sky.CLOUDY: 0.4, Sky.WET: 0.15, None: 0.4}[sky]
        kw = site.panels.kw or 0.0
        [expected] = _clear(site, [starts[0]])
        return (share * kw * expected)[None, :], 0
    # the evening that is planned last: all of them are asked of the sky at once
    *clears, expected = _clear(site, [*(begun for begun, _known in found), starts[0]])
    clear = np.stack(clears)
    lived = np.stack([known for _, known in found])
    shares = _shares(lived, clear)
    if sky is not None:
        shares = _like(sky, shares, clear)
    most = float(lived.max()) * 1.1
    return np.clip(shares * expected, 0.0, most), len(found)


def _clear(site: Site, evenings: list[float]) -> list[Floats]:
    return clear_evenings(site.latitude, site.longitude, site.panels, evenings, SLOTS)


def _shares(lived: Floats, clear: Floats) -> Floats:
    """Return what the panels gave of what a clear sky gives one kW, half hour by half hour.

    So a roof's size, its direction where it is not known, and its shadows are in it.
    """
    enough = clear > CLEAR_ENOUGH * clear.max()
    whole = lived.sum(axis=1, keepdims=True) / np.maximum(clear.sum(axis=1, keepdims=True), 1.0)
    return np.where(enough, lived / np.maximum(clear, 1e-9), whole)


def _like(sky: Sky, shares: Floats, clear: Floats) -> Floats:
    """Return the days whose sky was like the one that is forecast, by the home's own measure."""
    given = (shares * clear)[:, DAY_SLOTS // 4 :].sum(axis=1)
    ranked: NDArray[np.intp] = np.argsort(given / np.maximum(clear.sum(axis=1), 1.0))
    count = len(ranked)
    third = max(count // 3, 1)
    chosen = {
        Sky.WET: ranked[:third],
        Sky.CLOUDY: ranked[count // 4 : max(3 * count // 4, count // 4 + 1)],
        Sky.SUNNY: ranked[-max(count // 2, 1) :],
    }[sky]
    # reports are wrong on some days: a few of the others stay in
    others = np.setdiff1d(ranked, chosen)[::OTHERS]
    like: Floats = shares[np.concatenate([chosen, others])]
    return like


def local(start: float, zone: str) -> datetime:
    """Return a moment by the site's clock."""
    return datetime.fromtimestamp(start, UTC).astimezone(ZoneInfo(zone))
