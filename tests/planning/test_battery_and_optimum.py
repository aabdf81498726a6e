"""A simulated battery keeps its limits, and no course costs less than the optimum's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planning.battery import Battery, Flows, Orders, follow
from app.planning.optimum import NoOptimum, Prices, cheapest

LENGTH = 48
WH = st.floats(0, 3000)


def courses(most: float = 3000) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.floats(0, most), min_size=LENGTH, max_size=LENGTH).map(np.array)


@st.composite
def batteries(draw: st.DrawFn) -> Battery:
    floor = draw(st.floats(0, 0.6))
    return Battery(
        draw(st.floats(2000, 16000)),
        draw(st.floats(500, 6000)),
        draw(st.floats(500, 6000)),
        floor,
        draw(st.floats(floor + 0.1, 1)),
        draw(st.floats(0.8, 1)),
        draw(st.floats(0.8, 1)),
    )


@st.composite
def orders(draw: st.DrawFn) -> Orders:
    flags = st.lists(st.booleans(), min_size=LENGTH, max_size=LENGTH).map(np.array)
    levels = st.lists(st.sampled_from([0, 0.3, 1.0]), min_size=LENGTH, max_size=LENGTH)
    return Orders(np.array(draw(levels)), draw(flags), draw(flags))


@st.composite
def prices(draw: st.DrawFn) -> Prices:
    tariff = st.lists(st.floats(0, 60), min_size=4, max_size=4).map(lambda few: np.repeat(few, 12))
    return Prices(draw(tariff), draw(tariff), draw(st.floats(0, 20)))


def check(battery: Battery, begun: float, pv: np.ndarray, load: np.ndarray, flows: Flows) -> None:
    """Assert that energy is neither made nor lost, and that no limit is passed."""
    came = pv + flows.import_wh + flows.discharge_wh
    assert came == pytest.approx(load + flows.export_wh + flows.charge_wh, abs=0.01)
    before = np.concatenate([[begun], flows.stored_wh[:-1]])
    change = flows.charge_wh * battery.charge_efficiency
    change = change - flows.discharge_wh / battery.discharge_efficiency
    assert flows.stored_wh - before == pytest.approx(change, abs=0.01)
    assert flows.charge_wh.max() <= battery.charge_wh + 0.01
    assert flows.discharge_wh.max() <= battery.discharge_wh + 0.01
    assert flows.stored_wh.min() >= min(begun, battery.floor * battery.capacity_wh) - 0.01
    assert flows.stored_wh.max() <= max(begun, battery.ceiling * battery.capacity_wh) + 0.01
    assert not ((flows.charge_wh > 0.01) & (flows.discharge_wh > 0.01)).any()
    # the battery never feeds the grid
    assert (flows.discharge_wh <= np.maximum(load - pv, 0) + 0.01).all()


@given(batteries(), orders(), st.floats(0, 1), courses(), courses())
def test_a_battery_keeps_its_limits_whatever_it_is_told(
    battery: Battery, told: Orders, share: float, pv: np.ndarray, load: np.ndarray
) -> None:
    begun = share * battery.capacity_wh
    check(battery, begun, pv, load, follow(battery, told, begun, pv, load))


@given(batteries(), prices(), st.floats(0, 1), courses(), courses())
def test_the_optimum_keeps_them_and_no_simulated_course_costs_less(
    battery: Battery, paid: Prices, share: float, pv: np.ndarray, load: np.ndarray
) -> None:
    begun = share * battery.capacity_wh
    best = cheapest(battery, paid, begun, pv, load)
    check(battery, begun, pv, load, best)
    none = follow(battery, Orders.none(LENGTH), begun, pv, load)
    # wear counts for a hundredth of a yen per kWh that goes in
    wear = none.charge_wh.sum() / 1000 * 0.01
    assert paid.yen(best) <= paid.yen(none) + wear + 0.01


@given(batteries(), prices(), courses(), courses(), st.floats(0, 0.3))
def test_a_larger_reserve_never_costs_less(
    battery: Battery, paid: Prices, pv: np.ndarray, load: np.ndarray, more: float
) -> None:
    kept = min(battery.floor + more, battery.ceiling - 0.01)
    larger = Battery(
        battery.capacity_wh,
        battery.charge_w,
        battery.discharge_w,
        kept,
        battery.ceiling,
        battery.charge_efficiency,
        battery.discharge_efficiency,
    )
    begun = battery.ceiling * battery.capacity_wh
    less, much = (
        float(paid.yen(cheapest(one, paid, begun, pv, load))) for one in (battery, larger)
    )
    assert less <= much + 0.05


def test_courses_followed_together_come_to_what_each_comes_to_alone() -> None:
    battery = Battery(10_000, 3000, 3000)
    draw = np.random.default_rng(3)
    pv, load = draw.uniform(0, 2000, (5, LENGTH)), draw.uniform(0, 1500, (5, LENGTH))
    several = [
        Orders.none(LENGTH),
        Orders(np.full(LENGTH, 0.5), np.zeros(LENGTH, bool), np.ones(LENGTH, bool)),
    ]
    together = follow(battery, Orders.stacked(several), 4000, pv, load)
    for place, one in enumerate(several):
        for row in range(5):
            alone = follow(battery, one, 4000, pv[row], load[row])
            assert together.stored_wh[place, row] == pytest.approx(alone.stored_wh)


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity_wh": 0},
        {"floor": 0.9, "ceiling": 0.5},
        {"charge_efficiency": 0},
    ],
)
def test_a_battery_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Battery(**{"capacity_wh": 9800, "charge_w": 3000, "discharge_w": 3000, **wrong})


def test_prices_below_zero_are_refused() -> None:
    with pytest.raises(ValueError):
        Prices(np.array([-1.0]), np.array([0.0]))


def test_what_is_not_known_has_no_optimum() -> None:
    flat = np.full(LENGTH, 20.0)
    nothing = np.zeros(LENGTH)
    with pytest.raises(NoOptimum):
        cheapest(Battery(10_000, 3000, 3000), Prices(flat, flat), np.nan, nothing, nothing)


def test_the_grid_charges_with_what_the_contract_leaves_beside_the_homes_own_use() -> None:
    battery = Battery(10_000, 4000, 4000, floor=0.0, grid_w=3000)
    load = np.array([1000.0, 2000.0, 0.0])
    told = Orders(np.ones(3), np.ones(3, dtype=np.bool_), np.ones(3, dtype=np.bool_))
    flows = follow(battery, told, 0.0, np.zeros(3), load)
    # 1,500 Wh a half hour: what the home needs itself is not the battery's to refuse
    assert flows.import_wh.tolist() == [1500.0, 2000.0, 1500.0]
    best = cheapest(battery, Prices(np.array([1.0, 1.0, 50.0]), np.zeros(3)), 0.0, np.zeros(3),
                    np.array([1000.0, 1400.0, 3000.0]))  # fmt: skip
    assert best.import_wh[:2].max() <= 1500.01


def test_a_home_that_may_buy_nothing_is_none() -> None:
    with pytest.raises(ValueError, match="buy"):
        Battery(10_000, 4000, 4000, grid_w=0)
