"""Clearing away: in small steps, whatever the amount."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import clock
from app.domain import drafts, limits, passkeys, passwords, provisional, sessions
from app.extensions import db
from app.jobs.clean import clear_expired
from app.models import (
    Account,
    EmailChange,
    FailureCount,
    MaintenanceContact,
    PasskeyChallenge,
    PasswordReset,
    Registration,
    RegistrationDraft,
    Session,
)
from app.transaction import transaction
from tests.factories import (
    CustomerFactory,
    DealerFactory,
    EmailChangeFactory,
    MaintenanceContactFactory,
    RegistrationFactory,
    SheetFactory,
)


def test_everything_old_goes_in_several_steps_and_the_rest_stays(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "DELETED_AT_ONCE", 2)
    monkeypatch.setattr(provisional, "DELETED_AT_ONCE", 2)
    now = clock.now()
    with app.app_context(), transaction():
        sheet = SheetFactory()
        for days in (99, 99, 99, 99, 99, 0):
            then = now - timedelta(days=days)
            registration = RegistrationFactory(sheet=sheet, created_at=then)
            draft, _token = drafts.start({}, then)
            draft.registration_id = registration.id
    with app.app_context():
        clear_expired()
        clear_expired()
    with app.app_context():
        for model in (Registration, RegistrationDraft):
            assert db.session.scalar(select(func.count()).select_from(model)) == 1


def test_a_closed_account_and_an_old_change_of_address_go_in_time(app: Flask) -> None:
    then = clock.now() - timedelta(days=99)
    with app.app_context(), transaction():
        taro = CustomerFactory(closed_at=then, former_email="taro@example.org")
        CustomerFactory(closed_at=clock.now(), former_email="hanako@example.org")
        EmailChangeFactory(account=CustomerFactory(), expires_at=then)
        MaintenanceContactFactory(dealer=DealerFactory(closed_at=then), confirmed_at=then)
        taro_id = taro.id
    with app.app_context():
        clear_expired()
    with app.app_context():
        left = select(Account.former_email).where(Account.former_email.is_not(None))
        assert db.session.scalars(left).all() == ["hanako@example.org"]
        assert db.session.get_one(Account, taro_id).erased_at
        assert db.session.scalars(select(EmailChange)).all() == []
        assert db.session.scalars(select(MaintenanceContact)).all() == []


def test_what_signing_in_left_behind_goes_too(app: Flask) -> None:
    now = clock.now()
    with app.app_context(), transaction():
        taro = CustomerFactory()
        for days in (99, 1):
            then = now - timedelta(days=days)
            sessions.begin(taro, network_address="192.0.2.1", browser="", now=then)
            passwords.request_reset(taro.email, hours=2, now=then)
            subjects = [f"account:{days}"]
            db.session.add(
                PasskeyChallenge(
                    digest=f"{days}", purpose=passkeys.SIGN_IN, expires_at=then + timedelta(days=2)
                )
            )
            limits.spend("sign-in", subjects, now=then + timedelta(hours=9), free=5, delay_max_s=9)
    with app.app_context():
        clear_expired()
    with app.app_context():
        for model in (Session, PasswordReset, FailureCount, PasskeyChallenge):
            assert db.session.scalar(select(func.count()).select_from(model)) == 1
