"""Expired sessions and broken backends: nothing that was typed is lost."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from limits.storage import RedisStorage
from sqlalchemy import select, text

from app import create_app
from app.extensions import db, limiter
from app.models import Registration
from app.transaction import transaction
from tests.conftest import test_settings
from tests.registering import FILLED, agree, fill, hidden, press, provision, values

pytestmark = pytest.mark.usefixtures("provisioned")


@pytest.fixture
def provisioned(app: Flask) -> None:
    provision(app)


@pytest.fixture
def strict(app: Flask, client: FlaskClient) -> FlaskClient:
    """Give a browser that must send its CSRF token, and says which site its forms are of."""
    app.config["WTF_CSRF_ENABLED"] = True
    client.environ_base["HTTP_ORIGIN"] = "http://localhost"
    return client


def lose_session(client: FlaskClient) -> None:
    client.delete_cookie("hidamari")


def test_a_form_that_outlived_its_session_comes_back_filled_and_goes_on(
    strict: FlaskClient,
) -> None:
    form = agree(strict)
    lose_session(strict)
    page = strict.post("/register/form", data=hidden(form) | FILLED)
    assert page.status_code == 400
    assert "画面を開いてから時間がたちました" in page.text
    assert values(page) == FILLED | {"gateway_password": ""}
    # the draft was found again by the form itself, with its agreement
    page = strict.post("/register/form", data=hidden(page) | FILLED, follow_redirects=True)
    assert page.request.path == "/register/confirm"


def test_a_form_whose_draft_is_gone_too_comes_back_after_the_terms(
    app: Flask, strict: FlaskClient
) -> None:
    form = agree(strict)
    lose_session(strict)
    with app.app_context(), transaction():
        db.session.execute(text("delete from registration_drafts"))
    page = strict.post("/register/form", data=hidden(form) | FILLED)
    assert page.status_code == 400
    assert values(page) == FILLED | {"gateway_password": ""}
    page = strict.post("/register/form", data=hidden(page) | FILLED, follow_redirects=True)
    assert page.request.path == "/register/terms"
    page = strict.post("/register/terms", data=hidden(page), follow_redirects=True)
    assert values(page) == FILLED | {"gateway_password": ""}
    assert "確認済み" in page.text


def test_a_confirmation_that_outlived_its_session_is_pressed_once_more(
    app: Flask, strict: FlaskClient
) -> None:
    form = agree(strict)
    page = strict.post("/register/form", data=hidden(form) | FILLED, follow_redirects=True)
    lose_session(strict)
    page = press(strict, page)
    assert page.status_code == 400
    assert "もう一度ボタンを押してください" in page.text
    assert "山田 太郎" in page.text
    assert press(strict, page).request.path == "/register/done"
    with app.app_context():
        assert db.session.scalars(select(Registration.email)).one() == "taro@example.org"


def test_terms_that_outlived_their_session_are_shown_again(strict: FlaskClient) -> None:
    page = strict.get("/register/terms")
    lose_session(strict)
    page = strict.post("/register/terms", data=hidden(page))
    assert page.status_code == 400
    page = strict.post("/register/terms", data=hidden(page), follow_redirects=True)
    assert page.request.path == "/register/form"


def test_a_draft_somebody_else_sent_is_theirs_no_longer(app: Flask) -> None:
    attacker, victim = app.test_client(), app.test_client()
    theirs = hidden(agree(attacker))
    victim.post("/register/form", data=theirs | FILLED)
    assert attacker.get("/register/form").location == "/register/terms"


@pytest.mark.parametrize("sender", [{"Origin": "https://evil.example.net"}, {"Origin": "null"}, {}])
@pytest.mark.parametrize("step", ["/register/form", "/register/confirm", "/register/terms"])
def test_a_form_of_another_site_puts_neither_words_nor_drafts_before_a_visitor(
    app: Flask, strict: FlaskClient, step: str, sender: dict[str, str]
) -> None:
    planted = hidden(agree(strict)) | FILLED
    victim = app.test_client()
    page = victim.post(step, data=planted, headers=sender)
    assert page.status_code == 400
    assert "山田" not in page.text
    assert planted["draft"] not in page.text
    # nor is it theirs now: the one who has it still has it
    assert strict.get("/register/form").status_code == 200
    assert victim.get("/register/form").location == "/register/terms"


def test_a_limiter_that_is_away_lets_nothing_through_and_keeps_the_form(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(client)
    # the store of production, at a port where nobody is
    away = RedisStorage("redis://127.0.0.1:1/0", socket_connect_timeout=1)
    with monkeypatch.context() as patch:
        patch.setattr(limiter.limiter, "storage", away)
        page = client.post("/register/form", data=FILLED)
    assert page.status_code == 503
    assert values(page) == FILLED | {"gateway_password": ""}
    assert "入力された内容はそのままです" in page.text


def test_a_database_that_fails_lets_nothing_through_and_keeps_the_form(
    app: Flask, client: FlaskClient
) -> None:
    agree(client)
    with app.app_context(), transaction():
        db.session.execute(text("alter table failure_counts rename to failure_counts_away"))
    try:
        page = client.post("/register/form", data=FILLED)
    finally:
        with app.app_context(), transaction():
            db.session.execute(text("alter table failure_counts_away rename to failure_counts"))
    assert page.status_code == 503
    assert values(page) == FILLED | {"gateway_password": ""}
    assert fill(client).request.path == "/register/confirm"


def test_too_many_requests_keep_the_form(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the first application of a process sets the limits of all
    monkeypatch.setattr(limiter.limit_manager, "_default_limits", [])
    app = create_app(test_settings(database_url, tmp_path, rate_limit="2 per minute"))
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    agree(client)
    pages = [client.post("/register/form", data=FILLED | {"email": ""}) for _try in range(3)]
    assert pages[-1].status_code == 429
    assert values(pages[-1])["family_name"] == "山田"
