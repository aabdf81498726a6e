"""Polling against real Modbus servers, with nothing in between replaced."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import sleep

import pytest
from flask import Flask
from rq import SimpleWorker
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from app import clock
from app.config import Settings
from app.domain import polling, seats
from app.extensions import db, queues
from app.jobs import poll
from app.models import DeviceSeat, Gateway, Latest, PollState, Reading
from app.profiles.endpoints import Endpoint
from app.transaction import transaction
from simulator.server import Running, running_simulator
from tests.drivers.certificates import Authority
from tests.factories import GatewayFactory
from tests.ports import free_port
from tests.valkey import Valkey


@pytest.fixture
def homes() -> Iterator[Running]:
    """Give two simulated homes, one of each dialect."""
    with running_simulator(2) as running:
        yield running


def add(app: Flask, endpoints: list[str], due: datetime | None = None) -> list[int]:
    with app.app_context(), transaction():
        ids = []
        for endpoint in endpoints:
            id_ = GatewayFactory(endpoint=endpoint).id
            db.session.add(PollState(gateway_id=id_, next_poll_at=due or clock.now()))
            db.session.add(Latest(gateway_id=id_))
            ids.append(id_)
    return ids


def run(app: Flask, ids: list[int]) -> None:
    with app.app_context():
        poll.poll_shard(ids)


def test_homes_of_both_dialects_are_read_over_modbus(app: Flask, homes: Running) -> None:
    ids = add(app, list(homes.endpoints.values()))
    run(app, ids)
    with app.app_context():
        for id_ in ids:
            gateway, latest = db.session.get_one(Gateway, id_), db.session.get_one(Latest, id_)
            reading = db.session.execute(select(Reading).filter_by(gateway_id=id_)).scalar_one()
            assert gateway.first_contact_at == latest.taken_at == reading.taken_at
            assert gateway.told_serial
            assert gateway.units
            assert gateway.layout
            assert latest.load_now_w is not None
            assert latest.soc_pct is not None
            assert reading.counters
            state = db.session.get_one(PollState, id_)
            assert (state.last_outcome, state.failures) == ("ok", 0)
            assert state.next_poll_at > clock.now()


def test_a_shard_that_runs_twice_counts_no_energy_twice(app: Flask, homes: Running) -> None:
    ids = add(app, list(homes.endpoints.values()))
    for _ in range(3):
        run(app, ids)
    with app.app_context():
        # within a second or two a home of some kW moves a few Wh at most
        for latest in db.session.scalars(select(Latest)):
            assert 0 <= (latest.load_today_wh or latest.bought_today_wh or 0) < 50
        assert db.session.scalar(select(func.count()).select_from(Reading)) == 6


def test_a_dead_gateway_disturbs_no_other_and_is_logged_once_each_way(
    app: Flask, homes: Running
) -> None:
    alive, dead = homes.endpoints.values()
    ids = add(app, [alive, f"tcp://127.0.0.1:{free_port()}/1"])
    with capture_logs() as logs:
        run(app, ids)
        run(app, ids)
        with app.app_context(), transaction():
            db.session.get_one(Gateway, ids[1]).endpoint = dead
        run(app, ids)
        run(app, ids)
    events = [log["event"] for log in logs if log["event"].startswith("gateway_")]
    assert events == ["gateway_down", "gateway_up"]
    with app.app_context():
        counts = dict(
            db.session.execute(
                select(Reading.gateway_id, func.count()).group_by(Reading.gateway_id)
            ).all()
        )
    assert counts == {ids[0]: 4, ids[1]: 2}


def test_an_endpoint_or_profile_that_cannot_be_used_is_an_outcome(app: Flask) -> None:
    ids = add(app, ["gopher://nowhere"])
    run(app, ids)
    with app.app_context():
        state = db.session.get_one(PollState, ids[0])
        assert state.last_outcome == "unreachable"
        assert "tcp://host:port/unit" in state.last_detail


def test_an_empty_shard_and_one_of_gateways_that_are_gone_are_a_return(app: Flask) -> None:
    run(app, [])
    run(app, [4711])


def test_without_a_queue_server_a_claim_comes_back_when_its_lease_ends(
    app: Flask, settings: Settings
) -> None:
    (id_,) = add(app, ["tcp://127.0.0.1:1/1"])
    with app.app_context(), capture_logs() as logs:
        poll.claim_due()
        assert "queue_unreachable" in [log["event"] for log in logs]
        state = db.session.get_one(PollState, id_)
        lease = timedelta(seconds=settings.poll_lease_s)
        assert timedelta(0) < state.next_poll_at - clock.now() <= lease


def test_a_watched_gateway_is_read_within_ten_seconds(
    app: Flask,
    settings: Settings,
    homes: Running,
    valkey: Valkey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched, _other = add(
        app, list(homes.endpoints.values()), due=clock.now() + timedelta(seconds=50)
    )
    began = clock.now()
    queues.init(valkey.url)
    with app.app_context(), transaction():
        polling.watch(watched, began, for_s=60, pace=poll.pace(settings))
    for tick in range(15):  # half a minute of cron
        now = began + timedelta(seconds=2 * tick)
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        with app.app_context():
            poll.claim_due()
            if queues.get("poll").count:
                SimpleWorker([queues.get("poll")]).work(burst=True, logging_level="ERROR")
    with app.app_context():
        rows = db.session.execute(
            select(Reading.gateway_id, Reading.taken_at).order_by(Reading.taken_at)
        ).all()
    assert {row.gateway_id for row in rows} == {watched}
    moments = [began, *(row.taken_at for row in rows), began + timedelta(seconds=28)]
    assert max(later - sooner for sooner, later in pairwise(moments)) <= timedelta(seconds=10)


class OneClient(socketserver.ThreadingTCPServer):
    """A Modbus server that counts its connections; it answers nobody before it is told to."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.lines: list[socket.socket] = []
        self.most = 0
        self.go = threading.Event()
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def came(self) -> int:
        return len(self.lines)

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        super().__exit__(*error)


class Conversation(socketserver.BaseRequestHandler):
    server: OneClient

    def setup(self) -> None:
        others = sum(is_open(line) for line in self.server.lines)
        self.server.most = max(self.server.most, others + 1)
        self.server.lines.append(self.request)

    def handle(self) -> None:
        with suppress(ConnectionError):
            while ask := self.request.recv(12):
                self.server.go.wait(10)
                # illegal function: that there was one connection at a time is what counts
                self.request.sendall(ask[:4] + b"\0\3" + ask[6:7] + bytes([ask[7] | 0x80, 1]))


def is_open(line: socket.socket) -> bool:
    """Tell whether the other side still holds a connection, whatever its thread has seen."""
    try:
        return line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def at_one_device(app: Flask, port: int, count: int) -> list[int]:
    ids = add(app, [f"tcp://127.0.0.1:{port}/{unit + 1}" for unit in range(count)])
    with app.app_context(), transaction():
        db.session.execute(update(Gateway).values(profile="huawei-sun2000"))
    return ids


def test_gateways_that_share_a_device_of_one_client_are_read_one_after_the_other(
    app: Flask,
) -> None:
    with OneClient() as device:
        device.go.set()
        ids = at_one_device(app, device.port, 5)
        run(app, ids)
    assert (device.came, device.most) == (5, 1)
    with app.app_context():
        outcomes = db.session.scalars(select(PollState.last_outcome)).all()
        assert list(outcomes) == ["exception"] * 5
        assert db.session.scalar(select(func.count()).select_from(DeviceSeat)) == 0


def test_two_workers_never_connect_to_such_a_device_at_once(app: Flask) -> None:
    with OneClient() as device:
        first, second = at_one_device(app, device.port, 2)
        worker = threading.Thread(target=run, args=(app, [first]))
        worker.start()
        while not device.came:
            sleep(0.01)
        # the other worker's gateway is put off, not failed
        run(app, [second])
        with app.app_context():
            state = db.session.get_one(PollState, second)
            assert state.last_outcome == ""
            assert state.failures == 0
            assert state.claimed_until is None
            assert state.next_poll_at > clock.now()
        device.go.set()
        worker.join(10)
        assert (device.came, device.most) == (1, 1)
        run(app, [second])
    assert (device.came, device.most) == (2, 1)


def test_a_gateway_is_read_by_tls_and_shown_its_own_certificate(
    app: Flask, settings: Settings, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.sign("gateway", "127.0.0.1"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    shown = tmp_path / "shown"
    shown.mkdir()
    app.extensions["settings"] = settings.model_copy(
        update={"modbus_tls_ca": str(authority.file), "modbus_tls_client_dir": str(shown)}
    )
    with running_simulator(1, tls=context) as homes:
        (id_,) = add(app, list(homes.endpoints.values()))
        run(app, [id_])
        with app.app_context():
            assert "TLS" in db.session.get_one(PollState, id_).last_detail
            name = db.session.get_one(Gateway, id_).public_id
        authority.sign(name).rename(shown / f"{name}.pem")
        run(app, [id_])
    with app.app_context():
        assert db.session.get_one(PollState, id_).last_outcome == "ok"


def test_devices_of_many_clients_need_no_seat(app: Flask, homes: Running) -> None:
    ids = add(app, list(homes.endpoints.values()))
    with app.app_context(), transaction():
        seats.take([Endpoint.parse(each).address for each in homes.endpoints.values()], "x",
                   clock.now(), lease_s=90)  # fmt: skip
    run(app, ids)
    with app.app_context():
        assert set(db.session.scalars(select(PollState.last_outcome))) == {"ok"}
