"""Errors as pages a household can read."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from flask_login import login_required
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from app import create_app
from app.domain.errors import NotFound
from app.extensions import db
from app.transaction import transaction
from tests.conftest import test_settings
from tests.factories import CustomerFactory
from tests.signing_in import sign_in

OURS = {"Origin": "http://localhost"}


@pytest.fixture
def app(own_app: Flask) -> Flask:
    """Add views that fail in every way."""
    app = own_app
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(how: str) -> Any:
        failures: dict[str, Exception] = {
            "stranger": NotFound(),
            "database": OperationalError("SELECT 1", {}, Exception("gone")),
            "queue": RedisError("gone"),
            "bug": ZeroDivisionError(),
        }
        if how in failures:
            raise failures[how]
        abort(int(how))

    app.add_url_rule("/fail/<how>", "fail", fail, methods=["GET", "POST"])
    app.add_url_rule("/guarded", "guarded", login_required(lambda: "x"), methods=["GET", "POST"])
    return app


FAILURES = [
    ("400", 400, "うまく受け取れませんでした"),
    ("403", 403, "このページはご覧いただけません"),
    ("404", 404, "ページが見つかりません"),
    ("stranger", 404, "ページが見つかりません"),
    ("405", 405, "このページは直接開けません"),
    ("413", 413, "送られたデータが大きすぎます"),
    ("418", 418, "うまく受け取れませんでした"),
    ("429", 429, "少しお待ちください"),
    ("500", 500, "申し訳ありません。こちらの不具合です"),
    ("bug", 500, "申し訳ありません。こちらの不具合です"),
    ("502", 502, "申し訳ありません。こちらの不具合です"),
    ("503", 503, "ただいまつながりにくくなっています"),
    ("database", 503, "ただいまつながりにくくなっています"),
    ("queue", 503, "ただいまつながりにくくなっています"),
]


def test_every_failure_is_a_page_with_a_way_on(client: FlaskClient) -> None:
    for how, status, words in FAILURES:
        page = client.get(f"/fail/{how}")
        assert page.status_code == status, how
        assert f'<h1 class="page__heading">{words}</h1>' in page.text, how
        assert "button--primary" in page.text, how
        assert "Error" not in page.text, how
        english = client.get(f"/fail/{how}", headers={"Accept-Language": "en"})
        assert english.status_code == status, how


def test_the_log_tells_what_broke_and_who_tried_a_strangers_door(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
    sign_in(client, "taro@example.org")
    with capture_logs() as logs:
        for how in ("stranger", "database", "bug"):
            client.get(f"/fail/{how}")
    assert [entry["event"] for entry in logs] == ["not_theirs", "backend_down", "unforeseen"]
    assert logs[0]["endpoint"] == "fail"


def test_a_page_that_does_not_exist_leads_to_the_menu_when_signed_in(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
    assert "ログインへ" in client.get("/nowhere").text
    sign_in(client, "taro@example.org")
    assert "メインメニューへ" in client.get("/nowhere").text


def test_a_request_that_is_too_large_is_a_page(client: FlaskClient) -> None:
    page = client.post("/sign-in", data={"email": "x" * 2_000_000})
    assert page.status_code == 413
    assert "送られたデータが大きすぎます" in page.text


@pytest.mark.parametrize("how", ["429", "503", "database"])
def test_what_was_typed_can_be_sent_again_but_for_passwords(client: FlaskClient, how: str) -> None:
    data = {"site": "山田邸", "password": "Hinata88"}
    page = client.post(f"/fail/{how}?tab=2", data=data, headers=OURS).text
    assert 'name="site" value="山田邸"' in page
    assert f'action="/fail/{how}?tab=2"' in page
    assert "Hinata88" not in page


def test_what_failed_half_way_is_not_sent_again(client: FlaskClient) -> None:
    page = client.post("/fail/bug", data={"site": "山田邸"}, headers=OURS).text
    assert "山田邸" not in page


def test_a_tile_or_a_field_is_never_replaced_by_an_error_page(client: FlaskClient) -> None:
    page = client.get("/fail/404", headers={"HX-Request": "true"})
    assert page.status_code == 404
    assert page.headers["HX-Reswap"] == "none"


def test_without_a_database_even_who_is_signed_in_gets_the_page(tmp_path: Path) -> None:
    """The page must not look anybody up, or it would fail as what it tells of."""
    app = create_app(test_settings(f"sqlite:///{tmp_path / 'none' / 'portal.db'}", tmp_path))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = "token"
    page = client.get("/sign-in")
    assert page.status_code == 503
    assert "ただいまつながりにくくなっています" in page.text
    with app.app_context():
        db.engine.dispose()
