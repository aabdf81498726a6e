"""Points of the eco programme: a ledger that only adds, balances, half-yearly runs, gifts."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account
from .eco import EcoMembership

KINDS = ("credit", "correction", "reserve", "done", "returned", "lapsed")
LEDGERS = ("programme", "member", "reserved", "gifts", "lapsed")
# those that are somebody's
OWN = ("member", "reserved")
ORDER_STATES = ("asked", "exported", "done", "returned")


def _in(column: str, words: tuple[str, ...]) -> str:
    return f"{column} in ({', '.join(map(repr, words))})"


class PointRun(Model):
    """One half-yearly crediting: its period, its shards, how far it is."""

    __tablename__ = "point_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    period_first: Mapped[date] = mapped_column(unique=True)
    period_last: Mapped[date]
    opened_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    shards: Mapped[list["PointShard"]] = relationship(back_populates="run")


class PointShard(Model):
    """Memberships of a run that are credited in one transaction, by their ids."""

    __tablename__ = "point_shards"
    __table_args__ = (
        Index("uq_point_shards_run_first", "run_id", "first_id", unique=True),
        Index(
            "ix_point_shards_left",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("point_runs.id"))
    first_id: Mapped[int]
    last_id: Mapped[int]
    # the job that works on it has it until then
    claimed_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    # what it booked: how many transactions, and the points of all of them
    booked: Mapped[int] = mapped_column(default=0)
    points: Mapped[int] = mapped_column(default=0)

    run: Mapped[PointRun] = relationship(back_populates="shards")


class PointTransaction(Model):
    """Something that happened to somebody's points, once; never changed afterwards."""

    __tablename__ = "point_transactions"
    __table_args__ = (
        CheckConstraint(_in("kind", KINDS), name="kind_is_known"),
        # what was counted says of whom and of when
        CheckConstraint(
            "(kind in ('credit', 'correction')) = (membership_id IS NOT NULL)",
            name="counted_for_a_membership",
        ),
        CheckConstraint(
            "(membership_id IS NULL) = (period_first IS NULL)", name="counted_for_a_period"
        ),
        # a statement: newest first
        Index("ix_point_transactions_statement", "account_id", "id"),
        # a report, and what a run finds booked
        Index("ix_point_transactions_period", "period_first", "membership_id"),
        Index("ix_point_transactions_membership", "membership_id", "period_first"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # a second booking of the same is impossible
    key: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime]
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    membership_id: Mapped[int | None] = mapped_column(ForeignKey("eco_memberships.id"))
    period_first: Mapped[date | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("point_runs.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("gift_orders.id"))
    # what it gave or took
    points: Mapped[int]
    # self-consumed tenths of a Wh it is for: a correction has what was too little or too much
    self_dwh: Mapped[int] = mapped_column(BigInteger, default=0)
    # domain/point_sums.py: what the figure was made of, as it was known on that day
    sums: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    membership: Mapped[EcoMembership | None] = relationship()
    order: Mapped["GiftOrder | None"] = relationship()


class PointEntry(Model):
    """One leg of a transaction; the legs of each sum to 0."""

    __tablename__ = "point_entries"
    __table_args__ = (
        CheckConstraint(_in("ledger", LEDGERS), name="ledger_is_known"),
        CheckConstraint(
            f"({_in('ledger', OWN)}) = (account_id IS NOT NULL)", name="own_ledgers_have_an_owner"
        ),
        Index("ix_point_entries_ledger", "ledger", "account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("point_transactions.id"), index=True)
    ledger: Mapped[str] = mapped_column(String(12))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    points: Mapped[int]


class PointBalance(Model):
    """What the legs of an account sum to; written in the transaction that adds them."""

    __tablename__ = "point_balances"
    __table_args__ = (
        CheckConstraint("points >= 0", name="nothing_is_spent_twice"),
        CheckConstraint("reserved >= 0", name="nothing_is_settled_twice"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    points: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)


class GiftExport(Model):
    """Orders that were handed out for fulfilment as one file."""

    __tablename__ = "gift_exports"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    made_at: Mapped[datetime]
    orders: Mapped[int]

    account: Mapped[Account] = relationship()


class GiftOrder(Model):
    """Points exchanged for a gift: asked, handed out for fulfilment, done or returned."""

    __tablename__ = "gift_orders"
    __table_args__ = (
        CheckConstraint(_in("state", ORDER_STATES), name="state_is_known"),
        CheckConstraint("points > 0 AND quantity > 0", name="nothing_is_free"),
        CheckConstraint(
            "(state in ('done', 'returned')) = (settled_at IS NOT NULL)", name="settled_once"
        ),
        # one press, one order
        Index("uq_gift_orders_account_once", "account_id", "once", unique=True),
        Index(
            "ix_gift_orders_open",
            "id",
            sqlite_where=text("state in ('asked', 'exported')"),
            postgresql_where=text("state in ('asked', 'exported')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    once: Mapped[str] = mapped_column(String(64))
    # the catalogue may change: what was ordered stays as it was
    gift: Mapped[str] = mapped_column(String(40))
    # "card", "code" or "balance": only what is sent needs an address
    kind: Mapped[str] = mapped_column(String(8))
    name_ja: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120))
    quantity: Mapped[int]
    # of all of them
    points: Mapped[int]
    state: Mapped[str] = mapped_column(String(8), default="asked")
    ordered_at: Mapped[datetime]
    export_id: Mapped[int | None] = mapped_column(ForeignKey("gift_exports.id"), index=True)
    settled_at: Mapped[datetime | None]
    # why it was returned, or what to know of the gift
    note: Mapped[str] = mapped_column(String(200), default="")
    # a gift's code, which only its owner is shown
    sealed_code: Mapped[str | None] = mapped_column(Text)

    account: Mapped[Account] = relationship()


class GiftAnswers(Model):
    """What came back from fulfilment as a file: looked at first, then applied."""

    __tablename__ = "gift_answers"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    file_name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    # its text, which holds codes; gone once it is applied
    sealed: Mapped[str | None] = mapped_column(Text)
    done: Mapped[int] = mapped_column(default=0)
    returned: Mapped[int] = mapped_column(default=0)

    account: Mapped[Account] = relationship()


class MissingReport(Model):
    """A member's word that energy is missing from a credit."""

    __tablename__ = "missing_reports"
    __table_args__ = (
        Index(
            "uq_missing_reports_open",
            "transaction_id",
            unique=True,
            sqlite_where=text("handled_at IS NULL"),
            postgresql_where=text("handled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("point_transactions.id"))
    words: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship()
    transaction: Mapped[PointTransaction] = relationship()
