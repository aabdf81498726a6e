"""Signed-in devices (ログイン中の端末), as rows from the start."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account


class Session(Model):
    """One signed-in browser; the cookie holds a random token, the row its SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    network_address: Mapped[str] = mapped_column(String(64))
    browser: Mapped[str] = mapped_column(String(200), default="")
    began_at: Mapped[datetime]
    # written at most once a minute
    last_seen_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    # a form that outlived the session before this one: its page and fields, no passwords
    kept_form: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)
