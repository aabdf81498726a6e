"""By what a gateway that dials in proves which one it is."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .gateways import Gateway

_STANDS = text("revoked_at IS NULL")
_SECRET_STANDS = text("kind = 'secret' AND revoked_at IS NULL")


class DeviceCredential(Model):
    """A device key or device secret of a gateway. The sheet's password is neither.

    `digest` is the SHA-256 of the public key's bytes, or of the secret, in hex.
    """

    __tablename__ = "device_credentials"
    __table_args__ = (
        CheckConstraint("kind in ('key', 'secret')", name="kind_is_known"),
        Index("ix_device_credentials_gateway", "gateway_id"),
        # keys may overlap while one takes the other's place; a new secret ends the old
        Index(
            "uq_device_credentials_secret",
            "gateway_id",
            unique=True,
            sqlite_where=_SECRET_STANDS,
            postgresql_where=_SECRET_STANDS,
        ),
        Index(
            "uq_device_credentials_standing",
            "gateway_id",
            "digest",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    kind: Mapped[str] = mapped_column(String(6))
    digest: Mapped[str] = mapped_column(String(64))
    added_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    gateway: Mapped[Gateway] = relationship()
