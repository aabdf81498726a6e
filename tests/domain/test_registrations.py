"""Drafts become registrations: once, whole, and nobody learns who is a customer."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import drafts, registrations, sheets, terms
from app.domain.registrations import Entry
from app.extensions import db
from app.models import Consent, OutboxMail, Registration, RegistrationDraft, Sheet, TermsVersion
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
    RegistrationFactory,
    SheetFactory,
    TermsVersionFactory,
)

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ENTRY = Entry(
    email="taro@example.org",
    family_name="山田",
    given_name="太郎",
    family_kana="ヤマダ",
    given_kana="タロウ",
    phone="+81312345678",
    company_name="",
    department="",
    postal_code="6008216",
    prefecture="京都府",
    city="京都市下京区",
    street="東塩小路町1-2",
    building="",
    site_name="山田邸",
    site_postal_code="6008216",
    site_prefecture="京都府",
    site_city="京都市下京区",
    site_street="東塩小路町1-2",
    site_building="",
)


@pytest.fixture
def ready(app: Flask) -> Flask:
    """Terms in force, and a free gateway with its sheet."""
    with app.app_context(), transaction():
        TermsVersionFactory(kind="service", version="1")
        SheetFactory(gateway=GatewayFactory(public_id="FREE00000001"))
    return app


def begin(app: Flask) -> int:
    """Return a draft that agreed, proved the sheet, and lacks nothing."""
    with app.app_context(), transaction():
        draft, _token = drafts.start({"email": ENTRY.email}, NOW)
        drafts.agree(draft, terms.current("service", NOW), now=NOW, network_address="203.0.113.7")
        drafts.keep_proof(draft, db.session.scalars(select(Sheet)).one(), NOW)
        return draft.id


def register(
    app: Flask,
    draft_id: int,
    entry: Entry = ENTRY,
    *,
    seen: datetime = NOW,
    now: datetime = NOW,
) -> None:
    with app.app_context(), transaction():
        registrations.register(
            db.session.get_one(RegistrationDraft, draft_id),
            entry,
            seen=seen,
            language="ja",
            network_address="192.0.2.1",
            now=now,
            url_days=7,
        )


def rows(app: Flask, model: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_a_draft_becomes_a_registration_with_its_consent_and_its_mail(ready: Flask) -> None:
    draft_id = begin(ready)
    register(ready, draft_id)
    with ready.app_context():
        registration = db.session.scalars(select(Registration)).one()
        assert {name: getattr(registration, name) for name in asdict(ENTRY)} == asdict(ENTRY)
        assert registration.gateway.public_id == "FREE00000001"
        assert registration.expires_at == NOW + 7 * DAY
        assert registration.superseded_at is None
        consent = db.session.scalars(select(Consent)).one()
        assert consent.registration_id == registration.id
        assert (consent.agreed_at, consent.network_address) == (NOW, "203.0.113.7")
        mail = db.session.scalars(select(OutboxMail)).one()
        assert (mail.template, mail.to) == ("registration_provisional", ENTRY.email)
        assert mail.refs == {"registration": registration.id}
        draft = db.session.get_one(RegistrationDraft, draft_id)
        assert draft.registration_id == registration.id
        assert draft.data == {"email": ENTRY.email}


def test_pressing_twice_registers_once(ready: Flask) -> None:
    draft_id = begin(ready)
    for _press in range(3):
        register(ready, draft_id)
    assert rows(ready, Registration) == rows(ready, OutboxMail) == rows(ready, Consent) == 1


def test_pressing_at_the_same_moment_registers_once(ready: Flask) -> None:
    draft_id = begin(ready)
    together = Barrier(4)

    def press(_number: int) -> None:
        together.wait()
        register(ready, draft_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(press, range(4)))
    assert rows(ready, Registration) == rows(ready, OutboxMail) == rows(ready, Consent) == 1


def test_whoever_proves_the_sheet_again_supersedes(ready: Flask) -> None:
    register(ready, begin(ready), replace(ENTRY, email="typo@example.org"))
    register(ready, begin(ready), now=NOW + DAY)
    with ready.app_context():
        typo, right = db.session.scalars(select(Registration).order_by(Registration.id))
        assert typo.superseded_at == NOW + DAY
        assert right.superseded_at is None


def test_two_who_register_the_same_gateway_at_once_leave_one_open(ready: Flask) -> None:
    ids = [begin(ready) for _one in range(4)]
    together = Barrier(4)

    def press(draft_id: int) -> None:
        together.wait()
        register(ready, draft_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(press, ids))
    with ready.app_context():
        ended = db.session.scalars(select(Registration.superseded_at)).all()
    assert len(ended) == 4
    assert ended.count(None) == 1


def test_a_known_address_claims_nothing_but_ends_what_was_there_as_any_does(ready: Flask) -> None:
    register(ready, begin(ready), replace(ENTRY, email="other@example.org"))
    with ready.app_context(), transaction():
        CustomerFactory(email=ENTRY.email)
    register(ready, begin(ready), now=NOW + DAY)
    with ready.app_context():
        other, known = db.session.scalars(select(Registration).order_by(Registration.id))
        # the holder of the other URL must not see by it that this address is a customer's
        assert other.superseded_at == NOW + DAY
        assert known.superseded_at == NOW + DAY
        mail = db.session.scalars(select(OutboxMail).filter_by(to=ENTRY.email)).one()
        assert mail.template == "registration_known_address"
        assert set(mail.refs) == {"account"}


def test_a_known_address_costs_the_same_work(ready: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_id = begin(ready)
    with counted(monkeypatch) as unknown:
        register(ready, draft_id)
    with ready.app_context(), transaction():
        CustomerFactory(email=ENTRY.email)
    draft_id = begin(ready)
    with counted(monkeypatch) as known:
        register(ready, draft_id)
    assert known.amounts == unknown.amounts
    assert [sql.split()[0] for sql in known.statements] == [
        sql.split()[0] for sql in unknown.statements
    ]


def test_what_another_tab_changed_is_shown_again_before_it_is_registered(ready: Flask) -> None:
    draft_id = begin(ready)
    with ready.app_context(), transaction():
        draft = db.session.get_one(RegistrationDraft, draft_id)
        drafts.save(draft, {"family_name": "別"}, NOW + timedelta(seconds=1))
    with pytest.raises(drafts.DraftChanged):
        register(ready, draft_id)
    assert rows(ready, Registration) == 0
    with ready.app_context():
        assert db.session.get_one(RegistrationDraft, draft_id).completed_at is None


def test_newer_terms_ask_for_another_agreement(ready: Flask) -> None:
    draft_id = begin(ready)
    with ready.app_context(), transaction():
        TermsVersionFactory(kind="service", version="2", effective_at=NOW)
    with pytest.raises(terms.TermsChanged):
        register(ready, draft_id)
    assert rows(ready, Registration) == rows(ready, OutboxMail) == 0


@pytest.mark.parametrize("happened", ["reissued", "owned", "used"])
def test_a_sheet_that_no_longer_stands_registers_nothing(ready: Flask, happened: str) -> None:
    draft_id = begin(ready)
    with ready.app_context(), transaction():
        sheet = db.session.scalars(select(Sheet)).one()
        if happened == "reissued":
            sheets.issue(sheet.gateway, password_hash="", now=NOW)
        elif happened == "owned":
            InstallationFactory(gateway=sheet.gateway, claimed_sheet_id=sheet.id)
        else:
            sheet.used_by_id = CustomerFactory().id
    with pytest.raises(sheets.SheetLapsed):
        register(ready, draft_id)
    assert rows(ready, Registration) == rows(ready, OutboxMail) == 0
    with ready.app_context():
        assert db.session.get_one(RegistrationDraft, draft_id).completed_at is None


def test_a_draft_is_found_for_a_day(app: Flask) -> None:
    with app.app_context(), transaction():
        _draft, token = drafts.start({}, NOW)
    with app.app_context():
        assert drafts.find(token, NOW + DAY - timedelta(seconds=1), keep_hours=24)
        assert drafts.find(token, NOW + DAY, keep_hours=24) is None
        assert drafts.find("another", NOW, keep_hours=24) is None
        assert drafts.find(None, NOW, keep_hours=24) is None


def test_a_renewed_token_ends_the_old_one(app: Flask) -> None:
    with app.app_context(), transaction():
        _draft, token = drafts.start({}, NOW)
    with app.app_context(), transaction():
        renewed = drafts.renew_token(token, NOW, keep_hours=24)
    with app.app_context():
        assert drafts.find(token, NOW, keep_hours=24) is None
        assert drafts.find(renewed, NOW, keep_hours=24)
        assert drafts.renew_token(token, NOW, keep_hours=24) is None


def test_the_table_holds_no_token(app: Flask) -> None:
    with app.app_context(), transaction():
        draft, token = drafts.start({}, NOW)
        assert token not in draft.token_hash


def test_old_drafts_are_deleted(app: Flask) -> None:
    with app.app_context(), transaction():
        drafts.start({}, NOW - DAY)
        drafts.start({}, NOW)
    with app.app_context(), transaction():
        assert drafts.clear_old(NOW, keep_hours=24) == 1
        assert drafts.clear_old(NOW, keep_hours=24) == 0


def test_registrations_are_erased_thirty_days_after_they_ended(ready: Flask) -> None:
    with ready.app_context(), transaction():
        version, sheet = db.session.scalars(select(TermsVersion)).one(), None
        sheet = db.session.scalars(select(Sheet)).one()
        cases = {
            "expired": {"created_at": NOW - 37 * DAY},
            "just expired": {"created_at": NOW - 36 * DAY},
            "superseded": {"created_at": NOW, "superseded_at": NOW - 30 * DAY},
            "completed": {"created_at": NOW - 99 * DAY, "completed_at": NOW - 98 * DAY},
            "open": {"created_at": NOW},
        }
        for name, values in cases.items():
            row = RegistrationFactory(sheet=sheet, site_name=name, **values)
            terms.agree(version, registration_id=row.id, agreed_at=NOW, network_address="")
    with ready.app_context(), transaction():
        assert registrations.clear_old(NOW, keep_days=30) == 2
        assert registrations.clear_old(NOW, keep_days=30) == 0
    with ready.app_context():
        left = set(db.session.scalars(select(Registration.site_name)))
    assert left == {"just expired", "completed", "open"}
    assert rows(ready, Consent) == 3
