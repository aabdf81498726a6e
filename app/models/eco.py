"""The eco programme (エコ活サークル): who takes part with which installation."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account
from .installations import Installation

ENDS = ("withdrawn", "installation_ended", "account_closed", "rules_changed", "refused")
_NOT_ENDED = text("ended_at IS NULL")


class EcoMembership(Model):
    """An application, and from `member_from` on a membership, of an installation."""

    __tablename__ = "eco_memberships"
    __table_args__ = (
        CheckConstraint(f"how_ended in ({', '.join(map(repr, ENDS))})", name="end_is_known"),
        CheckConstraint("(ended_at IS NULL) = (how_ended IS NULL)", name="every_end_says_how"),
        # an installation takes part once at a time: the database decides who came first
        Index(
            "uq_eco_memberships_installation_standing",
            "installation_id",
            unique=True,
            sqlite_where=_NOT_ENDED,
            postgresql_where=_NOT_ENDED,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    # the agreement to the programme's rules, which hand over the environmental value
    consent_id: Mapped[int] = mapped_column(ForeignKey("consents.id"))
    applied_at: Mapped[datetime]
    # what the customer declared on that day
    operation_began_on: Mapped[date]
    declared_no_other_generator: Mapped[bool]
    declared_no_other_scheme: Mapped[bool]
    # None: it was not asked
    declared_no_subsidy: Mapped[bool | None]
    # the first day that counts, in the site's zone; None while coverage is short
    member_from: Mapped[date | None]
    # the first day that does not count any more
    member_until: Mapped[date | None]
    ended_at: Mapped[datetime | None]
    how_ended: Mapped[str | None] = mapped_column(String(24))

    installation: Mapped[Installation] = relationship()
    account: Mapped[Account] = relationship()
