"""What is written to a home's device stands there, is lived by, and is read back."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.drivers.modbus import Outcome, Target
from app.drivers.settings import SettingsResult, read_settings, write_settings
from app.profiles.settings import CannotSet, Key, Value
from simulator.household import Config
from simulator.server import Running, running_simulator

NIGHT = datetime(2026, 11, 22, 21, tzinfo=timezone(timedelta(hours=9)))
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOME = "SIM000000001"


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at_s = NIGHT.timestamp()

    def __call__(self) -> float:
        return self.at_s


def target(running: Running, profile: str) -> Target:
    return Target(1, running.endpoints[HOME], profile)


def read(running: Running, profile: str) -> SettingsResult:
    return asyncio.run(read_settings(target(running, profile), timeout_s=5, now=lambda: NOW))


def write(
    running: Running, profile: str, wanted: Mapping[Key, Value], hold_s: int | None = None
) -> SettingsResult:
    return asyncio.run(
        write_settings(
            target(running, profile), wanted, hold_s=hold_s, timeout_s=5, now=lambda: NOW
        )
    )


def told(running: Running) -> dict[str, object]:
    home: dict[str, object] = json.loads(running.command("list"))[0]
    return home


def test_a_reserve_that_was_written_is_read_back_and_kept_by_the_battery() -> None:
    home = Config(HOME, dialect="huawei-sun2000")
    with running_simulator([home], clock=Clock()) as running:
        before = read(running, "huawei-sun2000")
        after = write(running, "huawei-sun2000", {"reserve_pct": 95, "grid_charge_pct": 0})
        lived = told(running)
    assert before.settings
    assert before.settings.values["reserve_pct"] == 10
    assert not before.wrote
    assert after.outcome is Outcome.OK, after.detail
    assert after.wrote
    assert after.settings
    assert after.settings.values["reserve_pct"] == 95
    assert after.settings.values["grid_charge_pct"] == 0
    assert lived["battery_w"] == 0


def test_a_charge_ends_by_the_devices_own_timer() -> None:
    clock = Clock()
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=clock) as running:
        result = write(running, "huawei-sun2000", {"mode": "charge"}, hold_s=1800)
        charging = told(running)
        clock.at_s += 1810
        later, lived = read(running, "huawei-sun2000"), told(running)
    assert result.settings
    assert result.settings.values["mode"] == "charge"
    assert charging["battery_w"] == -3000
    assert later.settings
    assert later.settings.values["mode"] == lived["mode"] == "green"


def test_a_device_that_refuses_midway_is_read_back() -> None:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=Clock()) as running:
        running.command("reject 1 after 1")
        half = write(running, "huawei-sun2000", {"max_soc_pct": 90, "reserve_pct": 30})
        none = write(running, "huawei-sun2000", {"reserve_pct": 30})
        running.command("obey 1")
        whole = write(running, "huawei-sun2000", {"max_soc_pct": 90, "reserve_pct": 30})
    assert half.outcome is Outcome.EXCEPTION
    assert half.wrote
    assert half.settings
    assert (half.settings.values["max_soc_pct"], half.settings.values["reserve_pct"]) == (90, 10)
    assert none.outcome is Outcome.EXCEPTION
    assert none.settings
    assert none.settings.values["reserve_pct"] == 10
    assert whole.outcome is Outcome.OK
    assert whole.settings
    assert whole.settings.values["reserve_pct"] == 30


def test_a_device_that_accepts_and_does_not_change_is_seen_through() -> None:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=Clock()) as running:
        running.command("refuse 1")
        result = write(running, "huawei-sun2000", {"reserve_pct": 30})
    assert result.outcome is Outcome.OK
    assert result.wrote
    assert result.settings
    assert result.settings.values["reserve_pct"] == 10


@pytest.mark.parametrize(
    ("wanted", "hold_s"),
    [
        ({"reserve_pct": 101}, None),
        ({"mode": "standby"}, 600),
        ({"mode": "charge"}, None),
        ({"mode": "charge"}, 90_000),
        ({"reserve_pct": 20, "colour": "red"}, None),
    ],
)
def test_what_the_device_does_not_offer_is_never_sent(
    wanted: Mapping[Key, Value], hold_s: int | None
) -> None:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=Clock()) as running:
        before = read(running, "huawei-sun2000").settings
        with pytest.raises(CannotSet):
            write(running, "huawei-sun2000", wanted, hold_s)
        assert read(running, "huawei-sun2000").settings == before
