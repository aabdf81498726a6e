"""What a supervisor is told."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from rq.cron import CronScheduler

from app import clock, create_app
from app.config import Settings
from app.domain import heartbeats
from app.extensions import db, queues
from app.jobs.beat import beat
from app.transaction import transaction
from tests.valkey import Valkey


@pytest.fixture
def settings(settings: Settings, valkey: Valkey) -> Settings:
    """Let the portal have a queue server."""
    return settings.model_copy(update={"redis_url": valkey.url})


def beat_everywhere(app: Flask) -> None:
    """Do what cron and the workers do every few seconds."""
    with app.app_context():
        for name in ("mail", "poll", "settings", "default", "plan"):
            beat(name)
        CronScheduler(queues.get("default").connection).heartbeat()


def test_a_portal_whose_parts_answer_is_healthy(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "web": "ok", "database": "ok", "queue": "ok"}


def test_a_queue_server_that_is_down_is_told(client: FlaskClient, valkey: Valkey) -> None:
    valkey.stop()
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json["queue"] == "no answer"
    assert client.get("/healthz/ready").json["cron"] == "unknown"


def test_a_database_that_is_down_is_told(tmp_path: Path, settings: Settings) -> None:
    nowhere = f"sqlite:///{tmp_path / 'no such folder' / 'portal.db'}"
    app = create_app(settings.model_copy(update={"database_url": nowhere}))
    answer = app.test_client().get("/healthz/ready")
    assert answer.status_code == 503
    assert answer.json["database"] == "no answer"
    assert answer.json["worker:mail"] == "unknown"


def test_before_workers_and_cron_began_the_portal_is_not_ready(client: FlaskClient) -> None:
    answer = client.get("/healthz/ready")
    assert answer.status_code == 503
    assert answer.json["cron"] == "missing"
    assert answer.json["worker:poll"] == "missing"


def test_with_workers_and_cron_at_work_it_is_ready(app: Flask, client: FlaskClient) -> None:
    beat_everywhere(app)
    answer = client.get("/healthz/ready")
    assert answer.status_code == 200, answer.json


def test_a_worker_not_seen_for_two_minutes_is_late(app: Flask, client: FlaskClient) -> None:
    beat_everywhere(app)
    with app.app_context(), transaction():
        heartbeats.beat("queue:poll", clock.now() - timedelta(seconds=121))
    answer = client.get("/healthz/ready")
    assert answer.status_code == 503
    assert answer.json["worker:poll"] == "late"


def test_health_is_asked_as_often_as_one_likes(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"rate_limit": "1 per minute"}))
    client = app.test_client()
    assert [client.get("/healthz").status_code for _ in range(3)] == [200, 200, 200]
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(autouse=True)
def _close(app: Flask) -> Iterator[None]:
    yield
    if queues.redis is not None:
        queues.redis.close()
