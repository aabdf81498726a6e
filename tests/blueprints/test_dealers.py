"""A dealer's way from the registration page to its card, without JavaScript."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import create_app
from app.domain import tokens
from app.extensions import db
from app.models import Account, Dealer, DealerRegistration, OutboxMail
from app.transaction import transaction
from tests.conftest import test_settings
from tests.factories import (
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    TermsVersionFactory,
)
from tests.registering import ADDRESS, hidden, values
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
EMAIL = "hanako@example.org"
NEW = {"password": "Komorebi7", "password_again": "Komorebi7", "phone": "０３ー１２３４ー５６７８"}
FILLED = {
    "dealer_name": "ひだまり電設",
    "dealer_kana": "ひだまりでんせつ",
    "family_name": "佐藤",
    "given_name": "花子",
    "family_kana": "サトウ",
    "given_kana": "ハナコ",
    "email": EMAIL,
    "email_again": EMAIL,
    "phone": "03-1234-5678",
    **{f"home_{name}": value for name, value in ADDRESS.items()},
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def published(app: Flask) -> None:
    publish(app)


def publish(app: Flask) -> None:
    with app.app_context(), transaction():
        TermsVersionFactory(kind="dealer", body_ja="販売店様のお約束です。")


def agree(client: FlaskClient) -> TestResponse:
    data = hidden(client.get("/register/dealer/terms"))
    return client.post("/register/dealer/terms", data=data, follow_redirects=True)


def fill(client: FlaskClient, **changes: str) -> TestResponse:
    return client.post("/register/dealer/form", data=FILLED | changes, follow_redirects=True)


def press(client: FlaskClient) -> TestResponse:
    page = client.get("/register/dealer/confirm")
    return client.post("/register/dealer/confirm", data=hidden(page), follow_redirects=True)


def register(client: FlaskClient, **changes: str) -> TestResponse:
    agree(client)
    fill(client, **changes)
    return press(client)


def url_of(app: Flask) -> str:
    """Return the path that the newest mail's URL has just now."""
    with app.app_context():
        newest = select(DealerRegistration).order_by(DealerRegistration.id.desc())
        registration = db.session.scalars(newest).first()
        assert registration is not None
        key, nonce = app.config["SECRET_KEY"], registration.url_nonce
        return f"/activate/{tokens.sign(key, 'dealer-registration', registration.id, nonce)}"


def finish(client: FlaskClient, url: str, **changes: str) -> TestResponse:
    client.post(url, data=hidden(client.get(url)))
    return client.post(f"{url}/password", data=NEW | changes, follow_redirects=True)


def mails(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))


# --- the wizard


def test_the_registration_page_leads_to_the_dealers_terms(client: FlaskClient) -> None:
    assert 'href="/register/dealer/terms"' in client.get("/register").text
    page = client.get("/register/dealer/terms")
    assert "販売店様のお約束です。" in page.text
    assert agree(client).request.path == "/register/dealer/form"


def test_a_dealer_registers_and_is_told_that_a_mail_is_on_its_way(
    app: Flask, client: FlaskClient
) -> None:
    agree(client)
    page = fill(client)
    assert page.request.path == "/register/dealer/confirm"
    for words in ("ひだまり電設", "ヒダマリデンセツ", "佐藤 花子", EMAIL, "03-1234-5678", "京都府"):
        assert words in page.text
    page = press(client)
    assert page.request.path == "/register/dealer/done"
    assert "【販売店アカウント仮登録のお知らせ】" in page.text
    assert EMAIL in page.text
    assert mails(app) == ["dealer_provisional"]


def test_a_second_press_registers_nothing_more(app: Flask, client: FlaskClient) -> None:
    agree(client)
    fill(client)
    data = hidden(client.get("/register/dealer/confirm"))
    for _ in "12":
        page = client.post("/register/dealer/confirm", data=data, follow_redirects=True)
        assert page.request.path == "/register/dealer/done"
    assert mails(app) == ["dealer_provisional"]


def test_the_same_page_whoever_has_the_address(app: Flask, client: FlaskClient) -> None:
    unknown = register(client).text
    with app.app_context(), transaction():
        db.session.delete(db.session.scalars(select(OutboxMail)).one())
        CustomerFactory(email=EMAIL)
    known = register(app.test_client()).text
    assert hidden_free(known) == hidden_free(unknown)
    assert mails(app) == ["dealer_known_address"]


def hidden_free(text: str) -> str:
    return text[text.index("<h1") :]


def test_what_is_missing_is_said_at_its_field_and_the_rest_stays(client: FlaskClient) -> None:
    agree(client)
    page = fill(client, dealer_name="", email_again="other@example.org", phone="12")
    assert page.status_code == 422
    assert "販売店名を入力してください。" in page.text
    assert "上のメールアドレスと異なります。" in page.text
    assert values(page)["family_name"] == "佐藤"
    # errors are listed in the order of the page
    assert page.text.index('href="#dealer_name"') < page.text.index('href="#phone"')


def test_the_postal_code_fills_in_the_address_without_javascript(client: FlaskClient) -> None:
    agree(client)
    page = fill(client, lookup="home", home_prefecture="", home_city="", home_street="")
    assert values(page)["home_prefecture"] == "京都府"
    assert values(page)["home_city"] == "京都市下京区"
    assert "住所を入力しました。" in page.text


def test_one_field_is_checked_as_it_is_left(client: FlaskClient) -> None:
    page = client.post("/register/dealer/form/check/dealer_kana", data={"dealer_kana": "ABC"})
    assert "カタカナで入力してください。" in page.text
    assert "/register/dealer/form/check/dealer_kana" in page.text
    assert client.post("/register/dealer/form/check/nonsense").status_code == 404


def test_what_is_typed_is_kept_and_is_not_the_customers(client: FlaskClient) -> None:
    agree(client)
    assert client.post("/register/dealer/form/keep", data=FILLED).status_code == 204
    assert values(client.get("/register/dealer/form"))["dealer_name"] == "ひだまり電設"
    assert client.get("/register/form").location == "/register/terms"


def test_each_step_comes_after_the_one_before(client: FlaskClient) -> None:
    assert client.get("/register/dealer/form").location == "/register/dealer/terms"
    assert client.get("/register/dealer/confirm").location == "/register/dealer/form"
    assert client.get("/register/dealer/done").location == "/register"
    assert client.post("/register/dealer/form", data=FILLED).location == "/register/dealer/terms"


def test_terms_that_changed_meanwhile_are_shown_anew(app: Flask, client: FlaskClient) -> None:
    old = hidden(client.get("/register/dealer/terms"))
    agree(client)
    fill(client)
    confirmation = hidden(client.get("/register/dealer/confirm"))
    with app.app_context(), transaction():
        TermsVersionFactory(kind="dealer", body_ja="新しいお約束です。")
    for path, data in (("terms", old), ("confirm", confirmation)):
        page = client.post(f"/register/dealer/{path}", data=data)
        assert page.status_code == 422
        assert "新しいお約束です。" in page.text


def test_a_confirmation_of_other_words_is_shown_again(client: FlaskClient) -> None:
    agree(client)
    fill(client)
    page = client.post("/register/dealer/confirm", data={"seen": "yesterday"})
    assert page.status_code == 409
    assert "別の画面で入力内容が変わりました。" in page.text


def test_mails_to_one_address_are_limited(client: FlaskClient) -> None:
    pages = [register(client) for _ in range(8)]
    assert pages[0].status_code == 200
    assert pages[-1].status_code == 429


def test_without_terms_no_dealer_can_register(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        db.session.execute(db.delete(db.metadata.tables["terms_versions"]))
    assert client.get("/register/dealer/terms").status_code == 503


def test_a_form_that_outlived_its_session_comes_back_filled(client: FlaskClient) -> None:
    agree(client)
    client.application.config["WTF_CSRF_ENABLED"] = True
    try:
        headers = {"Origin": "http://localhost"}
        page = client.post("/register/dealer/form", data=FILLED, headers=headers)
    finally:
        client.application.config["WTF_CSRF_ENABLED"] = False
    assert page.status_code == 400
    assert values(page)["dealer_name"] == "ひだまり電設"


# --- 本登録


def test_the_mails_url_leads_to_the_number_and_the_card(app: Flask, client: FlaskClient) -> None:
    register(client)
    url = url_of(app)
    assert "販売店様のお約束です。" in client.get(url).text
    page = finish(client, url)
    assert page.request.path == "/activate/dealer/done"
    with app.app_context():
        number = db.session.scalars(select(Dealer.dealer_no)).one()
    assert f">{number}<" in page.text
    assert "03-1234-5678" in page.text
    assert f">{number}<" in client.get("/dealer/card").text
    assert mails(app) == ["dealer_provisional", "dealer_complete"]
    assert sign_in(app.test_client(), EMAIL, "Komorebi7").get("/dealer").status_code == 200


def test_a_wrong_phone_number_is_refused(app: Flask, client: FlaskClient) -> None:
    register(client)
    page = finish(client, url_of(app), phone="03-9999-9999")
    assert page.status_code == 422
    assert "一致しません" in page.text


def test_a_used_url_says_so(app: Flask, client: FlaskClient) -> None:
    register(client)
    url = url_of(app)
    finish(client, url)
    page = client.get(url)
    assert page.status_code == 410
    assert "ご登録は完了しています" in page.text


def test_a_superseded_url_leads_to_the_newest_mail(app: Flask, client: FlaskClient) -> None:
    register(client)
    url = url_of(app)
    register(client)
    page = client.get(url)
    assert page.status_code == 410
    assert "いちばん新しいメール" in page.text
    assert 'href="/register/dealer/terms"' in page.text


def test_an_expired_url_is_mailed_anew(
    app: Flask, client: FlaskClient, clock: time_machine.Traveller
) -> None:
    register(client)
    url = url_of(app)
    clock.move_to(NOW + timedelta(days=8))
    assert "有効期限が切れています" in client.get(url).text
    page = client.post(f"{url}/resend", follow_redirects=True)
    assert "【販売店アカウント仮登録のお知らせ】" in page.text
    assert finish(client, url_of(app)).request.path == "/activate/dealer/done"


def test_an_address_that_was_taken_meanwhile_is_told(app: Flask, client: FlaskClient) -> None:
    register(client)
    with app.app_context(), transaction():
        CustomerFactory(email=EMAIL)
    page = client.get(url_of(app))
    assert page.status_code == 410
    assert "別のメールアドレスでご登録ください" in page.text


def test_a_dealer_that_waits_for_approval_reads_so(database_url: str, tmp_path: Path) -> None:
    app = create_app(test_settings(database_url, tmp_path, dealer_approval="manual"))
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    register(client)
    page = finish(client, url_of(app))
    assert "承認をお待ちください" in page.text
    assert client.get("/dealer/card").status_code == 404
    sign_in(client, EMAIL, "Komorebi7")
    assert "承認をお待ちください" in client.get("/dealer").text
    approve = app.test_cli_runner().invoke
    assert "ひだまり電設" in approve(args=["dealers", "waiting"]).output
    assert "400" in approve(args=["dealers", "approve", "1"]).output
    assert approve(args=["dealers", "approve", "1"]).exit_code == 1
    assert approve(args=["dealers", "approve", "99"]).exit_code == 1
    assert "4001" in client.get("/dealer").text


def test_a_customers_agreement_is_not_a_dealers(app: Flask, client: FlaskClient) -> None:
    register(client)
    url = url_of(app)
    with client.session_transaction() as session:
        agreement: dict[str, Any] = {"version_id": 1, "at": NOW.isoformat()}
        session["activation"] = agreement | {"subject": "registration:1", "network_address": ""}
    assert client.get(f"{url}/password").location == url


# --- signed in


@pytest.fixture
def hanako(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context(), transaction():
        DealerPersonFactory(email=EMAIL, dealer=DealerFactory(dealer_no=4017))
    return sign_in(client, EMAIL)


def test_a_dealers_menu_shows_what_is_a_dealers(hanako: FlaskClient) -> None:
    page = hanako.get("/manage").text
    assert page.count('class="menu-card"') == 8
    for words in (
        "保守しているシステム",
        "異常の一覧",
        "販売店情報",
        "パスワードの変更",
        "商品マニュアル",
        "佐藤 花子 様",
    ):
        assert words in page
    assert "エコ活サークル" not in page
    for path in ("/dealer/systems", "/dealer", "/account/password", "/manual"):
        assert f'href="{path}"' in page
        assert hanako.get(path).status_code == 200


def test_a_dealer_sees_its_data_and_prints_its_card(hanako: FlaskClient) -> None:
    for path in ("/dealer", "/dealer/card"):
        page = hanako.get(path).text
        for words in ("4017", "ひだまり電設", "03-1234-5678"):
            assert words in page
    assert hanako.get("/account/").location == "/dealer"


def test_a_dealers_live_screen_is_its_list_which_says_that_there_is_none_yet(
    hanako: FlaskClient,
) -> None:
    answer = hanako.get("/monitor")
    assert answer.location == "/dealer/systems"
    page = hanako.get(answer.location)
    assert page.status_code == 200
    assert "保守を任されているゲートウェイは、まだありません。" in page.text


def test_a_customer_finds_no_dealer(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        DealerFactory()
    sign_in(client, "taro@example.org")
    assert client.get("/dealer").status_code == 404
    assert client.get("/dealer/card").status_code == 404


def test_a_stranger_is_asked_to_sign_in(client: FlaskClient) -> None:
    for path in ("/dealer", "/dealer/card", "/activate/dealer/done"):
        assert client.get(path).location.startswith("/sign-in")


def test_english_pages_hold_no_japanese_of_ours(app: Flask, client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["language"] = "en"
    assert "Dealer’s name" in agree(client).text
    register(client)
    assert "Your dealer account is ready" in finish(client, url_of(app)).text
    with app.app_context():
        assert db.session.scalars(select(Account.language)).one() == "en"
