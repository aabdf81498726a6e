"""Signed-in devices (ログイン中の端末), as rows from the start."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account

# what stands in a User-Agent, the telling ones first: nearly each says "Safari", many "Linux"
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("CriOS", "Chrome"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


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
    # when the person showed last who it is; what changes how one signs in asks for it anew
    proved_at: Mapped[datetime | None]
    # a form that outlived the session before this one: its page and fields, no passwords
    kept_form: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)

    @property
    def browser_shown(self) -> str:
        """Return browser and system as people name them, or what the browser said of itself."""
        system = next((word for mark, word in SYSTEMS if mark in self.browser), "")
        browser = next((word for mark, word in BROWSERS if mark in self.browser), "")
        return " / ".join(filter(None, (browser, system))) or self.browser[:60] or "—"
