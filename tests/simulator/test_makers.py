"""Homes that speak SunSpec as a maker bends it, and homes of several units, from end to end."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import uvloop

from app.drivers.modbus import Outcome, PollResult, Target, poll
from app.profiles.base import State
from simulator.household import Config
from simulator.server import Running, running_simulator

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=9)))
NIGHT = datetime(2026, 11, 22, 21, tzinfo=timezone(timedelta(hours=9)))
MIDNIGHT = datetime(2026, 11, 22, 2, tzinfo=timezone(timedelta(hours=9)))
HOME = "SIM000000001"
MAKERS = ("solaredge-storedge", "fronius-gen24")


def read(running: Running, profile: str, layout: object = None) -> PollResult:
    target = Target(1, running.endpoints[HOME], profile, layout)
    return uvloop.run(poll(target, timeout_s=2, now=lambda: datetime(2026, 11, 22, 3, tzinfo=UTC)))


def kept(result: PollResult) -> object:
    assert result.discovery, result.detail
    return result.discovery.layout.to_json()


@pytest.mark.parametrize("profile", MAKERS)
@pytest.mark.parametrize(
    ("moment", "mode"),
    [(NOON, "green"), (NIGHT, "green"), (MIDNIGHT, "economic")],
    ids=["noon", "evening", "cheap hours"],
)
def test_a_home_is_read_as_it_lives(profile: str, moment: datetime, mode: str) -> None:
    home = Config(HOME, dialect=profile, mode=mode)
    with running_simulator([home], clock=moment.timestamp) as running:
        first = read(running, profile)
        second = read(running, profile, kept(first))
        told = json.loads(running.command("list"))[0]
    assert second.outcome is Outcome.OK, second.detail
    assert second.discovery is None
    sample = second.sample
    assert sample
    assert sample == first.sample
    for key in ("pv_w", "load_w", "grid_w", "battery_w"):
        assert getattr(sample, key) == told[key], key
    assert sample.soc_pct == pytest.approx(told["soc_pct"], abs=0.1)
    assert sample.silent_units == ()
    energy = told["energy_wh"]
    assert sample.counters["import_wh"] == energy["import"]
    assert sample.counters["export_wh"] == energy["export"]
    assert sample.counters["charge_wh"] == energy["charge"]
    assert sample.counters["discharge_wh"] == energy["discharge"]
    # an inverter's own counter is not PV's where a battery feeds into it
    assert sample.counters.get("pv_wh", energy["pv"]) == energy["pv"]


def test_a_solaredge_without_battery_counts_what_the_inverter_gives() -> None:
    home = Config(HOME, dialect="solaredge-storedge", without=("battery1",))
    with running_simulator([home], clock=NOON.timestamp) as running:
        first = read(running, "solaredge-storedge")
        result = read(running, "solaredge-storedge", kept(first))
    assert result.sample
    assert result.discovery is None
    assert result.sample.battery_w is None
    assert result.sample.soc_pct is None
    assert "pv_wh" in result.sample.counters
    with running_simulator([Config(HOME, dialect="solaredge-storedge")]) as running:
        later = read(running, "solaredge-storedge", kept(first))
    assert later.discovery, "a battery that came later is found"
    assert later.sample
    assert later.sample.battery_w is not None


def test_a_fronius_without_meter_tells_of_all_but_the_grid() -> None:
    home = Config(HOME, dialect="fronius-gen24", without=("meter",))
    with running_simulator([home], clock=NOON.timestamp) as running:
        first = read(running, "fronius-gen24")
        second = read(running, "fronius-gen24", kept(first))
        told = json.loads(running.command("list"))[0]
    assert second.sample
    assert second.discovery is None
    assert (second.sample.grid_w, second.sample.load_w) == (None, None)
    assert second.sample.pv_w == told["pv_w"]
    with running_simulator([Config(HOME, dialect="fronius-gen24")]) as running:
        third = read(running, "fronius-gen24", kept(first))
    assert third.discovery, "a meter that came later is found"
    assert third.sample
    assert third.sample.grid_w is not None


def test_a_fronius_whose_meter_falls_silent_goes_on() -> None:
    with running_simulator([Config(HOME, dialect="fronius-gen24")]) as running:
        first = read(running, "fronius-gen24")
        running.command("silence 1 200")
        second = read(running, "fronius-gen24", kept(first))
        running.command("wake 1 200")
        third = read(running, "fronius-gen24", kept(first))
    assert second.outcome is Outcome.OK
    assert second.discovery is None
    assert second.sample
    assert (second.sample.grid_w, second.sample.load_w) == (None, None)
    assert "import_wh" not in second.sample.counters
    assert third.sample
    assert third.sample.grid_w is not None


@pytest.mark.parametrize("profile", MAKERS)
def test_another_makers_sunspec_is_not_taken_for_it(profile: str) -> None:
    with running_simulator([Config(HOME, dialect="10x")]) as running:
        result = read(running, profile)
    assert result.outcome is Outcome.BAD_ANSWER
    assert "Hidamari" in result.detail


def test_a_unit_that_falls_silent_behind_a_live_gateway_is_told() -> None:
    with running_simulator([Config(HOME, dialect="10x-2")], clock=NOON.timestamp) as running:
        first = read(running, "sunspec")
        told = json.loads(running.command("list"))[0]
        running.command("silence 1 2")
        second = read(running, "sunspec", kept(first))
        running.command("wake 1 2")
        third = read(running, "sunspec", kept(first))
    assert first.sample
    assert first.discovery
    assert [unit.unit_no for unit in first.discovery.units] == [1, 2]
    assert first.sample.silent_units == ()
    assert first.sample.load_w == pytest.approx(told["load_w"], abs=1)
    assert second.sample
    assert second.sample.silent_units == (2,)
    # half of the inverters is not what the home draws
    assert second.sample.load_w is None
    assert second.sample.grid_w == told["grid_w"]
    assert second.sample.state is State.RUNNING
    assert third.sample == first.sample


@pytest.mark.parametrize("dialect", ["7xx", "10x"])
def test_the_only_unit_of_a_gateway_can_fall_silent_too(dialect: str) -> None:
    with running_simulator([Config(HOME, dialect=dialect)]) as running:
        first = read(running, "sunspec")
        running.command("silence 1 1")
        second = read(running, "sunspec", kept(first))
    assert second.outcome is Outcome.OK
    assert second.sample
    assert second.sample.silent_units == (1,)
    assert second.sample.load_w is None
