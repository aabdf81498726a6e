"""Several relays side by side, and gateways that come twice, freeze, or lose their relay."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis
from structlog.testing import capture_logs

from app import clock, holders
from app.config import Settings
from app.domain import polling
from app.extensions import db, queues
from app.jobs import poll
from app.models import PollState
from tests.dialing import Running, add_gateway, relay_settings, running_relay, wait_until
from tests.relay.conftest import Dial
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]


@pytest.fixture
def other(app: Flask, relay: Running, database_url: str, tmp_path: Path) -> Iterator[Running]:
    """Run a second relay beside the first."""
    settings = relay_settings(database_url, tmp_path, redis_url=relay.settings.redis_url)
    with running_relay(app, settings) as running:
        yield running


def held_by(gateway: str) -> str:
    host, port = holders.find([gateway]).get(gateway, ("", 0))
    return f"{host}:{port}"


def test_of_two_connections_at_one_relay_the_newer_stays(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    id_, gateway, secret = add_gateway(app)
    with capture_logs() as logs:
        older = client(gateway, secret=secret).start(device_port)
        wait_until(lambda: holders.find([gateway]))
        newer = client(gateway, secret=secret).start(device_port)
        assert older.wait(10) == 255
        with app.app_context():
            poll.poll_shard([id_])
            assert db.session.get_one(PollState, id_).last_outcome == "ok"
        assert newer.poll() is None
        newer.terminate()
        wait_until(lambda: relay.held == [])
    events = [log["event"] for log in logs if log["event"].startswith("gateway_")]
    # it was never down in between
    assert events == ["gateway_dialled_in", "gateway_hung_up"]


def test_of_two_connections_at_two_relays_the_newer_stays(
    app: Flask, relay: Running, other: Running, client: Dial, device_port: int
) -> None:
    id_, gateway, secret = add_gateway(app)
    older = client(gateway, secret=secret).start(device_port)
    wait_until(lambda: held_by(gateway) == relay.settings.relay_address)
    client(gateway, at=other.settings, secret=secret).start(device_port)
    assert older.wait(10) == 255
    wait_until(lambda: relay.held == [])
    assert held_by(gateway) == other.settings.relay_address
    with app.app_context():
        poll.poll_shard([id_])
        assert db.session.get_one(PollState, id_).last_outcome == "ok"


def test_a_lease_that_another_relay_has_is_found_by_the_next_renewal(
    app: Flask, relay: Running, client: Dial, device_port: int, settings: Settings
) -> None:
    _id, gateway, secret = add_gateway(app)
    dialled = client(gateway, secret=secret).start(device_port)
    wait_until(lambda: holders.find([gateway]))
    with Redis.from_url(settings.redis_url) as valkey:
        valkey.set(holders.key(gateway), "192.0.2.1:2223 somebody")
    assert dialled.wait(5) == 255


def test_the_lease_of_a_relay_that_died_is_no_reason_to_hang_up(
    app: Flask,
    relay: Running,
    client: Dial,
    device_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leases = relay.relay._leases
    take = leases.take

    async def late(public_id: str, token: str) -> bool:
        # at least one round of renewals comes before it
        await asyncio.sleep(1.5)
        return await take(public_id, token)

    monkeypatch.setattr(leases, "take", late)
    _id, gateway, secret = add_gateway(app)
    with Redis.from_url(relay.settings.redis_url) as valkey:
        valkey.set(holders.key(gateway), "192.0.2.1:2223 dead", px=30_000)
    dialled = client(gateway, secret=secret).start(device_port)
    wait_until(lambda: held_by(gateway) == relay.settings.relay_address)
    assert (dialled.poll(), relay.held) == (None, [gateway])


def test_leases_come_back_after_valkey_lost_them(
    app: Flask, relay: Running, client: Dial, device_port: int, valkey: Valkey
) -> None:
    _id, gateway, secret = add_gateway(app)
    client(gateway, secret=secret).start(device_port)
    wait_until(lambda: holders.find([gateway]))
    with capture_logs() as logs:
        valkey.stop()
        wait_until(lambda: "relay_leases_away" in [log["event"] for log in logs])
        valkey.empty()
        wait_until(lambda: holders.find([gateway]))
    told = [log["event"] for log in logs if log["event"].startswith("relay_leases")]
    assert told == ["relay_leases_away", "relay_leases_back"]
    assert relay.held == [gateway]


def test_gateways_dial_in_while_valkey_is_away(
    app: Flask, relay: Running, client: Dial, device_port: int, valkey: Valkey
) -> None:
    _id, gateway, secret = add_gateway(app)
    valkey.stop()
    client(gateway, secret=secret).start(device_port)
    wait_until(lambda: relay.held == [gateway])
    assert holders.find([gateway]) == {}
    valkey.empty()
    wait_until(lambda: holders.find([gateway]))


def test_a_relay_that_is_killed_is_forgotten_and_its_gateway_taken_up_by_another(
    app: Flask, relay: Running, database_url: str, tmp_path: Path, client: Dial, device_port: int
) -> None:
    doomed = relay_settings(database_url, tmp_path, redis_url=relay.settings.redis_url)
    names = [name for name in Settings.model_fields if name.startswith("relay_")]
    environment = {
        **os.environ,
        **{name.upper(): str(getattr(doomed, name)) for name in names},
        "TESTING": "1",
        "DATABASE_URL": database_url,
        "REDIS_URL": doomed.redis_url,
        "DATA_DIR": str(tmp_path),
    }
    process = subprocess.Popen([sys.executable, "relay.py"], cwd=ROOT, env=environment)
    try:
        wait_until(
            lambda: doomed.relay_address in [one.address for one in holders.relays(clock.now())],
            within_s=60,
        )
        id_, gateway, secret = add_gateway(app)
        dialled = client(gateway, at=doomed, secret=secret).start(device_port)
        wait_until(lambda: held_by(gateway) == doomed.relay_address)
        process.kill()
        assert dialled.wait(10) == 255
    finally:
        process.kill()
        process.wait(10)
    # what its supervisor does next, where the name of the relay has two addresses
    client(gateway, secret=secret).start(device_port)
    wait_until(lambda: held_by(gateway) == relay.settings.relay_address)
    with app.app_context():
        poll.poll_shard([id_])
        assert db.session.get_one(PollState, id_).last_outcome == "ok"


def test_without_its_relay_a_gateway_is_unreachable_until_the_lease_is_over(
    app: Flask, relay: Running
) -> None:
    id_, gateway, _secret = add_gateway(app)
    with Redis.from_url(relay.settings.redis_url) as valkey:
        valkey.set(holders.key(gateway), "127.0.0.1:1 dead")
    with app.app_context():
        poll.poll_shard([id_])
        assert db.session.get_one(PollState, id_).last_outcome == "unreachable"


def test_a_relay_that_stops_gives_its_gateways_back_at_once(
    app: Flask, settings: Settings, client: Dial, device_port: int
) -> None:
    queues.init(settings.redis_url)
    _id, gateway, secret = add_gateway(app)
    with running_relay(app, settings):
        dialled = client(gateway, secret=secret).start(device_port)
        wait_until(lambda: holders.find([gateway]))
        assert [one.held for one in holders.relays(clock.now())] in ([0], [1])
    assert holders.find([gateway]) == {}
    assert holders.relays(clock.now()) == []
    assert dialled.wait(10) == 255


def test_a_relay_ends_for_a_fresh_start_when_a_part_of_it_fails(
    relay: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_held: object) -> None:
        raise ValueError("a fault of ours")

    assert not relay.relay.broke.is_set()
    with capture_logs() as logs:
        monkeypatch.setattr(relay.relay._leases, "renew", fails)
        wait_until(relay.relay.broke.is_set)
    assert [log["event"] for log in logs] == ["relay_task_failed"]


def test_a_client_that_is_frozen_is_noticed(
    app: Flask, settings: Settings, client: Dial, device_port: int
) -> None:
    queues.init(settings.redis_url)
    with running_relay(app, settings.model_copy(update={"relay_keepalive_s": 1})) as relay:
        _id, gateway, secret = add_gateway(app)
        dialled = client(gateway, secret=secret).start(device_port)
        wait_until(lambda: holders.find([gateway]))
        dialled.send_signal(signal.SIGSTOP)
        wait_until(lambda: relay.held == [], within_s=6)
        wait_until(lambda: not holders.find([gateway]))


def test_a_gateway_that_failed_so_far_is_asked_as_soon_as_it_dials_in(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    id_, gateway, secret = add_gateway(app)
    with app.app_context():
        for _ in range(5):
            poll.poll_shard([id_])
        assert (db.session.get_one(PollState, id_).next_poll_at - clock.now()).seconds > 100
    client(gateway, secret=secret).start(device_port)

    def is_due() -> bool:
        with app.app_context():
            return db.session.get_one(PollState, id_).next_poll_at <= clock.now()

    wait_until(is_due)
    with app.app_context():
        assert [one.gateway_id for one in polling.claim(clock.now(), lease_s=60, limit=9)] == [id_]


def test_who_holds_a_whole_shard_is_one_question(
    app: Flask, relay: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = queues.get("poll").connection
    asked = []
    execute = connection.execute_command
    monkeypatch.setattr(
        connection,
        "execute_command",
        lambda *words, **rest: asked.append(words[0]) or execute(*words, **rest),
    )
    monkeypatch.setattr(queues, "redis", connection)
    ids = [add_gateway(app)[0] for _ in range(50)]
    with app.app_context():
        poll.poll_shard(ids)
    assert asked == ["MGET"]
