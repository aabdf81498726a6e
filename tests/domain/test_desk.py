"""The help desk's rules, where two act at the same moment."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import desk, installations, provisioning, sealed_sheets
from app.domain.errors import NotFound, Rejected
from app.extensions import db
from app.models import Account, AuditEntry, Installation, OutboxMail, Sheet
from app.transaction import transaction
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory, OperatorFactory

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ID = "HDM100000001"


@pytest.fixture
def home(app: Flask) -> dict[str, int]:
    """A customer's gateway, two operators, and a stranger."""
    with app.app_context(), transaction():
        taro = CustomerFactory()
        InstallationFactory(account=taro, gateway=GatewayFactory(public_id=ID))
        return {
            "taro": taro.id,
            "first": OperatorFactory().id,
            "second": OperatorFactory().id,
            "stranger": CustomerFactory().id,
        }


def call(account_id: int) -> desk.Call:
    actor = db.session.get_one(Account, account_id)
    return desk.Call(actor, "お電話 1234", "192.0.2.9", NOW)


def reissue(account_id: int, seen_version: int = 1) -> None:
    desk.reissue_sheet(
        call(account_id),
        ID,
        seen_version=seen_version,
        password=provisioning.new_passwords(1)[0],
        public_key=sealed_sheets.public_half(sealed_sheets.new_key()),
        until=NOW,
    )


def at_once(app: Flask, *acts: Callable[[], object]) -> list[str]:
    """Do these at the same moment, each in its transaction; return what became of each."""
    barrier = Barrier(len(acts))
    told: list[str] = []

    def do(act: Callable[[], object]) -> None:
        with app.app_context():
            barrier.wait()
            try:
                with transaction():
                    act()
            except (Rejected, NotFound) as refusal:
                told.append(type(refusal).__name__)
            else:
                told.append("done")

    threads = [Thread(target=do, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(told)


def test_two_who_reissue_at_once_make_one_new_sheet(app: Flask, home: dict[str, int]) -> None:
    told = at_once(app, lambda: reissue(home["first"]), lambda: reissue(home["second"]))
    assert told == ["ChangedMeanwhile", "done"]
    with app.app_context():
        assert db.session.scalars(select(Sheet.version).order_by(Sheet.version)).all() == [1, 2]
        assert db.session.scalars(select(OutboxMail.template)).all() == ["sheet_reissued"]


@pytest.mark.parametrize("seen_version", [0, 1])
def test_a_second_press_issues_no_third_sheet(
    app: Flask, home: dict[str, int], seen_version: int
) -> None:
    with app.app_context():
        if seen_version == 0:
            # as a transfer leaves it
            with transaction():
                db.session.scalars(select(Sheet)).one().revoked_at = NOW
        with transaction():
            reissue(home["first"], seen_version)
        with pytest.raises(desk.ChangedMeanwhile), transaction():
            reissue(home["first"], seen_version)
    with app.app_context():
        good = select(Sheet.version).where(Sheet.revoked_at.is_(None))
        assert db.session.scalars(good).all() == [2]
        assert db.session.scalars(select(OutboxMail.template)).all() == ["sheet_reissued"]


def test_an_owner_who_removes_what_is_being_freed_is_told_once(
    app: Flask, home: dict[str, int]
) -> None:
    def remove() -> None:
        owner = db.session.get_one(Account, home["taro"])
        installations.remove(owner, ID, network_address="", now=NOW)

    at_once(app, remove, lambda: desk.free_gateway(call(home["first"]), ID))
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(OutboxMail)) == 1
        assert db.session.scalars(select(Installation)).one().closed_at == NOW


def test_two_who_close_an_account_at_once_close_it_once(app: Flask, home: dict[str, int]) -> None:
    told = at_once(
        app,
        lambda: desk.close_account(call(home["first"]), home["taro"]),
        lambda: desk.close_account(call(home["second"]), home["taro"]),
    )
    assert told == ["ChangedMeanwhile", "done"]
    with app.app_context():
        closed = select(AuditEntry).filter_by(action="account.closed")
        assert len(db.session.scalars(closed).all()) == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda actor, home: desk.lock(actor, home["taro"]),
        lambda actor, home: desk.unlock(actor, home["taro"]),
        lambda actor, home: desk.close_account(actor, home["taro"]),
        lambda actor, home: desk.mail_password_url(actor, home["taro"], hours=2),
        lambda actor, _home: desk.free_gateway(actor, ID),
        lambda actor, _home: desk.confirm_sheet_printed(actor, ID),
        lambda actor, _home: desk.approve_dealer(actor, 1),
        lambda actor, _home: desk.close_dealer(actor, 1),
        lambda actor, _home: desk.mail_registration_again(actor, "customer", 1, url_days=7),
    ],
)
def test_whoever_is_no_operator_finds_nothing_to_act_on(
    app: Flask, home: dict[str, int], act: Callable[[desk.Call, dict[str, int]], None]
) -> None:
    with app.app_context(), pytest.raises(NotFound):
        act(call(home["stranger"]), home)
