"""本登録: one registration becomes an account with its gateway, and only one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import activation, installations, passwords, provisional, terms, tokens
from app.domain.errors import NotFound, Rejected
from app.domain.provisional import Standing
from app.extensions import db, hasher
from app.models import Account, AuditEntry, Consent, Installation, OutboxMail, Registration, Sheet
from app.transaction import transaction
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    InstallationFactory,
    RegistrationFactory,
    SheetFactory,
    TermsVersionFactory,
)

NOW = LONG_AGO + timedelta(days=1)
SECRET = "a secret for tests"
PHONE = "03-1234-5678"
PASSWORD = "Komorebi7"


@pytest.fixture(autouse=True)
def version_id(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(TermsVersionFactory().id)


def register(app: Flask, **columns: Any) -> int:
    """Write a provisional registration with its consent; return its id."""
    with app.app_context(), transaction():
        registration = RegistrationFactory(**columns)
        terms.agree(
            terms.current("service", NOW),
            registration_id=registration.id,
            agreed_at=LONG_AGO,
            network_address="192.0.2.1",
        )
        db.session.flush()
        return int(registration.id)


def complete(registration_id: int, version_id: int, **changes: Any) -> int:
    """Complete a registration in a transaction of its own; return the installation's id."""
    with transaction():
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        given: dict[str, Any] = {
            "password": PASSWORD,
            "phone": PHONE,
            "agreed_version_id": version_id,
            "agreed_at": NOW - timedelta(minutes=2),
            "agreed_from": "198.51.100.6",
            "language": "ja",
            "rule": "manual",
            "network_address": "198.51.100.7",
            "now": NOW,
        }
        return activation.complete(registration, **{**given, **changes}).id


def count(app: Flask, model: Any) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def assert_nothing_happened(app: Flask, registration_id: int) -> None:
    assert count(app, Account) == count(app, Installation) == count(app, OutboxMail) == 0
    with app.app_context():
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        assert registration.completed_at is None
        assert registration.sheet.used_at is None


def test_an_account_with_its_gateway_comes_of_it(app: Flask, version_id: int) -> None:
    registration_id = register(
        app,
        email="hanako@example.org",
        family_name="日向",
        company_name="日向商店",
        site_name="本宅",
        site_city="宇治市",
    )
    with app.app_context():
        installation = db.session.get(Installation, complete(registration_id, version_id))
        assert installation is not None
        account = installation.account
        assert (account.email, account.family_name, account.company_name, account.role) == (
            "hanako@example.org",
            "日向",
            "日向商店",
            "customer",
        )
        assert (account.city, installation.city, installation.site_name) == (
            "京都市下京区",
            "宇治市",
            "本宅",
        )
        assert hasher.verify(account.password_hash, PASSWORD)


def test_the_claim_keeps_when_by_whom_from_where_and_with_which_sheet(
    app: Flask, version_id: int
) -> None:
    with app.app_context():
        with transaction():
            SheetFactory(revoked_at=LONG_AGO)
        sheet_id = db.session.scalars(select(Sheet.id)).one()
    with app.app_context(), transaction():
        first = db.session.get(Sheet, sheet_id)
        assert first is not None
        second_id = SheetFactory(gateway=first.gateway, version=2).id
    with app.app_context(), transaction():
        registration_id = RegistrationFactory(sheet=db.session.get(Sheet, second_id)).id
    with app.app_context():
        installation = db.session.get(Installation, complete(registration_id, version_id))
        assert installation is not None
        sheet = db.session.get(Sheet, installation.claimed_sheet_id)
        assert sheet is not None
        assert (installation.opened_at, installation.claimed_from) == (NOW, "198.51.100.7")
        assert (sheet.version, sheet.used_at, sheet.used_by_id) == (
            2,
            NOW,
            installation.account_id,
        )


def test_the_account_takes_over_both_agreements(app: Flask, version_id: int) -> None:
    registration_id = register(app)
    with app.app_context():
        complete(registration_id, version_id)
        consents = db.session.scalars(select(Consent).order_by(Consent.agreed_at)).all()
        account_id = db.session.scalars(select(Account.id)).one()
    assert [consent.account_id for consent in consents] == [account_id, account_id]
    assert [(consent.agreed_at, consent.network_address) for consent in consents] == [
        (LONG_AGO, "192.0.2.1"),
        (NOW - timedelta(minutes=2), "198.51.100.6"),
    ]


def test_the_registration_ends_a_mail_waits_and_the_log_knows(app: Flask, version_id: int) -> None:
    registration_id = register(app, email="hanako@example.org")
    with app.app_context():
        installation_id = complete(registration_id, version_id, language="en")
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        assert registration.completed_at == NOW
        assert registration.account_id == db.session.scalars(select(Account.id)).one()
        [queued] = db.session.scalars(select(OutboxMail)).all()
        assert (queued.template, queued.to, queued.language) == (
            "registration_complete",
            "hanako@example.org",
            "en",
        )
        assert queued.refs == {
            "account": registration.account_id,
            "installation": installation_id,
        }
        assert db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all() == [
            "account.created",
            "gateway.claimed",
        ]


@pytest.mark.parametrize(
    "phone", ["0312345678", "０３ー１２３４ー５６７８", "03 1234 5678", "+81 3-1234-5678"]
)
def test_the_phone_number_compares_whatever_its_hyphens_and_width(
    app: Flask, version_id: int, phone: str
) -> None:
    registration_id = register(app)
    with app.app_context():
        assert complete(registration_id, version_id, phone=phone)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"phone": "03-1234-5679"}, provisional.PhoneMismatch),
        ({"phone": "no number"}, provisional.PhoneMismatch),
        ({"password": "short"}, passwords.WeakPassword),
        ({"password": "Password1"}, passwords.CommonPassword),
        ({"agreed_version_id": 4711}, terms.TermsChanged),
        ({"now": LONG_AGO + timedelta(days=7)}, provisional.NotOpen),
    ],
)
def test_what_will_not_do_changes_nothing(
    app: Flask, version_id: int, changes: dict[str, Any], refusal: type[Rejected]
) -> None:
    registration_id = register(app)
    with app.app_context(), pytest.raises(refusal):
        complete(registration_id, version_id, **changes)
    assert_nothing_happened(app, registration_id)


def test_a_registration_is_completed_once(app: Flask, version_id: int) -> None:
    registration_id = register(app)
    with app.app_context():
        complete(registration_id, version_id)
        with pytest.raises(provisional.NotOpen):
            complete(registration_id, version_id)
    assert count(app, Account) == count(app, Installation) == 1


def test_a_superseded_registration_is_not_completed(app: Flask, version_id: int) -> None:
    registration_id = register(app, superseded_at=LONG_AGO)
    with app.app_context(), pytest.raises(provisional.NotOpen):
        complete(registration_id, version_id)
    assert_nothing_happened(app, registration_id)


def test_a_url_renewed_meanwhile_completes_nothing(app: Flask, version_id: int) -> None:
    registration_id = register(app)
    with app.app_context():
        # this page was opened with the old URL; it stays loaded while another tab asks anew
        loaded = db.session.get(Registration, registration_id)
        with db.engine.begin() as elsewhere:
            elsewhere.execute(db.update(Registration).values(url_nonce="another"))
        with pytest.raises(provisional.NotOpen):
            complete(registration_id, version_id)
    assert loaded is not None
    assert_nothing_happened(app, registration_id)


def test_a_sheet_that_was_issued_anew_claims_nothing(app: Flask, version_id: int) -> None:
    registration_id = register(app)
    with app.app_context():
        with transaction():
            db.session.execute(db.update(Sheet).values(revoked_at=NOW))
        with pytest.raises(installations.GatewayTaken):
            complete(registration_id, version_id)
    assert_nothing_happened(app, registration_id)


def test_an_address_that_became_an_account_meanwhile_is_refused(
    app: Flask, version_id: int
) -> None:
    registration_id = register(app, email="hanako@example.org")
    with app.app_context():
        with transaction():
            CustomerFactory(email="hanako@example.org")
        with pytest.raises(provisional.AddressTaken):
            complete(registration_id, version_id)
    assert count(app, Installation) == 0


def race(app: Flask, *attempts: Callable[[], int]) -> list[object]:
    """Run all attempts at the same moment; return the installation's id or the refusal of each."""
    barrier = Barrier(len(attempts))

    def run(attempt: Callable[[], int]) -> object:
        with app.app_context():
            db.session.execute(select(1))
            barrier.wait(timeout=10)
            try:
                return attempt()
            except Rejected as refusal:
                return type(refusal)

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(run, attempts))


@pytest.mark.parametrize("_again", range(3))
def test_of_two_who_finish_for_the_same_gateway_one_wins(
    app: Flask, version_id: int, _again: int
) -> None:
    first = register(app)
    with app.app_context(), transaction():
        sheet = db.session.scalars(select(Sheet)).one()
        second = RegistrationFactory(sheet=sheet).id
    outcomes = race(app, lambda: complete(first, version_id), lambda: complete(second, version_id))
    assert outcomes.count(installations.GatewayTaken) == 1
    assert count(app, Account) == count(app, Installation) == count(app, OutboxMail) == 1


@pytest.mark.parametrize("_again", range(3))
def test_of_two_who_finish_with_the_same_address_one_wins(
    app: Flask, version_id: int, _again: int
) -> None:
    first = register(app, email="hanako@example.org")
    second = register(app, email="hanako@example.org")
    outcomes = race(app, lambda: complete(first, version_id), lambda: complete(second, version_id))
    assert outcomes.count(provisional.AddressTaken) == 1
    assert count(app, Account) == count(app, Installation) == count(app, OutboxMail) == 1
    with app.app_context():
        # the loser's sheet is still good for whoever signs in and adds the gateway
        assert db.session.scalar(select(func.count(Sheet.id)).where(Sheet.used_at.is_(None))) == 1


def test_of_eight_presses_of_the_same_button_one_counts(app: Flask, version_id: int) -> None:
    registration_id = register(app)
    outcomes = race(app, *[lambda: complete(registration_id, version_id)] * 8)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert count(app, Account) == count(app, Installation) == count(app, OutboxMail) == 1
    assert count(app, Consent) == 2


def standing(app: Flask, registration_id: int, now: datetime = NOW, nonce: str = "") -> Standing:
    with app.app_context():
        registration = db.session.get(Registration, registration_id)
        signed = tokens.sign(
            SECRET,
            "registration",
            registration_id,
            nonce or (registration.url_nonce if registration else ""),
        )
        return activation.load(SECRET, signed, now).standing


def test_a_fresh_url_is_open_until_its_day(app: Flask) -> None:
    registration_id = register(app)
    week = timedelta(days=7)
    assert standing(app, registration_id) is Standing.OPEN
    assert standing(app, registration_id, LONG_AGO + week - timedelta(seconds=1)) is Standing.OPEN
    assert standing(app, registration_id, LONG_AGO + week) is Standing.EXPIRED


def test_an_older_url_of_a_renewed_one_says_so(app: Flask) -> None:
    assert standing(app, register(app), nonce="earlier") is Standing.RENEWED


def test_a_url_that_can_lead_nowhere_says_so(app: Flask, version_id: int) -> None:
    superseded = register(app, superseded_at=NOW)
    owned = register(app)
    reissued = register(app)
    used = register(app)
    with app.app_context():
        complete(used, version_id)
        with transaction():
            taken = db.session.get(Registration, owned)
            stale = db.session.get(Registration, reissued)
            assert taken is not None
            assert stale is not None
            InstallationFactory(gateway=taken.gateway, claimed_sheet_id=taken.sheet_id)
            stale.sheet.revoked_at = NOW
    assert [standing(app, one) for one in (superseded, owned, reissued, used, 4711)] == [
        Standing.SUPERSEDED,
        Standing.SUPERSEDED,
        Standing.SUPERSEDED,
        Standing.USED,
        Standing.SUPERSEDED,
    ]


def test_a_url_whose_address_became_an_account_says_so_even_when_expired(app: Flask) -> None:
    registration_id = register(app, email="hanako@example.org")
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
    later = NOW + timedelta(days=30)
    assert standing(app, registration_id, later) is Standing.ADDRESS_TAKEN


@pytest.mark.parametrize("signed", ["", "rubbish", "WzEsIngiXQ.rubbish", "\ud800", "a" * 5000])
def test_what_nobody_here_signed_is_not_found(app: Flask, signed: str) -> None:
    with app.app_context(), pytest.raises(NotFound):
        activation.load(SECRET, signed, NOW)


def test_a_url_signed_for_something_else_is_not_found(app: Flask) -> None:
    registration_id = register(app)
    signed = tokens.sign(SECRET, "password-reset", registration_id, "nonce")
    with app.app_context(), pytest.raises(NotFound):
        activation.load(SECRET, signed, NOW)


LATER = LONG_AGO + timedelta(days=9)


def resend(registration_id: int, now: datetime = LATER) -> int:
    with transaction():
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        activation.resend(registration, now=now, url_days=7)
    return 1


def test_a_new_mail_makes_a_new_url_and_ends_the_old(app: Flask) -> None:
    registration_id = register(app, email="hanako@example.org", language="en")
    with app.app_context():
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        old = registration.url_nonce
        resend(registration_id)
        db.session.expire_all()
        assert registration.url_nonce != old
        assert registration.expires_at == LATER + timedelta(days=7)
        [queued] = db.session.scalars(select(OutboxMail)).all()
        assert (queued.template, queued.to, queued.language, queued.refs) == (
            "registration_provisional",
            "hanako@example.org",
            "en",
            {"registration": registration_id},
        )
    assert standing(app, registration_id, LATER) is Standing.OPEN
    assert standing(app, registration_id, LATER, nonce=old) is Standing.RENEWED


def test_a_url_can_run_out_and_be_renewed_time_and_again(app: Flask) -> None:
    registration_id = register(app)
    with app.app_context():
        for weeks in (2, 4, 6):
            resend(registration_id, LONG_AGO + timedelta(weeks=weeks))
    assert count(app, OutboxMail) == 3


def test_only_a_url_that_ran_out_and_can_still_be_used_is_renewed(
    app: Flask, version_id: int
) -> None:
    fresh = register(app, created_at=LATER)
    superseded = register(app, superseded_at=NOW)
    used = register(app)
    reissued = register(app)
    known = register(app, email="hanako@example.org")
    with app.app_context():
        complete(used, version_id)
        with transaction():
            stale = db.session.get(Registration, reissued)
            assert stale is not None
            stale.sheet.revoked_at = NOW
            CustomerFactory(email="hanako@example.org")
        for registration_id in (fresh, superseded, used, reissued, known):
            with pytest.raises(provisional.NotOpen):
                resend(registration_id)
    assert count(app, OutboxMail) == 1


def test_of_two_who_ask_for_a_new_mail_at_once_one_gets_it(app: Flask) -> None:
    registration_id = register(app)
    outcomes = race(app, *[lambda: resend(registration_id)] * 2)
    assert sorted(map(str, outcomes)) == sorted(map(str, [1, provisional.NotOpen]))
    assert count(app, OutboxMail) == 1
