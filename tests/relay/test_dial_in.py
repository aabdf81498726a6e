"""Gateways dial in with the plain OpenSSH client, and are polled through the relay."""

import re
import subprocess
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from app import holders
from app.extensions import db
from app.jobs import poll
from app.models import Gateway, PollState, Reading
from tests.dialing import Running, add_gateway, needs_ssh, wait_until
from tests.relay.conftest import Dial

ROOT = Path(__file__).parents[2]


def run(app: Flask, *ids: int) -> None:
    with app.app_context():
        poll.poll_shard(list(ids))


def outcome(app: Flask, id_: int) -> tuple[str, str]:
    with app.app_context():
        state = db.session.get_one(PollState, id_)
        return state.last_outcome, state.last_detail


def test_a_gateway_behind_nat_dials_in_by_its_secret_and_is_read(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    id_, gateway, secret = add_gateway(app)
    run(app, id_)
    assert outcome(app, id_) == ("unreachable", "cannot be polled: it has not dialled in")
    client(gateway, secret=secret).start(device_port)
    wait_until(lambda: holders.find([gateway]))
    for _ in range(3):
        run(app, id_)
    assert outcome(app, id_)[0] == "ok"
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Reading)) == 3
        assert db.session.get_one(Gateway, id_).told_serial


def test_what_makers_of_gateways_are_given_dials_in(
    app: Flask, relay: Running, client: Dial
) -> None:
    _id, gateway, secret = add_gateway(app)
    one = client(gateway, secret=secret)
    line = one.known_hosts.read_text().split(maxsplit=1)[1]
    one.known_hosts.write_text(f"hidamari-relay {line}")
    own = {
        "HostName": "127.0.0.1",
        "Port": str(relay.settings.relay_port),
        "User": gateway,
        "UserKnownHostsFile": str(one.known_hosts),
        "IdentityFile": "none",
    }
    words = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
    config = str(ROOT / "deploy" / "gateway" / "ssh_config")
    one.run_as_given(needs_ssh(), "-F", config, *words, "-N", "hidamari-relay")
    wait_until(lambda: relay.held == [gateway])


def test_the_script_that_tells_the_secret_and_the_pause_before_it_work() -> None:
    unit = (ROOT / "deploy" / "gateway" / "hidamari-dial-in.service").read_text()
    (pause,) = re.findall(r"^ExecStartPre=/bin/sh -c 'exec sleep (.*)'$", unit, re.MULTILINE)
    command = "echo " + pause.replace("$$", "$").replace("%%", "%")
    said = {subprocess.check_output(["/bin/sh", "-c", command], text=True) for _ in range(20)}
    assert len(said) > 3
    assert {int(one) for one in said} <= set(range(20))
    askpass = (ROOT / "deploy" / "gateway" / "askpass").read_text()
    assert askpass.splitlines()[-1] == "exec cat /etc/hidamari/device_secret"
