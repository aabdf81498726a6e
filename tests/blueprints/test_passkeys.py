"""Passkeys: adding, signing in, confirming, removing; and who cannot."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, Passkey, PasskeyChallenge, Session
from app.transaction import transaction
from tests.authenticator import Authenticator
from tests.conftest import test_settings
from tests.factories import (
    PASSWORD,
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
    PasskeyFactory,
)
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
TARO, HANAKO = "taro@example.org", "hanako@example.org"
SIGN_IN = "/sign-in/passkey"
JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """Give a customer's browser."""
    with app.app_context(), transaction():
        CustomerFactory(email=TARO)
        CustomerFactory(email=HANAKO)
    return sign_in(client, TARO)


def add(client: FlaskClient, device: Authenticator, name: str = "わたしの電話") -> TestResponse:
    options = client.post("/account/passkeys/options", headers=JSON)
    assert options.status_code == 200, options.text
    sent = {"name": name, "credential": device.make(options.json or {})}
    return client.post("/account/passkeys/add", data=sent)


@pytest.fixture
def device(taro: FlaskClient) -> Authenticator:
    """Give Taro's phone, with a passkey."""
    device = Authenticator()
    assert add(taro, device).location == "/account/passkeys"
    return device


def ask(client: FlaskClient, url: str = SIGN_IN) -> dict[str, Any]:
    answer = client.post(f"{url}/options", headers=JSON)
    assert answer.status_code == 200
    return answer.json or {}


def show(
    client: FlaskClient, device: Authenticator, url: str = SIGN_IN, **more: str
) -> TestResponse:
    return client.post(url, data={"credential": device.sign(ask(client, url)), **more})


def is_in(client: FlaskClient) -> bool:
    return client.get("/manage").status_code == 200


def only_id(app: Flask) -> int:
    with app.app_context():
        return db.session.scalars(select(Passkey.id)).one()


@pytest.mark.both_databases
def test_a_passkey_signs_in_without_a_password(app: Flask, device: Authenticator) -> None:
    other = app.test_client()
    answer = show(other, device, next="/account/devices")
    assert (answer.status_code, answer.location) == (303, "/account/devices")
    assert is_in(other)
    with app.app_context():
        entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry
        assert (entry.action, entry.detail) == ("signed_in", {"factor": "passkey"})


def test_it_leads_home_on_each_face_and_nowhere_foreign(app: Flask, device: Authenticator) -> None:
    browser = app.test_client()
    assert show(browser, device, face="monitor").location.rstrip("/") == "/monitor"
    browser = app.test_client()
    foreign = {"next": "//evil.example.net", "face": "//evil"}
    assert show(browser, device, **foreign).location.rstrip("/") == "/manage"


@pytest.mark.parametrize("make", [DealerPersonFactory, OperatorFactory])
def test_for_staff_it_is_both_factors(
    app: Flask, client: FlaskClient, make: type[DealerPersonFactory] | type[OperatorFactory]
) -> None:
    with app.app_context(), transaction():
        make(email="staff@example.org")
    device = Authenticator()
    add(sign_in(client, "staff@example.org"), device)
    other = app.test_client()
    assert show(other, device).status_code == 303
    assert is_in(other)


def test_in_the_place_of_the_code_it_ends_a_pending_sign_in(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        DealerPersonFactory(email="staff@example.org")
    device = Authenticator()
    add(sign_in(client, "staff@example.org"), device)
    other = app.test_client()
    other.post("/sign-in", data={"email": "staff@example.org", "password": PASSWORD})
    assert "data-passkey=" in other.get("/sign-in/code").text
    assert show(other, device).status_code == 303
    with other.session_transaction() as session:
        assert "second_step" not in session


def test_the_same_answer_opens_nothing_twice(app: Flask, device: Authenticator) -> None:
    browser = app.test_client()
    answer = device.sign(ask(browser))
    assert browser.post(SIGN_IN, data={"credential": answer}).status_code == 303
    browser.post("/sign-out")
    again = browser.post(SIGN_IN, data={"credential": answer})
    assert again.status_code == 422
    assert "このパスキーではログインできませんでした" in again.text


def test_a_challenge_is_used_up_even_with_its_cookie_kept(
    app: Flask, device: Authenticator
) -> None:
    browser = app.test_client()
    answer = device.sign(ask(browser))
    cookie = browser.get_cookie("hidamari")
    assert cookie
    assert browser.post(SIGN_IN, data={"credential": "rubbish"}).status_code == 422
    browser.set_cookie("hidamari", cookie.value)
    assert browser.post(SIGN_IN, data={"credential": answer}).status_code == 422
    assert not is_in(browser)


def test_an_answer_to_somebody_elses_page_opens_nothing(app: Flask, device: Authenticator) -> None:
    asked, other = app.test_client(), app.test_client()
    answer = device.sign(ask(asked))
    ask(other)
    assert other.post(SIGN_IN, data={"credential": answer}).status_code == 422
    assert app.test_client().post(SIGN_IN, data={"credential": answer}).status_code == 422


def test_an_answer_that_took_too_long_opens_nothing(
    app: Flask, device: Authenticator, clock: time_machine.Traveller
) -> None:
    browser = app.test_client()
    answer = device.sign(ask(browser))
    clock.shift(timedelta(minutes=5))
    assert browser.post(SIGN_IN, data={"credential": answer}).status_code == 422


def test_a_confirmation_is_no_sign_in(app: Flask, taro: FlaskClient, device: Authenticator) -> None:
    answer = device.sign(ask(taro, "/account/confirm/passkey"))
    assert taro.post(SIGN_IN, data={"credential": answer}).status_code == 422


@pytest.mark.parametrize(
    "lie", [{"origin": "http://evil.example.net"}, {"rp_id": "example.net"}, {"verifies": False}]
)
def test_a_forged_answer_is_refused_and_told_to_the_log(
    app: Flask, device: Authenticator, lie: dict[str, object]
) -> None:
    for name, value in lie.items():
        setattr(device, name, value)
    browser = app.test_client()
    assert show(browser, device, next="/account/devices").status_code == 422
    assert not is_in(browser)
    with app.app_context():
        owner = db.session.scalars(select(Account.id).filter_by(email=TARO)).one()
        entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry
        assert (entry.action, entry.actor_id, entry.subject_id) == ("sign_in_refused", None, owner)


def test_origins_are_those_that_were_configured_not_what_a_request_says(
    database_url: str, tmp_path: Any
) -> None:
    settings = test_settings(
        database_url,
        tmp_path,
        base_url="https://www.example.org",
        monitor_host="live.example.org",
        session_cookie_domain=".example.org",
    )
    assert settings.passkey_domain == "example.org"
    assert settings.origins == ("https://live.example.org", "https://www.example.org")
    app = create_app(settings)
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), transaction():
        CustomerFactory(email=TARO)
    for host, taken in (("live.example.org", 303), ("www.example.org", 303)):
        client = app.test_client()
        at = {"base_url": f"https://{host}"}
        client.post("/sign-in", data={"email": TARO, "password": PASSWORD}, **at)
        options = client.post("/account/passkeys/options", headers=JSON, **at).json or {}
        assert options["rp"]["id"] == "example.org"
        device = Authenticator(f"https://{host}", "example.org")
        sent = {"name": host, "credential": device.make(options)}
        assert client.post("/account/passkeys/add", data=sent, **at).status_code == taken
        device.origin = "https://other.example.org"
        asked = client.post("/sign-in/passkey/options", **at).json or {}
        forged = {"credential": device.sign(asked)}
        assert client.post(SIGN_IN, data=forged, **at).status_code == 422
    with app.app_context():
        db.engine.dispose()


def test_a_copied_passkey_is_refused_and_its_owner_is_mailed(
    app: Flask, device: Authenticator
) -> None:
    for _ in range(3):
        show(app.test_client(), device)
    device.count = 1
    browser = app.test_client()
    answer = show(browser, device)
    assert answer.status_code == 422
    assert "安全のため使えません" in answer.text
    assert not is_in(browser)
    with app.app_context():
        assert "passkey_cloned" in db.session.scalars(select(OutboxMail.template)).all()
        assert "passkey_cloned" in db.session.scalars(select(AuditEntry.action)).all()


def test_passkeys_of_locked_accounts_and_of_nobody_get_the_same_answer(
    app: Flask, device: Authenticator
) -> None:
    with app.app_context(), transaction():
        account = db.session.scalars(select(Account).filter_by(email=TARO)).one()
        account.locked_at = NOW
    stranger = Authenticator(user_handle=b"x" * 32)
    answers = [show(app.test_client(), one) for one in (device, stranger)]
    assert [one.status_code for one in answers] == [422, 422]
    said = [one.text.split('class="error-summary"')[1].split("</div>")[0] for one in answers]
    assert said[0] == said[1]


def test_attempts_are_limited_for_a_network_address(app: Flask, device: Authenticator) -> None:
    browser = app.test_client()
    for _ in range(30):
        assert browser.post(SIGN_IN, data={"credential": "x"}).status_code == 422
    assert show(browser, device).status_code == 429


def test_asking_keeps_nothing_but_a_challenge_that_is_cleared(app: Flask) -> None:
    client = app.test_client()
    ask(client)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(PasskeyChallenge)) == 1
        assert db.session.scalar(select(func.count()).select_from(Session)) == 0


# --- one's own


def test_ones_passkeys_are_listed_with_names_and_days(
    taro: FlaskClient, device: Authenticator
) -> None:
    page = taro.get("/account/passkeys").text
    assert "わたしの電話" in page
    assert "2026/11/22 18:05" in page
    assert "/account/passkeys" in taro.get("/account/").text


def test_a_name_is_needed_and_what_was_made_without_is_not_kept(
    app: Flask, taro: FlaskClient
) -> None:
    answer = add(taro, Authenticator(), " ")
    assert answer.status_code == 422
    assert "40文字以内" in answer.text
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Passkey)) == 0


def test_an_answer_that_was_never_asked_for_is_not_kept(taro: FlaskClient) -> None:
    options = taro.post("/account/passkeys/options", headers=JSON).json or {}
    sent = {"name": "電話", "credential": Authenticator().make(options)}
    with taro.session_transaction() as session:
        session.pop("passkey")
    answer = taro.post("/account/passkeys/add", data=sent)
    assert answer.status_code == 422
    assert 'value="電話"' in answer.text


def test_removing_shows_which_and_asks(
    app: Flask, taro: FlaskClient, device: Authenticator
) -> None:
    url = f"/account/passkeys/{only_id(app)}/remove"
    assert "わたしの電話" in taro.get(url).text
    assert taro.post(url).location == "/account/passkeys"
    assert taro.post(url).status_code == 404
    assert show(app.test_client(), device).status_code == 422


def test_a_strangers_passkey_is_not_found(
    app: Flask, taro: FlaskClient, device: Authenticator
) -> None:
    hanako = sign_in(app.test_client(), HANAKO)
    url = f"/account/passkeys/{only_id(app)}/remove"
    assert hanako.get(url).status_code == 404
    assert hanako.post(url).status_code == 404
    assert "わたしの電話" not in hanako.get("/account/passkeys").text
    assert show(app.test_client(), device).status_code == 303


def test_a_name_is_shown_as_it_is_and_runs_nothing(taro: FlaskClient) -> None:
    add(taro, Authenticator(), "<script>alert(1)</script>")
    page = taro.get("/account/passkeys").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_nobody_without_a_session_gets_near(client: FlaskClient) -> None:
    for path in (
        "/account/passkeys",
        "/account/passkeys/add",
        "/account/passkeys/1/remove",
        "/account/second-factor",
        "/account/second-factor/app",
        "/account/second-factor/off",
        "/account/confirm",
    ):
        assert client.get(path).location.startswith("/sign-in"), path
    for path in ("/account/passkeys/options", "/account/confirm/passkey/options"):
        assert client.post(path).status_code == 401, path


def test_the_list_asks_the_database_as_often_for_one_as_for_twenty(
    app: Flask, taro: FlaskClient, device: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.counting import counted

    with counted(monkeypatch) as one:
        taro.get("/account/passkeys")
    with app.app_context(), transaction():
        owner = db.session.scalars(select(Account).filter_by(email=TARO)).one()
        for _ in range(19):
            PasskeyFactory(account=owner)
    with counted(monkeypatch) as twenty:
        assert taro.get("/account/passkeys").text.count("/remove") == 20
    assert one.amounts == twenty.amounts


# --- showing again who one is


def test_a_session_that_began_long_ago_is_asked_who_it_is(
    taro: FlaskClient, clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(minutes=11))
    asked = taro.get("/account/passkeys/add")
    assert asked.location == "/account/confirm?next=/account/passkeys/add"
    assert "現在のパスワードを入力してください" in taro.get(asked.location).text
    refused = taro.post(asked.location, data={"current_password": "Wrong-88"})
    assert refused.status_code == 422
    assert taro.get("/account/passkeys/add").status_code == 303
    answer = taro.post(asked.location, data={"current_password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/account/passkeys/add")
    assert taro.get("/account/passkeys/add").status_code == 200


def test_what_changes_how_one_signs_in_is_not_done_without(
    app: Flask, taro: FlaskClient, device: Authenticator, clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(minutes=31))
    urls = (
        f"/account/passkeys/{only_id(app)}/remove",
        "/account/passkeys/add",
        "/account/second-factor/app",
        "/account/second-factor/off",
        "/account/second-factor/codes",
    )
    for url in urls:
        answer = taro.post(url, headers={"Referer": "http://localhost/account/passkeys"})
        assert answer.location == "/account/confirm?next=/account/passkeys", url
    told = taro.post("/account/passkeys/options", headers=JSON)
    assert (told.status_code, (told.json or {})["location"]) == (401, "/account/confirm")
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Passkey)) == 1


def test_a_passkey_confirms_as_well(
    app: Flask, taro: FlaskClient, device: Authenticator, clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(minutes=31))
    url = "/account/confirm/passkey"
    assert "data-passkey=" in taro.get("/account/confirm").text
    answer = show(taro, device, url, next="/account/second-factor/app")
    assert answer.location == "/account/second-factor/app"
    assert taro.get("/account/second-factor/app").status_code == 200


def test_somebody_elses_passkey_confirms_nothing(
    app: Flask, taro: FlaskClient, device: Authenticator, clock: time_machine.Traveller
) -> None:
    hanako = sign_in(app.test_client(), HANAKO)
    clock.shift(timedelta(minutes=11))
    answer = show(hanako, device, "/account/confirm/passkey")
    assert answer.status_code == 422
    assert hanako.get("/account/passkeys/add").status_code == 303


def test_guessing_the_password_again_is_limited_and_leads_nowhere_foreign(
    taro: FlaskClient,
) -> None:
    foreign = "/account/confirm?next=//evil.example.net"
    assert taro.post(foreign, data={"current_password": PASSWORD}).location == "/account/"
    for _ in range(5):
        taro.post("/account/confirm", data={"current_password": "Wrong-88"})
    assert taro.post("/account/confirm", data={"current_password": PASSWORD}).status_code == 429


@pytest.mark.parametrize(
    "sent", ["[" * 30_000, '{"a":' * 6000, "null", "\0"], ids=["lists", "objects", "null", "nul"]
)
def test_an_answer_that_is_none_is_refused_and_breaks_nothing(
    client: FlaskClient, taro: FlaskClient, sent: str
) -> None:
    stranger = client.application.test_client()
    ask(stranger)
    assert stranger.post(SIGN_IN, data={"credential": sent}).status_code == 422
    taro.post("/account/passkeys/options", headers=JSON)
    made = taro.post("/account/passkeys/add", data={"name": "電話", "credential": sent})
    assert made.status_code == 422
