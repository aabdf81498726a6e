"""The authenticator app, and what stands in for it."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import factors, recovery_codes, sessions, totp
from app.domain.factors import AlreadyOn, CodeUsed, Due, MustStayOn, NotOn, WrongCode
from app.domain.recovery_codes import WrongRecoveryCode
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, Passkey, RecoveryCode, Session, TotpFactor
from app.transaction import transaction
from tests.factories import (
    TOTP_SECRET,
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
    PasskeyFactory,
    TotpFactorFactory,
)
from tests.racing import at_once

NOW = datetime(2026, 11, 22, 9, 5, 10, tzinfo=UTC)
STEP = timedelta(seconds=totp.STEP_S)


def key(app: Flask) -> str:
    return str(app.secret_key)


def code(at: datetime = NOW) -> str:
    return totp.code_at(TOTP_SECRET, at)


def get(account_id: int) -> Account:
    return db.session.get_one(Account, account_id)


def set_up(app: Flask, account_id: int, secret: str = TOTP_SECRET, at: datetime = NOW) -> list[str]:
    with app.app_context(), transaction():
        return factors.set_up(
            key(app),
            get(account_id),
            secret,
            totp.code_at(secret, at),
            network_address="192.0.2.1",
            now=at,
        )


def told(app: Flask) -> list[str]:
    """Return what the audit log and the outbox tell, which is the same."""
    with app.app_context():
        actions = list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
        mails = list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))
    assert actions == mails
    return mails


@pytest.fixture
def taro(app: Flask) -> int:
    """Give a customer without a second factor."""
    with app.app_context(), transaction():
        return int(CustomerFactory().id)


@pytest.fixture
def hanako(app: Flask) -> int:
    """Give a dealer's person with an app."""
    with app.app_context(), transaction():
        return int(DealerPersonFactory().id)


def test_a_code_opens_once_and_ends_the_earlier_ones(app: Flask, hanako: int) -> None:
    with app.app_context(), transaction():
        factors.prove(key(app), hanako, code(), NOW)
    for typed in (code(), code(NOW - STEP)):
        with app.app_context(), pytest.raises(CodeUsed), transaction():
            factors.prove(key(app), hanako, typed, NOW)
    with app.app_context(), transaction():
        factors.prove(key(app), hanako, code(NOW + STEP), NOW)


@pytest.mark.parametrize("_again", range(3))
def test_of_two_with_the_same_code_one_gets_in(app: Flask, hanako: int, _again: int) -> None:
    def prove() -> bool:
        factors.prove(key(app), hanako, code(), NOW)
        return True

    assert sorted(at_once(app, prove, prove), key=str) == [CodeUsed, True]


def test_a_wrong_code_and_an_account_without_an_app_are_refused(
    app: Flask, hanako: int, taro: int
) -> None:
    wrong = f"{(int(code()) + 1) % 1_000_000:06}"
    for account_id, typed in ((hanako, wrong), (taro, code())):
        with app.app_context(), pytest.raises(WrongCode), transaction():
            factors.prove(key(app), account_id, typed, NOW)


def test_the_database_does_not_hold_the_secret(app: Flask, taro: int) -> None:
    codes = set_up(app, taro)
    with app.app_context():
        row = db.session.scalars(select(TotpFactor)).one()
        assert TOTP_SECRET not in row.sealed_secret
        hashes = list(db.session.scalars(select(RecoveryCode.code_hash)))
        assert all(one.startswith("$argon2id$") for one in hashes)
        assert len(codes) == len(set(codes)) == len(hashes) == 10


def test_under_another_secret_key_recovery_codes_still_open(app: Flask, taro: int) -> None:
    codes = set_up(app, taro)
    later = NOW + 10 * STEP
    with app.app_context(), pytest.raises(WrongCode), transaction():
        factors.prove("another secret key", taro, code(later), later)
    with app.app_context(), transaction():
        assert recovery_codes.use_up(recovery_codes.find(taro, codes[0]), later) == 9


def test_setting_up_uses_its_code_and_tells_the_owner(app: Flask, taro: int) -> None:
    set_up(app, taro)
    with app.app_context(), pytest.raises(CodeUsed), transaction():
        factors.prove(key(app), taro, code(), NOW)
    assert told(app) == ["second_factor_on"]


def test_another_app_takes_the_place_of_the_first_and_its_codes(app: Flask, taro: int) -> None:
    old = set_up(app, taro)
    secret = totp.new_secret()
    new = set_up(app, taro, secret, NOW + STEP)
    later = NOW + 5 * STEP
    with app.app_context(), pytest.raises(WrongCode), transaction():
        factors.prove(key(app), taro, code(later), later)
    with app.app_context(), transaction():
        factors.prove(key(app), taro, totp.code_at(secret, later), later)
        recovery_codes.find(taro, new[3])
        with pytest.raises(WrongRecoveryCode):
            recovery_codes.find(taro, old[3])


def test_a_wrong_first_code_sets_nothing_up(app: Flask, taro: int) -> None:
    with app.app_context(), pytest.raises(WrongCode), transaction():
        factors.set_up(
            key(app), get(taro), TOTP_SECRET, "abc", network_address="192.0.2.1", now=NOW
        )
    with app.app_context():
        assert factors.find(taro) is None
        assert factors.overview(get(taro), for_staff=True).confirmed_at is None


def test_nothing_replaces_an_app_unasked(app: Flask, hanako: int) -> None:
    secret = totp.new_secret()
    with app.app_context(), pytest.raises(AlreadyOn), transaction():
        factors.turn_on(
            key(app),
            get(hanako),
            secret,
            totp.code_at(secret, NOW),
            hashed={},
            replaces=False,
            network_address="192.0.2.1",
            now=NOW,
        )


def test_a_customer_turns_it_off_again_and_is_told(app: Flask, taro: int) -> None:
    set_up(app, taro)
    for _twice in range(2):
        with app.app_context(), transaction():
            factors.turn_off(get(taro), for_staff=True, network_address="192.0.2.1", now=NOW + STEP)
    with app.app_context():
        assert factors.due(get(taro), for_staff=True) is None
        assert db.session.scalar(select(func.count()).select_from(RecoveryCode)) == 0
    assert told(app) == ["second_factor_on", "second_factor_off"]


@pytest.mark.parametrize("make", [DealerPersonFactory, OperatorFactory])
def test_staff_cannot_turn_it_off_where_it_is_required(
    app: Flask, make: type[DealerPersonFactory] | type[OperatorFactory]
) -> None:
    with app.app_context(), transaction():
        account_id = make().id
    with app.app_context(), pytest.raises(MustStayOn), transaction():
        factors.turn_off(get(account_id), for_staff=True, network_address="", now=NOW)
    with app.app_context(), transaction():
        factors.turn_off(get(account_id), for_staff=False, network_address="", now=NOW)


def test_what_is_due_depends_on_role_app_and_passkey(app: Flask) -> None:
    with app.app_context(), transaction():
        customer, dealer = CustomerFactory(), DealerPersonFactory(factor=None)
        operator, keyed = OperatorFactory(), OperatorFactory(factor=None)
        careful = CustomerFactory()
        TotpFactorFactory(account=careful)
        for owner in (customer, keyed):
            PasskeyFactory(account=owner)
        people = (customer, careful, dealer, operator, keyed)
        required = [factors.due(one, for_staff=True) for one in people]
        optional = [factors.due(one, for_staff=False) for one in people]
    assert required == [None, Due.CODE, Due.SETUP, Due.CODE, Due.PASSKEY]
    assert optional == [None, Due.CODE, None, Due.CODE, None]


def test_a_recovery_code_is_used_once(app: Flask, taro: int) -> None:
    codes = set_up(app, taro)
    with app.app_context(), transaction():
        found = recovery_codes.find(taro, f" {codes[4].lower().replace('-', '')} ")
        assert recovery_codes.use_up(found, NOW) == 9
    with app.app_context(), pytest.raises(WrongRecoveryCode), transaction():
        recovery_codes.find(taro, codes[4])


@pytest.mark.parametrize("_again", range(3))
def test_of_two_with_the_same_recovery_code_one_gets_in(app: Flask, taro: int, _again: int) -> None:
    codes = set_up(app, taro)

    def use() -> int:
        return recovery_codes.use_up(recovery_codes.find(taro, codes[0]), NOW)

    assert sorted(at_once(app, use, use), key=str) == [9, WrongRecoveryCode]


@pytest.mark.parametrize("typed", ["", "3", "3AAA-AAAA-AAAA", "京", "x" * 5000])
def test_what_is_no_recovery_code_is_refused(app: Flask, taro: int, typed: str) -> None:
    set_up(app, taro)
    with app.app_context(), pytest.raises(WrongRecoveryCode):
        recovery_codes.find(taro, typed)


def test_a_strangers_recovery_code_is_none_of_mine(app: Flask, taro: int, hanako: int) -> None:
    codes = set_up(app, taro)
    with app.app_context(), pytest.raises(WrongRecoveryCode):
        recovery_codes.find(hanako, codes[0])


def test_new_codes_end_the_old_ones(app: Flask, taro: int) -> None:
    old = set_up(app, taro)
    with app.app_context(), transaction():
        new = factors.renew_codes(get(taro), network_address="192.0.2.1", now=NOW + STEP)
    with app.app_context():
        with pytest.raises(WrongRecoveryCode):
            recovery_codes.find(taro, old[0])
        assert recovery_codes.find(taro, new[0])
        assert factors.overview(get(taro), for_staff=True).codes_left == 10
    assert told(app) == ["second_factor_on", "recovery_codes_renewed"]


def test_there_are_no_codes_without_an_app(app: Flask, taro: int) -> None:
    with app.app_context(), pytest.raises(NotOn), transaction():
        factors.renew_codes(get(taro), network_address="192.0.2.1", now=NOW)


def test_of_two_who_make_new_codes_at_once_one_set_is_left(app: Flask, taro: int) -> None:
    set_up(app, taro)

    def renew(second: int) -> list[str]:
        at = NOW + timedelta(seconds=second)
        return factors.renew_codes(get(taro), network_address="192.0.2.1", now=at)

    at_once(app, lambda: renew(1), lambda: renew(2))
    with app.app_context():
        assert recovery_codes.count_left(taro) == 10


def test_a_reset_takes_everything_ends_all_sessions_and_keeps_the_reason(
    app: Flask, hanako: int
) -> None:
    with app.app_context(), transaction():
        operator = OperatorFactory().id
        person = get(hanako)
        PasskeyFactory(account=person)
        sessions.begin(person, network_address="192.0.2.1", browser="", now=NOW)
        factors.renew_codes(person, network_address="192.0.2.1", now=NOW)
    with app.app_context(), transaction():
        factors.reset(
            get(hanako),
            reason="lost phone, called back",
            actor_id=operator,
            network_address="192.0.2.7",
            now=NOW,
        )
    with app.app_context():
        assert factors.due(get(hanako), for_staff=True) is Due.SETUP
        for model in (Passkey, RecoveryCode):
            assert db.session.scalar(select(func.count()).select_from(model)) == 0
        assert db.session.scalars(select(Session.ended_at)).one() == NOW
        entry = db.session.scalars(
            select(AuditEntry).where(AuditEntry.action == "second_factor_reset")
        ).one()
        assert (entry.actor_id, entry.subject_id) == (operator, hanako)
        assert entry.detail == {"reason": "lost phone, called back"}
        mailed = list(db.session.scalars(select(OutboxMail.template)))
        assert "second_factor_reset" in mailed
        # the operator's own app stays
        assert factors.find(operator)
