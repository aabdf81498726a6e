"""The main menu, and the pages that say what is still to come."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.transaction import transaction
from tests.factories import CustomerFactory, OperatorFactory
from tests.signing_in import sign_in


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org", family_name="山田", given_name="太郎")
    return sign_in(client, "taro@example.org")


def test_the_main_menu_names_every_way_on(taro: FlaskClient) -> None:
    page = taro.get("/manage").get_data(as_text=True)
    for words in (
        "メインメニュー",
        "ゲートウェイの管理",
        "ゲートウェイの登録",
        "ゲートウェイ情報の照会・編集",
        "保守を任せる販売店様の管理",
        "お客様情報",
        "エコ活サークル",
        "商品マニュアル",
        "山田 太郎 様",
    ):
        assert words in page


def test_every_way_on_leads_somewhere(taro: FlaskClient) -> None:
    page = taro.get("/manage").get_data(as_text=True)
    cards = re.findall(r'class="menu-card" href="([^"]+)"', page)
    assert len(cards) == 7
    for path in cards:
        assert taro.get(path).status_code == 200


def test_a_stranger_is_asked_to_sign_in(client: FlaskClient) -> None:
    for path in ("/manage", "/gateways", "/maintenance"):
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer.location.startswith("/sign-in")


def test_an_operators_menu_holds_nothing_of_a_households(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    page = sign_in(client, "operator@example.org").get("/manage").get_data(as_text=True)
    assert "メインメニュー" in page
    assert "ゲートウェイの登録" not in page
