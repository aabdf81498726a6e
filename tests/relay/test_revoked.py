"""A key or secret that is revoked or replaced is cut off at once, whichever relay holds it."""

import subprocess
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis

from app import clock, holders
from app.config import Settings
from app.domain import device_credentials
from app.extensions import queues
from app.transaction import transaction
from tests.dialing import Running, add_gateway, relay_settings, running_relay, wait_until
from tests.relay.conftest import Dial


def invoke(app: Flask, *words: str) -> str:
    result = app.test_cli_runner().invoke(args=["devices", *words])
    assert result.exit_code == 0, result.output
    return str(result.output)


def new_key(folder: Path) -> tuple[str, str]:
    """Make a device key as a gateway maker would; return its file and its public half's."""
    file = folder / "device_key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True, timeout=30
    )
    return str(file), f"{file}.pub"


def test_a_revoked_secret_is_cut_off_at_once_and_does_not_come_back(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    _id, gateway, secret = add_gateway(app)
    dialled = client(gateway, secret=secret).start(device_port)
    wait_until(lambda: holders.find([gateway]))
    invoke(app, "secret", "revoke", gateway)
    assert dialled.wait(5) == 255
    wait_until(lambda: not holders.find([gateway]))
    assert client(gateway, secret=secret).start(device_port).wait(10) == 255
    assert relay.held == []


def test_a_new_secret_ends_the_old_one_and_serves_in_its_place(
    app: Flask, relay: Running, client: Dial, device_port: int, tmp_path: Path
) -> None:
    _id, gateway, secret = add_gateway(app)
    dialled = client(gateway, secret=secret).start(device_port)
    wait_until(lambda: holders.find([gateway]))
    file = tmp_path / "secrets.csv"
    invoke(app, "secret", "new", gateway, "--to", str(file))
    assert dialled.wait(5) == 255
    heading, row = file.read_text().split()
    assert (heading, row.split(",")[0]) == ("id,secret", gateway)
    client(gateway, secret=row.split(",")[1]).start(device_port)
    wait_until(lambda: relay.held == [gateway])


def test_a_gateway_signs_in_by_its_key_until_that_is_revoked(
    app: Flask, relay: Running, client: Dial, device_port: int, tmp_path: Path
) -> None:
    _id, gateway, _secret = add_gateway(app)
    private, public = new_key(tmp_path)
    assert client(gateway, key=private).start(device_port).wait(10) == 255
    invoke(app, "key", "add", gateway, public)
    dialled = client(gateway, key=private).start(device_port)
    wait_until(lambda: relay.held == [gateway])
    # another credential of the same gateway that ends is no reason to hang up
    invoke(app, "secret", "revoke", gateway)
    fingerprint = invoke(app, "key", "list", gateway).strip()
    with pytest.raises(subprocess.TimeoutExpired):
        dialled.wait(0.5)
    invoke(app, "key", "revoke", gateway, fingerprint)
    assert dialled.wait(5) == 255


def test_anothers_key_signs_in_as_nobody_else(
    app: Flask, relay: Running, client: Dial, device_port: int, tmp_path: Path
) -> None:
    _id, gateway, _secret = add_gateway(app)
    _id, other, _secret = add_gateway(app)
    private, public = new_key(tmp_path)
    invoke(app, "key", "add", gateway, public)
    assert client(other, key=private).start(device_port).wait(10) == 255
    assert relay.held == []


def test_what_the_news_did_not_tell_is_found_by_the_next_look(
    app: Flask, settings: Settings, client: Dial, device_port: int
) -> None:
    queues.init(settings.redis_url)
    changed = settings.model_copy(update={"relay_recheck_s": 1})
    with running_relay(app, changed):
        _id, gateway, secret = add_gateway(app)
        dialled = client(gateway, secret=secret).start(device_port)
        wait_until(lambda: holders.find([gateway]))
        with app.app_context(), transaction():
            device_credentials.revoke_secret(gateway, now=clock.now())
        assert dialled.wait(5) == 255


def test_a_relay_hears_of_it_again_after_valkey_restarted(
    app: Flask, relay: Running, client: Dial, device_port: int, settings: Settings
) -> None:
    _id, gateway, secret = add_gateway(app)
    dialled = client(gateway, secret=secret).start(device_port)
    wait_until(lambda: holders.find([gateway]))
    with Redis.from_url(settings.redis_url) as valkey:
        valkey.client_kill_filter(_type="pubsub")
        wait_until(lambda: valkey.pubsub_numsub(holders.CHANNEL)[0][1] == 1)
    invoke(app, "secret", "revoke", gateway)
    assert dialled.wait(5) == 255


def test_a_revocation_reaches_the_relay_that_holds_the_gateway_whichever_it_is(
    app: Flask,
    relay: Running,
    client: Dial,
    device_port: int,
    database_url: str,
    tmp_path: Path,
) -> None:
    second = relay_settings(database_url, tmp_path, redis_url=relay.settings.redis_url)
    with running_relay(app, second) as other:
        _id, gateway, secret = add_gateway(app)
        dialled = client(gateway, at=second, secret=secret).start(device_port)
        wait_until(lambda: other.held == [gateway])
        invoke(app, "secret", "revoke", gateway)
        assert dialled.wait(5) == 255
