"""One's own data and password."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import OutboxMail
from app.transaction import transaction
from tests.factories import PASSWORD, CustomerFactory
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
TARO, HANAKO = "taro@example.org", "hanako@example.org"
NEW = "Komorebi7"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def client(app: Flask, client: FlaskClient) -> FlaskClient:
    """Taro's browser, signed in; Hanako is the stranger."""
    with app.app_context(), transaction():
        CustomerFactory(email=TARO, company_name="山田商店", department="総務部")
        CustomerFactory(email=HANAKO, given_name="花子")
    return sign_in(client, TARO)


def change(client: FlaskClient, current: str = PASSWORD, new: str = NEW) -> TestResponse:
    data = {"current_password": current, "password": new, "password_again": new}
    return client.post("/account/password", data=data)


def test_it_shows_ones_own_data_and_nobody_elses(client: FlaskClient) -> None:
    page = client.get("/account/").text
    for words in ("山田 太郎", "ヤマダ タロウ", TARO, "〒 600-8216", "03-1234-5678", "山田商店"):
        assert words in page
    assert "花子" not in page
    assert HANAKO not in page


def test_nobody_sees_it_without_signing_in(app: Flask, client: FlaskClient) -> None:
    stranger = app.test_client()
    for page in ("/account/", "/account/password"):
        assert stranger.get(page).location == f"/sign-in?next={page}"


def test_a_changed_password_ends_all_other_sessions_and_is_mailed(
    app: Flask, client: FlaskClient
) -> None:
    pc = sign_in(app.test_client(), TARO)
    hanako = sign_in(app.test_client(), HANAKO)
    answer = change(client)
    assert (answer.status_code, answer.location) == (303, "/account/")
    assert "パスワードを変更しました" in client.get("/account/").text
    assert pc.get("/account/").status_code == 302
    assert hanako.get("/account/").status_code == 200
    with app.app_context():
        mail = db.session.query(OutboxMail).one()
        assert (mail.template, mail.to) == ("password_changed", TARO)
    sign_in(pc, TARO, NEW)
    assert change(hanako, NEW).status_code == 422


def test_only_who_knows_the_password_changes_it(client: FlaskClient) -> None:
    refused = change(client, "Wrong-88")
    assert refused.status_code == 422
    assert "現在のパスワードが正しくありません" in refused.text
    assert "Wrong-88" not in refused.text
    assert NEW not in refused.text


@pytest.mark.parametrize(
    ("new", "words"), [("short", "8〜16文字"), ("Passw0rd", "推測されやすい"), ("", "入力して")]
)
def test_a_password_that_will_not_do_is_refused_at_its_field(
    client: FlaskClient, new: str, words: str
) -> None:
    refused = change(client, new=new)
    assert refused.status_code == 422
    assert words in refused.text
    assert client.get("/account/").status_code == 200


def test_guessing_the_present_password_makes_wait(
    client: FlaskClient, clock: time_machine.Traveller
) -> None:
    for _ in range(5):
        assert change(client, "Wrong-88").status_code == 422
    assert change(client).status_code == 429
    clock.shift(1)
    assert change(client).status_code == 303
    assert change(client, "Wrong-88").status_code == 422
