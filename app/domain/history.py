"""What a home generated, used, sold and bought: the figures of a day, a month or a year."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import contains_eager

from .. import profiles
from ..extensions import db
from ..models import Account, Gateway, Installation
from ..profiles.base import BALANCE_TOLERANCE
from . import energy_totals, gateways, people
from .energy import day_of
from .energy_totals import Day
from .errors import NotFound
from .half_hours import (
    BALANCE,
    COUNTER,
    HELD,
    LENGTH_S,
    POWER,
    Energy,
    HalfHour,
    Total,
    starts,
)
from .periods import Period, Span

METHODS = {"counter": COUNTER, "power": POWER, "balance": BALANCE, "held": HELD}

# Energy rule 6: a day of very little may differ by the coarsest counters' steps, one each
BALANCE_TOLERANCE_WH = 600.0
# figures that know of different times cannot balance
BALANCE_COVERAGE = 0.97


# ---- who may read whose ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Home:
    """One ownership of a gateway, whose history it is: from when to when, by which clock."""

    gateway_id: int
    public_id: str
    installation_id: int
    site_name: str
    zone: str
    since: datetime
    #: when it ended, if it did
    until: datetime | None
    #: of its device, for energy rule 6
    balance_tolerance: float = BALANCE_TOLERANCE

    def first_day(self) -> date:
        """Return the day on which it began."""
        return day_of(self.since, self.zone)[0]

    def last_day(self, now: datetime) -> date:
        """Return today, or the day on which it ended."""
        last = min(self.until, now) if self.until else now
        return max(self.first_day(), day_of(last, self.zone)[0])

    def elapsed_s(self, since: float, until: float, now: datetime) -> int:
        """Return how many seconds of a time were theirs and have passed."""
        begins = max(since, self.since.timestamp())
        ends = min(until, now.timestamp(), self.until.timestamp() if self.until else until)
        # whole seconds of the clock: those of times that adjoin sum to those of both
        return max(0, int(ends) - int(begins))


def get_home(
    actor: Account, public_id: str, now: datetime, *, zone: str, installation_id: int | None = None
) -> Home:
    """Return whose history of a gateway the actor may read; `zone` is for sites that have none.

    Of the installation that is open, who may see it live. Of one that is over, its former owner and
    operators; `installation_id` names it, else it is the actor's latest. What was before or after
    an ownership is no part of it, so a buyer never sees what a seller had.

    Raises:
        NotFound: There is no such gateway, or no history of it that the actor may read.
    """
    if not people.is_gateway_id(public_id):
        # PostgreSQL takes no NUL, not even to look for it
        raise NotFound
    readable = gateways.visible_to(actor, now) | _over_for(actor)
    named = [Installation.id == installation_id] if installation_id is not None else []
    found = db.session.scalar(
        _with_gateway()
        .where(Gateway.public_id == public_id, readable, *named)
        # the open one first, then the latest
        .order_by(
            Installation.closed_at.is_not(None), Installation.closed_at.desc(), Installation.id
        )
        .limit(1)
    )
    # operators read what is over where they name it: a gateway that is free shows nobody's home
    if found is None or (found.closed_at and actor.role != "customer" and not named):
        raise NotFound
    return Home(
        found.gateway_id,
        public_id,
        found.id,
        found.site_name,
        found.zone or zone,
        found.opened_at,
        found.closed_at,
        profiles.get(found.gateway.profile).balance_tolerance,
    )


def _over_for(actor: Account) -> ColumnElement[bool]:
    is_over = Installation.closed_at.is_not(None)
    if actor.role == "operator":
        return is_over
    # a dealer's link ended with the installation
    return and_(is_over, Installation.account_id == actor.id)


def _with_gateway() -> Select[Installation]:
    return (
        select(Installation)
        .join(Installation.gateway)
        .options(contains_eager(Installation.gateway))
    )


# ---- figures --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a time was measured, filled in and is missing, in seconds that sum to it."""

    measured_s: int
    filled_s: int
    missing_s: int

    @classmethod
    def of(cls, energy: Energy | None, elapsed_s: int) -> "Coverage":
        """Return the coverage of a quantity over `elapsed_s` seconds."""
        if energy is None:
            return cls(0, 0, elapsed_s)
        measured = min(elapsed_s, round(energy.measured_s))
        filled = min(elapsed_s - measured, round(energy.filled_s))
        return cls(measured, filled, elapsed_s - measured - filled)

    @property
    def shares(self) -> tuple[int, int, int] | None:
        """Return the three in whole %, which sum to 100; None of no time at all."""
        whole = self.measured_s + self.filled_s + self.missing_s
        if not whole:
            return None
        filled = round(100 * self.filled_s / whole)
        missing = min(100 - filled, round(100 * self.missing_s / whole))
        return 100 - filled - missing, filled, missing


@dataclass(frozen=True, slots=True)
class Figures:
    """What a time is worth, of which `elapsed_s` seconds were theirs and have passed."""

    total: Total
    elapsed_s: int
    balance_tolerance: float = BALANCE_TOLERANCE

    def wh(self, quantity: str) -> float | None:
        """Return the energy of a quantity, or None if it is not known."""
        one = self.total.energy.get(quantity)
        return one.wh if one else None

    def coverage(self, quantity: str) -> Coverage:
        """Return how much of the time a quantity is known of."""
        return Coverage.of(self.total.energy.get(quantity), self.elapsed_s)

    def methods(self, quantity: str) -> list[str]:
        """Return by what a quantity is known: names of `METHODS`."""
        one = self.total.energy.get(quantity)
        return [name for name, bit in METHODS.items() if one and one.methods & bit]

    @property
    def is_known(self) -> bool:
        """Tell whether anything is known."""
        return bool(self.total.energy)

    @property
    def self_wh(self) -> float | None:
        """Return generation that was not sold."""
        return self.total.self_wh

    @property
    def self_share(self) -> float | None:
        """Return 自家消費率: how much of the generation was not sold, in %."""
        return _share(self.self_wh, self.wh("pv_wh"))

    @property
    def sufficiency(self) -> float | None:
        """Return 自給率: how much of the consumption was not bought, in %."""
        load, bought = self.wh("load_wh"), self.wh("import_wh")
        return None if load is None or bought is None else _share(load - bought, load)

    @property
    def shares(self) -> tuple[int, int, int] | None:
        """Return measured, filled and missing in %, of all quantities that are known."""
        parts = [self.coverage(quantity) for quantity in self.total.energy]
        if not parts:
            return Coverage(0, 0, self.elapsed_s).shares
        return Coverage(
            sum(part.measured_s for part in parts),
            sum(part.filled_s for part in parts),
            sum(part.missing_s for part in parts),
        ).shares

    @property
    def balance_gap_wh(self) -> float | None:
        """Return by how much in and out differ where that is worth a note (energy rule 6).

        > 0: more came in than went out. None where they agree, and where consumption was computed
        from the others or figures know of different times: there is nothing to compare.
        """
        load = self.total.energy.get("load_wh")
        if load is None or not load.methods & COUNTER or load.methods & BALANCE:
            return None
        known = {name: one for name, one in self.total.energy.items() if one.wh or name in _NEEDED}
        if _NEEDED - known.keys() or not all(
            one.measured_s + one.filled_s >= BALANCE_COVERAGE * self.elapsed_s
            for one in known.values()
        ):
            return None
        came = sum(known[name].wh for name in _IN if name in known)
        went = sum(known[name].wh for name in _OUT if name in known)
        allowed = max(self.balance_tolerance * max(came, went), BALANCE_TOLERANCE_WH)
        return came - went if abs(came - went) > allowed else None


_IN = ("pv_wh", "import_wh", "discharge_wh")
_OUT = ("load_wh", "export_wh", "charge_wh")
# a home may have no battery; all others it has
_NEEDED = {"pv_wh", "load_wh", "import_wh", "export_wh"}


def _share(part: float | None, whole: float | None) -> float | None:
    if part is None or not whole:
        return None
    return min(100.0, max(0.0, 100 * part / whole))


# ---- pages ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """All that a page of history shows of a home, but for a day's lines of power."""

    home: Home
    period: Period
    now: datetime
    figures: Figures
    #: the period before, where it is compared with
    before: Figures | None
    #: the days of a month or the months of a year that have begun
    parts: list[tuple[Period, Figures]] = field(default_factory=list)
    #: the half hours of a day by their start, those that something is known of
    half_hours: Mapping[float, HalfHour] = field(default_factory=dict)

    @property
    def previous(self) -> Period | None:
        """Return the period before, if some of it was theirs."""
        before = self.period.before
        return before if before.last >= self.home.first_day() else None

    @property
    def next(self) -> Period | None:
        """Return the period after, if some of it was theirs and has come."""
        after = self.period.after
        return after if after.first <= self.home.last_day(self.now) else None

    @property
    def before_is_partial(self) -> bool:
        """Tell whether only some of the period compared with was theirs."""
        return self.before is not None and self.home.first_day() > self.period.before.first

    @property
    def is_running(self) -> bool:
        """Tell whether the period is not over yet."""
        return self.now.timestamp() < self.period.bounds(self.home.zone)[1]

    @property
    def charges(self) -> list[int]:
        """Return a day's known states of charge in %, in order of time."""
        known = [self.half_hours[start].soc_pct for start in sorted(self.half_hours)]
        return [soc_pct for soc_pct in known if soc_pct is not None]


def get_page(home: Home, period: Period, now: datetime, *, compared: bool) -> Page:
    """Return the figures of a period; as many statements for three years as for a day."""
    first = period.before.first if compared and home.first_day() < period.first else period.first
    days = energy_totals.days(home.gateway_id, home.installation_id, first, period.last)
    half_hours: Mapping[float, HalfHour] = {}
    if period.span is Span.DAY:
        half_hours = energy_totals.day_half_hours(
            home.gateway_id, home.installation_id, period.first
        )
    last_day = home.last_day(now)
    return Page(
        home,
        period,
        now,
        figures_of(home, period, days, now),
        figures_of(home, period.before, days, now) if first < period.first else None,
        [
            (part, figures_of(home, part, days, now))
            for part in period.parts()
            if part.first <= last_day and part.last >= home.first_day()
        ],
        half_hours,
    )


def figures_of(home: Home, period: Period, days: Mapping[date, Day], now: datetime) -> Figures:
    """Return what a period is worth, of the days that something is known of."""
    first, last = period.first, period.last
    theirs = (one.total for day, one in days.items() if first <= day <= last)
    return Figures(
        add_up(theirs), home.elapsed_s(*period.bounds(home.zone), now), home.balance_tolerance
    )


def add_up(totals: Iterable[Total]) -> Total:
    """Return the sum of what several times are worth; none of them changes."""
    summed = Total()
    for one in totals:
        summed.add(one.energy, one.self_wh)
    return summed


def half_hours_shown(page: Page) -> Iterator[tuple[datetime, HalfHour | None]]:
    """Yield the half hours of a day that were theirs and have begun, each by its local start."""
    zone, home = ZoneInfo(page.home.zone), page.home
    until = min(page.now, home.until) if home.until else page.now
    for start in starts(page.period.first, home.zone):
        if start + LENGTH_S > home.since.timestamp() and start <= until.timestamp():
            yield starts_at(start).astimezone(zone), page.half_hours.get(start)


def starts_at(start: float) -> datetime:
    """Return the moment a half hour starts at."""
    return datetime.fromtimestamp(start, UTC)
