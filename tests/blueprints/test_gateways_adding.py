"""The second and later gateways: sheet, site, confirmation, done."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import ClaimAttempt, Installation, OutboxMail, Sheet
from app.transaction import transaction
from tests.factories import (
    SHEET_PASSWORD,
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
    SheetFactory,
)
from tests.registering import ADDRESS
from tests.signing_in import sign_in

ID = "FREE00000001"
SHEET = {"gateway_id": "free-0000-0001", "gateway_password": SHEET_PASSWORD}
SITE = {"site_name": "離れ", **{f"site_{name}": value for name, value in ADDRESS.items()}}


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """A customer, and a gateway that nobody owns."""
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        CustomerFactory(email="hanako@example.org")
        SheetFactory(gateway=GatewayFactory(public_id=ID))
    return sign_in(client, "taro@example.org")


def to_confirmation(client: FlaskClient) -> dict[str, str]:
    """Go as far as the confirmation; return what its form holds."""
    assert client.post("/gateways/add", data=SHEET).location == "/gateways/add/site"
    assert client.post("/gateways/add/site", data=SITE).location == "/gateways/add/confirm"
    page = client.get("/gateways/add/confirm").text
    assert "離れ" in page
    assert ID in page
    assert "未接続" in page
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    return {"seen": seen[1]}


def owners(app: Flask) -> list[str]:
    with app.app_context():
        return [one.account.email for one in db.session.scalars(select(Installation))]


def test_a_gateway_is_added_with_its_site_and_a_mail(app: Flask, taro: FlaskClient) -> None:
    confirmed = to_confirmation(taro)
    done = taro.post("/gateways/add/confirm", data=confirmed, follow_redirects=True)
    assert f"ゲートウェイ {ID} を登録しました" in done.text
    assert owners(app) == ["taro@example.org"]
    with app.app_context():
        assert db.session.scalars(select(OutboxMail.template)).all() == ["gateway_added"]
        assert db.session.scalars(select(Sheet.used_by_id)).all() != [None]
    assert ID in taro.get("/gateways").text


def test_the_confirmation_needs_no_token_to_be_shown(app: Flask, taro: FlaskClient) -> None:
    taro.post("/gateways/add", data=SHEET)
    taro.post("/gateways/add/site", data=SITE)
    app.config["WTF_CSRF_ENABLED"] = True
    assert taro.get("/gateways/add/confirm").status_code == 200


def test_pressing_twice_adds_it_once(app: Flask, taro: FlaskClient) -> None:
    confirmed = to_confirmation(taro)
    for _ in range(2):
        answer = taro.post("/gateways/add/confirm", data=confirmed)
        assert answer.location == "/gateways/add/done"
    assert owners(app) == ["taro@example.org"]


@pytest.mark.parametrize(
    "typed",
    [
        {"gateway_id": ID, "gateway_password": "AAAA-AAAA-AAAA-A"},
        {"gateway_id": "NOSUCH000001", "gateway_password": SHEET_PASSWORD},
    ],
)
def test_a_sheet_that_proves_nothing_is_refused_and_noted(
    app: Flask, taro: FlaskClient, typed: dict[str, str]
) -> None:
    answer = taro.post("/gateways/add", data=typed)
    assert answer.status_code == 422
    assert "このゲートウェイは登録できません" in answer.text
    assert typed["gateway_id"] in answer.text
    with app.app_context():
        assert db.session.scalars(select(ClaimAttempt.proved)).all() == [False]


def test_somebodys_gateway_is_refused_like_an_unknown_one(app: Flask, taro: FlaskClient) -> None:
    with app.app_context(), transaction():
        gateway = GatewayFactory(public_id="OWNED0000001")
        sheet = SheetFactory(gateway=gateway)
        InstallationFactory(gateway=gateway, claimed_sheet_id=sheet.id)
    typed = {"gateway_id": "OWNED0000001", "gateway_password": SHEET_PASSWORD}
    assert "このゲートウェイは登録できません" in taro.post("/gateways/add", data=typed).text


def test_guessing_is_slowed_down(taro: FlaskClient) -> None:
    wrong = {"gateway_id": ID, "gateway_password": "AAAA-AAAA-AAAA-A"}
    seen = [taro.post("/gateways/add", data=wrong).status_code for _ in range(8)]
    assert seen[-1] == 429


def test_the_password_is_asked_once_and_going_back_loses_nothing(taro: FlaskClient) -> None:
    to_confirmation(taro)
    assert taro.post("/gateways/add/confirm", data={"back": "1"}).location == "/gateways/add/site"
    assert 'value="離れ"' in taro.get("/gateways/add/site").text
    assert taro.post("/gateways/add/site", data={**SITE, "back": "1"}).location == "/gateways/add"
    page = taro.get("/gateways/add").text
    assert "確認済み" in page
    assert taro.post("/gateways/add", data={"gateway_id": ID}).location == "/gateways/add/site"


def test_steps_that_were_skipped_lead_back(taro: FlaskClient) -> None:
    assert taro.get("/gateways/add/site").location == "/gateways/add"
    assert taro.get("/gateways/add/confirm").location == "/gateways/add"
    assert taro.get("/gateways/add/done").location == "/gateways"


def test_what_another_tab_changed_is_shown_again(app: Flask, taro: FlaskClient) -> None:
    confirmed = to_confirmation(taro)
    taro.post("/gateways/add/site", data={**SITE, "site_name": "母屋"})
    answer = taro.post("/gateways/add/confirm", data=confirmed)
    assert answer.status_code == 409
    assert "母屋" in answer.text
    assert owners(app) == []


def test_a_sheet_that_lapsed_meanwhile_is_asked_for_again(app: Flask, taro: FlaskClient) -> None:
    confirmed = to_confirmation(taro)
    with app.app_context(), transaction():
        sheet = db.session.scalars(select(Sheet)).one()
        InstallationFactory(gateway=sheet.gateway, claimed_sheet_id=sheet.id)
    answer = taro.post("/gateways/add/confirm", data=confirmed)
    assert answer.status_code == 422
    assert "確認した後に状況が変わった" in answer.text


def test_whoever_signs_in_next_at_this_browser_finds_no_proof(taro: FlaskClient) -> None:
    to_confirmation(taro)
    taro.post("/sign-out")
    sign_in(taro, "hanako@example.org")
    assert taro.get("/gateways/add/confirm").location == "/gateways/add"
    assert "確認済み" not in taro.get("/gateways/add").text


def test_a_wrong_field_is_told_and_put_right(taro: FlaskClient) -> None:
    taro.post("/gateways/add", data=SHEET)
    wrong = taro.post("/gateways/add/site", data={**SITE, "site_name": ""})
    assert wrong.status_code == 422
    assert "名前を入力してください" in wrong.text
    right = taro.post("/gateways/add/site", data={**SITE, "site_postal_code": "100ー0001"})
    assert right.location == "/gateways/add/confirm"
    assert taro.get("/gateways/add/confirm").status_code == 200
