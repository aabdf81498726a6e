"""Reports of weather are read for the areas somebody needs, and nobody else."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.domain import weather
from app.extensions import db
from app.jobs.weather import read_reports
from app.models import PlanChoice, WeatherReport
from app.transaction import transaction
from tests.domain.test_weather import FORECAST, TOMORROW, WARNING
from tests.factories import CustomerFactory, InstallationFactory

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)


class Agency:
    """A weather agency that answers what a test tells it to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}
        agency = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                agency.asked.append(self.path)
                found = agency.answers.get(self.path)
                self.send_response(200 if found is not None else 404)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_told: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, office: str, *, forecast: object = FORECAST, warning: object = WARNING) -> None:
        self.answers[f"/forecast/data/forecast/{office}.json"] = forecast
        self.answers[f"/warning/data/r8/{office}.json"] = warning


@pytest.fixture
def agency() -> Iterator[Agency]:
    agency = Agency()
    yield agency
    agency.server.shutdown()
    agency.server.server_close()


@pytest.fixture(autouse=True)
def _portal(app: Flask, agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    told = {"weather_source": "jma", "weather_url": agency.url, "weather_timeout_s": 2}
    settings = app.extensions["settings"].model_copy(update=told)
    monkeypatch.setitem(app.extensions, "settings", settings)


def plans_in(app: Flask, prefecture: str, **chosen: object) -> None:
    with app.app_context(), transaction():
        home = InstallationFactory(account=CustomerFactory(), prefecture=prefecture)
        db.session.add(PlanChoice(installation_id=home.id, changed_at=NOW, **chosen))


def read(app: Flask) -> list[WeatherReport]:
    with app.app_context():
        read_reports()
    with app.app_context():
        return list(db.session.scalars(select(WeatherReport)))


def test_an_office_is_asked_once_for_all_homes_that_need_it(app: Flask, agency: Agency) -> None:
    agency.says("260000")
    for _ in range(3):
        plans_in(app, "京都府", night=True)
    plans_in(app, "東京都")
    assert {(one.office, one.kind) for one in read(app)} == {
        ("260000", "forecast"),
        ("260000", "warning"),
    }
    assert len(agency.asked) == 2
    with app.app_context():
        assert weather.sky_of("260000", "", TOMORROW, NOW) == "wet"


def test_without_a_source_nobody_is_asked(
    app: Flask, agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans_in(app, "京都府", storm=True)
    settings = app.extensions["settings"].model_copy(update={"weather_source": ""})
    monkeypatch.setitem(app.extensions, "settings", settings)
    assert read(app) == []
    assert agency.asked == []


def test_an_office_that_says_something_odd_keeps_what_it_said(app: Flask, agency: Agency) -> None:
    agency.says("260000")
    agency.says("130000")
    plans_in(app, "京都府", storm=True)
    plans_in(app, "東京都", cost=True)
    read(app)
    newer = [one | {"reportDatetime": "2026-11-23T17:00:00+09:00"} for one in WARNING]
    agency.says("260000", forecast=["odd"], warning=newer)
    del agency.answers["/forecast/data/forecast/130000.json"]
    told = {(one.office, one.kind): one for one in read(app)}
    assert len(told) == 4
    assert told["260000", "forecast"].told_at == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert told["260000", "warning"].told_at == NOW - timedelta(minutes=5)
