"""停電リハーサル: how long a battery would carry a home that lives on as on the days before.

Each of the last weeks' days is lived through from this very time of day on, with what is in the
battery now; how long it lasted on half of them is the answer, and its spread is told with it. The
sun is left out unless asked for: whether an inverter runs on it without the grid depends on how the
home is wired. Where it counts, it is the sun of a dull day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from ..extensions import db
from ..models import Account, Gateway, Installation, Latest, PlanChoice
from . import energy_totals, gateways, live
from .energy import day_of
from .half_hours import LENGTH_S, HalfHour
from .plans import battery_wh_of

LIVED_DAYS = 28
LEAST_DAYS = 3
# half hours that may be unknown in a day that still counts
MOST_UNKNOWN = 6
SLOTS = 48
# longer than this is told as "three days or more"
LONGEST_SLOTS = 3 * SLOTS
# an inverter and a cell lose about so much on the way out
EFFICIENCY = 0.95
# of the sun's half hours, the one that three days in four were brighter than
DULL = 0.25
# what the device keeps for itself: most stop there
EMPTY_PCT = 5
# a home uses something: what is less than this is no measurement
LEAST_WH = 5.0


@dataclass(frozen=True, slots=True)
class Lasts:
    """How long it lasts in minutes: on half of the days, and on all but a tenth on either side."""

    minutes: int
    least: int
    most: int

    @property
    def is_long(self) -> bool:
        """Tell whether it lasts longer than is reckoned."""
        return self.minutes >= LONGEST_SLOTS * 30


@dataclass(frozen=True, slots=True)
class Living:
    """What a home lives on: the use of its days, a day's sun, half hour by half hour, in Wh."""

    loads: Sequence[Sequence[float]]
    sun: Sequence[float]
    battery_wh: float


@dataclass(frozen=True, slots=True)
class Course:
    """The state of charge on a middling day, half hour by half hour, and what the home uses."""

    starts: list[float]
    soc_pct: list[float]
    load_w: list[float]
    pv_w: list[float]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All that the page shows. What is None is not known."""

    site_name: str
    public_id: str
    zone: str
    soc_pct: int | None
    taken_at: datetime | None
    #: the state of charge is no present one
    is_old: bool
    battery_wh: float | None
    reserve_pct: int
    with_sun: bool
    days: int
    now_lasts: Lasts | None = None
    #: from the reserve: at this time of day, and at the worst
    reserve_lasts: Lasts | None = None
    worst_lasts: Lasts | None = None
    course: Course | None = None


def rehearse(
    actor: Account,
    public_id: str,
    now: datetime,
    *,
    reserve_pct: int,
    with_sun: bool,
    zone: str,
) -> Rehearsal:
    """Return how long a home would last if the power went out now.

    `reserve_pct` is what the household wants to keep for an outage; `zone` is that of a site that
    has none of its own.

    Raises:
        NotFound: There is no such gateway, or none the actor may know of.
    """
    home = gateways.get_visible(actor, public_id, now)
    site_zone = home.zone or zone
    latest = db.session.get(Latest, home.gateway_id)
    if latest is not None and (latest.taken_at is None or latest.taken_at < home.opened_at):
        latest = None
    gateway = db.session.get_one(Gateway, home.gateway_id)
    battery_wh = battery_wh_of(gateway.ratings, db.session.get(PlanChoice, home.id))
    days = _lived(home, now, site_zone)
    soc_pct = round(latest.soc_pct) if latest is not None and latest.soc_pct is not None else None
    told = Rehearsal(
        home.site_name,
        public_id,
        site_zone,
        soc_pct,
        latest.taken_at if latest is not None else None,
        latest is None or latest.taken_at is None or now - latest.taken_at > live.LOST,
        battery_wh,
        reserve_pct,
        with_sun,
        len(days),
    )
    if battery_wh is None or len(days) < LEAST_DAYS:
        return told
    sun = dull([pv for _load, pv in days]) if with_sun else [0.0] * SLOTS
    living = Living([load for load, _pv in days], sun, battery_wh)
    begins, place, into = _slot(now, site_zone)
    worst = (lasts(living, reserve_pct, one) for one in range(SLOTS))
    told = replace(
        told,
        reserve_lasts=lasts(living, reserve_pct, place, into),
        worst_lasts=min(worst, key=lambda one: one.minutes),
    )
    if latest is None or latest.soc_pct is None:
        return told
    return replace(
        told,
        now_lasts=lasts(living, latest.soc_pct, place, into),
        course=course(living, latest.soc_pct, begins, place),
    )


def foretell(home: Installation, soc_pct: float, at: datetime, *, zone: str) -> Lasts | None:
    """Return what would have been told at a moment without the sun; None: nothing.

    `zone` is that of a site that has none of its own.
    """
    site_zone = home.zone or zone
    gateway = db.session.get_one(Gateway, home.gateway_id)
    battery_wh = battery_wh_of(gateway.ratings, db.session.get(PlanChoice, home.id))
    days = _lived(home, at, site_zone)
    if battery_wh is None or len(days) < LEAST_DAYS:
        return None
    _begins, place, into = _slot(at, site_zone)
    living = Living([load for load, _pv in days], [0.0] * SLOTS, battery_wh)
    return lasts(living, soc_pct, place, into)


def _lived(home: Installation, at: datetime, zone: str) -> list[tuple[list[float], list[float]]]:
    """Return use and sun of the days before a moment's."""
    today, _begins = day_of(at, zone)
    lived = energy_totals.days_half_hours(
        home.gateway_id, home.id, today - timedelta(days=LIVED_DAYS), today - timedelta(days=1)
    )
    return [day for _date, halves in sorted(lived.items()) if (day := _day(halves))]


def _slot(at: datetime, zone: str) -> tuple[float, int, float]:
    """Return when a moment's day begins, its half hour, and how much of that is over (0 to 1)."""
    _today, begins = day_of(at, zone)
    place = min(SLOTS - 1, int((at.timestamp() - begins) // LENGTH_S))
    return begins, place, (at.timestamp() - begins - place * LENGTH_S) / LENGTH_S


def _day(halves: Mapping[float, HalfHour]) -> tuple[list[float], list[float]] | None:
    """Return a day's use and sun by half hour, None where too much of it is unknown."""
    ordered = [halves[start] for start in sorted(halves)][:SLOTS]
    known = [one.energy["load_wh"].wh for one in ordered if "load_wh" in one.energy]
    if len(known) < SLOTS - MOST_UNKNOWN:
        return None
    mean = sum(known) / len(known)
    load, pv = [], []
    for one in ordered + [None] * (SLOTS - len(ordered)):
        used = one.energy.get("load_wh") if one else None
        shone = one.energy.get("pv_wh") if one else None
        load.append(max(LEAST_WH, used.wh if used else mean))
        pv.append(shone.wh if shone else 0.0)
    return load, pv


def dull(suns: Sequence[Sequence[float]]) -> list[float]:
    """Return the sun of a dull day: of each half hour, what most days had more of."""
    place = int(len(suns) * DULL)
    return [sorted(day[slot] for day in suns)[place] for slot in range(SLOTS)]


def lasts(living: Living, soc_pct: float, place: int, into: float = 0.0) -> Lasts:
    """Return how long a charge lasts from a half hour on, `into` (0 to 1) of which is over."""
    found = sorted(_minutes(living, load, soc_pct, place, into) for load in living.loads)
    edge = len(found) // 10
    return Lasts(round(median(found)), found[edge], found[-1 - edge])


def _minutes(living: Living, load: Sequence[float], soc_pct: float, place: int, into: float) -> int:
    battery_wh, sun = living.battery_wh, living.sun
    most = (100 - EMPTY_PCT) / 100 * battery_wh * EFFICIENCY
    left = max(0.0, (soc_pct - EMPTY_PCT) / 100) * battery_wh * EFFICIENCY
    minutes = 0.0
    for step in range(LONGEST_SLOTS):
        share = 1.0 - into if step == 0 else 1.0
        slot = (place + step) % SLOTS
        need = (load[slot] - sun[slot]) * share
        if need > left:
            return int(minutes + 30 * share * left / need)
        left = min(most, left - need)
        minutes += 30 * share
    return LONGEST_SLOTS * 30


def course(living: Living, soc_pct: float, begins: float, place: int) -> Course:
    """Return the course of a middling day from a half hour on, until the battery is empty."""
    typical = [median(load[slot] for load in living.loads) for slot in range(SLOTS)]
    told = Course([], [], [], [])
    for step in range(SLOTS + 1):
        slot = (place + step) % SLOTS
        told.starts.append(begins + (place + step) * LENGTH_S)
        told.soc_pct.append(round(max(soc_pct, 0.0), 1))
        told.load_w.append(typical[slot] * 2)
        told.pv_w.append(living.sun[slot] * 2)
        need = (typical[slot] - living.sun[slot]) / EFFICIENCY / living.battery_wh * 100
        if soc_pct <= EMPTY_PCT:
            break
        soc_pct = max(EMPTY_PCT, min(100.0, soc_pct - need))
    return told
