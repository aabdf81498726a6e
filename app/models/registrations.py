"""What the wizard wrote (仮登録), and its drafts. Neither is an account."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .addresses import Person, PostalAddress
from .gateways import Gateway, Sheet


class RegistrationDraft(Model):
    """A wizard on its way: kept for a day, without passwords."""

    __tablename__ = "registration_drafts"

    id: Mapped[int] = mapped_column(primary_key=True)
    # SHA-256 of the random token in the browser's session
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    # which ID and sheet version were proved; None until they were
    sheet_id: Mapped[int | None] = mapped_column(ForeignKey("sheets.id"))
    terms_version_id: Mapped[int | None] = mapped_column(ForeignKey("terms_versions.id"))
    agreed_at: Mapped[datetime | None]
    # the network address agreed from; empty until then
    agreed_from: Mapped[str] = mapped_column(String(64), default="")
    # what this draft became: the second press of 「登録」 finds it here
    registration_id: Mapped[int | None] = mapped_column(ForeignKey("registrations.id"))
    # the completion page of an address that already has an account
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)

    sheet: Mapped[Sheet | None] = relationship()


class Registration(Person, PostalAddress, Model):
    """A provisional registration; mail address and gateway are not unique here."""

    __tablename__ = "registrations"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), index=True)
    language: Mapped[str] = mapped_column(String(5))
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), index=True)
    sheet_id: Mapped[int] = mapped_column(ForeignKey("sheets.id"))
    site_name: Mapped[str] = mapped_column(String(64))
    site_postal_code: Mapped[str] = mapped_column(String(7))
    site_prefecture: Mapped[str] = mapped_column(String(10))
    site_city: Mapped[str] = mapped_column(String(64))
    site_street: Mapped[str] = mapped_column(String(128))
    site_building: Mapped[str] = mapped_column(String(128), default="")
    network_address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    # of the latest URL: a new mail moves both, which ends the old URL
    url_nonce: Mapped[str] = mapped_column(String(43))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    superseded_at: Mapped[datetime | None]
    # 本登録: which account came of it
    completed_at: Mapped[datetime | None]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))

    gateway: Mapped[Gateway] = relationship()
    sheet: Mapped[Sheet] = relationship()
