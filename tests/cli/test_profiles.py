"""`flask profiles probe`, on simulated devices."""

import pytest
from click.testing import Result
from flask import Flask

from app import clock, profiles
from app.domain import provisioning, seats
from app.profiles.endpoints import Endpoint
from app.transaction import transaction
from simulator.household import Config
from simulator.server import running_simulator
from tests.ports import free_port

HOME = "SIM000000001"
MAKERS = [name for name in profiles.NAMES if name != "sunspec"]


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["profiles", "probe", "--timeout", "2", *arguments])


@pytest.mark.parametrize("name", MAKERS)
def test_a_makers_device_is_recognised_and_its_values_are_shown(app: Flask, name: str) -> None:
    with running_simulator([Config(HOME, dialect=name)]) as running:
        result = run(app, running.endpoints[HOME])
    assert result.exit_code == 0, result.output
    fits = [line.split()[0] for line in result.output.splitlines() if " fits: " in line]
    assert fits[0] == name
    assert set(fits) <= {name, "sunspec"}
    assert f"Profile {name}" in result.output
    for label in ("generation", "consumption", "grid", "battery", "state of charge", "alarms"):
        assert label in result.output
    assert ("not confirmed" in result.output) == bool(profiles.guesses(name))


def test_a_sunspec_device_is_recognised(app: Flask) -> None:
    with running_simulator([Config(HOME, dialect="7xx")]) as running:
        result = run(app, running.endpoints[HOME])
    assert result.exit_code == 0
    assert "Profile sunspec" in result.output
    assert "computed" in result.output


def test_what_can_be_set_is_shown_and_where_it_stands(app: Flask) -> None:
    homes = [
        Config(HOME, dialect="huawei-sun2000", mode="economic"),
        Config("SIM000000002", dialect="solax-j1"),
    ]
    with running_simulator(homes) as running:
        result = run(app, running.endpoints[HOME], "--profile", "huawei-sun2000")
        nothing = run(app, running.endpoints["SIM000000002"], "--profile", "solax-j1")
    lines = [line.split(maxsplit=3) for line in result.output.splitlines() if "set:" in line]
    shown = {words[1]: words[2:] for words in lines}
    assert shown["reserve_pct"] == ["10", "0 to 100 %"]
    assert shown["mode"] == ["economic", "economic, green, charge; for a while: charge"]
    assert shown["charge_windows"] == ["none", "at most 7 times of day"]
    assert shown["grid_charge_pct"] == ["100", "1 to 100 %, or 0"]
    assert "not set                  mode 3 (TOU)" in result.output
    assert nothing.output.splitlines()[-1].split() == ["can", "be", "set", "nothing"]


def test_one_profile_can_be_tried_alone(app: Flask) -> None:
    with running_simulator([Config(HOME, dialect="goodwe-et")]) as running:
        good = run(app, running.endpoints[HOME], "--profile", "goodwe-et")
        bad = run(app, running.endpoints[HOME], "--profile", "victron-gx")
    assert good.exit_code == 0
    assert "sunspec" not in good.output
    assert bad.exit_code == 1
    assert "no profile fits" in bad.output


def test_what_cannot_be_reached_or_is_no_endpoint_is_said_at_once(app: Flask) -> None:
    nobody = run(app, f"tcp://127.0.0.1:{free_port()}/1")
    assert nobody.exit_code == 1
    assert "cannot be reached" in nobody.output
    wrong = run(app, "http://example.org")
    assert wrong.exit_code == 1
    assert "tcp://host:port/unit" in wrong.output


def test_a_device_that_is_being_polled_is_left_alone(app: Flask) -> None:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")]) as running:
        endpoint = running.endpoints[HOME]
        address = Endpoint.parse(endpoint).address
        with app.app_context(), transaction():
            seats.take([address], "a worker", clock.now(), lease_s=90)
        busy = run(app, endpoint)
        with app.app_context(), transaction():
            seats.give_back("a worker")
        free = run(app, endpoint)
        with app.app_context(), transaction():
            assert seats.take([address], "a worker", clock.now(), lease_s=90) == {address}
    assert busy.exit_code == 1
    assert "is being polled" in busy.output
    assert free.exit_code == 0


def test_a_device_behind_tls_without_an_authority_is_said(app: Flask) -> None:
    result = run(app, "tls://127.0.0.1:1/1")
    assert result.exit_code == 1
    assert "MODBUS_TLS_CA is not set" in result.output


def test_an_import_takes_every_profile(app: Flask) -> None:
    rows = "\n".join(
        f"HDM4A7K2093{place},M,S{place},tcp://192.0.2.7:502/{place},{name}"
        for place, name in enumerate(profiles.NAMES)
    )
    with app.app_context():
        read = provisioning.read(f"id,model,serial,endpoint,profile\n{rows}\n".encode())
    assert [row.profile for row in read] == list(profiles.NAMES)
