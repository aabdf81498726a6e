"""Settings that a dealer changes at many systems, in steps (段階的な設定変更)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account
from .installations import Installation

STATES = ("running", "held", "stopped", "rolling_back", "rolled_back", "done")
PART_STATES = (
    "waiting", "reading", "asked", "confirmed", "same", "failed", "dropped", "stopped",
    "to_undo", "undoing", "undone", "kept",
)  # fmt: skip
_TO_DO = text("next_at IS NOT NULL")


class Rollout(Model):
    """The same settings for many systems: a few first, then more, then all."""

    __tablename__ = "rollouts"
    __table_args__ = (
        CheckConstraint(f"state in ({', '.join(map(repr, STATES))})", name="state_is_known"),
        Index("ix_rollouts_dealer", "dealer_id", "id"),
        Index("ix_rollouts_next", "next_at", sqlite_where=_TO_DO, postgresql_where=_TO_DO),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealers.id"))
    # in whose name the orders are placed, and those that take them back
    actor_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    undoer_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    wanted: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(200))
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), default="running")
    # 1, 2, 3: the step that is at work
    step: Mapped[int] = mapped_column(default=1)
    # a step whose systems are settled is watched for alarms until then
    watched_until: Mapped[datetime | None]
    # when the job looks at it again; None: nothing is to be done
    next_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    actor: Mapped[Account] = relationship(foreign_keys=[actor_id])
    undoer: Mapped[Account | None] = relationship(foreign_keys=[undoer_id])


class RolloutPart(Model):
    """One system of a roll-out."""

    __tablename__ = "rollout_parts"
    __table_args__ = (
        CheckConstraint(f"state in ({', '.join(map(repr, PART_STATES))})", name="state_is_known"),
        Index("uq_rollout_parts_installation", "rollout_id", "installation_id", unique=True),
        Index("ix_rollout_parts_state", "rollout_id", "step", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"))
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    step: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    # why it was dropped or failed, as a code: domain/rollouts.py
    detail: Mapped[str] = mapped_column(String(16), default="")
    # since when it waits for what its state says
    since: Mapped[datetime]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("setting_orders.id"))
    undo_id: Mapped[int | None] = mapped_column(ForeignKey("setting_orders.id"))
    # alarms that were raised between its change and the end of its step, and stood then
    new_alarms: Mapped[int] = mapped_column(default=0)

    installation: Mapped[Installation] = relationship()
