"""譲る and 引き継ぐ, as the seller and the buyer see it."""

import re
from collections.abc import Iterator
from datetime import date

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.domain import activation, tokens
from app.extensions import db
from app.models import Account, Installation, Registration, Transfer
from app.transaction import transaction
from tests.domain.test_transfers import NOW
from tests.factories import DealerPersonFactory, OperatorFactory, TermsVersionFactory
from tests.histories import without, write_history
from tests.registering import ADDRESS, FILLED, agree, hidden, press
from tests.signing_in import sign_in
from tests.transferring import BUYER, GATEWAY_ID, SELLER, Sale, for_sale, issue

SITE = {"site_name": "買田邸", **{f"site_{name}": value for name, value in ADDRESS.items()}}
PAGE = f"/gateways/{GATEWAY_ID}/transfer"
NEWCOMER = {name: value for name, value in FILLED.items() if not name.startswith("gateway_")}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sale(app: Flask) -> Sale:
    with app.app_context(), transaction():
        TermsVersionFactory(kind="service", version="1")
    return for_sale(app)


@pytest.fixture
def seller(app: Flask, sale: Sale) -> FlaskClient:
    return sign_in(app.test_client(), SELLER)


@pytest.fixture
def buyer(app: Flask, sale: Sale) -> FlaskClient:
    return sign_in(app.test_client(), BUYER)


def code_on(client: FlaskClient) -> str:
    """Issue a certificate on its page; return the code printed on it."""
    answer = client.post(PAGE, data={"shares_summary": "y"})
    assert answer.location == f"{PAGE}/certificate"
    found = re.search(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}", client.get(answer.location).text)
    assert found
    return found[0]


def to_confirmation(client: FlaskClient, code: str) -> dict[str, str]:
    """Go as far as the buyer's confirmation; return what its form holds."""
    assert client.post("/transfer", data={"code": code}).location == "/gateways/add/site"
    assert client.post("/gateways/add/site", data=SITE).location == "/gateways/add/confirm"
    seen = re.search(r'name="seen" value="([^"]+)"', client.get("/gateways/add/confirm").text)
    assert seen
    return {"seen": seen[1]}


def owners(app: Flask) -> list[str]:
    with app.app_context():
        still_open = select(Installation).where(Installation.closed_at.is_(None))
        return [one.account.email for one in db.session.scalars(still_open)]


def test_a_gateway_goes_from_the_seller_to_the_buyer(
    app: Flask, seller: FlaskClient, buyer: FlaskClient
) -> None:
    assert "お名前や住所は含みません" in seller.get(PAGE).text
    code = code_on(seller)
    confirmed = to_confirmation(buyer, code.lower())
    for path in ("/gateways/add", "/gateways/add/site", "/gateways/add/confirm"):
        page = buyer.get(path).text
        assert GATEWAY_ID in page
        # nothing of the person who lives there
        for word in ("売田", "秘密町", SELLER):
            assert word not in page
    done = buyer.post("/gateways/add/confirm", data=confirmed, follow_redirects=True)
    assert f"ゲートウェイ {GATEWAY_ID} を登録しました" in done.text
    assert "まとめられる値は、まだありませんでした" in done.text
    assert owners(app) == [BUYER]
    assert "前の所有者さまからのまとめ" in buyer.get(f"/gateways/{GATEWAY_ID}").text
    for path in (f"/gateways/{GATEWAY_ID}", f"/monitor/{GATEWAY_ID}", PAGE, f"{PAGE}/certificate"):
        assert seller.get(path).status_code == 404
    assert "売田邸" in seller.get("/gateways").text
    assert "新しい用紙が必要です" in buyer.get(f"/gateways/{GATEWAY_ID}/remove").text


def test_the_summary_tells_what_is_known_and_what_is_not(
    app: Flask, sale: Sale, seller: FlaskClient, buyer: FlaskClient
) -> None:
    with app.app_context(), transaction():
        home = db.session.get_one(Installation, sale.installation_id)
        write_history(
            home,
            date(2026, 11, 10),
            date(2026, 11, 19),
            change=lambda _place, one: without(one, "load_wh"),
        )
    confirmed = to_confirmation(buyer, code_on(seller))
    buyer.post("/gateways/add/confirm", data=confirmed)
    for page in ("/gateways/add/done", f"/gateways/{GATEWAY_ID}"):
        text = buyer.get(page).text
        assert re.search(
            r"2026/11 <small>（一部の日）</small></th>\s*<td>120.0</td>\s*<td>—<", text
        )
        assert re.search(r"2026/10</th>\s*<td>—</td>\s*<td>—<", text)


def test_pressing_twice_hands_it_over_once(
    app: Flask, seller: FlaskClient, buyer: FlaskClient
) -> None:
    confirmed = to_confirmation(buyer, code_on(seller))
    for _ in range(2):
        answer = buyer.post("/gateways/add/confirm", data=confirmed)
        assert answer.location == "/gateways/add/done"
    assert owners(app) == [BUYER]
    buyer.post(f"/gateways/{GATEWAY_ID}/remove")
    assert buyer.get("/gateways/add/done").location == "/gateways"


def test_a_strangers_gateway_cannot_be_handed_over(seller: FlaskClient, buyer: FlaskClient) -> None:
    code_on(seller)
    for path in (PAGE, f"{PAGE}/certificate"):
        assert buyer.get(path).status_code == 404
    for path in (PAGE, f"{PAGE}/revoke"):
        assert buyer.post(path).status_code == 404
    assert "発行中の譲渡証明書" in seller.get(PAGE).text


def test_nobody_hands_over_without_signing_in_and_staff_find_no_such_page(
    app: Flask, sale: Sale
) -> None:
    stranger = app.test_client()
    for path in (PAGE, f"{PAGE}/certificate"):
        assert stranger.get(path).location == f"/sign-in?next={path}"
    for path in (PAGE, f"{PAGE}/revoke"):
        assert stranger.post(path).status_code == 401
    for person in (DealerPersonFactory, OperatorFactory):
        with app.app_context(), transaction():
            email = person().email
        staff = sign_in(app.test_client(), email)
        for path in (PAGE, f"{PAGE}/certificate", "/transfer"):
            assert staff.get(path).status_code == 404
        assert staff.post("/transfer", data={"code": "x"}).status_code == 404


def test_the_certificate_is_printed_again_withdrawn_and_issued_anew(seller: FlaskClient) -> None:
    code = code_on(seller)
    page = seller.get(f"{PAGE}/certificate")
    assert code in page.text
    assert "2027/01/21 18:05" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert code_on(seller) == code
    assert "譲渡証明書を発行しています" in seller.get(f"/gateways/{GATEWAY_ID}").text
    seller.post(f"{PAGE}/revoke")
    assert "取り消しました" in seller.get(PAGE).text
    assert seller.get(f"{PAGE}/certificate").location == PAGE
    assert seller.post(f"{PAGE}/revoke").location == PAGE
    assert code_on(seller) != code


def test_a_certificate_of_another_secret_key_is_not_printed_wrongly(
    app: Flask, sale: Sale, seller: FlaskClient
) -> None:
    code_on(seller)
    with app.app_context(), transaction():
        db.session.execute(update(Transfer).values(code_digest="of another key"))
    answer = seller.get(f"{PAGE}/certificate", follow_redirects=True)
    assert "表示できなくなりました" in answer.text
    assert "譲渡証明書を取り消す" in answer.text


def test_what_is_wrong_with_a_code_is_told_at_its_field(
    app: Flask, seller: FlaskClient, buyer: FlaskClient, clock: time_machine.Traveller
) -> None:
    code = code_on(seller)
    for typed, words in (
        ("", "コードを入力してください"),
        ("<b>まちがい</b>", "コードが正しくありません"),
        ("A" * 99, "64文字以内"),
    ):
        refused = buyer.post("/transfer", data={"code": typed})
        assert refused.status_code == 422
        assert words in refused.text
        assert "<b>" not in refused.text
    own = seller.post("/transfer", data={"code": code})
    assert "お客様ご自身のゲートウェイです" in own.text
    seller.post(f"{PAGE}/revoke")
    assert "取り消されました" in buyer.post("/transfer", data={"code": code}).text
    code = code_on(seller)
    clock.shift(61 * 86400)
    sign_in(buyer, BUYER)
    assert "有効期限が過ぎています" in buyer.post("/transfer", data={"code": code}).text


def test_guessing_codes_makes_wait(app: Flask, sale: Sale, buyer: FlaskClient) -> None:
    for client in (buyer, app.test_client()):
        guesses = [client.post("/transfer", data={"code": f"x{n}"}).status_code for n in range(8)]
        assert guesses[0] == 422
        assert guesses[-1] == 429


def test_a_certificate_that_was_withdrawn_meanwhile_is_told_and_nothing_typed_is_lost(
    app: Flask, seller: FlaskClient, buyer: FlaskClient
) -> None:
    confirmed = to_confirmation(buyer, code_on(seller))
    seller.post(f"{PAGE}/revoke")
    told = buyer.post("/gateways/add/confirm", data=confirmed, follow_redirects=True)
    assert "取り消されました" in told.text
    assert owners(app) == [SELLER]
    assert buyer.get("/gateways/add/confirm").location == "/gateways/add/site"
    buyer.post("/transfer", data={"code": code_on(seller)})
    assert 'value="買田邸"' in buyer.get("/gateways/add/site").text


def test_whose_session_ran_out_is_asked_to_sign_in_and_not_to_register(
    seller: FlaskClient, buyer: FlaskClient
) -> None:
    code = code_on(seller)
    sent = hidden(buyer.get("/transfer")) | {"code": code}
    buyer.post("/sign-out")
    assert buyer.post("/transfer", data=sent).location == "/sign-in?next=/transfer"


@pytest.fixture
def newcomer(app: Flask, sale: Sale) -> FlaskClient:
    """Somebody who has no account."""
    return app.test_client()


def registered(app: Flask, newcomer: FlaskClient, code: str) -> str:
    """Register with a certificate; return the path of the mail's URL."""
    assert newcomer.post("/transfer", data={"code": code}).location == "/register/terms"
    page = agree(newcomer)
    assert "確認済み" in page.text
    assert GATEWAY_ID in page.text
    typed = NEWCOMER | {"gateway_id": GATEWAY_ID, "gateway_password": ""}
    confirmation = newcomer.post("/register/form", data=typed, follow_redirects=True)
    assert "ユーザー アカウント登録確認" in confirmation.text
    for word in ("売田", "秘密町", SELLER):
        assert word not in confirmation.text
    assert "ユーザー アカウント登録完了" in press(newcomer, confirmation).text
    with app.app_context():
        [one] = db.session.scalars(select(Registration).filter_by(superseded_at=None))
        signed = tokens.sign(str(app.secret_key), activation.PURPOSE, one.id, one.url_nonce)
    return f"/activate/{signed}"


def activate(newcomer: FlaskClient, url: str) -> str:
    """Open the mail's URL and set a password; return the page that follows."""
    version = re.search(r'name="terms_version" value="(\d+)"', newcomer.get(url).text)
    if version is None:
        return newcomer.get(url).text
    newcomer.post(url, data={"terms_version": version[1]})
    data = {"password": "Komorebi7", "password_again": "Komorebi7", "phone": "03-1234-5678"}
    return newcomer.post(f"{url}/password", data=data, follow_redirects=True).text


def test_a_buyer_new_to_the_service_registers_with_the_certificate(
    app: Flask, seller: FlaskClient, newcomer: FlaskClient
) -> None:
    url = registered(app, newcomer, code_on(seller))
    # a provisional registration blocks nobody and ends nothing
    assert owners(app) == [SELLER]
    assert "ユーザー アカウント本登録完了" in activate(newcomer, url)
    assert owners(app) == ["taro@example.org"]
    sign_in(newcomer, "taro@example.org", "Komorebi7")
    assert "前の所有者さまからのまとめ" in newcomer.get(f"/gateways/{GATEWAY_ID}").text
    assert seller.get(f"/gateways/{GATEWAY_ID}").status_code == 404


def test_a_newcomer_whose_certificate_ended_gets_no_account(
    app: Flask, seller: FlaskClient, newcomer: FlaskClient
) -> None:
    url = registered(app, newcomer, code_on(seller))
    seller.post(f"{PAGE}/revoke")
    assert "譲渡証明書が使えなくなった" in activate(newcomer, url)
    with app.app_context():
        assert db.session.scalar(select(Account).filter_by(email="taro@example.org")) is None


def test_a_certificate_that_ended_at_the_confirmation_is_asked_for_again(
    app: Flask, sale: Sale, seller: FlaskClient, newcomer: FlaskClient
) -> None:
    code = issue(app, sale, NOW)
    newcomer.post("/transfer", data={"code": code})
    agree(newcomer)
    typed = NEWCOMER | {"gateway_id": GATEWAY_ID, "gateway_password": ""}
    confirmation = newcomer.post("/register/form", data=typed, follow_redirects=True)
    seller.post(f"{PAGE}/revoke")
    assert "取り消されました" in press(newcomer, confirmation).text
    again = newcomer.post("/transfer", data={"code": code_on(seller)}, follow_redirects=True)
    assert 'value="山田邸"' in again.text
    assert "確認済み" in again.text
