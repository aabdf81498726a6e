"""The box in the home, its printed sheets, and the units behind it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model


class Gateway(Model):
    """A gateway as it was provisioned and as it told of itself."""

    __tablename__ = "gateways"
    __table_args__ = (
        # operators search by how these begin; PostgreSQL's plain indexes serve that in C only
        Index(
            "ix_gateways_public_id_prefix",
            "public_id",
            postgresql_ops={"public_id": "varchar_pattern_ops"},
        ),
        Index(
            "ix_gateways_serial_prefix",
            "serial",
            postgresql_ops={"serial": "varchar_pattern_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # the 12 characters on the sheet; pages and mails name the gateway by them
    public_id: Mapped[str] = mapped_column(String(12), unique=True)
    model: Mapped[str] = mapped_column(String(64))
    serial: Mapped[str] = mapped_column(String(64))
    # what the device says of itself wins over what was imported; both are kept to compare
    told_model: Mapped[str | None] = mapped_column(String(64))
    told_serial: Mapped[str | None] = mapped_column(String(64))
    # the first that was told, until an operator accepts another: nothing is written to any other
    known_serial: Mapped[str | None] = mapped_column(String(64))
    told_firmware: Mapped[str | None] = mapped_column(String(64))
    endpoint: Mapped[str] = mapped_column(String(255))
    profile: Mapped[str] = mapped_column(String(32))
    # what the profile found on the device, so that a poll need not look again
    layout: Mapped[dict[str, Any] | None] = mapped_column(JSON, deferred=True)
    # W and Wh as the device states them; energy rule 4 bounds steps by them
    ratings: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    first_contact_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    units: Mapped[list["PowerConditioner"]] = relationship(
        order_by="PowerConditioner.unit_no", cascade="all, delete-orphan"
    )

    @property
    def model_shown(self) -> str:
        """Return the model, the device's own word first."""
        return self.told_model or self.model

    @property
    def serial_shown(self) -> str:
        """Return the serial number, the device's own word first."""
        return self.told_serial or self.serial


class Sheet(Model):
    """One printed sheet of a gateway: its version and the hash of its password."""

    __tablename__ = "sheets"
    __table_args__ = (
        Index("uq_sheets_gateway_version", "gateway_id", "version", unique=True),
        # at most one sheet of a gateway is good
        Index(
            "uq_sheets_gateway_standing",
            "gateway_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
        CheckConstraint("version > 0", name="version_is_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    version: Mapped[int]
    password_hash: Mapped[str] = mapped_column(String(255))
    issued_at: Mapped[datetime]
    # somebody has it on paper; None too for what was printed before this was written down
    printed_at: Mapped[datetime | None]
    # whose sheet it was: only this account may prove it again
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    revoked_at: Mapped[datetime | None]

    gateway: Mapped[Gateway] = relationship()


class PowerConditioner(Model):
    """A unit behind a gateway (パワーコンディショナ構成情報), read from the device."""

    __tablename__ = "power_conditioners"
    __table_args__ = (
        Index("uq_power_conditioners_gateway_unit", "gateway_id", "unit_no", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    unit_no: Mapped[int]
    model: Mapped[str] = mapped_column(String(64))
    serial: Mapped[str] = mapped_column(String(64))
