"""The ledger of points: it only adds, sums to nothing, and no point is spent twice."""

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from app.domain import ledger
from app.domain.ledger import MEMBER, RESERVED, Booking, NotEnough
from app.extensions import db
from app.models import PointEntry, PointTransaction
from app.transaction import transaction
from tests.factories import LONG_AGO, CustomerFactory
from tests.members import check_books, give
from tests.racing import at_once


@pytest.fixture
def account_id(app: Flask) -> int:
    """Somebody with 100 points."""
    with app.app_context(), transaction():
        account_id: int = CustomerFactory().id
        give(account_id, 100)
    return account_id


def spend(account_id: int, points: int, key: str) -> Booking:
    return Booking(key, "reserve", account_id, points, MEMBER, RESERVED, LONG_AGO)


def test_points_move_from_one_ledger_to_another(app: Flask, account_id: int) -> None:
    with app.app_context(), transaction():
        ledger.book(spend(account_id, 30, "first"))
    with app.app_context():
        assert ledger.balance(account_id) == ledger.Balance(70, 30)
        assert sum(ledger.totals().values()) == 0
        check_books()


def test_a_second_booking_of_the_same_changes_nothing(app: Flask, account_id: int) -> None:
    for _time in range(2):
        with app.app_context(), transaction():
            ledger.book(spend(account_id, 30, "first"))
    with app.app_context():
        assert ledger.balance(account_id).points == 70
        check_books()


def test_what_is_not_there_cannot_be_spent(app: Flask, account_id: int) -> None:
    with app.app_context(), pytest.raises(NotEnough), transaction():
        ledger.book(spend(account_id, 101, "first"))
    with app.app_context():
        assert ledger.balance(account_id) == ledger.Balance(100, 0)
        assert db.session.scalar(select(func.count()).select_from(PointTransaction)) == 1


def test_of_many_who_spend_at_once_only_as_many_succeed_as_there_are_points(
    app: Flask, account_id: int
) -> None:
    def attempt(number: int) -> object:
        return lambda: ledger.book(spend(account_id, 40, f"order-{number}"))

    results = at_once(app, *[attempt(number) for number in range(5)])  # type: ignore[arg-type]
    assert results.count(NotEnough) == 3
    with app.app_context():
        assert ledger.balance(account_id) == ledger.Balance(20, 80)
        check_books()


@pytest.mark.parametrize("model", [PointTransaction, PointEntry])
def test_the_ledger_only_adds(app: Flask, account_id: int, model: type) -> None:
    for statement in (update(model).values(points=1), delete(model)):
        with app.app_context(), pytest.raises(DBAPIError, match="only adds"):
            db.session.execute(statement)


def test_legs_that_do_not_sum_to_nothing_are_refused(
    app: Flask, account_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Booking, "legs", ((MEMBER, -1), (RESERVED, 2)))
    with app.app_context(), pytest.raises(ledger.Unbalanced):
        ledger.book(spend(account_id, 1, "first"))


def test_all_points_of_an_account_that_closes_lapse_once(app: Flask, account_id: int) -> None:
    for left in (100, 0):
        with app.app_context(), transaction():
            assert ledger.lapse(account_id, LONG_AGO) == left
    with app.app_context():
        assert ledger.balance(account_id) == ledger.Balance(0, 0)
        check_books()


def test_nothing_is_booked_where_nothing_is_asked(app: Flask) -> None:
    with app.app_context():
        assert ledger.book() == {}
        assert replace(spend(1, 0, "none")).legs == ()
