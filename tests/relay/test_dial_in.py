"""Gateways dial in with the plain OpenSSH client, and are polled through the relay."""

from flask import Flask
from sqlalchemy import func, select

from app import holders
from app.extensions import db
from app.jobs import poll
from app.models import Gateway, PollState, Reading
from tests.dialing import Running, add_gateway, wait_until
from tests.relay.conftest import Dial


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
