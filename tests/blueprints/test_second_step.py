"""Signing in with two steps: what the pages do between the password and the session."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import create_app
from app.domain import factors, tokens, totp
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, PasswordReset, Session
from app.transaction import transaction
from tests.blueprints.test_outlived import OURS, hidden, sign_in_on
from tests.conftest import test_settings
from tests.factories import (
    PASSWORD,
    TOTP_SECRET,
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
    PasskeyFactory,
    TotpFactorFactory,
)
from tests.signing_in import code, sign_in

NOW = datetime(2026, 11, 22, 9, 5, 10, tzinfo=UTC)
HANAKO, NEWCOMER, TARO = "hanako@example.org", "newcomer@example.org", "taro@example.org"
# a page of each blueprint that is there for who is signed in
PAGES = (
    "/manage",
    "/dealer",
    "/account/",
    "/account/devices",
    "/account/second-factor",
    "/monitor",
)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def people(app: Flask) -> None:
    """Seat a dealer's person with an app, one without, and a customer."""
    with app.app_context(), transaction():
        DealerPersonFactory(email=HANAKO)
        DealerPersonFactory(email=NEWCOMER, factor=None)
        CustomerFactory(email=TARO)


def try_in(client: FlaskClient, email: str = HANAKO, face: str = "", **more: Any) -> TestResponse:
    return client.post(f"{face}/sign-in", data={"email": email, "password": PASSWORD, **more})


def send(client: FlaskClient, typed: str, **more: Any) -> TestResponse:
    return client.post("/sign-in/code", data={"code": typed, **more})


def wrong() -> str:
    return f"{(int(code()) + 1) % 1_000_000:06}"


def is_in(client: FlaskClient) -> bool:
    return client.get("/manage").status_code == 200


def key_on(page: TestResponse) -> str:
    found = re.search(r"data-secret[^>]*>([A-Z2-7 ]+)<", page.text)
    assert found
    return found[1].replace(" ", "")


def codes_on(page: TestResponse) -> list[str]:
    return re.findall(r"<li>(\w{4}-\w{4}-\w{4})</li>", page.text)


def actions(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


@pytest.mark.both_databases
def test_password_and_code_lead_to_the_page_asked_for(client: FlaskClient) -> None:
    asked = try_in(client, next="/account/devices")
    assert (asked.status_code, asked.location) == (303, "/sign-in/code?next=/account/devices")
    page = client.get(asked.location)
    assert 'autocomplete="one-time-code"' in page.text
    assert 'inputmode="numeric"' in page.text
    answer = send(client, code(), next=hidden(page)["next"])
    assert (answer.status_code, answer.location) == (303, "/account/devices")
    assert is_in(client)


def test_each_face_keeps_its_heading_and_its_home(client: FlaskClient) -> None:
    asked = try_in(client, face="/monitor")
    assert 'brand__face">モニタリングサイト' in client.get(asked.location).text.replace("\n", "")
    assert send(client, code()).location.rstrip("/") == "/monitor"


@pytest.mark.parametrize("email", [HANAKO, NEWCOMER])
def test_between_the_two_steps_nothing_is_open(app: Flask, client: FlaskClient, email: str) -> None:
    try_in(client, email)
    for page in PAGES:
        assert client.get(page).location.startswith(("/sign-in", "/monitor/sign-in")), page
    posted = client.post("/account/password", data={"current_password": PASSWORD}, headers=OURS)
    assert posted.status_code == 401
    with app.app_context():
        assert db.session.query(Session).count() == 0
    # but one may change the language, and give up
    step = client.get("/sign-in/code").location or "/sign-in/code"
    client.post("/language/", data={"language": "en", "next": step})
    assert '<html lang="en"' in client.get(step).text
    assert client.post("/sign-in/cancel").location == "/sign-in"
    assert client.get("/sign-in/code").location == "/sign-in"


def test_a_wrong_code_is_said_at_its_field_and_told_to_the_log(
    app: Flask, client: FlaskClient
) -> None:
    try_in(client)
    answer = send(client, wrong(), next="/account/devices")
    assert answer.status_code == 422
    assert "コードが正しくありません" in answer.text
    assert hidden(answer)["next"] == "/account/devices"
    assert send(client, "").status_code == 422
    assert actions(app) == ["second_factor_refused"]
    assert not is_in(client)


def test_wrong_codes_make_wait_and_a_right_password_does_not_help(
    app: Flask, client: FlaskClient, clock: time_machine.Traveller
) -> None:
    try_in(client)
    for _ in range(5):
        assert send(client, wrong()).status_code == 422
    assert send(client, code()).status_code == 429
    other = app.test_client()
    try_in(other)
    assert send(other, code()).status_code == 429
    clock.shift(2)
    assert send(other, code()).status_code == 303
    # who got in has shown who it is: the count begins anew
    try_in(client)
    assert send(client, wrong()).status_code == 422


def test_the_owner_reads_once_a_day_that_somebody_guesses(
    app: Flask, client: FlaskClient, clock: time_machine.Traveller
) -> None:
    def mails() -> int:
        with app.app_context():
            asked = select(OutboxMail).where(OutboxMail.template == "second_factor_guessed")
            return len(db.session.scalars(asked).all())

    try_in(client)
    for _ in range(5):
        send(client, wrong())
    assert mails() == 0
    for _ in range(3):
        assert send(client, wrong()).status_code == 429
    assert mails() == 1
    with app.app_context():
        # what was refused unseen is no attempt
        refused = select(AuditEntry).where(AuditEntry.action == "second_factor_refused")
        assert len(db.session.scalars(refused).all()) == 5


def test_a_code_that_opened_once_is_refused(app: Flask, client: FlaskClient) -> None:
    try_in(client)
    assert send(client, code()).status_code == 303
    over_the_shoulder = app.test_client()
    try_in(over_the_shoulder)
    answer = send(over_the_shoulder, code())
    assert answer.status_code == 422
    assert "すでに使われています" in answer.text


def test_after_five_minutes_the_password_is_asked_for_again(
    client: FlaskClient, clock: time_machine.Traveller
) -> None:
    try_in(client)
    clock.shift(timedelta(minutes=5))
    answer = send(client, code(), next="/account/devices")
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/account/devices")
    assert "時間が過ぎたため" in client.get(answer.location).text
    assert not is_in(client)


def test_a_new_password_ends_what_waits(app: Flask, client: FlaskClient) -> None:
    try_in(client)
    with app.app_context(), transaction():
        account = db.session.scalars(select(Account).filter_by(email=HANAKO)).one()
        account.password_changed_at = NOW
    cookie = client.get_cookie("hidamari")
    assert cookie
    for typed in ("", wrong(), code()):
        client.set_cookie("hidamari", cookie.value)
        assert send(client, typed).location == "/sign-in"
    client.set_cookie("hidamari", cookie.value)
    assert client.get("/sign-in/code").location == "/sign-in"
    try_in(client)
    assert send(client, code()).status_code == 303


def test_without_a_password_there_is_no_second_step(client: FlaskClient) -> None:
    for path in ("/sign-in/code", "/sign-in/setup"):
        assert client.get(path).location == "/sign-in"
        assert client.post(path, data={"code": code()}).location == "/sign-in"
    sign_in(client, TARO)
    assert client.get("/sign-in/code").location.rstrip("/") == "/manage"


def test_a_forged_cookie_opens_no_second_step(app: Flask, client: FlaskClient) -> None:
    try_in(client)
    cookie = client.get_cookie("hidamari")
    assert cookie
    client.set_cookie("hidamari", cookie.value[:-3] + "AAA")
    assert send(client, code()).location == "/sign-in"


def test_a_form_that_outlived_its_session_comes_through_both_steps(
    app: Flask, client: FlaskClient
) -> None:
    sign_in(client, HANAKO)
    with app.app_context(), transaction():
        db.session.execute(db.update(Session).values(last_seen_at=datetime(2025, 1, 1, tzinfo=UTC)))
    typed = {"name": "別棟の電話", "csrf_token": "x"}
    asked = client.post("/account/passkeys/add", data=typed, headers=OURS)
    assert asked.status_code == 401
    step = sign_in_on(client, asked, HANAKO)
    assert step.status_code == 200
    carried = {name: hidden(step)[name] for name in ("next", "outlived")}
    # a mistyped code in between loses nothing
    again = send(client, wrong(), **carried)
    assert hidden(again)["outlived"] == carried["outlived"]
    with time_machine.travel(NOW + timedelta(seconds=30), tick=False):
        answer = send(client, code(), **carried)
        assert (answer.status_code, answer.location) == (303, "/account/passkeys/add")
        assert "別棟の電話" in client.get(answer.location).text


def test_a_form_outlives_a_second_step_that_took_too_long(
    app: Flask, client: FlaskClient, clock: time_machine.Traveller
) -> None:
    asked = client.post("/account/passkeys/add", data={"name": "別棟"}, headers=OURS)
    step = sign_in_on(client, asked, HANAKO)
    carried = {name: hidden(step)[name] for name in ("next", "outlived")}
    clock.shift(timedelta(minutes=6))
    late = send(client, code(), **carried)
    assert late.status_code == 401
    step = sign_in_on(client, late, HANAKO)
    assert send(client, code(), **{name: hidden(step)[name] for name in carried}).status_code == 303


# --- recovery codes


@pytest.fixture
def codes(app: Flask) -> list[str]:
    """Give Hanako's recovery codes."""
    with app.app_context(), transaction():
        account = db.session.scalars(select(Account).filter_by(email=HANAKO)).one()
        return factors.renew_codes(account, network_address="", now=NOW)


def test_a_recovery_code_stands_in_for_the_app_once(
    app: Flask, client: FlaskClient, codes: list[str]
) -> None:
    try_in(client)
    answer = client.post("/sign-in/code", data={"recovery_code": codes[2].lower()})
    assert answer.status_code == 303
    assert is_in(client)
    other = app.test_client()
    try_in(other)
    again = other.post("/sign-in/code", data={"recovery_code": codes[2]})
    assert again.status_code == 422
    assert "すでに使われています" in again.text
    # the field that it was typed into is not folded away
    assert re.search(r"<details[^>]* open", again.text)
    with app.app_context():
        assert "recovery_code_used" in db.session.scalars(select(OutboxMail.template)).all()


def test_recovery_codes_are_limited_like_codes(client: FlaskClient, codes: list[str]) -> None:
    try_in(client)
    for _ in range(5):
        client.post("/sign-in/code", data={"recovery_code": "3AAA-AAAA-AAAA"})
    assert client.post("/sign-in/code", data={"recovery_code": codes[0]}).status_code == 429


# --- setting up


@pytest.mark.parametrize("make", [DealerPersonFactory, OperatorFactory])
@pytest.mark.both_databases
def test_the_first_sign_in_leads_to_setting_up(
    app: Flask, client: FlaskClient, make: type[DealerPersonFactory] | type[OperatorFactory]
) -> None:
    with app.app_context(), transaction():
        make(email="first@example.org", factor=None)
    asked = try_in(client, "first@example.org", next="/account/devices")
    assert asked.location == "/sign-in/setup?next=/account/devices"
    page = client.get(asked.location)
    assert "<svg" in page.text
    secret = key_on(page)
    done = client.post(
        "/sign-in/setup",
        data={"code": totp.code_at(secret, NOW), "next": hidden(page)["next"]},
    )
    assert done.status_code == 200
    assert len(codes_on(done)) == 10
    assert 'href="/account/devices"' in done.text
    assert is_in(client)
    with app.app_context():
        assert "second_factor_on" in db.session.scalars(select(OutboxMail.template)).all()
    # sending it again shows no codes again
    again = client.post("/sign-in/setup", data={"code": totp.code_at(secret, NOW)})
    assert again.location.rstrip("/") == "/manage"


def test_reloading_and_another_language_keep_the_picture_that_was_scanned(
    client: FlaskClient,
) -> None:
    try_in(client, NEWCOMER)
    secret = key_on(client.get("/sign-in/setup"))
    client.post("/language/", data={"language": "en", "next": "/sign-in/setup"})
    page = client.get("/sign-in/setup")
    assert "Set up two-step sign-in" in page.text
    assert key_on(page) == secret
    refused = client.post("/sign-in/setup", data={"code": "000000"})
    assert refused.status_code == 422
    assert key_on(refused) == secret


def test_each_gets_a_key_of_its_own_and_the_cookie_does_not_show_it(app: Flask) -> None:
    keys = []
    for _ in range(2):
        client = app.test_client()
        try_in(client, NEWCOMER)
        keys.append(key_on(client.get("/sign-in/setup")))
        with client.session_transaction() as session:
            assert keys[-1] not in str(dict(session))
    assert len(set(keys)) == 2


def test_who_has_an_app_is_not_led_to_another(app: Flask, client: FlaskClient) -> None:
    try_in(client)
    assert client.get("/sign-in/setup").location == "/sign-in/code"
    assert client.post("/sign-in/setup", data={"code": code()}).location == "/sign-in/code"
    other = app.test_client()
    try_in(other, NEWCOMER)
    assert other.get("/sign-in/code").location == "/sign-in/setup"


def test_where_it_was_set_up_meanwhile_the_password_is_asked_for_again(
    app: Flask, client: FlaskClient
) -> None:
    try_in(client, NEWCOMER)
    secret = key_on(client.get("/sign-in/setup"))
    with app.app_context(), transaction():
        account = db.session.scalars(select(Account).filter_by(email=NEWCOMER)).one()
        TotpFactorFactory(account=account)
    answer = client.post("/sign-in/setup", data={"code": totp.code_at(secret, NOW)})
    assert answer.location == "/sign-in"
    assert not is_in(client)


def test_a_password_alone_sets_no_app_up_beside_a_passkey(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        account = db.session.scalars(select(Account).filter_by(email=NEWCOMER)).one()
        PasskeyFactory(account=account)
    asked = try_in(client, NEWCOMER)
    page = client.get(asked.location)
    assert "パスキーでご本人を確認します" in page.text
    assert 'name="code"' not in page.text
    assert client.get("/sign-in/setup").location == "/sign-in/code"
    assert send(client, code()).status_code == 422


def test_where_it_is_optional_nobody_is_led_there(database_url: str, tmp_path: Any) -> None:
    app = create_app(test_settings(database_url, tmp_path, second_factor="optional"))
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    assert try_in(client, NEWCOMER).location.rstrip("/") == "/manage"
    with app.app_context():
        db.engine.dispose()


def test_a_forgotten_password_does_not_lead_past_the_second_factor(
    app: Flask, client: FlaskClient
) -> None:
    client.post("/forgotten-password", data={"email": HANAKO})
    with app.app_context():
        reset = db.session.scalars(select(PasswordReset)).one()
        signed = tokens.sign(str(app.secret_key), "password-reset", reset.id, reset.url_nonce)
    new = {"password": "Komorebi7", "password_again": "Komorebi7"}
    assert client.post(f"/new-password/{signed}", data=new).location == "/sign-in"
    assert not is_in(client)
    answer = client.post("/sign-in", data={"email": HANAKO, "password": "Komorebi7"})
    assert answer.location == "/sign-in/code"
    assert not is_in(client)


def test_a_customers_app_is_asked_for_too(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        TotpFactorFactory(account=db.session.scalars(select(Account).filter_by(email=TARO)).one())
    assert try_in(client, TARO).location == "/sign-in/code"
    assert send(client, totp.code_at(TOTP_SECRET, NOW)).status_code == 303
    assert is_in(client)


def test_the_second_step_is_guarded_against_foreign_forms(app: Flask, client: FlaskClient) -> None:
    try_in(client)
    app.config["WTF_CSRF_ENABLED"] = True
    for path in ("/sign-in/code", "/sign-in/setup", "/sign-in/passkey", "/sign-in/passkey/options"):
        assert client.post(path, data={"code": code()}).status_code == 400
