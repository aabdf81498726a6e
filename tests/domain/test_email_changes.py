"""Change of the mail address: the password, the new mailbox, and the database decide."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import email_changes, passwords, sessions, tokens
from app.domain.email_changes import ChangeUrlDead, SameAddress
from app.domain.passwords import ResetUrlDead, WrongPassword
from app.domain.provisional import AddressTaken
from app.extensions import db
from app.models import Account, EmailChange, OutboxMail, PasswordReset, Session
from app.transaction import transaction
from tests.factories import LONG_AGO, PASSWORD, CustomerFactory

NOW = LONG_AGO + timedelta(days=1)
SECRET = "a secret for tests"
NEW = "new@example.org"
HERE = {"network_address": "192.0.2.1", "now": NOW}


def sign_in(app: Flask, email: str = "taro@example.org") -> int:
    """Make a customer, if there is none, and begin a session; return the session's id."""
    with app.app_context(), transaction():
        account = db.session.scalar(select(Account).filter_by(email=email)) or CustomerFactory(
            email=email
        )
        return sessions.begin(account, network_address="", browser="", now=NOW).id


def ask(app: Flask, session_id: int, new: str = NEW, password: str = PASSWORD) -> str:
    """Ask for a change; return the signed part of the URL that is mailed."""
    with app.app_context(), transaction():
        account = db.session.get_one(Session, session_id).account
        email_changes.request(account, new, password, hours=2, **HERE)
        change = db.session.scalars(select(EmailChange).order_by(EmailChange.id.desc())).first()
        assert change
        return tokens.sign(SECRET, email_changes.PURPOSE, change.id, change.url_nonce)


def confirm(app: Flask, session_id: int, signed: str, after: timedelta = timedelta(0)) -> None:
    with app.app_context(), transaction():
        session = db.session.get_one(Session, session_id)
        email_changes.confirm(session, SECRET, signed, network_address="192.0.2.1", now=NOW + after)


def addresses(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Account.email).order_by(Account.id)))


def test_the_address_changes_by_the_url_alone_and_the_old_one_is_told(app: Flask) -> None:
    here, elsewhere = sign_in(app), sign_in(app)
    signed = ask(app, here, " ＮＥＷ@example.org ")
    assert addresses(app) == ["taro@example.org"]
    confirm(app, here, signed)
    assert addresses(app) == [NEW]
    with app.app_context():
        mails = db.session.execute(
            select(OutboxMail.template, OutboxMail.to).order_by(OutboxMail.id)
        ).all()
        assert [tuple(mail) for mail in mails] == [
            ("email_change", NEW),
            ("email_changed", "taro@example.org"),
        ]
        assert db.session.get_one(Session, here).ended_at is None
        assert db.session.get_one(Session, elsewhere).ended_at


def test_a_wrong_password_and_the_same_address_are_refused(app: Flask) -> None:
    here = sign_in(app)
    with pytest.raises(WrongPassword):
        ask(app, here, password="Wrong-88")
    with pytest.raises(SameAddress):
        ask(app, here, "TARO@example.org")


def test_a_newer_request_a_use_and_time_end_a_url(app: Flask) -> None:
    here = sign_in(app)
    first = ask(app, here)
    second = ask(app, here, "newer@example.org")
    for signed, after in ((first, timedelta(0)), (second, timedelta(hours=2)), ("x", timedelta(0))):
        with pytest.raises(ChangeUrlDead):
            confirm(app, here, signed, after)
    confirm(app, here, second)
    with pytest.raises(ChangeUrlDead):
        confirm(app, here, second)
    assert addresses(app) == ["newer@example.org"]


def test_nobody_else_can_use_the_url(app: Flask) -> None:
    here, hanako = sign_in(app), sign_in(app, "hanako@example.org")
    with pytest.raises(ChangeUrlDead):
        confirm(app, hanako, ask(app, here))


def test_a_new_password_ends_the_url_and_a_new_address_ends_resets(app: Flask) -> None:
    here = sign_in(app)
    signed = ask(app, here)
    with app.app_context(), transaction():
        session = db.session.get_one(Session, here)
        passwords.change(session, PASSWORD, "Komorebi7", rule="manual", **HERE)
    with pytest.raises(ChangeUrlDead):
        confirm(app, here, signed)
    with app.app_context(), transaction():
        passwords.request_reset("taro@example.org", hours=2, now=NOW)
    confirm(app, here, ask(app, here, password="Komorebi7"))
    with app.app_context():
        reset = db.session.scalars(select(PasswordReset)).one()
        named = tokens.sign(SECRET, passwords.PURPOSE, reset.id, reset.url_nonce)
        with pytest.raises(ResetUrlDead):
            passwords.find_reset(SECRET, named, now=NOW)


def test_somebodys_address_is_told_and_never_given_away(app: Flask) -> None:
    here, hanako = sign_in(app), sign_in(app, "hanako@example.org")
    signed = ask(app, here, "hanako@example.org")
    with pytest.raises(ChangeUrlDead):
        confirm(app, here, signed)
    with app.app_context():
        mail = db.session.scalars(select(OutboxMail)).one()
        owner_id = db.session.get_one(Session, hanako).account_id
        assert (mail.template, mail.to) == ("email_change_known_address", "hanako@example.org")
        assert mail.refs["account"] == owner_id


def test_an_address_that_was_taken_meanwhile_changes_nothing(app: Flask) -> None:
    here, hanako = sign_in(app), sign_in(app, "hanako@example.org")
    confirm(app, hanako, ask(app, hanako))
    with pytest.raises(ChangeUrlDead):
        confirm(app, here, ask(app, here))
    later = ask(app, here, "other@example.org")
    confirm(app, hanako, ask(app, hanako, "other@example.org"))
    with pytest.raises(AddressTaken):
        confirm(app, here, later)
    assert addresses(app) == ["taro@example.org", "other@example.org"]


def test_of_two_who_want_one_address_at_once_one_gets_it(app: Flask) -> None:
    people = [sign_in(app), sign_in(app, "hanako@example.org")]
    urls = [ask(app, person) for person in people]
    start = Barrier(2)

    def try_it(number: int) -> bool:
        start.wait()
        try:
            confirm(app, people[number], urls[number])
        except AddressTaken:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(try_it, range(2))) == [False, True]
    assert addresses(app).count(NEW) == 1


def test_requests_are_cleared_but_those_that_changed_an_address(app: Flask) -> None:
    here = sign_in(app)
    ask(app, here)
    confirm(app, here, ask(app, here))
    with app.app_context(), transaction():
        assert email_changes.clear_old(NOW + timedelta(days=6)) == 0
        assert email_changes.clear_old(NOW + timedelta(days=8)) == 1
    with app.app_context():
        assert db.session.scalars(select(EmailChange.old_email)).all() == ["taro@example.org"]
