"""The eco programme (エコ活サークル): who takes part with which installation."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account
from .installations import Installation
from .terms import Consent

# withdrawn by the member; refused before it began; excluded by the operator afterwards
ENDS = (
    "withdrawn",
    "installation_ended",
    "account_closed",
    "rules_changed",
    "refused",
    "excluded",
)
_NOT_ENDED = text("ended_at IS NULL")
_PENDING = text("ended_at IS NULL AND member_from IS NULL")


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
        Index(
            "ix_eco_memberships_pending",
            "applied_at",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        CheckConstraint(
            "member_until IS NULL OR (member_from IS NOT NULL AND member_until >= member_from)",
            name="days_are_in_order",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), index=True)
    # the newest agreement to the programme's rules, which hand over the environmental value
    consent_id: Mapped[int] = mapped_column(ForeignKey("consents.id"))
    applied_at: Mapped[datetime]
    # what the customer declared on that day
    operation_began_on: Mapped[date]
    declared_no_other_generator: Mapped[bool]
    declared_no_other_scheme: Mapped[bool]
    # None: it was not asked
    declared_no_subsidy: Mapped[bool | None]
    # what was known that day of the first generation, against which 稼働開始日 was checked
    first_generation_on: Mapped[date]
    # the first day that counts, in the site's zone; None while coverage is short
    member_from: Mapped[date | None]
    # the first day that does not count any more
    member_until: Mapped[date | None]
    ended_at: Mapped[datetime | None]
    how_ended: Mapped[str | None] = mapped_column(String(24))
    # what the operator tells the member about the end
    note: Mapped[str] = mapped_column(String(400), default="", server_default="")

    installation: Mapped[Installation] = relationship()
    account: Mapped[Account] = relationship()
    consent: Mapped[Consent] = relationship()
