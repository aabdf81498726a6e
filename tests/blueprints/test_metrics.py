"""`/metrics`, as Prometheus reads it."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import clock, holders
from app.config import Settings
from app.domain import mail
from app.extensions import limiter, queues
from app.jobs.beat import beat
from app.transaction import transaction
from tests.conftest import test_settings
from tests.valkey import Valkey

TOKEN = "a-token-that-is-long-enough-to-be-one"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def settings(settings: Settings, valkey: Valkey) -> Settings:
    """Let the portal have a queue server and a token."""
    return settings.model_copy(update={"redis_url": valkey.url, "metrics_token": TOKEN})


def gauges(client: FlaskClient) -> dict[str, float]:
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_prometheus_reads_what_waits_and_since_when(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        mail.queue("x", "", key="1", language="ja", now=clock.now() - timedelta(minutes=5))
    with app.app_context():
        beat("mail")
        queues.get("poll").enqueue("app.jobs.poll.claim_due")
    seen = gauges(client)
    assert seen["hidamari_up[database]"] == seen["hidamari_up[queue_server]"] == 1
    assert seen["hidamari_outbox_waiting"] == 1
    assert 290 < seen["hidamari_outbox_oldest_waiting_seconds"] < 330
    assert seen["hidamari_outbox_dropped"] == 0
    assert seen["hidamari_queue_jobs[poll]"] == 1
    assert seen["hidamari_queue_jobs[default]"] == 0
    assert seen["hidamari_queue_oldest_job_seconds[poll]"] >= 0
    assert seen["hidamari_workers[busy]"] == 0
    assert 0 <= seen["hidamari_worker_beat_age_seconds[mail]"] < 60
    assert seen["hidamari_points_open_seconds"] == 0
    assert seen["hidamari_polls_due"] == seen["hidamari_poll_lag_seconds"] == 0


def test_prometheus_reads_how_many_gateways_each_relay_holds(
    app: Flask, client: FlaskClient
) -> None:
    now = clock.now().timestamp()
    told = {"10.0.0.7:2223": f"4711 {now}", "10.0.0.8:2223": f"5 {now - 600}"}
    with app.app_context():
        queues.get("poll").connection.hset(holders.RELAYS, mapping=told)
    seen = gauges(client)
    assert seen["hidamari_gateways_held[10.0.0.7:2223]"] == 4711
    assert "hidamari_gateways_held[10.0.0.8:2223]" not in seen


def test_a_queue_server_that_is_down_is_a_figure_not_an_error(
    client: FlaskClient, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey.stop()
    monkeypatch.setattr(limiter.limiter, "storage", None)
    seen = gauges(client)
    assert (seen["hidamari_up[database]"], seen["hidamari_up[queue_server]"]) == (1, 0)
    assert "hidamari_outbox_waiting" in seen
    assert "hidamari_queue_jobs[poll]" not in seen


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ほげ".encode()],
)
def test_without_the_token_there_is_nothing_to_read(
    client: FlaskClient, given: str | bytes
) -> None:
    words = given.decode("latin-1") if isinstance(given, bytes) else given
    answer = client.get("/metrics", headers={"Authorization": words} if words else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "hidamari" not in answer.text


def test_where_no_token_is_configured_there_is_no_such_page(
    app: Flask, client: FlaskClient
) -> None:
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"metrics_token": ""})
    for headers in ({}, BEARER, {"Authorization": "Bearer "}):
        assert client.get("/metrics", headers=headers).status_code == 404


def test_a_short_token_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="METRICS_TOKEN"):
        test_settings(settings.database_url, settings.data_dir, metrics_token="short")
