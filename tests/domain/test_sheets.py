"""Proving a sheet: one answer for the same work."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import sheets
from app.extensions import db, hasher
from app.models import Account, ClaimAttempt, Gateway, Sheet
from app.transaction import transaction
from tests.counting import Work, counted
from tests.factories import (
    SHEET_PASSWORD,
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
    SheetFactory,
)

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def cast(app: Flask) -> None:
    """A free gateway, one with an owner, one whose owner removed it, one without a sheet."""
    with app.app_context(), transaction():
        SheetFactory(gateway=GatewayFactory(public_id="FREE00000001"))
        owner = CustomerFactory(email="owner@example.org")
        InstallationFactory(account=owner, gateway=GatewayFactory(public_id="TAKEN0000001"))
        InstallationFactory(
            account=owner, gateway=GatewayFactory(public_id="REMOVED00001"), closed_at=NOW
        )
        GatewayFactory(public_id="NOSHEET00001")


@pytest.mark.usefixtures("cast")
def test_the_sheet_of_a_free_gateway_proves_itself_however_it_is_typed(app: Flask) -> None:
    with app.app_context():
        assert sheets.prove("FREE00000001", SHEET_PASSWORD).gateway.public_id == "FREE00000001"
        assert sheets.prove(" ｆｒｅｅ-0000-0001", SHEET_PASSWORD.upper().replace("-", "ー")).id


REFUSED = [
    ("UNKNOWN00001", SHEET_PASSWORD),
    ("FREE00000001", "wrong"),
    ("FREE00000001", ""),
    ("TAKEN0000001", SHEET_PASSWORD),
    ("TAKEN0000001", "wrong"),
    ("REMOVED00001", SHEET_PASSWORD),
    ("NOSHEET00001", SHEET_PASSWORD),
    ("\x00\ud800😀", "\x00\ud800" * 5000),
]


@pytest.mark.usefixtures("cast")
def test_every_refusal_has_the_same_words_for_the_same_work(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    works: list[Work] = []
    answers: set[tuple[type, str | None, str]] = set()
    for public_id, password in REFUSED:
        with app.app_context(), counted(monkeypatch) as work:
            with pytest.raises(sheets.SheetRefused) as refusal:
                sheets.prove(public_id, password)
            answers.add((refusal.type, refusal.value.field, str(refusal.value)))
        works.append(work)
    assert {work.amounts for work in works} == {(1, 1)}
    assert len({work.statements[0] for work in works}) == 1
    assert len(answers) == 1


@pytest.mark.usefixtures("cast")
def test_a_used_sheet_proves_itself_only_to_the_owner_who_removed_the_gateway(app: Flask) -> None:
    with app.app_context():
        owner = db.session.scalar(select(Account).filter_by(email="owner@example.org"))
        assert sheets.prove("REMOVED00001", SHEET_PASSWORD, account=owner).used_by_id == owner.id
        with pytest.raises(sheets.SheetRefused):
            sheets.prove("TAKEN0000001", SHEET_PASSWORD, account=owner)
        with transaction():
            stranger = CustomerFactory()
        with pytest.raises(sheets.SheetRefused):
            sheets.prove("REMOVED00001", SHEET_PASSWORD, account=stranger)


@pytest.mark.usefixtures("cast")
def test_a_new_sheet_ends_the_one_before(app: Flask) -> None:
    with app.app_context():
        old = sheets.prove("FREE00000001", SHEET_PASSWORD)
        with transaction():
            gateway = db.session.get_one(Gateway, old.gateway_id)
            new = sheets.issue(gateway, password_hash=hasher.hash("ABCD"), now=NOW)
        assert new.version == 2
        with pytest.raises(sheets.SheetRefused):
            sheets.prove("FREE00000001", SHEET_PASSWORD)
        assert sheets.prove("FREE00000001", "ab-cd").id == new.id
        with pytest.raises(sheets.SheetLapsed):
            sheets.get_standing(old.id)


@pytest.mark.usefixtures("cast")
def test_a_proof_lapses_once_the_gateway_has_an_owner(app: Flask) -> None:
    with app.app_context():
        sheet = sheets.prove("FREE00000001", SHEET_PASSWORD)
        assert sheets.get_standing(sheet.id) is sheet
        with transaction():
            InstallationFactory(gateway=db.session.get_one(Gateway, sheet.gateway_id),
                                claimed_sheet_id=sheet.id)  # fmt: skip
        with pytest.raises(sheets.SheetLapsed):
            sheets.get_standing(sheet.id)
        with pytest.raises(sheets.SheetLapsed):
            sheets.get_standing(None)


def test_attempts_are_written_down_whatever_was_typed(app: Flask) -> None:
    with app.app_context(), transaction():
        sheets.record_attempt("x\x00" * 500, proved=False, network_address="192.0.2.1", now=NOW)
    with app.app_context():
        attempt = db.session.scalars(select(ClaimAttempt)).one()
        assert (attempt.public_id_typed, attempt.proved) == ("X" * 12, False)
        assert db.session.scalars(select(Sheet)).all() == []
