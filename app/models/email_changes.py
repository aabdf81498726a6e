"""Requests to change the mail address, which is the user ID."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account


class EmailChange(Model):
    """One request; its URL goes to the new address, is signed when sent, and works once."""

    __tablename__ = "email_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    # what it changes, kept once it did: mails to it are erased with the account
    old_email: Mapped[str] = mapped_column(String(254), default="")
    new_email: Mapped[str] = mapped_column(String(254))
    url_nonce: Mapped[str] = mapped_column(String(43))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    # used, superseded, or never good: somebody has the new address already
    ended_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship()
