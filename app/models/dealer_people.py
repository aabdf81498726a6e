"""A dealer's people beside its first: whom it invited, and who is mailed when a system fails."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .addresses import Person
from .dealers import Dealer
from .provisional import Provisional


class DealerInvitation(Provisional, Person, Model):
    """An invitation to sign in as a dealer's person; `phone` is the dealer's, to be proved by."""

    __tablename__ = "dealer_invitations"

    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealers.id"), index=True)
    invited_by_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    # by an administrator; a superseded one that was not is still shown as waiting: whoever invited
    # does not learn that the address is somebody's account already
    withdrawn_at: Mapped[datetime | None]

    dealer: Mapped[Dealer] = relationship()


class MaintenanceContact(Model):
    """保守担当者: a mail address that is told of failures, once its reader has agreed."""

    __tablename__ = "maintenance_contacts"
    __table_args__ = (
        Index("uq_maintenance_contacts_dealer_email", "dealer_id", "email", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealers.id"))
    name: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(5))
    created_at: Mapped[datetime]
    # of the latest URL, by which the reader confirms, or declines
    url_nonce: Mapped[str] = mapped_column(String(43))
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]

    dealer: Mapped[Dealer] = relationship()
