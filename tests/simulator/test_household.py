"""A simulated home lives plausibly, and its energy adds up."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import sky
from simulator.household import MODES, Config, Household, Wishes

JAPAN = timezone(timedelta(hours=9))


def at(hour, month=11, day=22):
    return datetime(2026, month, day, hour, tzinfo=JAPAN).timestamp()


def home(mode="green", now_s=None, **rest):
    return Household.begin(Config("SIM000000001", mode=mode, **rest), now_s or at(0))


percent = st.integers(0, 100)
times = st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 1440), st.integers(1, 127)))
wishes = st.builds(
    Wishes, reserve=percent, least=percent, most=percent, grid=percent, charge=times,
    discharge=times,
)  # fmt: skip


@given(
    seconds=st.floats(0, 366 * 86400),
    mode=st.sampled_from(MODES),
    stored=st.floats(0, 1),
    wanted=wishes,
)
def test_power_always_balances(seconds, mode, stored, wanted):
    house = Household(Config("SIM000000007"), mode=mode, stored=stored, wishes=wanted)
    flow = house.flow(at(0) + seconds)
    assert flow.pv_w + flow.grid_w + flow.battery_w == flow.load_w
    assert 0 <= flow.pv_w <= house.config.panels_w
    assert abs(flow.battery_w) <= house.config.battery_w
    assert flow.pv_w + flow.battery_w <= house.config.inverter_w
    assert flow.load_w >= 90


@pytest.mark.parametrize("mode", MODES)
def test_a_days_energy_balances_and_counters_only_rise(mode):
    house = home(mode)
    before = dict(house.energy)
    for hour in range(1, 25):
        last = dict(house.energy)
        house.advance(at(0) + hour * 3600)
        assert all(house.energy[name] >= last[name] for name in last)
        assert 0 <= house.stored <= 1
    got = {name: house.energy[name] - before[name] for name in before}
    gained = got["pv"] + got["import"] + got["discharge"]
    assert gained == pytest.approx(got["load"] + got["export"] + got["charge"])
    assert 10_000 < got["load"] < 40_000


def test_the_sun_sets_and_summer_gives_more_than_winter():
    assert sky.sunshine(1, at(0)) == 0
    assert sky.sunshine(1, at(21, month=6)) == 0
    noons = {
        month: sum(sky.sunshine(1, at(12, month, day)) for day in range(1, 29)) for month in (5, 12)
    }
    assert noons[5] > noons[12] > 0


def test_a_night_is_not_dull():
    house = home(now_s=at(20))
    flow = house.flow(at(20))
    assert flow.pv_w == 0
    assert flow.battery_w > 0
    late = home(now_s=at(5))
    assert late.flow(at(5)).grid_w > 0


def test_values_move_from_second_to_second():
    house = home(now_s=at(12))
    assert len({house.flow(at(12) + second) for second in range(10)}) > 7
    assert len({house.flow(at(22) + second).load_w for second in range(10)}) > 5


def test_modes_differ_at_night_and_at_noon():
    night = {mode: home(mode, at(1)).flow(at(1)).battery_w for mode in MODES}
    assert night["economic"] < 0 <= night["green"]
    noon = {mode: home(mode, at(11)).flow(at(11)).battery_w for mode in MODES}
    assert noon["green"] < 0 <= noon["economic"]
    assert home("safe", at(19)).flow(at(19)).battery_w == 0
    for hour in (1, 11, 19):
        assert home("standby", at(hour)).flow(at(hour)).battery_w == 0
        charging = home("charge", at(hour))
        charging.stored = 0.5
        assert charging.flow(at(hour)).battery_w == -3000


def test_a_window_may_cross_midnight():
    house = home("economic", at(12))
    monday = at(23, day=23)
    house.wishes.charge = [(22 * 60, 2 * 60, 0b1)]
    house.wishes.discharge = [(3 * 60, 4 * 60, 0b10)]
    powers = [house.flow(monday + hours * 3600).battery_w for hours in (-2, 0, 2.5, 4.5, 6)]
    assert [(power > 0) - (power < 0) for power in powers] == [0, -1, -1, 1, 0]


@pytest.mark.parametrize(("wanted", "power"), [({"reserve": 60}, 0), ({"least": 60}, 0), ({}, 1)])
def test_the_battery_keeps_what_is_reserved(wanted, power):
    house = home(now_s=at(20))
    house.stored, house.wishes = 0.5, Wishes(**wanted)
    assert (house.flow(at(20)).battery_w > 0) == power


def test_a_fault_stops_the_inverter():
    house = home(now_s=at(12))
    house.alarms = 1
    flow = house.flow(at(12))
    assert (flow.pv_w, flow.battery_w) == (0, 0)
    assert flow.grid_w == flow.load_w


def test_a_home_resumes_where_it_stood_and_counts_what_was_missed():
    house = home()
    kept = house.keep()
    house.advance(at(0) + 900)
    again = Household.resume(house.config, kept)
    again.advance(at(0) + 900)
    assert again.energy == house.energy
    assert again.stored == house.stored


def test_homes_differ():
    first = Household.begin(Config("SIM000000001"), at(12)).flow(at(12))
    assert first != Household.begin(Config("SIM000000002"), at(12)).flow(at(12))


@pytest.mark.parametrize("wrong", [{"dialect": "x"}, {"mode": "x"}, {"unit": 0}, {"unit": 248}])
def test_a_home_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError):
        Config("SIM000000001", **wrong)


def test_a_home_kept_by_an_older_simulator_lives_on():
    new = home("safe")
    kept = {name: new.keep()[name] for name in ("at_s", "stored", "online", "alarms", "energy")}
    old = Household.resume(new.config, {**kept, "mode": "standby"})
    assert (old.mode, old.usual, old.manners) == ("safe", "safe", "obey")
    assert old.energy == new.energy


@given(seconds=st.floats(0, 366 * 86400), stored=st.floats(0, 1), wanted=wishes)
def test_without_the_grid_nothing_is_bought_or_sold(seconds, stored, wanted):
    house = Household(Config("SIM000000007"), stored=stored, wishes=wanted, islanded=True)
    flow = house.flow(at(0) + seconds)
    assert flow.grid_w == 0
    assert flow.pv_w + flow.battery_w == flow.load_w >= 0
    assert flow.pv_w >= 0
    assert abs(flow.battery_w) <= house.config.battery_w


def test_without_the_grid_the_battery_serves_the_home_down_to_its_reserve():
    house = home(now_s=at(18))
    house.stored, house.wishes, house.islanded = 0.6, Wishes(reserve=20), True
    bought = house.energy["import"]
    house.advance(at(19))
    assert house.flow(at(19)).load_w > 0
    assert 0.2 < house.stored < 0.6
    house.advance(at(6, day=23))
    assert house.stored == pytest.approx(0.2, abs=0.01)
    assert house.flow(at(6, day=23)).load_w < 60
    assert house.energy["import"] == bought
