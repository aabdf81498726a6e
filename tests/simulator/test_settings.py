"""What is written to a home's device stands there, is lived by, and is read back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from app.drivers.modbus import Outcome, Target, poll
from app.drivers.settings import SettingsResult, read_settings, write_settings
from app.profiles import SETTINGS_TABLES
from app.profiles.settings import (
    DAY_MIN,
    EVERY_DAY,
    CannotSet,
    Choice,
    Key,
    Number,
    Offer,
    Value,
    Window,
    Windows,
)
from simulator.control import Wrong
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
    return uvloop.run(read_settings(target(running, profile), timeout_s=5, now=lambda: NOW))


def write(
    running: Running, profile: str, wanted: Mapping[Key, Value], hold_s: int | None = None
) -> SettingsResult:
    return uvloop.run(
        write_settings(
            target(running, profile), wanted, hold_s=hold_s, timeout_s=5, now=lambda: NOW
        )
    )


def told(running: Running) -> dict[str, object]:
    home: dict[str, object] = json.loads(running.command("list"))[0]
    return home


# by profile and what the home lacks
KINDS = (
    *((Config(HOME, dialect=dialect), "sunspec") for dialect in ("7xx", "10x", "10x-2")),
    (Config(HOME, dialect="7xx", without=("124",)), "sunspec"),
    (Config(HOME, dialect="fronius-gen24"), "fronius-gen24"),
    *((Config(HOME, dialect=name), name) for name in SETTINGS_TABLES),
    (Config(HOME, dialect="goodwe-et", without=("eco2",)), "goodwe-et"),
)
every_kind = pytest.mark.parametrize(
    ("home", "profile"),
    KINDS,
    ids=["-without-".join((home.dialect, *home.without)) for home, _ in KINDS],
)


def windows(offer: Windows) -> st.SearchStrategy[Value]:
    """Give windows of which each key has its own half of the day: they share a block."""
    noon = DAY_MIN // 2
    begin, end = (0, noon) if offer.key == "charge_windows" else (noon, DAY_MIN)
    step = offer.step_min

    def made(edges: set[int], days: list[int]) -> list[Window]:
        inner = sorted(edges)
        return [
            Window(start=start, end=stop, days=day if offer.weekdays else EVERY_DAY)
            for start, stop, day in zip(inner[::2], inner[1::2], days, strict=False)
        ]

    return st.builds(
        made,
        st.sets(st.integers(begin // step, end // step - 1).map(lambda at: at * step)),
        st.lists(st.integers(1, EVERY_DAY), max_size=offer.most),
    )


def allowed(offer: Offer) -> st.SearchStrategy[Value]:
    match offer:
        case Choice():
            return st.sampled_from(offer.values)
        case Number():
            steps = st.integers(0, (offer.high - offer.low) // offer.step)
            among = steps.map(lambda step: offer.low + step * offer.step)
            return among | st.sampled_from(offer.also) if offer.also else among
        case Windows():
            return windows(offer)


@every_kind
def test_what_is_allowed_is_written_and_read_back(home: Config, profile: str) -> None:
    with running_simulator([home], clock=Clock()) as running:
        settings = read(running, profile).settings
        assert settings
        assert settings.offers
        assert settings.values.keys() == {offer.key for offer in settings.offers}
        offers = {offer.key: allowed(offer) for offer in settings.offers}

        @given(wanted=st.fixed_dictionaries({}, optional=offers), hold_s=st.integers(60, 3600))
        def written(wanted: dict[Key, Value], hold_s: int) -> None:
            for _ in ("once", "again"):
                result = write(running, profile, wanted, hold_s)
                assert result.outcome is Outcome.OK, result.detail
                assert result.settings
                assert {key: result.settings.values[key] for key in wanted} == wanted
            lived = told(running)
            wishes = lived["wishes"]
            assert isinstance(wishes, dict)
            for key, name in WISHES.items():
                if key in wanted:
                    assert wishes[name] == wanted[key], key
            if "mode" in wanted:
                assert lived["mode"] == wanted["mode"]

        written()


WISHES: dict[Key, str] = {
    "reserve_pct": "reserve", "min_soc_pct": "least", "max_soc_pct": "most",
    "grid_charge_pct": "grid",
}  # fmt: skip


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


def offered(running: Running, profile: str) -> Choice | None:
    settings = read(running, profile).settings
    assert settings
    return next((offer for offer in settings.offers if isinstance(offer, Choice)), None)


@every_kind
def test_what_is_for_a_while_ends_by_the_devices_own_timer(home: Config, profile: str) -> None:
    clock = Clock()
    with running_simulator([home], clock=clock) as running:
        offer = offered(running, profile)
        for mode in offer.timed if offer else ():
            result = write(running, profile, {"mode": mode}, hold_s=1800)
            assert result.settings
            assert result.settings.values["mode"] == mode
            clock.at_s += 1700
            assert told(running)["mode"] == mode
            # another setting does not begin the time anew
            if any(other.key == "reserve_pct" for other in result.settings.offers):
                write(running, profile, {"reserve_pct": 20})
            clock.at_s += 110
            later, lived = read(running, profile), told(running)
            assert later.settings
            assert later.settings.values["mode"] == lived["mode"] == "green"


@every_kind
def test_a_mode_is_lived_by(home: Config, profile: str) -> None:
    with running_simulator([home], clock=Clock()) as running:
        offer = offered(running, profile)
        for mode in offer.values if offer else ():
            write(running, profile, {"mode": mode}, hold_s=600)
            power = told(running)["battery_w"]
            assert isinstance(power, int)
            match mode:
                case "charge":
                    assert power == -home.battery_w
                case "standby" | "safe":
                    assert power == 0
                case "green":
                    assert power > 0


@pytest.mark.parametrize("dialect", ["7xx", "10x"])
def test_what_was_set_shows_when_the_home_is_read_next(dialect: str) -> None:
    clock = Clock()
    with running_simulator([Config(HOME, dialect=dialect)], clock=clock) as running:
        first = uvloop.run(poll(target(running, "sunspec"), timeout_s=5, now=lambda: NOW))
        write(running, "sunspec", {"mode": "charge"}, hold_s=600)
        layout = first.discovery.layout.to_json() if first.discovery else None
        same = replace(target(running, "sunspec"), layout=layout)
        second = uvloop.run(poll(same, timeout_s=5, now=lambda: NOW))
    assert first.sample
    assert second.sample
    assert (first.sample.battery_w or 0) > 0
    assert second.sample.battery_w == -3000
    assert (second.sample.grid_w or 0) > 3000


@pytest.mark.parametrize("line", ["reject 1 after x", "reject 1 after", "obey 1 now", "refuse"])
def test_a_command_that_is_none_is_refused(line: str) -> None:
    with running_simulator([Config(HOME)]) as running:
        with pytest.raises(Wrong):
            running.command(line)
        assert write(running, "sunspec", {"reserve_pct": 30}).outcome is Outcome.OK


def test_windows_are_lived_by() -> None:
    clock = Clock()
    begins = 22 * 60
    sunday = 0b1000000
    windows = [Window(start=begins, end=begins + 30, days=sunday)]
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=clock) as running:
        wanted: dict[Key, Value] = {"charge_windows": windows, "mode": "economic"}
        assert write(running, "huawei-sun2000", wanted).outcome is Outcome.OK
        powers = []
        for minutes in (60, 29, 2, 7 * 1440 - 31, 1440):
            clock.at_s += minutes * 60
            powers.append(told(running)["battery_w"])
    night, last, after, next_week, monday = (int(str(power)) for power in powers)
    assert night == last == next_week == -1500
    assert after > 0
    assert monday >= 0


@pytest.mark.parametrize("without", [(), ("eco2",)], ids=["newer groups", "older groups"])
def test_eco_mode_groups_are_lived_by(without: tuple[str, ...]) -> None:
    clock = Clock()
    sunday = [Window(start=22 * 60, end=1440, days=0b1000000)]
    home = Config(HOME, dialect="goodwe-et", without=without)
    with running_simulator([home], clock=clock) as running:
        wanted: dict[Key, Value] = {"charge_windows": sunday, "mode": "economic"}
        result = write(running, "goodwe-et", wanted)
        powers = []
        for minutes in (60, 2 * 60, 5 * 1440 + 22 * 60):
            clock.at_s += minutes * 60
            powers.append(told(running)["battery_w"])
    assert result.settings
    assert result.settings.values["charge_windows"] == sunday
    night, after, saturday = (int(str(power)) for power in powers)
    assert night == -1500
    assert after >= 0
    assert saturday >= 0


def test_the_grid_charges_no_further_than_it_may() -> None:
    clock = Clock()
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=clock) as running:
        write(running, "huawei-sun2000", {"grid_charge_pct": 70})
        write(running, "huawei-sun2000", {"mode": "charge"}, hold_s=6 * 3600)
        clock.at_s += 5 * 3600
        home = told(running)
    assert home["mode"] == "charge"
    assert home["soc_pct"] == pytest.approx(70, abs=0.5)


@every_kind
def test_what_was_written_outlives_the_simulator(
    home: Config, profile: str, tmp_path: Path
) -> None:
    clock = Clock()
    with running_simulator([home], clock=clock, state_dir=tmp_path) as running:
        settings = read(running, profile).settings
        assert settings
        wanted: dict[Key, Value] = {
            offer.key: offer.values[-1] if isinstance(offer, Choice) else offer.low + offer.step
            for offer in settings.offers
            if not isinstance(offer, Windows)
        }
        before = write(running, profile, wanted, hold_s=600).settings
        running.command("refuse 1")
    clock.at_s += 60
    with running_simulator([home], clock=clock, state_dir=tmp_path) as running:
        assert read(running, profile).settings == before
        refused = write(running, profile, {**wanted, **flipped(wanted)}, hold_s=600)
        assert refused.outcome is Outcome.OK
        assert refused.settings == before
        clock.at_s += 600
        lapsed = read(running, profile).settings
    offer = next((offer for offer in settings.offers if isinstance(offer, Choice)), None)
    if offer and wanted["mode"] in offer.timed:
        assert lapsed
        assert lapsed.values["mode"] == "green"


def flipped(wanted: Mapping[Key, Value]) -> dict[Key, Value]:
    return {key: value + 1 for key, value in wanted.items() if isinstance(value, int)}


def test_somebody_at_the_device_changes_what_stands_there() -> None:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=Clock()) as running:
        write(running, "huawei-sun2000", {"mode": "charge"}, hold_s=600)
        running.command("set-mode 1 economic")
        settings = read(running, "huawei-sun2000").settings
    assert settings
    assert settings.values["mode"] == "economic"


@pytest.mark.parametrize("dialect", ["7xx", "10x"])
def test_somebody_at_the_device_ends_what_was_for_a_while(dialect: str) -> None:
    with running_simulator([Config(HOME, dialect=dialect)], clock=Clock()) as running:
        write(running, "sunspec", {"mode": "standby"}, hold_s=600)
        running.command("set-mode 1 green")
        settings, lived = read(running, "sunspec").settings, told(running)
    assert settings
    assert settings.values["mode"] == lived["mode"] == "green"


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
