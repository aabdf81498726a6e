"""A forgotten password, and a forgotten user ID."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.domain import tokens
from app.extensions import db
from app.mailing.letters import LETTERS, Desk, Gone
from app.models import AuditEntry, OutboxMail, PasswordReset
from app.transaction import transaction
from tests.factories import (
    PASSWORD,
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
)
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
TARO = "taro@example.org"
NEW = "Komorebi7"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def taro(app: Flask, clock: time_machine.Traveller) -> int:
    with app.app_context(), transaction():
        return int(CustomerFactory(email=TARO, language="en").id)


def ask(client: FlaskClient, email: str = TARO) -> Any:
    return client.post("/forgotten-password", data={"email": email})


def mails(app: Flask) -> list[OutboxMail]:
    with app.app_context():
        return list(db.session.scalars(db.select(OutboxMail).order_by(OutboxMail.id)))


def url(app: Flask) -> str:
    """Return the URL that the newest request's mail will carry."""
    with app.app_context():
        newest = db.select(PasswordReset).order_by(PasswordReset.id.desc())
        reset = db.session.scalars(newest).first()
        assert reset
        secret = str(app.secret_key)
        return "/new-password/" + tokens.sign(secret, "password-reset", reset.id, reset.url_nonce)


def set_new(client: FlaskClient, at: str, new: str = NEW, again: str | None = None) -> Any:
    data = {"password": new, "password_again": new if again is None else again}
    return client.post(at, data=data)


def statements(app: Flask, act: Callable[[], Any]) -> list[str]:
    with app.app_context():
        engine = db.engine
    seen: list[str] = []

    def note(*what: Any) -> None:
        seen.append(" ".join(what[2].split()[:3]))

    event.listen(engine, "before_cursor_execute", note)
    act()
    event.remove(engine, "before_cursor_execute", note)
    return seen


def test_a_mailed_url_sets_a_new_password_once(app: Flask, client: FlaskClient, taro: int) -> None:
    phone = sign_in(app.test_client(), TARO)
    assert ask(client).location == "/forgotten-password?sent=1"
    assert "受け付けました" in client.get("/forgotten-password?sent=1").text
    [mail] = mails(app)
    assert (mail.template, mail.to, mail.language) == ("password_reset", TARO, "en")
    assert client.get(url(app)).status_code == 200
    answer = set_new(client, url(app))
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert "新しいパスワードを設定しました" in client.get("/sign-in").text

    assert phone.get("/account/").status_code == 302
    old = client.post("/sign-in", data={"email": TARO, "password": PASSWORD})
    assert old.status_code == 422
    sign_in(client, TARO, NEW)
    assert mails(app)[1].template == "password_changed"
    with app.app_context():
        actions = [entry.action for entry in db.session.query(AuditEntry).order_by(AuditEntry.id)]
    assert actions == ["signed_in", "password_changed", "sign_in_refused", "signed_in"]

    # in Japanese again: Taro's own browser now speaks English, as his account does
    client = app.test_client()
    for again in (client.get(url(app)), set_new(client, url(app), "Another77")):
        assert again.status_code == 410
        assert "すでに使われたか、有効期限が切れています" in again.text


@pytest.mark.both_databases
def test_known_and_unknown_addresses_get_the_same_answer_for_the_same_work(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="locked@example.org", locked_at=NOW)
        CustomerFactory(email="closed@example.org", closed_at=NOW)
    answers: list[Any] = []
    addresses = (TARO, "nobody@example.org", "locked@example.org", "closed@example.org", "rubbish")
    work = [statements(app, lambda a=a: answers.append(ask(client, a))) for a in addresses]
    assert all(one == work[0] for one in work)
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    # what nobody will get is marked used up, which the mail's writer drops
    assert [mail.to for mail in mails(app)] == [TARO, "", "", "", ""]
    with app.app_context():
        resets = db.session.query(PasswordReset).order_by(PasswordReset.id)
        used = [bool(reset.used_at) for reset in resets]
    assert used == [False, True, True, True, True]


def test_a_url_is_good_for_two_hours(
    app: Flask, client: FlaskClient, taro: int, clock: time_machine.Traveller
) -> None:
    ask(client)
    clock.shift(timedelta(hours=2, seconds=-1))
    assert client.get(url(app)).status_code == 200
    clock.shift(1)
    assert client.get(url(app)).status_code == 410
    assert set_new(client, url(app)).status_code == 410


def test_a_used_url_takes_the_older_ones_with_it(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    ask(client)
    first = url(app)
    ask(client)
    assert set_new(client, url(app)).status_code == 303
    assert client.get(first).status_code == 410


@pytest.mark.both_databases
def test_of_two_who_use_a_url_at_once_one_wins(app: Flask, client: FlaskClient, taro: int) -> None:
    ask(client)
    together, at = Barrier(2), url(app)

    def use(new: str) -> int:
        together.wait()
        return int(set_new(app.test_client(), at, new).status_code)

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(use, ["Komorebi7", "Kazaguruma8"])) == [303, 410]


@pytest.mark.parametrize("signed", ["x", "WzEsIngiXQ.x", "%00", "x" * 5000])
def test_a_url_that_nobody_signed_is_dead(client: FlaskClient, taro: int, signed: str) -> None:
    assert client.get(f"/new-password/{signed}").status_code == 410


def test_a_url_for_something_else_is_dead(app: Flask, client: FlaskClient, taro: int) -> None:
    ask(client)
    with app.app_context():
        reset = db.session.query(PasswordReset).one()
        other = tokens.sign(str(app.secret_key), "registration", reset.id, reset.url_nonce)
    assert client.get(f"/new-password/{other}").status_code == 410


@pytest.mark.parametrize(
    ("new", "again", "words"),
    [
        ("", "", "新しいパスワードを入力してください。"),
        (NEW, "Komorebi8", "新しいパスワードと一致していません。"),
        ("komorebi", "komorebi", "英小文字・英大文字・数字"),
        ("Passw0rd", "Passw0rd", "推測されやすい"),
    ],
)
def test_a_password_that_will_not_do_leaves_the_url_good(
    app: Flask, client: FlaskClient, taro: int, new: str, again: str, words: str
) -> None:
    ask(client)
    refused = set_new(client, url(app), new, again)
    assert refused.status_code == 422
    assert words in refused.text
    assert new == "" or new not in refused.text
    assert set_new(client, url(app)).status_code == 303


def test_setting_a_password_ends_the_wait_that_others_guesses_made(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    for _ in range(5):
        client.post("/sign-in", data={"email": TARO, "password": "Wrong-88"})
    assert client.post("/sign-in", data={"email": TARO, "password": PASSWORD}).status_code == 429
    ask(client)
    set_new(client, url(app))
    sign_in(client, TARO, NEW)


def test_asking_again_and_again_makes_wait(app: Flask, client: FlaskClient, taro: int) -> None:
    for email in (TARO, "nobody@example.org"):
        for _ in range(5):
            assert ask(client, email).status_code == 303
        refused = ask(client, email)
        assert refused.status_code == 429
        assert f'value="{email}"' in refused.text
    assert len(mails(app)) == 10


def test_an_empty_form_says_what_it_needs(client: FlaskClient, taro: int) -> None:
    assert "ユーザIDを入力してください。" in ask(client, "").text
    empty = client.post("/forgotten-id", data={})
    assert empty.status_code == 422
    assert "ゲートウェイIDを入力してください。" in empty.text
    assert "電話番号を入力してください。" in empty.text


@pytest.fixture
def home(app: Flask, taro: int) -> int:
    """Give Taro a gateway."""
    with app.app_context(), transaction():
        taro_row = db.session.get_one(CustomerFactory._meta.model, taro)
        gateway = GatewayFactory(public_id="HDM00000ABCD")
        return int(InstallationFactory(account=taro_row, gateway=gateway).id)


@pytest.mark.parametrize(
    ("public_id", "phone"),
    [
        ("HDM00000ABCD", "03-1234-5678"),
        ("hdm0-0000-abcd", "０３（１２３４）５６７８"),
        (" ＨＤＭ00000ABCD ", "+81 3 1234 5678"),
    ],
)
def test_gateway_and_phone_bring_the_id_to_the_registered_address(
    app: Flask, client: FlaskClient, home: int, public_id: str, phone: str
) -> None:
    answer = client.post("/forgotten-id", data={"gateway_id": public_id, "phone": phone})
    assert answer.location == "/forgotten-id?sent=1"
    [mail] = mails(app)
    assert (mail.template, mail.to, mail.language) == ("forgotten_id", TARO, "en")
    assert TARO not in client.get("/forgotten-id?sent=1").text


@pytest.mark.both_databases
def test_who_does_not_know_the_phone_gets_the_same_answer_for_the_same_work(
    app: Flask, client: FlaskClient, home: int
) -> None:
    with app.app_context(), transaction():
        closed = InstallationFactory(closed_at=NOW, gateway__public_id="HDM00000GONE")
        locked = CustomerFactory(locked_at=NOW)
        InstallationFactory(account=locked, gateway__public_id="HDM00000LOCK")
        assert closed.account.phone == "+81312345678"
    tries = [
        ("HDM00000ABCD", "03-1234-5678"),
        ("HDM00000ABCD", "03-1234-5679"),
        ("HDM00000ABCD", "abc"),
        ("HDM00000NONE", "03-1234-5678"),
        ("HDM00000GONE", "03-1234-5678"),
        ("HDM00000LOCK", "03-1234-5678"),
    ]
    answers: list[Any] = []
    work = [
        statements(
            app,
            lambda data={"gateway_id": one, "phone": two}: answers.append(
                client.post("/forgotten-id", data=data)
            ),
        )
        for one, two in tries
    ]
    assert all(one == work[0] for one in work)
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert [mail.to for mail in mails(app)] == [TARO, "", "", "", "", ""]


def test_asking_for_an_id_again_and_again_makes_wait(
    app: Flask, client: FlaskClient, home: int
) -> None:
    for _ in range(5):
        client.post("/forgotten-id", data={"gateway_id": "HDM00000ABCD", "phone": "1"})
    refused = client.post("/forgotten-id", data={"gateway_id": "hdm00000abcd", "phone": "1"})
    assert refused.status_code == 429
    assert 'value="hdm00000abcd"' in refused.text


def test_a_mail_for_nobody_is_never_written(app: Flask, client: FlaskClient, home: int) -> None:
    ask(client, "nobody@example.org")
    client.post("/forgotten-id", data={"gateway_id": "HDM00000NONE", "phone": "03-1234-5678"})
    desk = Desk(NOW, lambda *_: "signed", lambda *_, **__: "url")
    assert [mail.to for mail in mails(app)] == ["", ""]
    for mail in mails(app):
        with app.app_context(), pytest.raises(Gone):
            LETTERS[mail.template](mail, desk)


def test_a_new_password_ends_the_wait_at_a_known_browser_too(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    sign_in(client, TARO)
    client.post("/sign-out")
    for _ in range(6):
        last = client.post("/sign-in", data={"email": TARO, "password": "Wrong-88"})
    assert last.status_code == 429
    ask(client)
    assert set_new(client, url(app)).status_code == 303
    sign_in(client, TARO, NEW)
