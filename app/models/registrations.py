"""What the wizard wrote (仮登録), and its drafts. Neither is an account."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .addresses import Person, PostalAddress
from .gateways import Gateway, Sheet
from .provisional import Provisional
from .transfers import Transfer


class RegistrationDraft(Model):
    """A wizard on its way: kept for a day, without passwords."""

    __tablename__ = "registration_drafts"
    __table_args__ = (
        CheckConstraint("kind in ('customer', 'dealer', 'gateway')", name="kind_is_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # SHA-256 of the random token in the browser's session
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    # whose wizard it is: neither finds the other's drafts
    kind: Mapped[str] = mapped_column(String(16), default="customer", server_default="customer")
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    # which ID and sheet version were proved; None until they were
    sheet_id: Mapped[int | None] = mapped_column(ForeignKey("sheets.id"))
    # or which certificate of transfer
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    terms_version_id: Mapped[int | None] = mapped_column(ForeignKey("terms_versions.id"))
    agreed_at: Mapped[datetime | None]
    # the network address agreed from; empty until then
    agreed_from: Mapped[str] = mapped_column(String(64), default="")
    # what this draft became: the second press of 「登録」 finds it here
    registration_id: Mapped[int | None] = mapped_column(ForeignKey("registrations.id"))
    dealer_registration_id: Mapped[int | None] = mapped_column(
        # its conventional name is longer than PostgreSQL's 63 characters
        ForeignKey("dealer_registrations.id", name="fk_registration_drafts_dealer_registration")
    )
    # the completion page of an address that already has an account
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)

    sheet: Mapped[Sheet | None] = relationship()
    transfer: Mapped[Transfer | None] = relationship()

    @property
    def gateway(self) -> Gateway | None:
        """Return the gateway that was proved, by its sheet or by a certificate of transfer."""
        if self.transfer:
            return self.transfer.installation.gateway
        return self.sheet.gateway if self.sheet else None


class Registration(Provisional, Person, PostalAddress, Model):
    """A provisional registration; mail address and gateway are not unique here."""

    __tablename__ = "registrations"
    __table_args__ = (
        CheckConstraint("(sheet_id IS NULL) <> (transfer_id IS NULL)", name="one_proof"),
    )

    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), index=True)
    # by what the gateway was proved: its sheet, or a certificate of transfer
    sheet_id: Mapped[int | None] = mapped_column(ForeignKey("sheets.id"))
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    site_name: Mapped[str] = mapped_column(String(64))
    site_postal_code: Mapped[str] = mapped_column(String(7))
    site_prefecture: Mapped[str] = mapped_column(String(10))
    site_city: Mapped[str] = mapped_column(String(64))
    site_street: Mapped[str] = mapped_column(String(128))
    site_building: Mapped[str] = mapped_column(String(128), default="")
    # which account came of it
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))

    gateway: Mapped[Gateway] = relationship()
    sheet: Mapped[Sheet | None] = relationship()
