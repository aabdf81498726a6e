"""The simulator as the portal's driver sees it: over Modbus TCP, in both dialects."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import uvloop

from app.drivers.modbus import Outcome, Target, poll, poll_many
from app.profiles.base import QUANTITIES, State, Unit
from simulator import control
from simulator.__main__ import main, read_config
from simulator.household import Config
from simulator.server import fleet, running_simulator

NOON_S = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=9))).timestamp()
ROOT = Path(__file__).parents[2]


class Clock:
    def __init__(self, now_s=NOON_S):
        self.now_s = now_s

    def __call__(self):
        return self.now_s


def now():
    return datetime(2026, 11, 22, 3, tzinfo=UTC)


def read(endpoint, layout=None, timeout_s=3):
    return uvloop.run(poll(Target(1, endpoint, "sunspec", layout), timeout_s=timeout_s, now=now))


def home(dialect="7xx", **rest):
    return Config("SIM000000001", dialect=dialect, serial="S-1", **rest)


@pytest.mark.parametrize("dialect", ["7xx", "10x"])
def test_a_home_is_read_as_it_lives(dialect):
    clock = Clock()
    with running_simulator([home(dialect)], clock=clock) as running:
        result = read(running.endpoints["SIM000000001"])
        told = json.loads(running.command("list"))[0]
    assert result.outcome is Outcome.OK
    sample = result.sample
    assert (sample.pv_w, sample.load_w) == (told["pv_w"], told["load_w"])
    assert (sample.battery_w, sample.grid_w) == (told["battery_w"], told["grid_w"])
    assert sample.pv_w + sample.grid_w + sample.battery_w == sample.load_w
    assert sample.pv_w > 0
    assert sample.soc_pct == pytest.approx(told["soc_pct"], abs=0.1)
    assert sample.state is State.RUNNING
    assert sample.alarms == ()
    energy = told["energy_wh"]
    assert sample.counters == {name: energy[name[:-3]] for name in QUANTITIES if name != "load_wh"}
    found = result.discovery
    assert (found.identity.manufacturer, found.identity.model) == ("Hidamari", "HD-55")
    assert found.units == (Unit(1, "HD-55", "S-1"),)
    assert (found.ratings.inverter_w, found.ratings.battery_w) == (5500, 3000)
    assert found.ratings.battery_wh == 9800


@pytest.mark.parametrize("dialect", ["7xx", "10x"])
def test_counters_rise_with_time_and_power_moves(dialect):
    clock = Clock()
    with running_simulator([home(dialect)], clock=clock) as running:
        endpoint = running.endpoints["SIM000000001"]
        first = read(endpoint)
        layout = first.discovery.layout.to_json()
        clock.now_s += 3600
        second = read(endpoint, layout)
    assert second.discovery is None
    assert second.sample.pv_w != first.sample.pv_w
    gained = {
        name: second.sample.counters[name] - first.sample.counters[name]
        for name in first.sample.counters
    }
    assert gained["pv_wh"] > 500
    assert all(step >= 0 for step in gained.values())


def test_many_homes_share_a_server():
    homes = [Config(f"SIM{n:09d}", unit=n) for n in range(1, 4)]
    with running_simulator(homes) as running:
        port = int(running.endpoints["SIM000000001"].split(":")[2].split("/")[0])
    shared = [Config(each.id, port=port, unit=each.unit) for each in homes]
    with running_simulator(shared) as running:
        assert running.endpoints["SIM000000003"] == f"tcp://127.0.0.1:{port}/3"
        targets = [Target(key, end, "sunspec") for key, end in running.endpoints.items()]
        results = uvloop.run(poll_many(targets, concurrency=3, timeout_s=5, now=now))
        silent = read(f"tcp://127.0.0.1:{port}/99", timeout_s=0.3)
    assert [each.discovery.units[0].serial for each in results] == [each.id for each in homes]
    assert silent.outcome is not Outcome.OK


def test_an_offline_home_is_silent_until_it_is_online_again():
    with running_simulator(1) as running:
        endpoint = running.endpoints["SIM000000001"]
        assert running.command("offline SIM000000001") == "ok SIM000000001 offline"
        assert read(endpoint, timeout_s=0.3).outcome is Outcome.TIMEOUT
        running.command("online 1")
        assert read(endpoint).outcome is Outcome.OK


@pytest.mark.parametrize("dialect", ["7xx", "10x"])
def test_an_alarm_stands_until_it_is_cleared(dialect):
    with running_simulator([home(dialect)]) as running:
        endpoint = running.endpoints["SIM000000001"]
        running.command("alarm 1 OVER_TEMP")
        running.command("alarm 1 0")
        sample = read(endpoint).sample
        assert sample.state is State.FAULT
        assert sample.alarms == ("inverter.ground_fault", "inverter.over_temp")
        running.command("clear 1 0")
        assert read(endpoint).sample.alarms == ("inverter.over_temp",)
        running.command("clear 1")
        assert read(endpoint).sample.state is not State.FAULT


@pytest.mark.parametrize("dialect", ["7xx", "10x", "10x-2"])
def test_a_home_that_loses_the_grid_says_so_and_lives_on(dialect, tmp_path):
    clock = Clock(NOON_S + 8 * 3600)  # 20:00
    with running_simulator([home(dialect)], clock=clock, state_dir=tmp_path) as running:
        endpoint = running.endpoints["SIM000000001"]
        before = read(endpoint).sample
        assert before.grid_tied
        assert running.command("outage 1") == "ok SIM000000001 outage"
        during = read(endpoint).sample
        assert during.grid_tied is False
        assert "inverter.grid_disconnect" in during.alarms
        assert during.state is State.RUNNING
        assert during.grid_w == 0
        assert during.load_w == during.battery_w > 0
    clock.now_s += 600
    with running_simulator([home(dialect)], clock=clock, state_dir=tmp_path) as running:
        endpoint = running.endpoints["SIM000000001"]
        later = read(endpoint).sample
        assert later.grid_tied is False
        for counter in ("import_wh", "export_wh"):
            assert later.counters[counter] == pytest.approx(during.counters[counter], abs=2)
        assert later.counters["discharge_wh"] > during.counters["discharge_wh"]
        running.command("grid 1")
        after = read(endpoint).sample
    assert after.grid_tied
    assert after.alarms == ()


def test_counters_survive_a_restart_and_fall_when_reset(tmp_path):
    clock = Clock()
    with running_simulator(1, state_dir=tmp_path, clock=clock) as running:
        before = read(running.endpoints["SIM000000001"]).sample
        running.command("set-mode 1 safe")
    clock.now_s += 600
    with running_simulator(1, state_dir=tmp_path, clock=clock) as running:
        after = read(running.endpoints["SIM000000001"]).sample
        assert json.loads(running.command("list"))[0]["mode"] == "safe"
        for name, value in before.counters.items():
            assert 0 <= after.counters[name] - value < 2000
        running.command("reset-counters 1")
        clock.now_s += 60
        reset = read(running.endpoints["SIM000000001"]).sample
    assert reset.counters["pv_wh"] < 200


@pytest.mark.parametrize(
    "line",
    [
        "", "rubbish", "offline", "offline NOBODY", "offline 0", "offline 2", "alarm 1",
        "alarm 1 31", "alarm 1 NOPE", "set-mode 1 x", "online 1 2", "explode 1",
    ],
)  # fmt: skip
def test_a_wrong_command_is_refused(line):
    with running_simulator(1) as running, pytest.raises(control.Wrong):
        running.command(line)


def test_commands_go_over_loopback_and_http_is_hung_up_on(capsys):
    with running_simulator(1) as running:
        port = str(running.control_port)
        assert main(["ctl", "--control-port", port, "set-mode", "1", "economic"]) == 0
        assert capsys.readouterr().out == "ok SIM000000001 set-mode\n"
        assert main(["ctl", "--control-port", port, "offline", "NOBODY"]) == 1
        assert "no home NOBODY" in capsys.readouterr().err

        async def lured():
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.write(b"POST / HTTP/1.1\r\n\r\noffline 1\n")
            return await reader.read()

        assert uvloop.run(lured()).count(b"\n") == 1
        assert json.loads(running.command("list"))[0]["online"]


def test_a_fleet_has_all_kinds_and_fits_its_servers():
    homes = fleet(300, base_port=20000, per_port=247)
    assert len({(each.port, each.unit) for each in homes}) == 300
    assert {each.port for each in homes} == {20000, 20001}
    assert {each.dialect for each in homes} == {"7xx", "10x"}
    assert all(len(each.id) == 12 for each in homes)
    with pytest.raises(ValueError):
        fleet(1, per_port=248)


def test_two_homes_of_one_id_are_refused():
    with pytest.raises(ValueError), running_simulator([home(), home()]):
        pass


def test_a_taken_port_is_said_plainly(capsys):
    with running_simulator(1) as running:
        port = running.endpoints["SIM000000001"].split(":")[2].split("/")[0]
        assert main(["--households", "1", "--base-port", port]) == 1
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"households": [{}]}', '{"households": [{"id": 1, "x": 2}]}']
)
def test_a_wrong_config_is_said_plainly(tmp_path, content):
    file = tmp_path / "homes.json"
    file.write_text(content)
    with pytest.raises(ValueError):
        read_config(file)


def test_the_process_runs_from_a_config_and_survives_sigkill(tmp_path):
    file = tmp_path / "homes.json"
    file.write_text(json.dumps({"households": [{"id": "SIM000000001", "dialect": "10x"}]}))
    command = [
        sys.executable, "-m", "simulator", "--config", str(file),
        "--state-dir", str(tmp_path / "state"), "--control-port", "0",
    ]  # fmt: skip

    def start():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        ready = process.stdout.readline()
        return process, int(re.search(r"commands at port (\d+)", ready)[1])

    process, port = start()
    try:
        control.send(port, "alarm 1 7")
        first = json.loads(control.send(port, "list"))[0]
        assert read(first["endpoint"]).sample.alarms == ("inverter.over_temp",)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        process, port = start()
        second = json.loads(control.send(port, "list"))[0]
        assert second["alarms"] == [7]
        assert all(second["energy_wh"][name] >= wh for name, wh in first["energy_wh"].items())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
