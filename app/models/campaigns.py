"""What newcomers read first while a campaign runs."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class Campaign(Model):
    """A text in both languages, and from when until when it is shown once it is published."""

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("ends_at IS NULL OR ends_at > begins_at", name="ends_after_it_begins"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # Markdown; its first line is the campaign's name. Without English, everybody reads Japanese
    body_ja: Mapped[str] = mapped_column(Text)
    body_en: Mapped[str] = mapped_column(Text, default="")
    begins_at: Mapped[datetime]
    # None: until it is withdrawn
    ends_at: Mapped[datetime | None]
    edited_at: Mapped[datetime]
    # None: the service itself, or its operator at the command line
    edited_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    published_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
