"""The plan of a day: the orders that cost least over all likely courses, against no control."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .battery import Battery, Flags, Floats, Flows, Orders, follow
from .forecasts import DAY_SLOTS, Forecast
from .optimum import Prices, cheapest

# a plan that saves less than this on the mean is not worth a change of settings
LEAST_YEN = 1.0
STEP = 0.1
# グリーンモード buys at most half a battery at night
NIGHT_MOST = 0.5
# likely courses on either side of the span that is told as the uncertainty
TAIL_PCT = 10
# less than this is rounding
SOME_WH = 1.0


@dataclass(frozen=True, slots=True)
class Saving:
    """What orders save against no control, in yen: on the mean, and in eight of ten courses."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, yen: Floats) -> "Saving":
        """Return what courses save, taken together."""
        low, high = np.percentile(yen, [TAIL_PCT, 100 - TAIL_PCT])
        return cls(float(yen.mean()), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders for a home, and what they come to over the likely courses."""

    orders: Orders
    #: how full the grid makes the battery, as a share; 0: it does not charge it
    level: float
    #: the half hours in which it may
    window: Flags
    baseline_yen: float
    plan_yen: float
    saving: Saving
    #: as the mean of all courses goes
    baseline: Flows
    flows: Flows

    @property
    def acts(self) -> bool:
        """Tell whether anything is ordered at all."""
        return bool(
            self.level > 0 or not self.orders.may_discharge.all() or not self.orders.may_store.all()
        )


def night_charge(
    battery: Battery,
    prices: Prices,
    stored_wh: float,
    forecast: Forecast,
    *,
    window: Flags,
    most: float = NIGHT_MOST,
) -> Plan:
    """Return how full the grid shall make the battery at night, by tomorrow's sun and use.

    `window` tells the night's half hours; between them the home's own sun comes first.
    """
    levels = _levels(_tonight(window), Orders.none(len(window)), most)
    tried = _Tried.over(forecast, [Orders.none(len(window)), *levels], battery, prices, stored_wh)
    return tried.plan(tried.best(range(len(tried.several))))


def least_cost(battery: Battery, prices: Prices, stored_wh: float, forecast: Forecast) -> Plan:
    """Return the orders that cost least by a tariff: from HiGHS's course for the mean forecast.

    That course is turned into what a battery can be told: until when to charge from the grid, and
    when not to use or not to store. Its level is tried higher and lower, and what costs least over
    all the likely courses is taken: nothing at all, where that does. Not to use and not to store is
    told only where it is better in nine of ten courses: the mean's course is surer than the day.
    """
    ideal = cheapest(
        battery, prices, stored_wh, forecast.pv_wh.mean(axis=0), forecast.load_wh.mean(axis=0)
    )
    told, window = told_by(battery, prices, ideal, forecast)
    # the mean of all courses may need nothing bought where half of them do
    night = window if window.any() else _tonight(prices.buy == prices.buy.min())
    free = _levels(night, Orders.none(len(window)), 1.0)
    several = [Orders.none(len(window)), *free, told]
    is_free = bool(told.may_discharge.all() and told.may_store.all())
    if not is_free:
        several += _levels(night, told, 1.0)
    tried = _Tried.over(forecast, several, battery, prices, stored_wh)
    own = range(1 + len(free), len(several))
    plain = tried.best([0, *own, *range(1, 1 + len(free))] if is_free else range(own.start))
    if is_free:
        return tried.plan(plain)
    held = tried.best([0, *own])
    gain = tried.yen[plain] - tried.yen[held]
    return tried.plan(held if float(np.percentile(gain, TAIL_PCT)) > 0 else plain)


@dataclass(frozen=True, slots=True)
class _Tried:
    """Several orders, the first of them none, followed over all likely courses and their mean.

    All of it at once: to follow is a loop over half hours that takes as long for one as for many.
    """

    several: Sequence[Orders]
    #: by orders and course
    yen: Floats
    #: as the mean of all courses goes, by orders
    mean: Flows

    @classmethod
    def over(
        cls,
        forecast: Forecast,
        several: Sequence[Orders],
        battery: Battery,
        prices: Prices,
        stored_wh: float,
    ) -> "_Tried":
        """Return what orders come to from a charge on."""
        pv, load = (
            np.vstack([courses, courses.mean(axis=0)])
            for courses in (forecast.pv_wh, forecast.load_wh)
        )
        flows = follow(battery, Orders.stacked(several), stored_wh, pv, load)
        return cls(several, prices.yen(flows)[:, :-1], flows.of_course(-1))

    def best(self, places: Sequence[int]) -> int:
        """Return which of some orders cost least on the mean: none, unless they save enough."""
        means = self.yen.mean(axis=1)
        best = min(places, key=lambda place: means[place])
        return 0 if means[0] - means[best] < LEAST_YEN else best

    def plan(self, place: int) -> Plan:
        """Return orders as a plan."""
        chosen, yen = self.several[place], self.yen
        return Plan(
            orders=chosen,
            level=float(chosen.grid_to.max()),
            window=chosen.grid_to > 0,
            baseline_yen=float(yen[0].mean()),
            plan_yen=float(yen[place].mean()),
            saving=Saving.of(yen[0] - yen[place]),
            baseline=self.mean.of_orders(0),
            flows=self.mean.of_orders(place),
        )


def told_by(
    battery: Battery, prices: Prices, ideal: Flows, forecast: Forecast
) -> tuple[Orders, Flags]:
    """Return a course as orders, and in which half hours they let the grid charge.

    A stretch of one price in which the course buys is charged as a whole, to where it ends.
    """
    left = forecast.pv_wh.mean(axis=0) - forecast.load_wh.mean(axis=0)
    surplus, deficit = np.maximum(left, 0.0), np.maximum(-left, 0.0)
    length = len(left)
    bought = ideal.charge_wh > surplus + SOME_WH
    grid_to, window = np.zeros(length), np.zeros(length, dtype=np.bool_)
    for first, last in _stretches(prices.buy):
        # what comes after the day is the next plan's
        if first < DAY_SLOTS and bought[first:last].any():
            grid_to[first:last] = ideal.stored_wh[last - 1] / battery.capacity_wh
            window[first:last] = True
    before = np.concatenate([[ideal.stored_wh[0]], ideal.stored_wh[:-1]])
    could_give = np.minimum(
        np.minimum(deficit, battery.discharge_wh),
        np.maximum(before - battery.floor * battery.capacity_wh, 0.0)
        * battery.discharge_efficiency,
    )
    held = (could_give > SOME_WH) & (ideal.discharge_wh < could_give / 2)
    room = (battery.ceiling * battery.capacity_wh - before) / battery.charge_efficiency
    could_store = np.minimum(np.minimum(surplus, battery.charge_wh), np.maximum(room, 0.0))
    sold = (could_store > SOME_WH) & (ideal.charge_wh < could_store / 2)
    told = np.where(_tonight(window), np.clip(grid_to, 0.0, battery.ceiling), 0.0)
    return Orders(told, ~held, ~sold), _tonight(window)


def _tonight(window: Flags) -> Flags:
    """Return a window without what the next plan decides."""
    return window & (np.arange(len(window)) < DAY_SLOTS)


def _stretches(buy: Floats) -> list[tuple[int, int]]:
    """Return where a price begins and ends, for each time it changes."""
    edges = np.flatnonzero(np.diff(buy)) + 1
    bounds = [0, *edges.tolist(), len(buy)]
    return list(pairwise(bounds))


def _levels(window: Flags, base: Orders, most: float) -> list[Orders]:
    """Return orders that have the grid charge to each level within a window."""
    if not window.any():
        return []
    steps = np.arange(STEP, most + STEP / 2, STEP)
    return [
        Orders(np.where(window, level, 0.0), base.may_discharge, base.may_store)
        for level in np.round(steps, 2)
    ]


def carried_out(orders: Orders) -> Orders:
    """Return the part of a plan that is carried out before the next one takes over."""
    return Orders(
        orders.grid_to[:DAY_SLOTS], orders.may_discharge[:DAY_SLOTS], orders.may_store[:DAY_SLOTS]
    )
