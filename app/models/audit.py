"""The audit log: every change of consequence, by ids only."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class AuditEntry(Model):
    """Who did what to which row, from where."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        # one kind of change, or the life of one row, newest first
        Index("ix_audit_entries_action", "action", "at"),
        Index("ix_audit_entries_subject", "subject", "subject_id", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    # None: somebody without an account, or the service itself
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[int | None]
    network_address: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
