"""The heat-map of sheets that were tried in vain."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.domain import attempts
from app.extensions import db
from app.models import ClaimAttempt
from app.transaction import transaction
from tests.counting import counted
from tests.factories import GatewayFactory, OperatorFactory
from tests.signing_in import sign_in

# 18:05 in Tokyo, a Sunday
NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
ID = "HDM100000001"


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        GatewayFactory(public_id=ID)
        OperatorFactory(email="operator@example.org")
    with time_machine.travel(NOW, tick=False):
        return sign_in(app.test_client(), "operator@example.org")


def fail(app: Flask, at: datetime, times: int = 1, **values: object) -> None:
    row = {"public_id_typed": ID, "network_address": "192.0.2.1", "proved": False, "at": at}
    with app.app_context(), transaction():
        db.session.execute(insert(ClaimAttempt), [row | values] * times)


def shown(operator: FlaskClient) -> str:
    with time_machine.travel(NOW, tick=False):
        return operator.get("/operator/attempts").text


@pytest.mark.both_databases
def test_failures_stand_in_the_hour_and_the_day_of_the_sites_zone(
    app: Flask, operator: FlaskClient
) -> None:
    fail(app, NOW - timedelta(minutes=5), 7)
    fail(app, datetime(2026, 11, 15, 15, 0, tzinfo=UTC), 2)
    # before midnight seven days ago, and a success: neither is counted
    fail(app, datetime(2026, 11, 15, 14, 59, tzinfo=UTC))
    fail(app, NOW, proved=True)
    with app.app_context():
        told = attempts.heat_map(NOW, "Asia/Tokyo")
    assert [f"{day:%m/%d}" for day in told.days] == [f"11/{day}" for day in range(16, 23)]
    assert (told.hours[18][6], told.hours[0][0], told.total) == (7, 2, 9)
    page = shown(operator)
    assert re.search(r'heat__cell--2">7</td>', page)
    assert re.search(r'heat__cell--1">2</td>', page)
    assert "9 回失敗しました" in page


@pytest.mark.parametrize(
    ("failures", "step"), [(0, 0), (1, 1), (4, 1), (5, 2), (20, 3), (99, 3), (100, 4), (5000, 4)]
)
def test_more_failures_are_coloured_more_strongly(failures: int, step: int) -> None:
    assert attempts.step(failures) == step


@pytest.mark.both_databases
def test_the_worst_gateways_and_addresses_come_first(app: Flask, operator: FlaskClient) -> None:
    fail(app, NOW, 3, network_address="198.51.100.7")
    fail(app, NOW, 1)
    fail(app, NOW, 2, public_id_typed="NOSUCH", network_address="198.51.100.7")
    page = shown(operator)
    assert f'href="/operator/gateways/{ID}"' in page
    assert 'href="/operator/gateways/NOSUCH"' not in page
    assert "このIDのゲートウェイはありません" in page
    assert page.index(ID) < page.index("NOSUCH")
    assert page.index("198.51.100.7") < page.index("192.0.2.1")


def test_without_failures_the_page_says_so(operator: FlaskClient) -> None:
    assert "この7日間に失敗はありません。" in shown(operator)


def test_years_of_tries_cost_three_queries_that_use_an_index(
    app: Flask, operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(app, NOW - timedelta(days=80), 3000)
    fail(app, NOW, 2000)
    with counted(monkeypatch) as work:
        page = shown(operator)
    assert "2000 回失敗しました" in page
    asked = [one for one in work.statements if "claim_attempts" in one]
    assert len(asked) == 3
    with app.app_context():
        if db.engine.dialect.name != "sqlite":
            pytest.skip("the plan is read from SQLite")
        connection = db.session.connection()
        for statement in asked:
            values = (0, 3600) if "epoch" in statement or "STRFTIME" in statement else ()
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}",
                (*values, *["x"] * (statement.count("?") - len(values))),
            )
            assert "SCAN claim_attempts" not in " ".join(str(row) for row in plan)
