"""APIトークン of one's account: made, shown once, listed, revoked."""

import re
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.domain import api_tokens
from app.extensions import db
from app.models import Account, ApiToken
from app.transaction import transaction
from tests.factories import CustomerFactory, DealerPersonFactory, OperatorFactory
from tests.signing_in import sign_in

FILLED = {"name": "自宅の表計算", "scopes": ["latest", "history"], "days": "90"}
TOKEN = re.compile(r"hdm_[\w-]{43}")


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        CustomerFactory(email="hanako@example.org")
        OperatorFactory(email="operator@example.org")
        DealerPersonFactory(email="dealer@example.org")
    return sign_in(client, "taro@example.org")


def make(client: FlaskClient, **changes: object) -> str:
    page = client.post("/account/tokens/new", data=FILLED | changes)
    assert page.status_code == 200
    [text] = TOKEN.findall(page.text)
    return str(text)


def rows(app: Flask) -> list[ApiToken]:
    with app.app_context():
        return list(db.session.scalars(select(ApiToken).order_by(ApiToken.id)))


def test_a_token_is_made_shown_once_and_listed_by_how_it_begins(
    app: Flask, taro: FlaskClient
) -> None:
    assert taro.get("/account/tokens/new").status_code == 200
    text = make(taro)
    [row] = rows(app)
    assert row.scopes == ["latest", "history"]
    assert row.expires_at - row.created_at == timedelta(days=90)
    page = taro.get("/account/tokens").text
    assert text not in page
    for words in ("自宅の表計算", f"{text[:10]}…", "いまのようす、これまでの実績"):
        assert words in page
    assert "/account/tokens" in taro.get("/account/").text


def test_a_revoked_token_and_an_expired_one_are_said_to_be_so(
    app: Flask, taro: FlaskClient
) -> None:
    text = make(taro)
    [row] = rows(app)
    assert "自宅の表計算" in taro.get(f"/account/tokens/{row.id}/revoke").text
    assert taro.post(f"/account/tokens/{row.id}/revoke").location == "/account/tokens"
    assert "取り消し済み" in taro.get("/account/tokens").text
    with app.app_context():
        assert api_tokens.find(text, clock.now()) is None
    make(taro, days="30")
    with time_machine.travel(clock.now() + timedelta(days=31), tick=False):
        sign_in(taro, "taro@example.org")
        assert "期限切れ" in taro.get("/account/tokens").text


@pytest.mark.parametrize(
    ("field", "wrong", "words"),
    [
        ("name", "", "トークンの名前を、40文字以内で"),
        ("name", "あ" * 41, "トークンの名前を、40文字以内で"),
        ("scopes", [], "1つ以上選択してください"),
        ("scopes", ["latest", "everything"], "1つ以上選択してください"),
        ("days", "", "有効期間を選択してください"),
        ("days", "3650", "有効期間を選択してください"),
        ("days", "x", "有効期間を選択してください"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_made(
    app: Flask, taro: FlaskClient, field: str, wrong: object, words: str
) -> None:
    page = taro.post("/account/tokens/new", data=FILLED | {field: wrong})
    assert page.status_code == 422
    assert words in page.text
    assert f'id="{field}-error"' in page.text
    if field != "name":
        assert 'value="自宅の表計算"' in page.text
    assert not rows(app)


def test_an_eleventh_token_is_refused_in_words(app: Flask, taro: FlaskClient) -> None:
    for _number in range(10):
        make(taro)
    page = taro.post("/account/tokens/new", data=FILLED)
    assert page.status_code == 422
    assert "有効なトークンは10個までです" in page.text
    assert len(rows(app)) == 10


def test_a_strangers_token_is_not_found(app: Flask, taro: FlaskClient) -> None:
    text = make(taro)
    [row] = rows(app)
    stranger = sign_in(app.test_client(), "hanako@example.org")
    assert stranger.get(f"/account/tokens/{row.id}/revoke").status_code == 404
    assert stranger.post(f"/account/tokens/{row.id}/revoke").status_code == 404
    assert "自宅の表計算" not in stranger.get("/account/tokens").text
    with app.app_context():
        assert api_tokens.find(text, clock.now()) is not None


def test_whose_token_it_is_cannot_be_sent(app: Flask, taro: FlaskClient) -> None:
    with app.app_context():
        hanako = db.session.scalars(select(Account.id).filter_by(email="hanako@example.org")).one()
    make(taro, account_id=hanako, expires_at="2099-01-01", token_hash="")
    [row] = rows(app)
    assert row.account_id != hanako
    assert row.expires_at - row.created_at == timedelta(days=90)


def test_dealers_people_have_tokens_and_operators_have_none(app: Flask, taro: FlaskClient) -> None:
    dealer = sign_in(app.test_client(), "dealer@example.org")
    assert "/account/tokens" in dealer.get("/dealer").text
    make(dealer)
    operator = sign_in(app.test_client(), "operator@example.org")
    assert "/account/tokens" not in operator.get("/account/").text
    for path in ("/account/tokens", "/account/tokens/new"):
        assert operator.get(path).status_code == 404
    assert operator.post("/account/tokens/new", data=FILLED).status_code == 404


def test_making_and_revoking_ask_first_who_it_is(app: Flask, taro: FlaskClient) -> None:
    make(taro)
    [row] = rows(app)
    with time_machine.travel(clock.now() + timedelta(minutes=45), tick=False):
        assert taro.get("/account/tokens").status_code == 200
        for path in ("/account/tokens/new", f"/account/tokens/{row.id}/revoke"):
            assert taro.get(path).location.startswith("/account/confirm")
            assert taro.post(path, data=FILLED).location.startswith("/account/confirm")
    [unchanged] = rows(app)
    assert unchanged.revoked_at is None


def test_tokens_need_somebody_signed_in(client: FlaskClient) -> None:
    for path in ("/account/tokens", "/account/tokens/new", "/account/tokens/1/revoke"):
        assert "/sign-in" in client.get(path).location
