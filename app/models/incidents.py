"""Incidents: gateways that were lost together, for one cause."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model

CAUSES = ("service", "network", "area", "model")
_OPEN = text("ended_at IS NULL")


class Incident(Model):
    """One cause, the gateways it took (their alarms name it), and from when to when."""

    __tablename__ = "incidents"
    __table_args__ = (
        CheckConstraint(f"cause in ({', '.join(map(repr, CAUSES))})", name="cause_is_known"),
        # the database decides who noticed it first
        Index(
            "uq_incidents_open",
            "cause",
            "key",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index("ix_incidents_opened", "opened_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(String(16))
    # the relay ("" is the poller), the network, the prefecture, or model and firmware
    key: Mapped[str] = mapped_column(String(160))
    # the last good answer of the first that was lost
    since: Mapped[datetime]
    opened_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # how many gateways were lost by it, and of how many their dealers were told
    gateways: Mapped[int] = mapped_column(default=0)
    told_gateways: Mapped[int] = mapped_column(default=0)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
