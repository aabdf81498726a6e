"""メールアドレスの変更, as one's own pages show it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.domain import email_changes, tokens
from app.extensions import db
from app.models import EmailChange, OutboxMail
from app.transaction import transaction
from tests.factories import PASSWORD, CustomerFactory, DealerPersonFactory, OperatorFactory
from tests.registering import body
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
TARO, HANAKO, NEW = "taro@example.org", "hanako@example.org", "new@example.org"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def client(app: Flask, client: FlaskClient) -> FlaskClient:
    """Taro's browser, signed in; Hanako is the stranger."""
    with app.app_context(), transaction():
        CustomerFactory(email=TARO)
        CustomerFactory(email=HANAKO)
    return sign_in(client, TARO)


def ask(client: FlaskClient, new: str = NEW, password: str = PASSWORD) -> TestResponse:
    data = {"email": new, "email_again": new, "current_password": password}
    return client.post("/account/email", data=data)


def url(app: Flask) -> str:
    """Return the path of the URL that was mailed last."""
    with app.app_context():
        change = db.session.scalars(select(EmailChange).order_by(EmailChange.id.desc())).first()
        assert change
        secret_key = str(app.secret_key)
        signed = tokens.sign(secret_key, email_changes.PURPOSE, change.id, change.url_nonce)
    return f"/account/email/{signed}"


def test_the_new_address_signs_in_and_the_old_one_does_not(app: Flask, client: FlaskClient) -> None:
    pc = sign_in(app.test_client(), TARO)
    assert ask(client).location == "/account/email/sent"
    assert NEW in client.get("/account/email/sent").text
    page = client.get(url(app)).text
    assert TARO in page
    assert NEW in page
    assert TARO in client.get("/account/").text
    assert client.post(url(app)).location == "/account/"
    assert "メールアドレスを変更しました" in client.get("/account/").text
    assert pc.get("/account/").status_code == 302
    old = pc.post("/sign-in", data={"email": TARO, "password": PASSWORD})
    assert old.status_code == 422
    sign_in(pc, NEW)


@pytest.mark.parametrize("person", [DealerPersonFactory, OperatorFactory])
def test_every_role_changes_its_address(app: Flask, client: FlaskClient, person: type) -> None:
    with app.app_context(), transaction():
        person(email="staff@example.org")
    staff = sign_in(app.test_client(), "staff@example.org")
    ask(staff)
    assert staff.post(url(app)).status_code == 303
    sign_in(app.test_client(), NEW)


def test_the_page_is_the_same_whoever_has_the_address(client: FlaskClient) -> None:
    free, known = ask(client), ask(client, HANAKO)
    assert free.location == known.location
    client.get(free.location)
    page = body(client.get(known.location)).replace(HANAKO, NEW)
    ask(client)
    assert page == body(client.get(free.location))


def test_the_url_wants_its_own_account_signed_in(app: Flask, client: FlaskClient) -> None:
    ask(client)
    there = url(app)
    anonymous = app.test_client()
    assert anonymous.get(there).location == f"/sign-in?next={there}"
    anonymous.post(there)
    hanako = sign_in(app.test_client(), HANAKO)
    for answer in (hanako.get(there), hanako.post(there), client.get("/account/email/nonsense")):
        assert answer.status_code == 410
        assert TARO not in answer.text
        assert NEW not in answer.text
    assert TARO in client.get("/account/").text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"email": "no-address"}, "メールアドレスの形になっていません"),
        ({"email_again": "other@example.org"}, "上のメールアドレスと異なります"),
        ({"current_password": ""}, "現在のパスワードを入力してください"),
        ({"current_password": "Wrong-88"}, "現在のパスワードが正しくありません"),
        ({"email": TARO, "email_again": TARO}, "いまのメールアドレスと同じです"),
    ],
)
def test_what_will_not_do_is_told_at_its_field(
    app: Flask, client: FlaskClient, changes: dict[str, str], words: str
) -> None:
    data = {"email": NEW, "email_again": NEW, "current_password": PASSWORD} | changes
    refused = client.post("/account/email", data=data)
    assert refused.status_code == 422
    assert words in refused.text
    assert f'value="{data["email"]}"' in refused.text
    with app.app_context():
        assert db.session.scalars(select(OutboxMail)).all() == []


def test_guessing_the_password_and_mailing_one_address_again_and_again_make_wait(
    client: FlaskClient,
) -> None:
    for number in range(5):
        assert ask(client, f"a{number}@example.org", "Wrong-88").status_code == 422
    assert ask(client).status_code == 429


def test_one_address_is_not_mailed_without_end(client: FlaskClient) -> None:
    seen = [ask(client).status_code for _ in range(7)]
    assert seen[0] == 303
    assert seen[-1] == 429
