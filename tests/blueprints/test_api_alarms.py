"""The alarms of a gateway by the API."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db, limiter
from app.models import Alarm
from app.transaction import transaction
from tests.factories import ApiTokenFactory, CustomerFactory, GatewayFactory, InstallationFactory

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
HOME = "HDM7Q2KX94TP"
MINE, OTHERS, WITHOUT = (f"hdm_{name:x<43}" for name in ("taro", "hanako", "history"))


@pytest.fixture
def api(app: Flask, client: FlaskClient) -> FlaskClient:
    """Give a home with an alarm that stands and thirty that are over."""
    limiter.reset()
    with app.app_context(), transaction():
        taro = CustomerFactory()
        home = InstallationFactory(account=taro, gateway=GatewayFactory(public_id=HOME))
        ApiTokenFactory(account=taro, text=MINE)
        ApiTokenFactory(account=taro, text=WITHOUT, scopes=["latest", "history"])
        ApiTokenFactory(text=OTHERS)
        for number in range(31):
            raised = NOW - timedelta(hours=number)
            db.session.add(
                Alarm(
                    installation_id=home.id,
                    gateway_id=home.gateway_id,
                    unit_no=number,
                    code="inverter.over_temp",
                    first_seen_at=raised - timedelta(minutes=1),
                    raised_at=raised,
                    cleared_at=raised + timedelta(minutes=5) if number else None,
                )
            )
    return client


def ask(client: FlaskClient, more: str = "", token: str = MINE) -> TestResponse:
    with time_machine.travel(NOW, tick=False):
        return client.get(
            f"/api/v1/gateways/{HOME}/alarms{more}", headers={"Authorization": f"Bearer {token}"}
        )


def test_what_stands_and_what_stood_is_told_newest_first(api: FlaskClient) -> None:
    told = ask(api).get_json()
    assert told["standing"] == [
        {
            "code": "inverter.over_temp",
            "unit_no": 0,
            "first_seen_at": "2026-11-22T09:04:00Z",
            "raised_at": "2026-11-22T09:05:00Z",
            "cleared_at": None,
        }
    ]
    following = ask(api, f"?cursor={told['next_cursor']}").get_json()
    units = [one["unit_no"] for one in told["past"] + following["past"]]
    assert units == list(range(1, 31))
    assert following["next_cursor"] is None
    assert told["past"][0]["cleared_at"] == "2026-11-22T08:10:00Z"


def test_alarms_need_their_scope_and_a_strangers_are_not_found(api: FlaskClient) -> None:
    assert ask(api, token=WITHOUT).status_code == 403
    assert ask(api, token=OTHERS).status_code == 404


@pytest.mark.parametrize("wrong", ["?cursor=", "?cursor=x", "?cursor=1-99999999999", "?page=1"])
def test_a_place_that_is_none_is_refused(api: FlaskClient, wrong: str) -> None:
    assert ask(api, wrong).status_code == 422
