"""Power over a day, for its lines: means of five minutes, or of half hours where those are left."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, case, cast, func, select

from ..extensions import db
from ..models import Reading
from .half_hours import LENGTH_S, HalfHour, starts
from .history import Home, Page, starts_at

STEP_S = 300

#: what a line is of, in W; soc in %
LINES = ("pv", "load", "sold", "bought", "battery", "soc")

Means = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Power:
    """Means over a day: the start of each step, and what is known of it by `LINES`."""

    step_s: int
    starts: list[float] = field(default_factory=list)
    means: dict[float, Means] = field(default_factory=dict)


def of_day(page: Page, *, keep_days: int) -> Power:
    """Return the lines of a day's page; one statement.

    Samples are kept for `keep_days`; of days before, half hours tell.
    """
    begins, ends = page.period.bounds(page.home.zone)
    if starts_at(ends) > page.now - timedelta(days=keep_days):
        means = _five_minutes(page.home, begins, ends)
        if means:
            steps = [begins + place * STEP_S for place in range(round((ends - begins) / STEP_S))]
            return Power(STEP_S, steps, _without_samples(page, means) | means)
    known = {start: _mean_power(one) for start, one in page.half_hours.items()}
    return Power(LENGTH_S, starts(page.period.first, page.home.zone), known)


def _five_minutes(home: Home, begins: float, ends: float) -> dict[float, Means]:
    """Return the means of the samples that were theirs, by the start of five minutes."""
    since, until = max(starts_at(begins), home.since), starts_at(ends)
    if home.until:
        until = min(until, home.until)
    grid, slot = Reading.grid_w, _slot().label("slot")
    rows = db.session.execute(
        select(
            slot,
            func.avg(Reading.pv_w).label("pv"),
            func.avg(Reading.load_w).label("load"),
            # the two directions are told apart first: five minutes may hold some of both
            func.avg(case((grid < 0, -grid), (grid >= 0, 0.0))).label("sold"),
            func.avg(case((grid > 0, grid), (grid <= 0, 0.0))).label("bought"),
            func.avg(Reading.battery_w).label("battery"),
            func.avg(Reading.soc_pct).label("soc"),
        )
        .where(
            Reading.gateway_id == home.gateway_id,
            Reading.taken_at >= since,
            Reading.taken_at < until,
        )
        .group_by(slot)
    )
    return {float(row.slot * STEP_S): {name: getattr(row, name) for name in LINES} for row in rows}


def _without_samples(page: Page, means: dict[float, Means]) -> dict[float, Means]:
    """Return the means of half hours that were measured, but of which no sample is left.

    A gap is no such half hour: what was filled in says nothing of its power.
    """
    found: dict[float, Means] = {}
    for start, one in page.half_hours.items():
        steps = [start + place * STEP_S for place in range(LENGTH_S // STEP_S)]
        measured = max((energy.measured_s for energy in one.energy.values()), default=0)
        if 2 * measured > LENGTH_S and not any(step in means for step in steps):
            found |= dict.fromkeys(steps, _mean_power(one))
    return found


def _slot() -> ColumnElement[Any]:
    """Return the number of the five minutes a sample lies in."""
    if db.session.get_bind().dialect.name == "postgresql":
        return cast(func.floor(func.extract("epoch", Reading.taken_at) / STEP_S), Integer)
    return cast(func.strftime("%s", Reading.taken_at), Integer).op("/")(STEP_S)


def _mean_power(one: HalfHour) -> Means:
    power: dict[str, float] = {
        name: energy.wh * 3600 / known_s
        for name, energy in one.energy.items()
        if (known_s := energy.measured_s + energy.filled_s)
    }
    charge, discharge = power.get("charge_wh"), power.get("discharge_wh")
    battery = None
    if charge is not None or discharge is not None:
        battery = (discharge or 0.0) - (charge or 0.0)
    return {
        "pv": power.get("pv_wh"),
        "load": power.get("load_wh"),
        "sold": power.get("export_wh"),
        "bought": power.get("import_wh"),
        "battery": battery,
        "soc": one.soc_pct,
    }
