"""The health page, with everything up and with the queue server down."""

from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis.exceptions import ConnectionError as NoServer
from rq import SimpleWorker
from rq.cron import CronScheduler
from rq.registry import FailedJobRegistry
from sqlalchemy import select

from app import clock, holders
from app.config import Settings
from app.domain import mail
from app.extensions import db, limiter, queues
from app.jobs.beat import beat
from app.models import AuditEntry, OutboxMail, PointRun
from app.transaction import transaction
from tests.factories import CustomerFactory, DealerPersonFactory, OperatorFactory
from tests.signing_in import sign_in
from tests.valkey import Valkey


def fail(account_id: int) -> None:
    """Be a job that fails."""
    raise LookupError(f"<b>row {account_id}</b>")


@pytest.fixture
def settings(settings: Settings, valkey: Valkey) -> Settings:
    """Let the portal have a queue server."""
    return settings.model_copy(update={"redis_url": valkey.url})


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    return sign_in(app.test_client(), "operator@example.org")


def fail_once(app: Flask) -> str:
    """Let a job fail, as a worker would; return its id."""
    queue = queues.get("default")
    job = queue.enqueue(fail, 4711, failure_ttl=60)
    SimpleWorker([queue], connection=queue.connection).work(burst=True, logging_level="CRITICAL")
    return str(job.id)


def test_every_part_is_shown_with_its_backlog(app: Flask, operator: FlaskClient) -> None:
    with app.app_context():
        for name in ("mail", "poll", "settings", "default", "plan"):
            beat(name)
        connection = queues.get("default").connection
        CronScheduler(connection).heartbeat()
        queues.get("mail").enqueue("app.jobs.mail.send_due")
        SimpleWorker([queues.get("poll")], connection=connection).register_birth()
    with app.app_context(), transaction():
        mail.queue("x", "", key="1", language="ja", now=clock.now() - timedelta(hours=3))
    page = operator.get("/operator/health")
    assert page.status_code == 200
    for words in ("SQL", "表の版", "定期実行（cron）", "いちばん古い待ち", "遅れています"):
        assert words in page.text
    assert "動いていません" not in page.text
    assert "応答がありません" not in page.text
    part = operator.get("/operator/health/parts").text
    assert part.lstrip().startswith('<section id="parts"')
    assert 'data-poll-s="10"' in part


def test_points_that_are_not_credited_for_hours_are_told(app: Flask, operator: FlaskClient) -> None:
    first = date(2026, 6, 1)
    run = PointRun(period_first=first, period_last=date(2026, 11, 30), opened_at=clock.now())
    with app.app_context(), transaction():
        db.session.add(run)
    assert "終わっていません" not in operator.get("/operator/health").text
    with app.app_context(), transaction():
        db.session.query(PointRun).update({"opened_at": clock.now() - timedelta(hours=7)})
    assert "終わっていません" in operator.get("/operator/health").text


def test_relays_are_shown_with_what_they_hold(operator: FlaskClient) -> None:
    assert "10.0.0.7:2223" not in operator.get("/operator/health").text
    told = f"4711 {clock.now().timestamp()}"
    queues.get("poll").connection.hset(holders.RELAYS, "10.0.0.7:2223", told)
    page = operator.get("/operator/health").text
    assert "10.0.0.7:2223" in page
    assert "4,711" in page


def test_a_queue_server_that_is_down_is_said_to_be_and_the_rest_is_shown(
    operator: FlaskClient, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey.stop()

    class Away:
        def __getattr__(self, name: str) -> object:
            raise NoServer

    # with the queue server, the limiter's counts are away, too
    monkeypatch.setattr(limiter.limiter, "storage", Away())
    for path in ("/operator/health", "/operator/health/parts"):
        page = operator.get(path)
        assert page.status_code == 200
        assert "応答がありません" in page.text
        assert "失われるものはありません" in page.text
        assert "順番が来ている数" in page.text
    jobs = operator.get("/operator/health/jobs")
    assert jobs.status_code == 200
    assert "通信できませんでした" in jobs.text
    answer = operator.post("/operator/health/jobs/default/x/requeue", follow_redirects=True)
    assert "通信できませんでした" in answer.text


def test_what_does_not_move_is_said_to(operator: FlaskClient) -> None:
    page = operator.get("/operator/health").text
    assert "動いていません" in page
    assert "進んでいません" in page
    assert "ワーカーが1つも動いていません。" in page


def test_a_failed_job_is_listed_without_what_it_was_about(
    app: Flask, operator: FlaskClient
) -> None:
    fail_once(app)
    page = operator.get("/operator/health/jobs").text
    assert "fail" in page
    assert "LookupError: &lt;b&gt;row" in page
    assert "(4711)" not in page


def test_a_failed_job_runs_again(app: Flask, operator: FlaskClient) -> None:
    job_id = fail_once(app)
    path = f"/operator/health/jobs/default/{job_id}/requeue"
    assert "ジョブをやり直します。" in operator.post(path, follow_redirects=True).text
    assert queues.get("default").job_ids == [job_id]
    assert "すでに片付いています" in operator.post(path, follow_redirects=True).text
    with app.app_context():
        entry = db.session.scalars(select(AuditEntry).filter_by(action="job.requeued")).one()
        assert entry.detail == {"job": job_id, "queue": "default"}


def test_a_failed_job_is_dismissed(app: Flask, operator: FlaskClient) -> None:
    job_id = fail_once(app)
    path = f"/operator/health/jobs/default/{job_id}/dismiss"
    assert "ジョブを片付けました。" in operator.post(path, follow_redirects=True).text
    assert len(FailedJobRegistry(queue=queues.get("default"))) == 0
    with app.app_context():
        assert "job.dismissed" in db.session.scalars(select(AuditEntry.action)).all()


@pytest.mark.parametrize("path", ["other/x", "default/%20", "default/" + "x" * 129])
def test_what_is_no_job_is_not_found(operator: FlaskClient, path: str) -> None:
    for action in ("requeue", "dismiss"):
        assert operator.post(f"/operator/health/jobs/{path}/{action}").status_code == 404


def test_to_everybody_but_operators_there_are_no_such_pages(
    app: Flask, operator: FlaskClient, client: FlaskClient
) -> None:
    job_id = fail_once(app)
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        DealerPersonFactory(email="dealer@example.org")
    strangers = [sign_in(app.test_client(), f"{who}@example.org") for who in ("taro", "dealer")]
    for path in ("", "/parts", "/jobs"):
        assert operator.get(f"/operator/health{path}").status_code == 200
        assert client.get(f"/operator/health{path}").location.startswith("/sign-in")
        for stranger in strangers:
            assert stranger.get(f"/operator/health{path}").status_code == 404
    for action in ("requeue", "dismiss"):
        path = f"/operator/health/jobs/default/{job_id}/{action}"
        for stranger in strangers:
            assert stranger.post(path).status_code == 404
    assert job_id in FailedJobRegistry(queue=queues.get("default"))
    with app.app_context():
        assert db.session.scalars(select(OutboxMail)).all() == []
