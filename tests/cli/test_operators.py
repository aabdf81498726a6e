"""`flask operators add`."""

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.domain import passwords, tokens
from app.domain.accounts import WrongCredentials
from app.domain.signing_in import Browser, by_password
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, PasswordReset
from app.transaction import transaction
from tests.factories import CustomerFactory

MAIL = "suzuki@example.org"


def add(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["operators", "add", *words])
    return result.exit_code, result.output


def test_an_operator_is_invited_to_set_a_password(app: Flask) -> None:
    exit_code, told = add(app, "Suzuki@Example.org", "--name", "鈴木　一郎")
    assert exit_code == 0
    assert "鈴木 一郎" in told
    with app.app_context():
        account = db.session.scalars(select(Account)).one()
        assert (account.role, account.email) == ("operator", MAIL)
        mail = db.session.scalars(select(OutboxMail)).one()
        assert (mail.template, mail.to) == ("operator_invited", MAIL)
        reset = db.session.get_one(PasswordReset, mail.refs["reset"])
        assert (reset.expires_at - reset.created_at).days == 7
        assert db.session.scalars(select(AuditEntry.action)).one() == "operator_added"
        signed = tokens.sign(str(app.secret_key), passwords.PURPOSE, reset.id, reset.url_nonce)
    client = app.test_client()
    new = {"password": "Komorebi7", "password_again": "Komorebi7"}
    assert client.post(f"/new-password/{signed}", data=new).location == "/sign-in"
    answer = client.post("/sign-in", data={"email": MAIL, "password": "Komorebi7"})
    assert answer.location == "/sign-in/setup"


@pytest.mark.parametrize("guess", ["", "Operator1", "Suzuki88"])
def test_until_then_there_is_no_password(app: Flask, guess: str) -> None:
    add(app, MAIL, "--name", "鈴木 一郎")
    with app.app_context(), pytest.raises(WrongCredentials), transaction():
        by_password(MAIL, guess, Browser("", ""), two_for_staff=True, now=clock.now())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("not-an-address", "--name", "鈴木 一郎"), "no mail address"),
        ((MAIL, "--name", "鈴木"), "氏名"),
        ((MAIL, "--name", "長" * 65 + " 一郎"), "氏名"),
        (("taro@example.org", "--name", "鈴木 一郎"), "すでに使われています"),
        ((MAIL,), "--name"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(
    app: Flask, words: tuple[str, ...], said: str
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
    exit_code, told = add(app, *words)
    assert exit_code != 0
    assert said in told
    with app.app_context():
        assert db.session.scalars(select(Account.role)).all() == ["customer"]
        assert db.session.scalars(select(OutboxMail)).all() == []
