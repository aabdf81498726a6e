"""What a gateway's device is set to (設定), and every change of it that was asked (設定変更)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account
from .dealers import Dealer
from .gateways import Gateway
from .installations import Installation

WHO = ("owner", "dealer", "operator", "automatism")
ORDER_STATES = ("asked", "sent", "confirmed", "partly", "failed", "superseded")
CHANGE_STATES = ("asked", "sent", "confirmed", "failed", "superseded")
_ASKED = text("state = 'asked'")
_SENT = text("state = 'sent'")
_OPEN = text("state in ('asked', 'sent')")
_LAPSES = text("lapses_at IS NOT NULL")
_READS = text("asked_at IS NOT NULL")


class SettingStand(Model):
    """What the device last told: what it offers and what it is set to. One row a gateway."""

    __tablename__ = "setting_stands"
    __table_args__ = (
        Index(
            "ix_setting_stands_asked",
            "asked_at",
            sqlite_where=_READS,
            postgresql_where=_READS,
        ),
    )

    gateway_id: Mapped[int] = mapped_column(
        ForeignKey("gateways.id"), primary_key=True, autoincrement=False
    )
    # profiles/settings.py knows what they mean
    offers: Mapped[list[Any]] = mapped_column(JSON, default=list)
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # None: it was never read
    read_at: Mapped[datetime | None]
    # somebody waits for a reading since then; the job that does it has it until `claimed_until`
    asked_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    # how the last reading ended, and when
    outcome: Mapped[str] = mapped_column(String(16), default="")
    detail: Mapped[str] = mapped_column(String(200), default="")
    ended_at: Mapped[datetime | None]


class SettingOrder(Model):
    """One confirmation: some settings of a gateway are to be changed together."""

    __tablename__ = "setting_orders"
    __table_args__ = (
        CheckConstraint(f"by in ({', '.join(map(repr, WHO))})", name="who_is_known"),
        CheckConstraint("(by = 'automatism') = (actor_id IS NULL)", name="persons_have_an_account"),
        CheckConstraint("(by = 'dealer') = (dealer_id IS NOT NULL)", name="dealers_are_named"),
        CheckConstraint(f"state in ({', '.join(map(repr, ORDER_STATES))})", name="state_is_known"),
        # one at a time: the database decides who came first
        Index(
            "uq_setting_orders_gateway_open",
            "gateway_id",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        # what is to be written, and what was begun and not ended
        Index(
            "ix_setting_orders_asked", "next_try_at", sqlite_where=_ASKED, postgresql_where=_ASKED
        ),
        Index(
            "ix_setting_orders_sent", "claimed_until", sqlite_where=_SENT, postgresql_where=_SENT
        ),
        Index(
            "ix_setting_orders_lapses", "lapses_at", sqlite_where=_LAPSES, postgresql_where=_LAPSES
        ),
        # 変更の記録, and a dealer's part of it
        Index("ix_setting_orders_installation", "installation_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    by: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealers.id"))
    # which automatism, "until" for the end of a temporary setting; "" for persons
    source: Mapped[str] = mapped_column(String(16), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    # temporary: what it changed goes back then
    until: Mapped[datetime | None]
    # when the way back is to be ordered; None: never, or that is done
    lapses_at: Mapped[datetime | None]
    # the order that this one takes back
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("setting_orders.id"))
    state: Mapped[str] = mapped_column(String(16), default="asked")
    asked_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    # not before; and how often it was tried
    next_try_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    # the job that writes has it until then; who finds it later reads what stands, and never writes
    claimed_until: Mapped[datetime | None]
    # the technical side of the end, for operators
    detail: Mapped[str] = mapped_column(String(200), default="")

    installation: Mapped[Installation] = relationship()
    gateway: Mapped[Gateway] = relationship()
    actor: Mapped[Account | None] = relationship()
    dealer: Mapped[Dealer | None] = relationship()
    undoes: Mapped["SettingOrder | None"] = relationship(remote_side=[id])
    changes: Mapped[list["SettingChange"]] = relationship(
        order_by="SettingChange.id", back_populates="order"
    )

    @property
    def is_open(self) -> bool:
        """Tell whether it is not settled yet."""
        return self.state in ("asked", "sent")


class SettingChange(Model):
    """One setting of an order: what it was, what it is to be, what became of it."""

    __tablename__ = "setting_changes"
    __table_args__ = (
        CheckConstraint(f"state in ({', '.join(map(repr, CHANGE_STATES))})", name="state_is_known"),
        Index("uq_setting_changes_order_key", "order_id", "key", unique=True),
        # the latest of a setting, whose reason stands beside its value
        Index("ix_setting_changes_latest", "installation_id", "key", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("setting_orders.id"))
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    key: Mapped[str] = mapped_column(String(32))
    # None: nobody knew it
    before: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    after: Mapped[Any] = mapped_column(JSON)
    # what it goes back to: not `before`, if that was to stand for a while only
    back: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    state: Mapped[str] = mapped_column(String(16), default="asked")
    # why it failed, as a code: domain/setting_writes.py
    detail: Mapped[str] = mapped_column(String(16), default="")
    settled_at: Mapped[datetime | None]

    order: Mapped[SettingOrder] = relationship(back_populates="changes")
