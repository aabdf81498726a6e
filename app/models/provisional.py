"""The columns of whatever waits for its mail's URL to be opened (仮登録)."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column


class Provisional:
    """Mix a mail address, a single-use URL and how it ends into a table of registrations."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), index=True)
    language: Mapped[str] = mapped_column(String(5))
    network_address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    # of the latest URL: a new mail moves both, which ends the old URL
    url_nonce: Mapped[str] = mapped_column(String(43))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    superseded_at: Mapped[datetime | None]
    # 本登録
    completed_at: Mapped[datetime | None]
