"""Polling against real Modbus servers, with nothing in between replaced."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from flask import Flask
from rq import SimpleWorker
from sqlalchemy import func, select
from structlog.testing import capture_logs

from app import clock
from app.config import Settings
from app.domain import polling
from app.extensions import db, queues
from app.jobs import poll
from app.models import Gateway, Latest, PollState, Reading
from app.transaction import transaction
from simulator.server import Running, running_simulator
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
