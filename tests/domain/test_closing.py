"""退会: what ends at once, and what is erased a month later."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import accounts, audit, closing, installations, passwords, sessions, sheets
from app.domain.accounts import WrongCredentials
from app.domain.errors import NotFound
from app.domain.installations import Site
from app.domain.passwords import WrongPassword
from app.extensions import db
from app.models import (
    Account,
    AuditEntry,
    Consent,
    EmailChange,
    Installation,
    OutboxMail,
    PasswordReset,
    Registration,
    Session,
)
from app.transaction import transaction
from tests.factories import (
    LONG_AGO,
    PASSWORD,
    SHEET_PASSWORD,
    CustomerFactory,
    DealerPersonFactory,
    EmailChangeFactory,
    GatewayFactory,
    InstallationFactory,
    OperatorFactory,
    RegistrationFactory,
    SheetFactory,
    TermsVersionFactory,
)

NOW = LONG_AGO + timedelta(days=1)
SITE = Site("離れ", "6008216", "京都府", "京都市下京区", "東塩小路町1-2", "")


def close(app: Flask, account_id: int, password: str = PASSWORD) -> None:
    with app.app_context(), transaction():
        account = db.session.get_one(Account, account_id)
        closing.close(account, password, network_address="192.0.2.1", now=NOW)


@pytest.fixture
def taro_id(app: Flask) -> int:
    """A customer with two gateways, a session, and a request for a new password."""
    with app.app_context(), transaction():
        taro = CustomerFactory(email="taro@example.org")
        for name in ("本宅", "離れ"):
            InstallationFactory(account=taro, site_name=name)
        sessions.begin(taro, network_address="192.0.2.1", browser="Firefox", now=NOW)
        passwords.request_reset(taro.email, hours=2, now=NOW)
        return int(taro.id)


def test_gateways_sessions_and_urls_end_and_the_address_is_free(app: Flask, taro_id: int) -> None:
    close(app, taro_id)
    with app.app_context(), transaction():
        assert accounts.find("taro@example.org") is None
        assert set(db.session.scalars(select(Installation.closed_at))) == {NOW}
        assert db.session.scalars(select(Session.ended_at)).all() == [NOW]
        assert db.session.scalars(select(PasswordReset.used_at)).all() == [NOW]
        mail = db.session.scalars(select(OutboxMail).filter_by(template="account_closed")).one()
        assert mail.to == "taro@example.org"
        entry = db.session.scalars(select(AuditEntry).filter_by(action="account.closed")).one()
        assert (entry.subject_id, entry.detail) == (taro_id, {"gateways": 2})
        # the same person may come back
        CustomerFactory(email="taro@example.org")


def test_a_wrong_password_closes_nothing_and_a_second_press_neither(
    app: Flask, taro_id: int
) -> None:
    with pytest.raises(WrongPassword):
        close(app, taro_id, "Wrong-88")
    close(app, taro_id)
    with pytest.raises(WrongCredentials):
        close(app, taro_id)


@pytest.mark.parametrize("person", [DealerPersonFactory, OperatorFactory])
def test_only_customers_close_their_accounts_so(app: Flask, person: type) -> None:
    with app.app_context(), transaction():
        account_id = person().id
    with pytest.raises(NotFound):
        close(app, account_id)


def test_nobody_closes_a_strangers_gateways(app: Flask, taro_id: int) -> None:
    with app.app_context(), transaction():
        hers = InstallationFactory(site_name="花子の家").id
    close(app, taro_id)
    with app.app_context():
        assert db.session.get_one(Installation, hers).closed_at is None


def test_a_closed_account_opens_no_installation(app: Flask, taro_id: int) -> None:
    close(app, taro_id)
    with app.app_context(), transaction():
        gateway_id = GatewayFactory().id
        with pytest.raises(NotFound):
            installations.open_installation(
                gateway_id, taro_id, SITE, sheet_id=None, network_address="", now=NOW
            )
        db.session.rollback()


def test_a_closed_account_opens_no_installation_also_at_the_same_moment(
    app: Flask, taro_id: int
) -> None:
    with app.app_context(), transaction():
        sheet_id = SheetFactory(gateway=GatewayFactory(public_id="FREE00000001")).id
    start = Barrier(2)

    def claim() -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    taro = db.session.get_one(Account, taro_id)
                    sheet = sheets.prove("FREE00000001", SHEET_PASSWORD, account=taro)
                    installations.use_up_sheet(sheet.id, taro, NOW)
                    installations.open_installation(
                        sheet.gateway_id,
                        taro_id,
                        SITE,
                        sheet_id=sheet_id,
                        network_address="",
                        now=NOW,
                    )
            except NotFound:
                pass

    def leave() -> None:
        start.wait()
        close(app, taro_id)

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(claim), pool.submit(leave)]:
            one.result()
    with app.app_context():
        still_open = select(Installation).where(Installation.closed_at.is_(None))
        assert db.session.scalars(still_open).all() == []


def test_what_was_held_of_a_person_is_erased_in_time_and_the_rest_stays(
    app: Flask, taro_id: int
) -> None:
    with app.app_context(), transaction():
        taro = db.session.get_one(Account, taro_id)
        registration = RegistrationFactory(account_id=taro_id, completed_at=LONG_AGO)
        version = TermsVersionFactory()
        db.session.add(
            Consent(
                terms_version_id=version.id,
                registration_id=registration.id,
                account_id=taro_id,
                agreed_at=LONG_AGO,
                network_address="192.0.2.1",
            )
        )
        EmailChangeFactory(account=taro, old_email="older@example.org", completed_at=LONG_AGO)
        for who, subject_id in (
            (None, taro_id),
            (None, taro_id + 1),
            (OperatorFactory().id, taro_id),
        ):
            audit.record(
                "sign_in_refused",
                actor_id=who,
                subject="account",
                subject_id=subject_id,
                network_address="192.0.2.7",
                now=LONG_AGO,
            )
        old = {"template": "x", "language": "ja", "refs": {}, "state": "sent"}
        for key, to, at in (
            ("before", "older@example.org", LONG_AGO),
            ("again", "taro@example.org", NOW + timedelta(days=9)),
            ("hers", "hanako@example.org", LONG_AGO),
        ):
            db.session.add(
                OutboxMail(
                    key=key, to=to, answer=f"{to}?", created_at=at, next_attempt_at=at, **old
                )
            )
    close(app, taro_id)
    with app.app_context(), transaction():
        assert closing.erase_some(NOW + timedelta(days=29), keep_days=30) == 0
        assert closing.erase_some(NOW + timedelta(days=30), keep_days=30) == 1
        assert closing.erase_some(NOW + timedelta(days=99), keep_days=30) == 0
    with app.app_context():
        taro = db.session.get_one(Account, taro_id)
        shown = (taro.family_name, taro.given_kana, taro.phone, taro.street, taro.former_email)
        assert shown == ("", "", "", "", None)
        assert taro.email == f"closed-{taro_id}@invalid"
        for installation in db.session.scalars(select(Installation)):
            assert (installation.site_name, installation.city) == ("", "")
            assert installation.opened_at
        consent = db.session.scalars(select(Consent)).one()
        assert (consent.account_id, consent.agreed_at) == (taro_id, LONG_AGO)
        assert (consent.registration_id, consent.network_address) == (None, "")
        for model in (Session, Registration, EmailChange):
            assert db.session.scalars(select(model)).all() == []
        entries = db.session.scalars(select(AuditEntry).filter_by(actor_id=taro_id)).all()
        assert {entry.network_address for entry in entries} == {""}
        assert "account.closed" in [entry.action for entry in entries]
        # attempts to sign in go with it; what others did, and what was done to others, stays
        refused = select(AuditEntry).filter_by(action="sign_in_refused").order_by(AuditEntry.id)
        seen_from = [entry.network_address for entry in db.session.scalars(refused)]
        assert seen_from == ["", "192.0.2.7", "192.0.2.7"]
        mails = dict(db.session.execute(select(OutboxMail.key, OutboxMail.to)).all())  # type: ignore[arg-type]
        assert mails["again"] == "taro@example.org"
        assert mails["hers"] == "hanako@example.org"
        assert mails["before"] == mails[f"account-closed-{taro_id}"] == ""
        answer = db.session.scalars(select(OutboxMail.answer).filter_by(key="before")).one()
        assert answer == ""
