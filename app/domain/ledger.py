"""The ledger of points (ポイント): double entry, and it only adds.

A transaction is two or more legs that sum to 0. Each has a key of its own, so that booking it again
changes nothing; balances move in the same database transaction, and never below 0.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, PointBalance, PointEntry, PointTransaction
from . import batches, inserts
from .errors import Rejected
from .writes import count_changed

PROGRAMME, MEMBER, RESERVED, GIFTS, LAPSED = "programme", "member", "reserved", "gifts", "lapsed"
OWN = (MEMBER, RESERVED)

# edges name the types without knowing tables
Transaction = PointTransaction


class NotEnough(Rejected):
    """Refuse to spend points that are not there (any more)."""

    field = "quantity"
    message = _("ポイントが足りません。残高をご確認ください。")


class Unbalanced(Exception):
    """Say that legs do not sum to 0: a fault of the program."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A transaction to write: `move` points from one ledger to another, both of `account_id`."""

    key: str
    kind: str
    account_id: int
    points: int
    source: str
    target: str
    at: datetime
    membership_id: int | None = None
    period_first: date | None = None
    run_id: int | None = None
    order_id: int | None = None
    self_dwh: int = 0
    sums: dict[str, Any] | None = None

    @property
    def legs(self) -> tuple[tuple[str, int], ...]:
        """Return what each ledger gains; nothing where no points move."""
        if self.points == 0:
            return ()
        return (self.source, -self.points), (self.target, self.points)


def book(*bookings: Booking) -> dict[str, int]:
    """Write transactions with their legs and balances, those that are new; return ids by key.

    Raises:
        NotEnough: A balance would fall below 0.
        Unbalanced: The legs of one do not sum to 0.
    """
    if not bookings:
        return {}
    for one in bookings:
        if sum(points for _ledger, points in one.legs) != 0:
            raise Unbalanced(one.key)
    new = inserts.insert(PointTransaction)
    ids = {
        key: id_
        for id_, key in db.session.execute(
            new.on_conflict_do_nothing(index_elements=[PointTransaction.key]).returning(
                PointTransaction.id, PointTransaction.key
            ),
            [_row(one) for one in bookings],
        )
    }
    booked = [one for one in bookings if one.key in ids]
    _move(booked)
    legs = [
        {
            "transaction_id": ids[one.key],
            "ledger": ledger,
            "account_id": one.account_id if ledger in OWN else None,
            "points": points,
        }
        for one in booked
        for ledger, points in one.legs
    ]
    batches.insert_all(PointEntry, legs)
    return ids


def _row(one: Booking) -> dict[str, Any]:
    names = (
        *("key", "kind", "at", "account_id", "membership_id", "period_first", "run_id"),
        *("order_id", "points", "self_dwh", "sums"),
    )
    return {name: getattr(one, name) for name in names}


def _move(booked: Sequence[Booking]) -> None:
    """Let the balances follow.

    Raises:
        NotEnough: One would fall below 0.
    """
    moves: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(OWN, 0))
    for one in booked:
        for ledger, points in one.legs:
            if ledger in OWN:
                moves[one.account_id][ledger] += points
    gains = {id_: move for id_, move in moves.items() if min(move.values()) >= 0}
    _add(gains)
    for account_id, move in sorted(moves.items()):
        more, held = move[MEMBER], move[RESERVED]
        if account_id not in gains and not count_changed(
            update(PointBalance)
            .where(
                PointBalance.account_id == account_id,
                PointBalance.points + more >= 0,
                PointBalance.reserved + held >= 0,
            )
            .values(points=PointBalance.points + more, reserved=PointBalance.reserved + held)
        ):
            raise NotEnough


def _add(gains: Mapping[int, Mapping[str, int]]) -> None:
    """Add to balances what none can refuse, all at once and in one order."""
    rows = [
        {"account_id": id_, "points": one[MEMBER], "reserved": one[RESERVED]}
        for id_, one in sorted(gains.items())
    ]
    batches.upsert_adding(PointBalance, rows, key="account_id")


def _open(*account_ids: int) -> None:
    rows = [{"account_id": one, "points": 0, "reserved": 0} for one in sorted(account_ids)]
    batches.insert_new(PointBalance, rows)


@dataclass(frozen=True, slots=True)
class Balance:
    """Points that may be spent, and those of gifts on their way."""

    points: int = 0
    reserved: int = 0


def balance(account_id: int) -> Balance:
    """Return what an account has; one row, however long its history."""
    found = db.session.execute(
        select(PointBalance.points, PointBalance.reserved).where(
            PointBalance.account_id == account_id
        )
    ).one_or_none()
    return Balance(*found) if found else Balance()


def held(account_ids: Collection[int]) -> dict[int, int]:
    """Return what accounts may spend, and keep it so until the transaction ends.

    Who closes one of them meanwhile waits for us, or we for them.
    """
    # accounts come first for everybody: who closes one has locked it before its balance
    db.session.execute(
        select(Account.id)
        .where(Account.id.in_(account_ids))
        .order_by(Account.id)
        .with_for_update(read=True, key_share=True)
    ).all()
    # a row to lock; on SQLite this begins writing, which nobody else then does
    _open(*account_ids)
    found = db.session.execute(
        select(PointBalance.account_id, PointBalance.points)
        .where(PointBalance.account_id.in_(account_ids))
        .order_by(PointBalance.account_id)
        .with_for_update()
    )
    return {row[0]: row[1] for row in found}


def totals() -> dict[str, int]:
    """Return what each ledger sums to; all of them sum to 0."""
    found = db.session.execute(
        select(PointEntry.ledger, func.sum(PointEntry.points)).group_by(PointEntry.ledger)
    )
    return {row[0]: row[1] for row in found}


def lapse(account_id: int, now: datetime) -> int:
    """Let all points of an account that closes lapse; return how many.

    What is on its way as a gift stays so: it is settled, or lapses as it comes back.
    """
    points = held([account_id]).get(account_id, 0)
    if points:
        book(Booking(f"lapse-{account_id}", "lapsed", account_id, points, MEMBER, LAPSED, now))
    return points
