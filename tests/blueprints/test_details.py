"""One's own data, changed."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Account, AuditEntry
from app.transaction import transaction
from tests.factories import CustomerFactory
from tests.signing_in import sign_in

FILLED = {
    "family_name": "日向",
    "given_name": "はるか",
    "family_kana": "ひなた",
    "given_kana": "ﾊﾙｶ",
    "phone": "０９０－１２３４－５６７８",
    "company_name": "",
    "department": "",
    "home_postal_code": "６００－８２１６",
    "home_prefecture": "京都府",
    "home_city": "京都市下京区",
    "home_street": "東塩小路町1-2",
    "home_building": "",
}


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org", phone="+81312345678")
    return sign_in(client, "taro@example.org")


def test_the_form_begins_with_what_is_known(taro: FlaskClient) -> None:
    page = taro.get("/account/edit").text
    for words in ('value="山田"', 'value="600-8216"', 'value="03-1234-5678"'):
        assert words in page


def test_what_is_saved_is_tidied_and_the_audit_log_keeps_no_names(
    app: Flask, taro: FlaskClient
) -> None:
    answer = taro.post("/account/edit", data=FILLED, follow_redirects=True)
    assert "お客様情報を保存しました。" in answer.text
    assert "日向 はるか 様" in answer.text
    with app.app_context():
        account = db.session.scalars(select(Account)).one()
        assert (account.family_kana, account.given_kana) == ("ヒナタ", "ハルカ")
        assert account.phone == "+819012345678"
        entry = db.session.scalars(select(AuditEntry).filter_by(action="account.edited")).one()
        assert "日向" not in str(entry.detail)
        assert "phone" in entry.detail["changed"]


def test_saving_the_same_changes_nothing(app: Flask, taro: FlaskClient) -> None:
    taro.post("/account/edit", data=FILLED)
    taro.post("/account/edit", data=FILLED)
    with app.app_context():
        assert (
            len(db.session.scalars(select(AuditEntry).filter_by(action="account.edited")).all())
            == 1
        )


@pytest.mark.parametrize("name", ["family_name", "family_kana", "phone", "home_city"])
def test_what_is_missing_is_told_and_nothing_typed_is_lost(taro: FlaskClient, name: str) -> None:
    answer = taro.post("/account/edit", data=FILLED | {name: "", "home_street": "八丁目９"})
    assert answer.status_code == 422
    assert "入力内容をご確認ください" in answer.text
    assert "八丁目9" in answer.text


def test_a_postal_code_fills_in_the_address_without_javascript(taro: FlaskClient) -> None:
    asked = FILLED | {"home_postal_code": "1000001", "lookup": "home", "home_street": ""}
    page = taro.post("/account/edit", data=asked).text
    assert 'value="千代田区"' in page
    assert 'value="日向"' in page


def test_nobody_changes_anything_without_signing_in(client: FlaskClient) -> None:
    assert client.get("/account/edit").status_code == 302
    assert client.post("/account/edit", data=FILLED).status_code == 401
