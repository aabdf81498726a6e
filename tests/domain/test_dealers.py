"""Dealers: registered once, whole, and approved once."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.domain import (
    dealer_activation,
    dealer_registrations,
    dealers,
    drafts,
    passwords,
    provisional,
    terms,
    tokens,
)
from app.domain.dealer_registrations import Entry
from app.domain.errors import NotFound, Rejected
from app.domain.provisional import Standing
from app.extensions import db
from app.models import Account, AuditEntry, Consent, Dealer, DealerRegistration, OutboxMail
from app.transaction import transaction
from tests.factories import (
    LONG_AGO,
    AccountFactory,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    DealerRegistrationFactory,
    TermsVersionFactory,
)
from tests.racing import race

NOW = LONG_AGO + timedelta(days=1)
SECRET = "a secret for tests"
EMAIL = "hanako@example.org"
ENTRY = Entry(
    name="ひだまり電設",
    name_kana="ヒダマリデンセツ",
    family_name="佐藤",
    given_name="花子",
    family_kana="サトウ",
    given_kana="ハナコ",
    email=EMAIL,
    phone="+81312345678",
    postal_code="6008216",
    prefecture="京都府",
    city="京都市下京区",
    street="東塩小路町1-2",
    building="",
)


@pytest.fixture(autouse=True)
def version_id(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(TermsVersionFactory(kind="dealer").id)


def register(**changes: Any) -> int:
    """Go through the wizard; return the registration's id."""
    with transaction():
        draft, _token = drafts.start({}, NOW, kind="dealer")
        drafts.agree(draft, terms.current("dealer", NOW), now=NOW, network_address="192.0.2.1")
        given = {"seen": NOW, "language": "ja", "network_address": "192.0.2.1", "now": NOW}
        dealer_registrations.register(draft, ENTRY, **{**given, **changes}, url_days=7)
        assert draft.dealer_registration_id is not None
        return draft.dealer_registration_id


def complete(registration_id: int, version_id: int, **changes: Any) -> int:
    """Complete a registration in a transaction of its own; return the dealer's id."""
    with transaction():
        registration = db.session.get_one(DealerRegistration, registration_id)
        given: dict[str, Any] = {
            "approved": True,
            "password": "Komorebi7",
            "phone": "03-1234-5678",
            "agreed_version_id": version_id,
            "agreed_at": NOW,
            "agreed_from": "198.51.100.6",
            "language": "ja",
            "rule": "manual",
            "network_address": "198.51.100.7",
            "now": NOW,
        }
        return dealer_activation.complete(registration, **{**given, **changes}).id


def standing(registration_id: int, nonce: str | None = None, now: Any = NOW) -> Standing:
    registration = db.session.get_one(DealerRegistration, registration_id)
    signed = tokens.sign(
        SECRET, "dealer-registration", registration_id, nonce or registration.url_nonce
    )
    return dealer_activation.load(SECRET, signed, now).standing


def count(model: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def mails() -> list[str]:
    return list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))


def test_a_dealer_with_its_administrator_comes_of_it(app: Flask, version_id: int) -> None:
    with app.app_context():
        dealer_id = complete(register(), version_id)
        dealer = db.session.get_one(Dealer, dealer_id)
        account = db.session.scalars(select(Account)).one()
        assert (dealer.dealer_no, dealer.approved_at) == (4000 + dealer_id, NOW)
        assert (dealer.name, dealer.phone, dealer.email) == ("ひだまり電設", "+81312345678", EMAIL)
        assert (account.role, account.email, account.family_name) == ("dealer", EMAIL, "佐藤")
        assert account.is_dealer_admin
        assert account.dealer is dealer
        consents = db.session.scalars(select(Consent)).all()
        assert [one.account_id for one in consents] == [account.id] * 2
        assert mails() == ["dealer_provisional", "dealer_complete"]
        actions = set(db.session.scalars(select(AuditEntry.action)))
        assert actions == {"account.created", "dealer.registered", "dealer.approved"}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"password": "short"}, passwords.WeakPassword),
        ({"password": "Password1"}, passwords.CommonPassword),
        ({"phone": "03-1234-5679"}, provisional.PhoneMismatch),
        ({"agreed_version_id": 0}, terms.TermsChanged),
        ({"now": NOW + timedelta(days=7)}, provisional.NotOpen),
    ],
)
def test_what_will_not_do_changes_nothing(
    app: Flask, version_id: int, changes: dict[str, Any], refusal: type[Rejected]
) -> None:
    with app.app_context():
        registration_id = register()
        with pytest.raises(refusal):
            complete(registration_id, version_id, **changes)
        assert count(Account) == count(Dealer) == count(AuditEntry) == 0
        assert standing(registration_id) is Standing.OPEN


def test_an_address_with_an_account_is_told_by_mail_alone(app: Flask, version_id: int) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email=EMAIL)
    with app.app_context():
        registration_id = register()
        assert mails() == ["dealer_known_address"]
        assert standing(registration_id) is Standing.SUPERSEDED
        with pytest.raises(provisional.NotOpen):
            complete(registration_id, version_id)


def test_the_newest_registration_of_an_address_ends_the_others(app: Flask) -> None:
    with app.app_context():
        first, second = register(), register()
        assert (standing(first), standing(second)) == (Standing.SUPERSEDED, Standing.OPEN)


def test_a_url_that_ran_out_is_renewed_once(app: Flask) -> None:
    late = NOW + timedelta(days=8)
    with app.app_context():
        registration_id = register()
        registration = db.session.get_one(DealerRegistration, registration_id)
        old = registration.url_nonce
        assert standing(registration_id, now=late) is Standing.EXPIRED
        with transaction():
            dealer_activation.resend(registration, now=late, url_days=7)
        with pytest.raises(provisional.NotOpen), transaction():
            dealer_activation.resend(registration, now=late, url_days=7)
        assert standing(registration_id, old, late) is Standing.RENEWED
        assert standing(registration_id, now=late) is Standing.OPEN
        assert mails() == ["dealer_provisional"] * 2


def test_a_url_says_what_became_of_it(app: Flask, version_id: int) -> None:
    with app.app_context():
        registration_id = register()
        with transaction():
            taken = CustomerFactory(email=EMAIL)
        assert standing(registration_id) is Standing.ADDRESS_TAKEN
        with pytest.raises(provisional.AddressTaken):
            complete(registration_id, version_id)
        with transaction():
            db.session.delete(db.session.get_one(Account, taken.id))
        complete(registration_id, version_id)
        assert standing(registration_id) is Standing.USED
        with pytest.raises(NotFound):
            dealer_activation.load(
                SECRET, tokens.sign(SECRET, "registration", registration_id, "x"), NOW
            )
        erased = tokens.sign(SECRET, "dealer-registration", 10**6, "x")
        assert dealer_activation.load(SECRET, erased, NOW).standing is Standing.SUPERSEDED


def test_a_draft_is_registered_once_and_as_it_was_seen(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(drafts.DraftChanged):
            register(seen=NOW - timedelta(seconds=1))
        assert count(DealerRegistration) == count(OutboxMail) == 0


def test_newer_terms_have_to_be_agreed_to(app: Flask) -> None:
    with app.app_context():
        with transaction():
            draft, _token = drafts.start({}, NOW, kind="dealer")
            drafts.agree(draft, terms.current("dealer", NOW), now=NOW, network_address="")
            TermsVersionFactory(kind="dealer")
        with pytest.raises(terms.TermsChanged), transaction():
            dealer_registrations.register(
                draft, ENTRY, seen=NOW, language="ja", network_address="", now=NOW, url_days=7
            )


def test_neither_wizard_finds_the_others_draft(app: Flask) -> None:
    with app.app_context(), transaction():
        _draft, token = drafts.start({}, NOW, kind="dealer")
        assert drafts.find(token, NOW, keep_hours=24, kind="dealer")
        assert drafts.find(token, NOW, keep_hours=24) is None
        assert drafts.renew_token(token, NOW, keep_hours=24) is None


@pytest.mark.parametrize("_again", range(3))
def test_of_two_who_finish_with_the_same_address_one_wins(
    app: Flask, version_id: int, _again: int
) -> None:
    with app.app_context(), transaction():
        first, second = (DealerRegistrationFactory(email=EMAIL, created_at=NOW).id for _ in "12")
    outcomes = race(app, lambda: complete(first, version_id), lambda: complete(second, version_id))
    assert outcomes.count(provisional.AddressTaken) == 1
    with app.app_context():
        assert count(Account) == count(Dealer) == count(OutboxMail) == 1


def approve(dealer_id: int) -> int:
    with transaction():
        dealer = dealers.approve(dealer_id, actor_id=None, network_address="", now=NOW)
        assert dealer.dealer_no is not None
        return dealer.dealer_no


def test_a_dealer_that_waits_gets_its_number_and_a_mail_when_it_is_approved(
    app: Flask, version_id: int
) -> None:
    with app.app_context():
        dealer_id = complete(register(), version_id, approved=False)
        dealer = db.session.get_one(Dealer, dealer_id)
        assert (dealer.dealer_no, dealer.approved_at) == (None, None)
        assert dealers.list_waiting() == [dealer]
        assert approve(dealer_id) == 4000 + dealer_id
        assert dealers.list_waiting() == []
        assert mails()[-1] == "dealer_approved"
        entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert (entry.action, entry.subject_id) == ("dealer.approved", dealer_id)
        with pytest.raises(dealers.NotWaiting):
            approve(dealer_id)


def test_of_two_who_approve_one_wins(app: Flask) -> None:
    with app.app_context(), transaction():
        dealer_id = DealerFactory(dealer_no=None, approved_at=None).id
    outcomes = race(app, lambda: approve(dealer_id), lambda: approve(dealer_id))
    assert outcomes.count(dealers.NotWaiting) == 1
    with app.app_context():
        assert count(OutboxMail) == count(AuditEntry) == 1


def test_a_closed_or_unknown_dealer_is_not_approved(app: Flask) -> None:
    with app.app_context():
        with transaction():
            closed = DealerFactory(dealer_no=None, approved_at=None, closed_at=NOW).id
        with pytest.raises(dealers.NotWaiting):
            approve(closed)
        with pytest.raises(NotFound):
            approve(10**6)


def test_a_persons_dealer_is_found_and_a_customer_has_none(app: Flask) -> None:
    with app.app_context(), transaction():
        hanako = DealerPersonFactory()
        assert dealers.of(hanako) is hanako.dealer
        with pytest.raises(NotFound):
            dealers.of(CustomerFactory())


@pytest.mark.parametrize("role", ["dealer", "customer", "operator"])
def test_people_of_dealers_and_they_alone_have_a_dealer(app: Flask, role: str) -> None:
    class Anybody(AccountFactory):
        class Meta:
            model = Account

    with app.app_context(), pytest.raises(IntegrityError), transaction():
        Anybody(role=role, dealer=None if role == "dealer" else DealerFactory())


def test_old_registrations_go_with_their_consents(app: Flask, version_id: int) -> None:
    with app.app_context():
        kept = register()
        complete(kept, version_id)
        with transaction():
            old = DealerRegistrationFactory(created_at=LONG_AGO - timedelta(days=60))
            terms.agree(
                terms.current("dealer", NOW),
                dealer_registration_id=old.id,
                agreed_at=NOW,
                network_address="",
            )
        with transaction():
            assert dealer_registrations.clear_old(NOW, keep_days=30) == 1
        assert db.session.scalars(select(DealerRegistration.id)).all() == [kept]
        assert count(Consent) == 2


def test_of_a_dealer_that_closed_long_ago_the_name_stays(app: Flask) -> None:
    with app.app_context():
        with transaction():
            closed = DealerFactory(closed_at=NOW)
            DealerFactory()
        for days, erased in ((29, 0), (30, 1), (31, 0)):
            with transaction():
                assert dealers.erase_some(NOW + timedelta(days=days), keep_days=30) == erased
        db.session.refresh(closed)
        assert (closed.name, closed.phone, closed.email, closed.street) == (
            "ひだまり電設",
            "",
            "",
            "",
        )
