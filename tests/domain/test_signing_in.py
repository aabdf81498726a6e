"""The second step's rules: what a right password is worth, and for how long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import factors, signing_in, totp
from app.domain.accounts import WrongCredentials
from app.domain.factors import AlreadyOn, Due, WrongCode
from app.domain.recovery_codes import WrongRecoveryCode
from app.domain.signing_in import Browser, Pending, PendingOver
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, RecoveryCode, Session, TotpFactor
from app.transaction import transaction
from tests.factories import (
    PASSWORD,
    TOTP_SECRET,
    CustomerFactory,
    DealerPersonFactory,
    PasskeyFactory,
)
from tests.racing import at_once

NOW = datetime(2026, 11, 22, 9, 5, 10, tzinfo=UTC)
HERE = Browser("192.0.2.1", "Firefox")


def begin(app: Flask, email: str, *, required: bool = True) -> Session | Pending:
    with app.app_context(), transaction():
        return signing_in.by_password(email, PASSWORD, HERE, two_for_staff=required, now=NOW)


def pending(app: Flask, email: str) -> Pending:
    found = begin(app, email)
    assert isinstance(found, Pending)
    return found


def by_code(app: Flask, waiting: Pending, at: datetime = NOW) -> Session:
    typed = totp.code_at(TOTP_SECRET, at)
    return signing_in.by_code(str(app.secret_key), waiting, typed, HERE, at)


def set_up(app: Flask, waiting: Pending, secret: str = TOTP_SECRET) -> tuple[Session, list[str]]:
    return signing_in.by_setting_up(
        str(app.secret_key),
        waiting,
        HERE,
        secret=secret,
        code=totp.code_at(secret, NOW),
        now=NOW,
    )


def count(app: Flask, model: type[Session] | type[TotpFactor] | type[RecoveryCode]) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


@pytest.fixture
def hanako(app: Flask) -> str:
    """Give a dealer's person with an app."""
    with app.app_context(), transaction():
        return str(DealerPersonFactory(email="hanako@example.org").email)


@pytest.fixture
def newcomer(app: Flask) -> str:
    """Give a dealer's person who signs in for the first time."""
    with app.app_context(), transaction():
        return str(DealerPersonFactory(email="newcomer@example.org", factor=None).email)


def test_a_customers_password_is_enough(app: Flask) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
    assert isinstance(begin(app, "taro@example.org"), Session)


def test_a_right_password_alone_makes_no_session(app: Flask, hanako: str, newcomer: str) -> None:
    assert pending(app, hanako).due is Due.CODE
    assert pending(app, newcomer).due is Due.SETUP
    assert count(app, Session) == 0
    with app.app_context():
        assert list(db.session.scalars(select(AuditEntry.action))) == []


def test_where_it_is_optional_staff_without_an_app_get_in(
    app: Flask, hanako: str, newcomer: str
) -> None:
    assert isinstance(begin(app, newcomer, required=False), Session)
    assert isinstance(begin(app, hanako, required=False), Pending)


def test_the_code_begins_the_session_and_the_log_says_how(app: Flask, hanako: str) -> None:
    waiting = pending(app, hanako)
    with app.app_context(), transaction():
        assert by_code(app, waiting).account_id == waiting.account_id
    with app.app_context():
        entry = db.session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.detail) == ("signed_in", {"factor": "app"})


def test_it_is_over_after_five_minutes(app: Flask, hanako: str) -> None:
    waiting = pending(app, hanako)
    within = NOW + signing_in.CODE_WITHIN
    with app.app_context(), pytest.raises(PendingOver), transaction():
        by_code(app, waiting, within)
    # nor does a clock that was set back make it younger
    with app.app_context(), pytest.raises(PendingOver), transaction():
        by_code(app, waiting, NOW - timedelta(seconds=1))
    with app.app_context(), transaction():
        by_code(app, waiting, within - timedelta(seconds=1))


def test_setting_up_may_take_twenty_minutes(app: Flask, newcomer: str) -> None:
    waiting = pending(app, newcomer)
    assert not waiting.is_over(NOW + timedelta(minutes=19))
    assert waiting.is_over(NOW + timedelta(minutes=20))


@pytest.mark.parametrize("what", ["locked_at", "closed_at", "password_changed_at"])
def test_it_ends_with_the_password_and_with_the_account(app: Flask, hanako: str, what: str) -> None:
    waiting = pending(app, hanako)
    with app.app_context(), transaction():
        setattr(db.session.get_one(Account, waiting.account_id), what, NOW)
    with app.app_context(), pytest.raises(PendingOver), transaction():
        by_code(app, waiting)
    with app.app_context(), pytest.raises(PendingOver):
        signing_in.pending_account(waiting)
    assert count(app, Session) == 0


def test_a_recovery_code_begins_a_session_and_its_owner_reads_how_many_are_left(
    app: Flask, hanako: str
) -> None:
    with app.app_context(), transaction():
        person = db.session.scalars(select(Account).filter_by(email=hanako)).one()
        codes = factors.renew_codes(person, network_address="", now=NOW)
    waiting = pending(app, hanako)
    with app.app_context(), transaction():
        signing_in.by_recovery_code(waiting, codes[7], HERE, NOW)
    with app.app_context(), pytest.raises(WrongRecoveryCode), transaction():
        signing_in.by_recovery_code(waiting, codes[7], HERE, NOW)
    with app.app_context():
        mail = db.session.scalars(
            select(OutboxMail).where(OutboxMail.template == "recovery_code_used")
        ).one()
        assert mail.refs["left"] == 9
    assert count(app, Session) == 1


def test_the_first_app_is_set_up_and_opens(app: Flask, newcomer: str) -> None:
    waiting = pending(app, newcomer)
    with app.app_context(), transaction():
        session, codes = set_up(app, waiting)
        assert (session.account_id, len(codes)) == (waiting.account_id, 10)
    assert pending(app, newcomer).due is Due.CODE


def test_of_two_who_know_the_password_one_sets_it_up(app: Flask, newcomer: str) -> None:
    waiting = pending(app, newcomer)
    found = at_once(
        app,
        lambda: set_up(app, waiting)[1],
        lambda: set_up(app, waiting, totp.new_secret())[1],
    )
    assert [one for one in found if one is AlreadyOn] == [AlreadyOn]
    assert (count(app, TotpFactor), count(app, RecoveryCode), count(app, Session)) == (1, 10, 1)


def test_a_password_is_not_enough_to_set_an_app_up_beside_a_passkey(
    app: Flask, newcomer: str
) -> None:
    waiting = pending(app, newcomer)
    with app.app_context(), transaction():
        PasskeyFactory(account=db.session.get_one(Account, waiting.account_id))
    assert pending(app, newcomer).due is Due.PASSKEY
    for held in (waiting, replace(waiting, due=Due.PASSKEY)):
        with app.app_context(), pytest.raises(AlreadyOn), transaction():
            set_up(app, held)
        with app.app_context(), pytest.raises(WrongCode), transaction():
            by_code(app, held)
    assert count(app, Session) == 0


def test_a_wrong_first_code_sets_nothing_up(app: Flask, newcomer: str) -> None:
    waiting = pending(app, newcomer)
    with app.app_context(), pytest.raises(WrongCode), transaction():
        signing_in.by_setting_up(
            str(app.secret_key), waiting, HERE, secret=TOTP_SECRET, code="123", now=NOW
        )
    assert (count(app, TotpFactor), count(app, Session)) == (0, 0)


def test_a_wrong_password_is_refused_before_anything_is_said_of_factors(
    app: Flask, hanako: str
) -> None:
    with app.app_context(), pytest.raises(WrongCredentials), transaction():
        signing_in.by_password(hanako, "Wrong-88", HERE, two_for_staff=True, now=NOW)
