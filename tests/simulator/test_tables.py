"""Homes with the devices of other makers, polled from end to end and compared with the truth."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import uvloop

from app.drivers.modbus import Outcome, PollResult, Target, poll
from app.profiles import TABLES
from app.profiles.base import QUANTITIES, State
from app.profiles.tables import Table
from simulator.household import Config
from simulator.server import running_simulator

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=9)))
NIGHT = datetime(2026, 11, 22, 21, tzinfo=timezone(timedelta(hours=9)))
MIDNIGHT = datetime(2026, 11, 22, 2, tzinfo=timezone(timedelta(hours=9)))

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


def read(endpoint: str, profile: str, layout: object = None) -> PollResult:
    target = Target(1, endpoint, profile, layout)
    return uvloop.run(poll(target, timeout_s=5, now=lambda: datetime(2026, 11, 22, 3, tzinfo=UTC)))


@pytest.mark.parametrize(
    "table", [table for table in TABLES.values() if any(row.ties for row in table.rows)]
)
def test_a_home_that_loses_the_grid_says_so(table: Table) -> None:
    home = Config("SIM000000001", dialect=table.name, serial="S-1")
    with running_simulator([home], clock=NIGHT.timestamp) as running:
        endpoint = running.endpoints["SIM000000001"]
        for command, tied in (("outage 1", False), ("grid 1", True)):
            running.command(command)
            sample = read(endpoint, table.name).sample
            assert sample
            assert sample.grid_tied is tied
            assert tied or sample.grid_w == 0


@every_table
@pytest.mark.parametrize(
    ("moment", "mode"),
    [(NOON, "green"), (NIGHT, "green"), (MIDNIGHT, "economic")],
    ids=["noon", "evening", "cheap hours"],
)
def test_a_home_is_read_as_it_lives(table: Table, moment: datetime, mode: str) -> None:
    home = Config("SIM000000001", dialect=table.name, serial="S-1", mode=mode)
    with running_simulator([home], clock=moment.timestamp) as running:
        endpoint = running.endpoints["SIM000000001"]
        first = read(endpoint, table.name)
        assert first.outcome is Outcome.OK, first.detail
        assert first.discovery
        result = read(endpoint, table.name, first.discovery.layout.to_json())
        told = json.loads(running.command("list"))[0]
    assert result.outcome is Outcome.OK, result.detail
    assert result.discovery is None
    sample = result.sample
    assert sample
    assert sample == first.sample
    for key in ("pv_w", "load_w", "grid_w", "battery_w"):
        assert getattr(sample, key) == pytest.approx(told[key], abs=1), key
    assert sample.soc_pct == pytest.approx(told["soc_pct"], abs=0.6)
    assert first.discovery.identity.manufacturer == table.maker
    assert [unit.serial for unit in first.discovery.units] == [first.discovery.identity.serial]
    rated = first.discovery.ratings
    known = {row.key for row in table.rows if row.once}
    assert (rated.inverter_w == 5500) == ("rated_inverter" in known)
    assert (rated.battery_w == 3000) == ("rated_battery" in known)
    if rated.inverter_w:
        assert rated.pv_w == 5500 + (rated.battery_w or 5500)
    counters = {row.key for row in table.rows if row.key in QUANTITIES}
    assert sample.counters.keys() == sample.resolution_wh.keys() == counters
    for key, value in sample.counters.items():
        step = sample.resolution_wh[key]
        assert value == pytest.approx(told["energy_wh"][key[:-3]] // step * step, abs=step)


@every_table
def test_a_fault_is_a_state_and_an_alarm(table: Table) -> None:
    bits = [row for row in table.rows if row.unit == "bits"]
    states = [row for row in table.rows if row.unit == "state"]
    home = Config("SIM000000001", dialect=table.name)
    with running_simulator([home], clock=NOON.timestamp) as running:
        bit, name = next(
            ((place, name) for place, name in enumerate(bits[0].bits) if name)
            if bits
            else iter([(0, "")])
        )
        running.command(f"alarm 1 {bit}")
        sample = read(running.endpoints["SIM000000001"], table.name).sample
    assert sample
    assert sample.alarms == ((name,) if bits else ())
    if any(State.FAULT in row.states.values() for row in states):
        assert sample.state is State.FAULT


@every_table
def test_a_part_that_a_device_lacks_takes_nothing_else_with_it(table: Table) -> None:
    for part in table.parts:
        home = Config("SIM000000001", dialect=table.name, without=(part,))
        with running_simulator([home], clock=NOON.timestamp) as running:
            first = read(running.endpoints["SIM000000001"], table.name)
            assert first.discovery, (part, first.detail)
            kept = first.discovery.layout.to_json()
            second = read(running.endpoints["SIM000000001"], table.name, kept)
            told = json.loads(running.command("list"))[0]
        assert (second.sample, second.discovery) == (first.sample, None)
        assert first.sample
        assert part not in first.discovery.layout.shape.split()
        lost = {row.key for row in table.rows if row.part == part}
        if not any(key.startswith("pv_") and key.endswith("_w") for key in lost):
            assert first.sample.pv_w == pytest.approx(told["pv_w"], abs=1)
        assert not lost & set(first.sample.counters)


@every_table
def test_a_part_that_went_away_is_found_missing_at_the_next_poll(table: Table) -> None:
    for part in table.parts:
        with running_simulator([Config("SIM000000001", dialect=table.name)]) as running:
            found = read(running.endpoints["SIM000000001"], table.name).discovery
            assert found
        home = Config("SIM000000001", dialect=table.name, without=(part,))
        polled = any(row.part == part and not row.once for row in table.rows)
        with running_simulator([home]) as running:
            result = read(running.endpoints["SIM000000001"], table.name, found.layout.to_json())
        assert result.outcome is Outcome.OK
        assert (result.discovery is not None) == polled


@every_table
def test_a_part_that_came_later_is_found_at_the_next_poll(table: Table) -> None:
    for part in table.parts:
        home = Config("SIM000000001", dialect=table.name, without=(part,))
        with running_simulator([home]) as running:
            found = read(running.endpoints["SIM000000001"], table.name).discovery
            assert found
        polled = any(row.part == part and not row.once for row in table.rows)
        with running_simulator([Config("SIM000000001", dialect=table.name)]) as running:
            result = read(running.endpoints["SIM000000001"], table.name, found.layout.to_json())
        assert result.outcome is Outcome.OK
        assert (result.discovery is not None) == polled


@every_table
def test_a_device_of_another_kind_is_not_taken_for_one(table: Table) -> None:
    others = [*(other for other in TABLES if other != table.name), "10x", "7xx"]
    homes = [Config(f"SIM{place:09d}", dialect=other) for place, other in enumerate(others)]
    with running_simulator(homes) as running:
        for home in homes:
            result = read(running.endpoints[home.id], table.name)
            assert result.outcome in (Outcome.BAD_ANSWER, Outcome.EXCEPTION), home.dialect
