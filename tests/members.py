"""Members of the eco programme for tests, and the half-years their points are credited for."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select

from app.domain import ledger
from app.domain.programme import OURS, Programme, load
from app.extensions import db
from app.models import EcoMembership, Installation, PointEntry, PointTransaction
from tests.factories import LONG_AGO, EcoMembershipFactory, InstallationFactory

PROGRAMME: Programme = load(OURS)
# the half-year from June, and a moment of the December after it
SUMMER = PROGRAMME.period_of(date(2026, 6, 1))
DECEMBER = datetime(2026, 12, 10, 1, 0, tzinfo=UTC)
JUNE = datetime(2027, 6, 10, 1, 0, tzinfo=UTC)


def join(home: Installation | None = None, **changes: Any) -> EcoMembership:
    """Let a home take part from 1 June on, in the caller's transaction."""
    about = {"installation": home or InstallationFactory(), "member_from": date(2026, 6, 1)}
    membership: EcoMembership = EcoMembershipFactory(**(about | changes))
    return membership


def give(account_id: int, points: int, key: str = "given") -> None:
    """Give points as a test may, in the caller's transaction: a lapse that never was, undone."""
    ledger.book(
        ledger.Booking(key, "returned", account_id, points, ledger.LAPSED, ledger.MEMBER, LONG_AGO)
    )


def check_books() -> None:
    """Assert what holds of the whole ledger, whatever happened."""
    unbalanced = db.session.execute(
        select(PointEntry.transaction_id)
        .group_by(PointEntry.transaction_id)
        .having(func.sum(PointEntry.points) != 0)
    ).all()
    assert unbalanced == []
    sums: dict[tuple[int, str], int] = {
        (account_id, ledger_name): points
        for account_id, ledger_name, points in db.session.execute(
            select(PointEntry.account_id, PointEntry.ledger, func.sum(PointEntry.points))
            .where(PointEntry.account_id.is_not(None))
            .group_by(PointEntry.account_id, PointEntry.ledger)
        )
    }
    accounts = db.session.scalars(select(PointTransaction.account_id).distinct()).all()
    for account_id in accounts:
        balance = ledger.balance(account_id)
        assert balance.points == sums.get((account_id, "member"), 0)
        assert balance.reserved == sums.get((account_id, "reserved"), 0)
