"""Whom a dealer lets be mailed when a system fails (保守担当者)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .dealers import Dealer


class MaintenanceContact(Model):
    """A mail address that is told of failures, once its reader has agreed."""

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
