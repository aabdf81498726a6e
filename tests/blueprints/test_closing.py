"""退会, as one's own pages show it."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Account
from app.transaction import transaction
from tests.factories import (
    PASSWORD,
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    OperatorFactory,
)
from tests.signing_in import sign_in

TARO, ID = "taro@example.org", "HDM100000001"
AGREED = {"understood": "y", "current_password": PASSWORD}


@pytest.fixture
def client(app: Flask, client: FlaskClient) -> FlaskClient:
    """Taro's browser, signed in."""
    with app.app_context(), transaction():
        taro = CustomerFactory(email=TARO)
        InstallationFactory(account=taro, gateway=GatewayFactory(public_id=ID))
    return sign_in(client, TARO)


def closed(app: Flask) -> bool:
    with app.app_context():
        return db.session.scalars(select(Account.closed_at)).first() is not None


def test_the_page_says_beforehand_what_happens(client: FlaskClient) -> None:
    page = client.get("/account/close").text
    for words in ("1台", "30日後に消去します", "取り消すことはできません", "譲渡証明書"):
        assert words in page


def test_access_ends_with_the_very_next_request(app: Flask, client: FlaskClient) -> None:
    pc = sign_in(app.test_client(), TARO)
    done = client.post("/account/close", data=AGREED, follow_redirects=True)
    assert "退会の手続きが終わりました" in done.text
    for browser in (client, pc):
        assert browser.get(f"/gateways/{ID}").status_code == 302
    again = pc.post("/sign-in", data={"email": TARO, "password": PASSWORD})
    assert again.status_code == 422


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"understood": None}, "チェックを入れてください"),
        ({"current_password": ""}, "現在のパスワードを入力してください"),
        ({"current_password": "Wrong-88"}, "現在のパスワードが正しくありません"),
    ],
)
def test_without_the_tick_or_the_password_nothing_is_closed(
    app: Flask, client: FlaskClient, changes: dict[str, str | None], words: str
) -> None:
    data = {name: value for name, value in (AGREED | changes).items() if value is not None}
    refused = client.post("/account/close", data=data)
    assert refused.status_code == 422
    assert words in refused.text
    assert not closed(app)


def test_guessing_the_password_makes_wait(app: Flask, client: FlaskClient) -> None:
    for _ in range(5):
        client.post("/account/close", data=AGREED | {"current_password": "Wrong-88"})
    assert client.post("/account/close", data=AGREED).status_code == 429
    assert not closed(app)


@pytest.mark.parametrize("person", [DealerPersonFactory, OperatorFactory])
def test_staff_find_no_such_page(app: Flask, person: type) -> None:
    with app.app_context(), transaction():
        person(email="staff@example.org")
    staff = sign_in(app.test_client(), "staff@example.org")
    assert staff.get("/account/close").status_code == 404
    assert staff.post("/account/close", data=AGREED).status_code == 404
    assert "/account/close" not in staff.get("/account/", follow_redirects=True).text


def test_nobody_closes_an_account_without_signing_in(app: Flask) -> None:
    stranger = app.test_client()
    assert stranger.get("/account/close").location == "/sign-in?next=/account/close"
    assert stranger.post("/account/close", data=AGREED).status_code == 401
