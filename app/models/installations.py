"""One ownership of one gateway at one address (案件 / 設置先【案件】)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account
from .addresses import PostalAddress
from .gateways import Gateway


class Installation(PostalAddress, Model):
    """Who owns a gateway, where, from when to when, and how that was proved."""

    __tablename__ = "installations"
    __table_args__ = (
        # a gateway has at most one open installation: the database decides who came first
        Index(
            "uq_installations_gateway_open",
            "gateway_id",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    site_name: Mapped[str] = mapped_column(String(64))
    zone: Mapped[str] = mapped_column(String(64), default="Asia/Tokyo")
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    # the claim: when is opened_at, by whom is account_id
    claimed_from: Mapped[str] = mapped_column(String(64))
    claimed_sheet_id: Mapped[int | None] = mapped_column(ForeignKey("sheets.id"))
    # the owner is mailed when somebody else changes a setting
    mails_of_settings: Mapped[bool] = mapped_column(default=True, server_default=true())
    # 契約電流, in amperes; None: nobody told
    contract_current_a: Mapped[int | None]
    # how much is kept for an outage, in %, by operating mode: domain/setting_reserves.py
    reserves: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    gateway: Mapped[Gateway] = relationship()
    account: Mapped[Account] = relationship()
