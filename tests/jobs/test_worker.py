"""Workers of RQ's queues."""

import pytest
from flask import Flask
from rq import Worker
from rq.timeouts import TimerDeathPenalty

from app.config import Settings
from app.domain import heartbeats
from app.extensions import queues
from app.jobs import worker
from tests.valkey import Valkey


@pytest.fixture
def settings(settings: Settings, valkey: Valkey) -> Settings:
    """Let the portal have a queue server."""
    return settings.model_copy(update={"redis_url": valkey.url})


def test_a_worker_works_on_its_queues_until_its_last_job(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_JOBS", 2)
    for name in ("poll", "mail", "default"):
        queues.get(name).enqueue("app.jobs.beat.beat", name, result_ttl=0)
    assert worker.main(app, ["mail", "default"]) == 0
    with app.app_context():
        assert set(heartbeats.seen_at(["queue:mail", "queue:default", "queue:poll"])) == {
            "queue:mail",
            "queue:default",
        }
    assert queues.get("poll").count == 1


def test_without_a_name_it_works_on_all_of_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_JOBS", len(worker.QUEUES))
    for name in worker.QUEUES:
        queues.get(name).enqueue("app.jobs.beat.beat", name, result_ttl=0)
    assert worker.main(app, []) == 0
    assert [queues.get(name).count for name in worker.QUEUES] == [0] * len(worker.QUEUES)


def test_a_job_that_fails_does_not_end_the_worker(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_JOBS", 2)
    queues.get("mail").enqueue("app.jobs.beat.no_such_job", failure_ttl=60)
    queues.get("mail").enqueue("app.jobs.beat.beat", "mail", result_ttl=0)
    worker.main(app, ["mail"])
    with app.app_context():
        assert "queue:mail" in heartbeats.seen_at(["queue:mail"])


def test_a_worker_that_ended_is_listed_no_longer(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_JOBS", 1)
    queues.get("mail").enqueue("app.jobs.beat.beat", "mail", result_ttl=0)
    worker.main(app, ["mail"])
    assert Worker.all(connection=queues.get("mail").connection) == []


def test_an_unknown_queue_is_named(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.main(app, ["mail", "post"]) == 64
    assert "post" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this process's signal handlers alone."""
    monkeypatch.setattr(worker.SimpleWorker, "_install_signal_handlers", lambda self: None)
    monkeypatch.setattr(worker.SimpleWorker, "death_penalty_class", TimerDeathPenalty)
