"""What a battery does under orders, half hour by half hour, for many likely courses at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HOURS = 0.5


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery behind a hybrid inverter. Shares are of its capacity; powers are on the AC side."""

    capacity_wh: float
    charge_w: float
    discharge_w: float
    #: what stays in it: the lower limit or the reserve for an outage, whichever is more
    floor: float = 0.1
    ceiling: float = 1.0
    # an inverter and a lithium cell lose about so much each way
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    #: what the home may buy in all while the grid charges it
    grid_w: float = inf

    def __post_init__(self) -> None:
        if not (self.capacity_wh > 0 and self.charge_w > 0 and self.discharge_w > 0):
            raise ValueError("a battery has a capacity and powers above 0")
        if not self.grid_w > 0:
            raise ValueError("a home may buy more than nothing")
        if not 0 <= self.floor < self.ceiling <= 1:
            raise ValueError("floor and ceiling are shares, the floor below the ceiling")
        if not (0 < self.charge_efficiency <= 1 and 0 < self.discharge_efficiency <= 1):
            raise ValueError("efficiencies are above 0 and at most 1")

    @property
    def charge_wh(self) -> float:
        """Return what it takes at most in a half hour."""
        return self.charge_w * HOURS

    @property
    def discharge_wh(self) -> float:
        """Return what it gives at most in a half hour."""
        return self.discharge_w * HOURS

    def most_bought(self, deficit_wh: Floats) -> Floats:
        """Return what the grid may charge it with, beside what the home buys for itself."""
        return np.clip(self.grid_w * HOURS - deficit_wh, 0.0, self.charge_wh)


@dataclass(frozen=True, slots=True)
class Orders:
    """What a battery is told for each half hour; the last axis is time.

    Where `grid_to` is above 0 the grid charges it up to that share, and it does not discharge.
    """

    grid_to: Floats
    may_discharge: Flags
    may_store: Flags

    @classmethod
    def none(cls, length: int) -> "Orders":
        """Return no orders: the sun's surplus is stored, and used when the sun does not do."""
        yes = np.ones(length, dtype=np.bool_)
        return cls(np.zeros(length), yes, yes.copy())

    @classmethod
    def stacked(cls, several: "Sequence[Orders]") -> "Orders":
        """Return several as one, to be followed over several courses at once."""
        return cls(
            np.stack([one.grid_to for one in several])[:, None, :],
            np.stack([one.may_discharge for one in several])[:, None, :],
            np.stack([one.may_store for one in several])[:, None, :],
        )


@dataclass(frozen=True, slots=True)
class Flows:
    """What came of it, in Wh of each half hour; `stored_wh` is at its end."""

    import_wh: Floats
    export_wh: Floats
    charge_wh: Floats
    discharge_wh: Floats
    stored_wh: Floats

    def first(self, length: int) -> "Flows":
        """Return those of the first half hours."""
        return self._part((..., slice(length)))

    def of_course(self, place: int) -> "Flows":
        """Return those of one of the courses they were followed over."""
        return self._part((..., place, slice(None)))

    def of_orders(self, place: int) -> "Flows":
        """Return those of one of the orders that were stacked."""
        return self._part((place,))

    def _part(self, which: tuple[Any, ...]) -> "Flows":
        return Flows(
            self.import_wh[which],
            self.export_wh[which],
            self.charge_wh[which],
            self.discharge_wh[which],
            self.stored_wh[which],
        )


def follow(
    battery: Battery, orders: Orders, stored_wh: Floats | float, pv_wh: Floats, load_wh: Floats
) -> Flows:
    """Return what a battery that holds `stored_wh` does under orders; arrays broadcast.

    It never charges and discharges at once, never feeds the grid itself, and never goes below its
    floor or above its ceiling; one that begins beyond them is not driven further away.
    """
    left = pv_wh - load_wh
    shape = np.broadcast_shapes(left.shape, orders.grid_to.shape)
    stored = np.broadcast_to(np.asarray(stored_wh, dtype=np.float64), shape[:-1])
    floor, top = battery.floor * battery.capacity_wh, battery.ceiling * battery.capacity_wh
    # what no charge decides is worked out for all half hours at once
    storable = np.where(orders.may_store, np.clip(left, 0.0, battery.charge_wh), 0.0)
    is_bought = orders.grid_to > 0
    giveable = np.where(
        orders.may_discharge & ~is_bought, np.clip(-left, 0.0, battery.discharge_wh), 0.0
    )
    # a half hour's numbers lie side by side
    storable, giveable, buyable, aim, is_bought = (
        np.ascontiguousarray(np.moveaxis(one, -1, 0))
        for one in (
            storable,
            giveable,
            battery.most_bought(np.maximum(-left, 0.0)),
            np.minimum(orders.grid_to * battery.capacity_wh, top),
            is_bought,
        )
    )
    buys = [bool(flags.any()) for flags in is_bought]
    charges, discharges, levels = (np.empty((shape[-1], *shape[:-1])) for _each in range(3))
    for slot, anybody_buys in enumerate(buys):
        room = np.maximum(top - stored, 0.0) / battery.charge_efficiency
        charge = np.minimum(storable[slot], room)
        if anybody_buys:
            wanted = (aim[slot] - stored) / battery.charge_efficiency - charge
            most = np.minimum(buyable[slot], battery.charge_wh - charge)
            bought = np.minimum(np.maximum(wanted, 0.0), most)
            charge = charge + np.where(is_bought[slot], bought, 0.0)
        holds = np.maximum(stored - floor, 0.0) * battery.discharge_efficiency
        give = np.minimum(giveable[slot], holds)
        # a half hour in which some was charged is not one in which some is used
        discharge = np.where(charge > 0, 0.0, give)
        stored = (
            stored + charge * battery.charge_efficiency - discharge / battery.discharge_efficiency
        )
        charges[slot], discharges[slot], levels[slot] = charge, discharge, stored
    charged, given, at_end = (np.moveaxis(one, 0, -1) for one in (charges, discharges, levels))
    net = load_wh - pv_wh + charged - given
    return Flows(np.maximum(net, 0.0), np.maximum(-net, 0.0), charged, given, at_end)
