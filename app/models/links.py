"""Maintenance links (保守紐付け): which dealer looks after which installation, and who looked."""

from datetime import date, datetime, timedelta

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    SQLColumnExpression,
    String,
    and_,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .dealers import Dealer
from .gateways import Gateway
from .installations import Installation

ENDS = ("unlinked", "declined", "lapsed", "installation_ended", "dealer_closed")
_NOT_ENDED = text("ended_at IS NULL")


def last_moment(ends_at: datetime | None) -> datetime | None:
    """Return a moment of the day that ends at this midnight, to show the day by."""
    return ends_at - timedelta(microseconds=1) if ends_at else None


class MaintenanceLink(Model):
    """A dealer may maintain an installation, from when to when, and how far it may go."""

    __tablename__ = "maintenance_links"
    __table_args__ = (
        CheckConstraint("slot BETWEEN 1 AND 5", name="slot_is_one_of_five"),
        CheckConstraint("scope in ('watch', 'set')", name="scope_is_known"),
        CheckConstraint(
            f"how_ended in ({', '.join(map(repr, ENDS))})",
            name="end_is_known",
        ),
        CheckConstraint("(ended_at IS NULL) = (how_ended IS NULL)", name="every_end_says_how"),
        # at most five dealers a gateway, each once: the database decides who came first
        Index(
            "uq_maintenance_links_gateway_slot",
            "gateway_id",
            "slot",
            unique=True,
            sqlite_where=_NOT_ENDED,
            postgresql_where=_NOT_ENDED,
        ),
        Index(
            "uq_maintenance_links_gateway_dealer",
            "gateway_id",
            "dealer_id",
            unique=True,
            sqlite_where=_NOT_ENDED,
            postgresql_where=_NOT_ENDED,
        ),
        # all that a dealer looks after, without its past
        Index(
            "ix_maintenance_links_dealer_standing",
            "dealer_id",
            "installation_id",
            sqlite_where=_NOT_ENDED,
            postgresql_where=_NOT_ENDED,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"), index=True)
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealers.id"))
    slot: Mapped[int]
    # "watch", or "set": watch and set
    scope: Mapped[str] = mapped_column(String(8), default="set")
    began_at: Mapped[datetime]
    made_by_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    # midnight after the last day, in the site's zone
    ends_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    how_ended: Mapped[str | None] = mapped_column(String(24))

    gateway: Mapped[Gateway] = relationship()
    installation: Mapped[Installation] = relationship()
    dealer: Mapped[Dealer] = relationship()

    @classmethod
    def is_open(cls, now: datetime | SQLColumnExpression[datetime]) -> ColumnElement[bool]:
        """Return the condition: neither ended nor declined, and its last day is not over."""
        return and_(cls.ended_at.is_(None), or_(cls.ends_at.is_(None), cls.ends_at > now))

    @property
    def last_moment(self) -> datetime | None:
        """Return a moment of the last day on which the dealer may look, if there is a last one."""
        return last_moment(self.ends_at)


class DealerLook(Model):
    """A dealer's person looked at an installation on this day (a receipt, one a person and day)."""

    __tablename__ = "dealer_looks"
    __table_args__ = (
        Index("uq_dealer_looks_link_account_day", "link_id", "account_id", "day", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    link_id: Mapped[int] = mapped_column(ForeignKey("maintenance_links.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    # in the site's zone
    day: Mapped[date]
    # the first look of the day
    at: Mapped[datetime]
