"""Certificates of transfer (譲渡証明書): by one, a gateway goes from its owner to a buyer."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .installations import Installation


class Transfer(Model):
    """One certificate. Its code is made from the nonce when shown; kept is a digest alone."""

    __tablename__ = "transfers"
    __table_args__ = (
        # at most one certificate of an installation is good
        Index(
            "uq_transfers_installation_standing",
            "installation_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL AND claimed_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL AND claimed_at IS NULL"),
        ),
        CheckConstraint(
            "revoked_at IS NULL OR claimed_at IS NULL", name="revoked_or_claimed_not_both"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # the seller's
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"), index=True)
    seller_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    nonce: Mapped[str] = mapped_column(String(43))
    code_digest: Mapped[str] = mapped_column(String(64), unique=True)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    claimed_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    # the buyer's
    new_installation_id: Mapped[int | None] = mapped_column(
        ForeignKey("installations.id"), unique=True
    )
    # whether the seller gives the summary of twelve months along, and what it said at the claim
    shares_summary: Mapped[bool] = mapped_column(default=False)
    summary: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))

    installation: Mapped[Installation] = relationship(foreign_keys=[installation_id])
