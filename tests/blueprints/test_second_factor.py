"""二段階認証 of one's own account."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.domain import totp
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, TotpFactor
from app.transaction import transaction
from tests.factories import (
    PASSWORD,
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
    TotpFactorFactory,
)
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, 10, tzinfo=UTC)
TARO = "taro@example.org"
APP = "/account/second-factor/app"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context(), transaction():
        CustomerFactory(email=TARO)
    return sign_in(client, TARO)


def key_on(page: TestResponse) -> str:
    found = re.search(r"data-secret[^>]*>([A-Z2-7 ]+)<", page.text)
    assert found
    return found[1].replace(" ", "")


def set_up(client: FlaskClient) -> tuple[str, list[str]]:
    secret = key_on(client.get(APP))
    done = client.post(APP, data={"code": totp.code_at(secret, datetime.now(UTC))})
    assert done.status_code == 200
    return secret, re.findall(r"<li>(\w{4}-\w{4}-\w{4})</li>", done.text)


@pytest.mark.both_databases
def test_a_customer_turns_it_on_and_needs_it_from_then_on(app: Flask, taro: FlaskClient) -> None:
    assert "設定していません" in taro.get("/account/second-factor").text
    _secret, codes = set_up(taro)
    assert len(codes) == 10
    page = taro.get("/account/second-factor").text
    assert "設定済み" in page
    assert "10 個" in page
    other = app.test_client()
    answer = other.post("/sign-in", data={"email": TARO, "password": PASSWORD})
    assert answer.location == "/sign-in/code"
    assert other.post("/sign-in/code", data={"recovery_code": codes[0]}).status_code == 303
    with app.app_context():
        assert list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id))) == [
            "second_factor_on",
            "recovery_code_used",
        ]


def test_a_wrong_code_sets_nothing_up_and_keeps_the_picture(app: Flask, taro: FlaskClient) -> None:
    secret = key_on(taro.get(APP))
    for typed in ("000000", "", "abc"):
        answer = taro.post(APP, data={"code": typed})
        assert answer.status_code == 422
        assert key_on(answer) == secret
    with app.app_context():
        assert db.session.scalars(select(TotpFactor)).all() == []


def test_trying_codes_is_limited(taro: FlaskClient) -> None:
    taro.get(APP)
    for _ in range(5):
        assert taro.post(APP, data={"code": "000000"}).status_code == 422
    assert taro.post(APP, data={"code": "000000"}).status_code == 429


def test_another_app_gets_another_key(taro: FlaskClient, clock: time_machine.Traveller) -> None:
    first, old = set_up(taro)
    clock.shift(30)
    second, new = set_up(taro)
    assert first != second
    assert not set(old) & set(new)


def test_new_codes_are_shown_once(taro: FlaskClient) -> None:
    _secret, old = set_up(taro)
    page = taro.post("/account/second-factor/codes")
    new = re.findall(r"<li>(\w{4}-\w{4}-\w{4})</li>", page.text)
    assert len(new) == 10
    assert not set(old) & set(new)
    assert new[0] not in taro.get("/account/second-factor").text


def test_without_an_app_there_are_no_codes(taro: FlaskClient) -> None:
    answer = taro.post("/account/second-factor/codes", follow_redirects=True)
    assert "二段階認証が設定されていません。" in answer.text


def test_a_customer_turns_it_off_again(app: Flask, taro: FlaskClient) -> None:
    set_up(taro)
    assert "解除すると" in taro.get("/account/second-factor/off").text
    assert taro.post("/account/second-factor/off").location == "/account/second-factor"
    assert "設定していません" in taro.get("/account/second-factor").text
    sign_in(app.test_client(), TARO)
    with app.app_context():
        assert "second_factor_off" in db.session.scalars(select(OutboxMail.template)).all()
        assert "second_factor_off" in db.session.scalars(select(AuditEntry.action)).all()


@pytest.mark.parametrize("make", [DealerPersonFactory, OperatorFactory])
def test_staff_see_theirs_and_cannot_turn_it_off(
    app: Flask, client: FlaskClient, make: type[DealerPersonFactory] | type[OperatorFactory]
) -> None:
    with app.app_context(), transaction():
        make(email="staff@example.org")
    sign_in(client, "staff@example.org")
    page = client.get("/account/", follow_redirects=True).text
    for path in ("second-factor", "passkeys", "devices", "password"):
        assert f'href="/account/{path}"' in page
        assert client.get(f"/account/{path}").status_code == 200
    page = client.get("/account/second-factor").text
    assert "設定済み" in page
    assert "解除" not in page
    answer = client.post("/account/second-factor/off", follow_redirects=True)
    assert "解除できません" in answer.text
    with app.app_context():
        assert len(db.session.scalars(select(TotpFactor)).all()) == 1


def test_an_operators_account_page_holds_nothing_of_a_households(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    page = sign_in(client, "operator@example.org").get("/account/").text
    assert "operator@example.org" in page
    assert "お客様情報" not in page
    assert "フリガナ" not in page


def test_one_account_s_changes_leave_everybody_elses_alone(app: Flask, taro: FlaskClient) -> None:
    with app.app_context(), transaction():
        hanako = CustomerFactory(email="hanako@example.org")
        TotpFactorFactory(account=hanako)
        hanako_id = hanako.id
    set_up(taro)
    taro.post("/account/second-factor/off")
    with app.app_context():
        kept = db.session.scalars(select(TotpFactor.account_id)).all()
        assert list(kept) == [hanako_id]


def test_sessions_of_dealers_and_operators_are_listed_and_ended(app: Flask) -> None:
    with app.app_context(), transaction():
        DealerPersonFactory(email="dealer@example.org")
        OperatorFactory(email="operator@example.org")
    for email in ("dealer@example.org", "operator@example.org"):
        here, there = (sign_in(app.test_client(), email) for _ in range(2))
        assert here.get("/account/devices").text.count("ログアウトさせる") >= 2
        here.post("/account/devices/sign-out")
        assert there.get("/manage").status_code == 302
        assert here.get("/manage").status_code == 200


def test_a_step_that_waits_longer_than_a_code_lives_is_no_matter(
    taro: FlaskClient, clock: time_machine.Traveller
) -> None:
    taro.get(APP)
    clock.shift(timedelta(minutes=9))
    secret, codes = set_up(taro)
    assert secret
    assert codes


def test_the_log_never_holds_codes_or_keys(app: Flask, taro: FlaskClient) -> None:
    secret, codes = set_up(taro)
    with app.app_context():
        told = [str(one.detail) for one in db.session.scalars(select(AuditEntry))]
        mailed = [str(one.refs) for one in db.session.scalars(select(OutboxMail))]
        account = db.session.scalars(select(Account)).one()
        assert account.password_hash
    for kept in told + mailed:
        assert secret not in kept
        assert not any(code in kept for code in codes)


def test_english_pages_hold_no_japanese_of_ours(taro: FlaskClient) -> None:
    taro.post("/language/", data={"language": "en"})
    taro.post(APP, data={"code": "000000"})
    for path in ("", "/app", "/off"):
        assert_english(taro.get(f"/account/second-factor{path}"))
    for path in ("/account/passkeys", "/account/passkeys/add", "/account/confirm"):
        assert_english(taro.get(path))


def assert_english(page: TestResponse) -> None:
    shown = page.text.split("<main")[1].split("</main>")[0]
    words = re.sub(r"<[^>]*>", "", shown)
    assert not re.findall(r"[\u3041-\u30ff\u4e00-\u9fff]+", words)
