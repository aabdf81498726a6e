"""Where one is signed in, and signing out there."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import clock
from app.extensions import db
from app.models import AuditEntry, Session
from app.transaction import transaction
from tests.factories import PASSWORD, CustomerFactory
from tests.signing_in import sign_in

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"
PC = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"


@pytest.fixture
def phone(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        CustomerFactory(email="hanako@example.org")
    client = app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = PHONE
    return sign_in(client, "taro@example.org")


@pytest.fixture
def pc(app: Flask, phone: FlaskClient) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = PC
    return sign_in(client, "taro@example.org")


def ids(app: Flask) -> list[int]:
    with app.app_context():
        return list(db.session.scalars(select(Session.id).order_by(Session.id)))


def test_every_device_is_listed_by_a_name_people_know(phone: FlaskClient, pc: FlaskClient) -> None:
    page = pc.get("/account/devices").text
    for words in ("Safari / iPhone", "Edge / Windows", "この端末", "127.0.0.1"):
        assert words in page


def test_another_device_is_signed_out_with_its_very_next_request(
    app: Flask, phone: FlaskClient, pc: FlaskClient
) -> None:
    of_phone, _of_pc = ids(app)
    assert pc.post(f"/account/devices/{of_phone}/sign-out").status_code == 303
    assert phone.get("/account/").status_code == 302
    assert pc.get("/account/").status_code == 200
    with app.app_context():
        assert "signed_out_elsewhere" in db.session.scalars(select(AuditEntry.action)).all()


def test_all_others_are_signed_out_at_once(phone: FlaskClient, pc: FlaskClient) -> None:
    assert "ほかの端末をすべて" in pc.get("/account/devices").text
    pc.post("/account/devices/sign-out")
    assert phone.get("/account/").status_code == 302
    assert "ほかの端末をすべて" not in pc.get("/account/devices").text


def test_a_strangers_device_is_not_found(app: Flask, phone: FlaskClient) -> None:
    hanako = sign_in(app.test_client(), "hanako@example.org")
    [of_phone, _hers] = ids(app)
    assert hanako.post(f"/account/devices/{of_phone}/sign-out").status_code == 404
    assert hanako.post("/account/devices/4711/sign-out").status_code == 404
    assert "iPhone" not in hanako.get("/account/devices").text
    assert phone.get("/account/").status_code == 200


def test_a_device_that_says_nothing_of_itself_is_listed_all_the_same(app: Flask) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
    client = app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = ""
    sign_in(client, "taro@example.org")
    assert "—" in client.get("/account/devices").text


def test_a_session_that_began_long_ago_is_asked_who_it_is_first(
    app: Flask, phone: FlaskClient, pc: FlaskClient
) -> None:
    # whoever finds a browser open must not be the one who shuts the others out
    of_phone, _of_pc = ids(app)
    with app.app_context(), transaction():
        db.session.execute(update(Session).values(proved_at=clock.now() - timedelta(hours=1)))
    for path in (f"/account/devices/{of_phone}/sign-out", "/account/devices/sign-out"):
        answer = pc.post(path, headers={"Referer": "http://localhost/account/devices"})
        assert answer.location == "/account/confirm?next=/account/devices"
    assert phone.get("/account/").status_code == 200
    pc.post("/account/confirm?next=/account/devices", data={"current_password": PASSWORD})
    pc.post(f"/account/devices/{of_phone}/sign-out")
    assert phone.get("/account/").status_code == 302
