"""A gateway changes hands by its certificate: once, wholly, and never behind the owner's back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import closing, drafts, gateways, installations, live, sheets, transfers
from app.domain.drafts import DraftChanged
from app.domain.errors import NotFound, Rejected
from app.domain.installations import Site
from app.domain.sheets import SheetRefused
from app.domain.transfers import (
    OwnGateway,
    TransferEnded,
    TransferExpired,
    TransferRefused,
    TransferUsed,
)
from app.extensions import db
from app.models import (
    Account,
    AuditEntry,
    Installation,
    Latest,
    OutboxMail,
    RegistrationDraft,
    Sheet,
    Transfer,
)
from app.transaction import transaction
from tests.factories import PASSWORD, SHEET_PASSWORD, CustomerFactory
from tests.transferring import BUYER, GATEWAY_ID, SELLER, Sale, for_sale, issue

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
SITE = Site("買田邸", "6008216", "京都府", "京都市下京区", "東塩小路町1-2", "")


@pytest.fixture
def sale(app: Flask) -> Sale:
    return for_sale(app)


def prove(app: Flask, code: str, account_id: int | None, now: datetime = NOW) -> int:
    """Prove a code; return the id of its certificate."""
    with app.app_context():
        account = db.session.get(Account, account_id) if account_id else None
        return transfers.prove(code, account=account, now=now).id


def draft_of(app: Flask, account_id: int, code: str) -> tuple[int, datetime]:
    """Prove a code in a draft; return the draft and how it was seen."""
    with app.app_context(), transaction():
        account = db.session.get_one(Account, account_id)
        proof = transfers.prove(code, account=account, now=NOW)
        draft, _token = drafts.start({"account_id": account_id}, NOW, kind="gateway")
        drafts.keep_proof(draft, proof, NOW)
        return draft.id, NOW


def claim(app: Flask, account_id: int, draft: tuple[int, datetime], now: datetime = NOW) -> None:
    with app.app_context(), transaction():
        transfers.claim(
            db.session.get_one(Account, account_id),
            db.session.get_one(RegistrationDraft, draft[0]),
            SITE,
            seen=draft[1],
            network_address="192.0.2.9",
            now=now,
        )


def visible(app: Flask, account_id: int) -> list[str]:
    with app.app_context():
        shown = gateways.list_visible(db.session.get_one(Account, account_id), NOW)
        return [one.gateway.public_id for one in shown]


def test_the_claim_closes_one_ownership_and_opens_the_other(app: Flask, sale: Sale) -> None:
    code = issue(app, sale, NOW)
    assert visible(app, sale.seller_id) == [GATEWAY_ID]
    claim(app, sale.buyer_id, draft_of(app, sale.buyer_id, code))
    assert visible(app, sale.seller_id) == []
    assert visible(app, sale.buyer_id) == [GATEWAY_ID]
    with app.app_context():
        [new] = db.session.scalars(select(Installation).filter_by(account_id=sale.buyer_id))
        before = db.session.get_one(Installation, sale.installation_id)
        assert (new.opened_at, new.site_name, new.claimed_sheet_id) == (NOW, "買田邸", None)
        assert (new.claimed_from, before.closed_at) == ("192.0.2.9", NOW)
        transfer = db.session.scalars(select(Transfer)).one()
        assert (transfer.claimed_by_id, transfer.new_installation_id) == (sale.buyer_id, new.id)
        mails = db.session.execute(select(OutboxMail.template, OutboxMail.to)).all()
        assert {tuple(mail) for mail in mails} == {
            ("transfer_issued", SELLER),
            ("gateway_handed_over", SELLER),
            ("gateway_taken_over", BUYER),
        }
        # the seller keeps the history up to the hand-over
        seller = db.session.get_one(Account, sale.seller_id)
        assert [one.id for one in installations.list_former(seller)] == [sale.installation_id]


def test_the_code_is_nowhere_but_on_the_certificate(app: Flask, sale: Sale) -> None:
    code = issue(app, sale, NOW)
    assert issue(app, sale, NOW) == code
    claim(app, sale.buyer_id, draft_of(app, sale.buyer_id, code))
    with app.app_context():
        kept = [repr(vars(row)) for row in db.session.scalars(select(Transfer))]
        kept += [repr(vars(row)) for row in db.session.scalars(select(AuditEntry))]
        kept += [repr(vars(row)) for row in db.session.scalars(select(OutboxMail))]
        actions = db.session.scalars(select(AuditEntry.action)).all()
        assert transfers.code_of(db.session.scalars(select(Transfer)).one(), "another") is None
    assert {"transfer.issued", "gateway.handed_over", "gateway.claimed"} <= set(actions)
    for text in kept:
        assert code not in text
        assert code.replace("-", "") not in text
    assert len(code.replace("-", "")) == 20


def test_a_code_may_be_typed_as_people_type(app: Flask, sale: Sale) -> None:
    code = issue(app, sale, NOW)
    assert prove(app, f" {code.lower().replace('-', ' ')}", sale.buyer_id)
    fullwidth = "".join(chr(ord(sign) + 0xFEE0) for sign in code)
    assert prove(app, fullwidth, None)
    for rubbish in ("", "x", code[:-1], code + "A", "\0" * 9, "あ" * 99999):
        with pytest.raises(TransferRefused):
            prove(app, rubbish, sale.buyer_id)


def test_the_seller_cannot_buy_from_oneself(app: Flask, sale: Sale) -> None:
    code = issue(app, sale, NOW)
    with pytest.raises(OwnGateway):
        prove(app, code, sale.seller_id)


def test_a_stranger_neither_issues_nor_withdraws(app: Flask, sale: Sale) -> None:
    issue(app, sale, NOW)
    with app.app_context(), transaction():
        buyer = db.session.get_one(Account, sale.buyer_id)
        with pytest.raises(NotFound):
            transfers.revoke(buyer, GATEWAY_ID, network_address="", now=NOW)
        with pytest.raises(NotFound):
            transfers.issue(
                buyer,
                GATEWAY_ID,
                secret_key="",
                days=1,
                shares_summary=False,
                network_address="",
                now=NOW,
            )


def expire(app: Flask, sale: Sale) -> datetime:
    return NOW + timedelta(days=60)


def withdraw(app: Flask, sale: Sale) -> datetime:
    with app.app_context(), transaction():
        seller = db.session.get_one(Account, sale.seller_id)
        assert transfers.revoke(seller, GATEWAY_ID, network_address="", now=NOW)
    return NOW


def remove(app: Flask, sale: Sale) -> datetime:
    with app.app_context(), transaction():
        seller = db.session.get_one(Account, sale.seller_id)
        installations.remove(seller, GATEWAY_ID, network_address="", now=NOW)
    return NOW


def leave(app: Flask, sale: Sale) -> datetime:
    with app.app_context(), transaction():
        seller = db.session.get_one(Account, sale.seller_id)
        closing.close(seller, PASSWORD, network_address="", now=NOW)
    return NOW


ENDS = [
    (expire, TransferExpired),
    (withdraw, TransferEnded),
    (remove, TransferEnded),
    (leave, TransferEnded),
]


@pytest.mark.parametrize(("end", "refusal"), ENDS)
def test_a_certificate_that_ended_proves_nothing(
    app: Flask, sale: Sale, end: Any, refusal: type[Rejected]
) -> None:
    code = issue(app, sale, NOW)
    later = end(app, sale)
    with pytest.raises(refusal):
        prove(app, code, sale.buyer_id, later)


@pytest.mark.parametrize(("end", "refusal"), ENDS)
def test_one_that_ended_after_it_was_proved_claims_nothing(
    app: Flask, sale: Sale, end: Any, refusal: type[Rejected]
) -> None:
    draft = draft_of(app, sale.buyer_id, issue(app, sale, NOW))
    later = end(app, sale)
    with pytest.raises(refusal):
        claim(app, sale.buyer_id, draft, later)
    assert visible(app, sale.buyer_id) == []
    with app.app_context():
        assert db.session.get_one(RegistrationDraft, draft[0]).completed_at is None


def test_after_withdrawing_or_expiry_a_new_one_has_another_code(app: Flask, sale: Sale) -> None:
    first = issue(app, sale, NOW)
    withdraw(app, sale)
    second = issue(app, sale, NOW)
    third = issue(app, sale, NOW + timedelta(days=61))
    assert len({first, second, third}) == 3
    later = NOW + timedelta(days=61)
    assert prove(app, third, sale.buyer_id, later)
    with pytest.raises(TransferExpired):
        prove(app, second, sale.buyer_id, later)


def test_a_certificate_works_once_and_a_second_press_changes_nothing(
    app: Flask, sale: Sale
) -> None:
    code = issue(app, sale, NOW)
    draft = draft_of(app, sale.buyer_id, code)
    claim(app, sale.buyer_id, draft)
    claim(app, sale.buyer_id, draft)
    with pytest.raises(TransferUsed):
        prove(app, code, sale.buyer_id)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Installation)) == 2


def test_a_draft_that_another_tab_changed_claims_nothing(app: Flask, sale: Sale) -> None:
    draft_id, seen = draft_of(app, sale.buyer_id, issue(app, sale, NOW))
    with pytest.raises(DraftChanged):
        claim(app, sale.buyer_id, (draft_id, seen - timedelta(seconds=1)))


def test_of_two_buyers_at_once_one_gets_it(app: Flask, sale: Sale) -> None:
    code = issue(app, sale, NOW)
    with app.app_context(), transaction():
        buyers = [sale.buyer_id, CustomerFactory(email="other@example.org").id]
    proofs = [draft_of(app, buyer, code) for buyer in buyers]
    start = Barrier(2)

    def try_it(number: int) -> bool:
        start.wait()
        try:
            claim(app, buyers[number], proofs[number])
        except TransferUsed:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(try_it, range(2))) == [False, True]
    assert sorted(visible(app, buyer) for buyer in buyers) == [[], [GATEWAY_ID]]


@pytest.mark.parametrize("end", [withdraw, remove, leave])
def test_a_seller_and_a_buyer_at_once_leave_it_whole(app: Flask, sale: Sale, end: Any) -> None:
    draft = draft_of(app, sale.buyer_id, issue(app, sale, NOW))
    start = Barrier(2)

    def buy() -> bool:
        start.wait()
        try:
            claim(app, sale.buyer_id, draft)
        except TransferEnded:
            return False
        return True

    def go() -> None:
        start.wait()
        try:
            end(app, sale)
        except (NotFound, AssertionError):
            assert end in (withdraw, remove)

    with ThreadPoolExecutor(2) as pool:
        bought, gone = pool.submit(buy), pool.submit(go)
        gone.result()
        assert visible(app, sale.buyer_id) == ([GATEWAY_ID] if bought.result() else [])
    with app.app_context():
        still_open = select(Installation).where(Installation.closed_at.is_(None))
        assert len(db.session.scalars(still_open).all()) <= 1
        standing = select(Transfer).filter_by(claimed_at=None, revoked_at=None)
        assert db.session.scalars(standing).all() == []


def test_the_sellers_sheet_is_good_for_nobody_any_more(app: Flask, sale: Sale) -> None:
    claim(app, sale.buyer_id, draft_of(app, sale.buyer_id, issue(app, sale, NOW)))
    with app.app_context(), transaction():
        buyer = db.session.get_one(Account, sale.buyer_id)
        installations.remove(buyer, GATEWAY_ID, network_address="", now=NOW)
    with app.app_context():
        assert db.session.scalars(select(Sheet.revoked_at)).all() == [NOW]
        for account_id in (sale.seller_id, sale.buyer_id):
            account = db.session.get_one(Account, account_id)
            with pytest.raises(SheetRefused):
                sheets.prove(GATEWAY_ID, SHEET_PASSWORD, account=account)


def test_the_buyer_sees_no_sample_from_before(app: Flask, sale: Sale) -> None:
    with app.app_context(), transaction():
        db.session.add(
            Latest(
                gateway_id=sale.gateway_id,
                taken_at=NOW - timedelta(seconds=1),
                state="running",
                pv_now_w=4321.0,
                installation_id=sale.installation_id,
                day=NOW.date(),
                pv_today_wh=9999.0,
            )
        )
    claim(app, sale.buyer_id, draft_of(app, sale.buyer_id, issue(app, sale, NOW)))
    with app.app_context():
        buyer = db.session.get_one(Account, sale.buyer_id)
        shown = live.get_live(buyer, GATEWAY_ID, NOW, zone="Asia/Tokyo")
        assert (shown.pv_w, shown.taken_at) == (None, None)
        assert set(shown.today.values()) == {None}
        seller = db.session.get_one(Account, sale.seller_id)
        with pytest.raises(NotFound):
            live.get_live(seller, GATEWAY_ID, NOW, zone="Asia/Tokyo")
