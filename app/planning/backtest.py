"""What plans would have saved on days that are over, each made from what was known by then."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from .battery import Battery, Floats, Orders, follow
from .day import Plan, Saving, carried_out
from .forecasts import (
    DAY_SLOTS,
    LENGTH_S,
    SLOTS,
    Forecast,
    Past,
    Site,
    Sky,
    TooLittleKnown,
    begins,
    forecast,
)
from .optimum import Prices, cheapest

#: makes the plan of a day from its forecast and the charge it begins with
Planner = Callable[[date, Forecast, float], Plan]
PricesOf = Callable[[date], Prices]


@dataclass(frozen=True, slots=True)
class Score:
    """What held-back days cost in yen, by day: without control, as planned, and by foresight."""

    days: int
    baseline_yen: Floats
    plan_yen: Floats
    foresight_yen: Floats

    @property
    def saving(self) -> Saving:
        """Return what a day saved: the mean, and its span by which days happened to be in it."""
        return resampled(self.baseline_yen - self.plan_yen)


def resampled(yen: Floats, rounds: int = 500) -> Saving:
    """Return a mean per day and between what it lies in eight of ten draws of as many days."""
    draws = np.random.default_rng(1).choice(yen, (rounds, len(yen))).mean(axis=1)
    low, high = np.percentile(draws, [10, 90])
    return Saving(float(yen.mean()), float(low), float(high))


def backtest(
    site: Site,
    past: Past,
    battery: Battery,
    prices_of: PricesOf,
    planner: Planner,
    *,
    days: list[date],
    stored_wh: float,
    sky_of: Callable[[date], Sky] | None = None,
) -> Score | None:
    """Return how plans did on days on end; None where nothing could be planned or compared.

    A day runs from its evening to the next. What is left in the battery in the end of it belongs to
    the next day; its change is valued as the plans value it. `sky_of` is what a weather report said
    each evening of the next day, where that was kept.
    """
    states = {"none": stored_wh, "plan": stored_wh, "foresight": stored_wh}
    costs: dict[str, list[float]] = {name: [] for name in states}
    for day in days:
        start = begins(day, site.zone)
        pv, load = (past.window(values, start, SLOTS) for values in (past.pv_wh, past.load_wh))
        if pv is None or load is None or np.isnan(pv).any() or np.isnan(load).any():
            continue
        try:
            sky = sky_of(day) if sky_of else None
            expected = forecast(site, _until(past, start), day, sky=sky)
        except TooLittleKnown:
            continue
        prices = prices_of(day)
        plan = planner(day, expected, states["plan"])
        ideal = cheapest(battery, prices, states["foresight"], pv, load)
        today = prices.first(DAY_SLOTS)
        lived = pv[:DAY_SLOTS], load[:DAY_SLOTS]
        none = follow(battery, Orders.none(DAY_SLOTS), states["none"], *lived)
        planned = follow(battery, carried_out(plan.orders), states["plan"], *lived)
        foreseen = ideal.first(DAY_SLOTS)
        for name, flows in (("none", none), ("plan", planned), ("foresight", foreseen)):
            begun = today.left * states[name] / 1000
            costs[name].append(float(today.yen(flows)) + begun)
            states[name] = float(flows.stored_wh[-1])
    if not costs["none"]:
        return None
    return Score(
        len(costs["none"]),
        np.array(costs["none"]),
        np.array(costs["plan"]),
        np.array(costs["foresight"]),
    )


def _until(past: Past, moment: float) -> Past:
    """Return what was known by then."""
    count = max(0, round((moment - past.since) / LENGTH_S))
    return Past(past.since, past.pv_wh[:count], past.load_wh[:count])


def days_before(today: date, count: int) -> list[date]:
    """Return the last evenings whose following day is over, oldest first."""
    return [today - timedelta(back) for back in range(count + 1, 1, -1)]
