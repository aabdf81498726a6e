"""Requests for a new password (パスワードを忘れた場合)."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account


class PasswordReset(Model):
    """One request; its URL is signed from the row id and the nonce, and works once."""

    __tablename__ = "password_resets"

    id: Mapped[int] = mapped_column(primary_key=True)
    # None: nobody has the address typed; written all the same, so that both take the same work
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    url_nonce: Mapped[str] = mapped_column(String(43))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]

    account: Mapped[Account | None] = relationship()
