"""What a battery does under orders, half hour by half hour, for many likely courses at once."""

from dataclasses import dataclass
from math import inf

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
    def stacked(cls, several: "list[Orders]") -> "Orders":
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
        return Flows(
            self.import_wh[..., :length],
            self.export_wh[..., :length],
            self.charge_wh[..., :length],
            self.discharge_wh[..., :length],
            self.stored_wh[..., :length],
        )


def follow(
    battery: Battery, orders: Orders, stored_wh: Floats | float, pv_wh: Floats, load_wh: Floats
) -> Flows:
    """Return what a battery that holds `stored_wh` does under orders; arrays broadcast.

    It never charges and discharges at once, never feeds the grid itself, and never goes below its
    floor or above its ceiling; one that begins beyond them is not driven further away.
    """
    left = pv_wh - load_wh
    surplus, deficit = np.maximum(left, 0.0), np.maximum(-left, 0.0)
    shape = np.broadcast_shapes(left.shape, orders.grid_to.shape)
    stored = np.broadcast_to(np.asarray(stored_wh, dtype=np.float64), shape[:-1])
    charges, discharges, levels = np.empty(shape), np.empty(shape), np.empty(shape)
    floor, top = battery.floor * battery.capacity_wh, battery.ceiling * battery.capacity_wh
    for slot in range(shape[-1]):
        room = np.maximum(top - stored, 0.0) / battery.charge_efficiency
        store = np.minimum(np.minimum(surplus[..., slot], battery.charge_wh), room)
        store = np.where(orders.may_store[..., slot], store, 0.0)
        grid_to = orders.grid_to[..., slot]
        wanted = np.minimum(grid_to * battery.capacity_wh, top) - stored
        most = np.minimum(battery.most_bought(deficit[..., slot]), battery.charge_wh - store)
        bought = np.clip(wanted / battery.charge_efficiency - store, 0.0, most)
        charge = store + np.where(grid_to > 0, bought, 0.0)
        holds = np.maximum(stored - floor, 0.0) * battery.discharge_efficiency
        give = np.minimum(np.minimum(deficit[..., slot], battery.discharge_wh), holds)
        discharge = np.where(orders.may_discharge[..., slot] & (grid_to <= 0), give, 0.0)
        # a half hour in which some was charged is not one in which some is used
        discharge = np.where(charge > 0, 0.0, discharge)
        stored = (
            stored + charge * battery.charge_efficiency - discharge / battery.discharge_efficiency
        )
        charges[..., slot], discharges[..., slot], levels[..., slot] = charge, discharge, stored
    net = load_wh - pv_wh + charges - discharges
    return Flows(np.maximum(net, 0.0), np.maximum(-net, 0.0), charges, discharges, levels)
