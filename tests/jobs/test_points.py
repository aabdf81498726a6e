"""Half-yearly points through the queue: opened once, shared out, credited once."""

from datetime import timedelta

import pytest
from flask import Flask
from rq import SimpleWorker
from sqlalchemy import func, select

from app import clock
from app.domain import ledger, point_credits, point_runs
from app.extensions import db, queues
from app.jobs import points
from app.models import PointRun, PointTransaction
from app.transaction import transaction
from tests.members import DECEMBER, check_books, join
from tests.valkey import Valkey


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: DECEMBER)


def count(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(PointTransaction)) or 0


def test_a_half_year_is_credited_in_shards_by_workers(
    app: Flask, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_runs, "SHARD", 2)
    with app.app_context(), transaction():
        for _one in range(5):
            join()
    queues.init(valkey.url)
    with app.app_context():
        # a second cron finds nothing left to claim
        points.credit_due()
        points.credit_due()
        queue = queues.get("default")
        assert len(queue) == 3
        SimpleWorker([queue], connection=queue.connection).work(burst=True)
    assert count(app) == 5
    with app.app_context():
        assert db.session.scalars(select(PointRun)).one().finished_at == DECEMBER
        check_books()


def test_shards_that_wait_for_a_slow_worker_are_not_joined_by_more(
    app: Flask, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_runs, "SHARD", 1)
    with app.app_context(), transaction():
        for _one in range(6):
            join()
    queues.init(valkey.url)
    with app.app_context():
        points.credit_due()
        points.credit_due()
        queue = queues.get("default")
        assert len(queue) == 4
        SimpleWorker([queue], connection=queue.connection).work(burst=True)
        points.credit_due()
        assert len(queue) == 2
        # who died with them: they are given out again
        queue.empty()
        after = DECEMBER + timedelta(seconds=point_runs.LEASE_S + 1)
        monkeypatch.setattr(clock, "now", lambda: after)
        points.credit_due()
        assert len(queue) == 2


def test_without_a_queue_server_leases_run_out(app: Flask) -> None:
    with app.app_context(), transaction():
        join()
    with app.app_context():
        points.credit_due()
    assert count(app) == 0


def test_a_shard_that_somebody_spends_in_meanwhile_is_tried_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def credit(shard_id: int, *_rest: object) -> int:
        tries.append(shard_id)
        if len(tries) < points.TRIES:
            raise ledger.NotEnough
        return 1

    monkeypatch.setattr(point_credits, "credit", credit)
    with app.app_context():
        points.credit_shard(7)
    assert tries == [7, 7, 7]


def test_a_shard_that_can_never_be_credited_fails_where_operators_see_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def credit(*_args: object) -> int:
        raise ledger.NotEnough

    monkeypatch.setattr(point_credits, "credit", credit)
    with app.app_context(), pytest.raises(ledger.NotEnough):
        points.credit_shard(7)
