"""The course of a battery that costs least, as a linear program solved by HiGHS."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, diags_array, eye_array, hstack

from .battery import Battery, Flags, Floats, Flows

# yen per kWh that goes in: between two courses of one cost, the one that uses the battery less;
# it also keeps the program from charging and discharging at once
WEAR_YEN = 0.01


@dataclass(frozen=True, slots=True)
class Prices:
    """Yen per kWh of each half hour, and what a kWh that is left in the end is worth."""

    buy: Floats
    sell: Floats
    left: float = 0.0

    def __post_init__(self) -> None:
        if not (np.all(self.buy >= 0) and np.all(self.sell >= 0) and self.left >= 0):
            raise ValueError("prices are 0 or more")

    def first(self, length: int) -> "Prices":
        """Return those of the first half hours."""
        return Prices(self.buy[:length], self.sell[:length], self.left)

    def yen(self, flows: Flows) -> Floats:
        """Return what courses cost, less what is left in the battery."""
        cost = flows.import_wh @ self.buy - flows.export_wh @ self.sell
        total: Floats = (cost - self.left * flows.stored_wh[..., -1]) / 1000
        return total


class NoOptimum(Exception):
    """There is none: a number is not known, or HiGHS gave up."""


def cheapest(
    battery: Battery,
    prices: Prices,
    stored_wh: float,
    pv_wh: Floats,
    load_wh: Floats,
    *,
    may_buy: Flags | None = None,
) -> Flows:
    """Return the course of one battery over one course of sun and use that costs least.

    The battery serves the home's own use and never feeds the grid; `may_buy` tells in which half
    hours the grid may charge it. Where a kWh sells for more than it costs the grid does not charge
    it while the sun leaves some over: the meter would see one flow only.

    Raises:
        NoOptimum: A number is not known, or HiGHS gave up.
    """
    length = len(pv_wh)
    left = pv_wh - load_wh
    if not (np.isfinite(stored_wh) and np.isfinite(left).all()):
        raise NoOptimum("what is not known has no optimum")
    surplus, deficit = np.maximum(left, 0.0), np.maximum(-left, 0.0)
    allowed = np.ones(length, dtype=np.bool_) if may_buy is None else may_buy
    allowed = allowed & ~((surplus > 0) & (prices.sell > prices.buy))
    # variables: stored from the sun, bought, given, and the charge at the end of each half hour
    worth = np.zeros(length)
    worth[-1] = -prices.left
    price = np.concatenate([prices.sell + WEAR_YEN, prices.buy + WEAR_YEN, -prices.buy, worth])
    floor = min(battery.floor * battery.capacity_wh, stored_wh)
    top = max(battery.ceiling * battery.capacity_wh, stored_wh)
    most = np.full(length, battery.charge_wh)
    upper = np.concatenate(
        [
            np.minimum(surplus, most),
            np.where(allowed, battery.most_bought(deficit), 0.0),
            np.minimum(deficit, battery.discharge_wh),
            np.full(length, top),
        ]
    )
    lower = np.concatenate([np.zeros(3 * length), np.full(length, floor)])
    begins = np.zeros(length)
    begins[0] = stored_wh
    power, balance = _rules(length, battery.charge_efficiency, battery.discharge_efficiency)
    found = linprog(
        price,
        A_ub=power,
        b_ub=most,
        A_eq=balance,
        b_eq=begins,
        bounds=np.stack([lower, upper], axis=1),
        method="highs",
    )
    if not found.success:
        raise NoOptimum(str(found.message))
    stored, bought, given, levels = found.x.reshape(4, length)
    # a meter sees the sun's surplus and what is bought as one flow
    net = -left + stored + bought - given
    return Flows(np.maximum(net, 0.0), np.maximum(-net, 0.0), stored + bought, given, levels)


@lru_cache(maxsize=64)
def _rules(length: int, charging: float, discharging: float) -> tuple[csr_array, csr_array]:
    """Return what stands in every such program: the charger's power, and what a charge is made of.

    Both are read only.
    """
    one = eye_array(length, format="csr")
    before = diags_array([np.ones(length - 1)], offsets=[-1], shape=(length, length), format="csr")
    nothing = csr_array((length, length))
    power = hstack([one, one, nothing, nothing], format="csr")
    balance = hstack([-charging * one, -charging * one, one / discharging, one - before])
    return power, balance.tocsr()
