"""Failures that are counted: delays grow with them and live where the data lives."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class FailureCount(Model):
    """Failures of one action by one subject (an account, an address typed, a network address)."""

    __tablename__ = "failure_counts"
    __table_args__ = (Index("uq_failure_counts_action_subject", "action", "subject", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(300))
    failures: Mapped[int]
    last_failure_at: Mapped[datetime] = mapped_column(index=True)
    blocked_until: Mapped[datetime | None]


class ClaimAttempt(Model):
    """One try to prove a sheet; shown to the operator, never locks a gateway."""

    __tablename__ = "claim_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id_typed: Mapped[str] = mapped_column(String(12), index=True)
    network_address: Mapped[str] = mapped_column(String(64))
    proved: Mapped[bool]
    at: Mapped[datetime] = mapped_column(index=True)
