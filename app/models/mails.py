"""The outbox: mails wait here from the transaction that causes them until they are sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class OutboxMail(Model):
    """A mail to send: template, language and ids; its text is rendered when it is sent."""

    __tablename__ = "outbox_mails"
    __table_args__ = (
        CheckConstraint("state in ('waiting', 'sent', 'dropped')", name="state_is_known"),
        # what is due, without a look at the years that are sent
        Index(
            "ix_outbox_mails_due",
            "next_attempt_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        # the mail log: newest first, also of one template, one address, or of the dropped ones
        Index("ix_outbox_mails_log", "created_at", "id"),
        Index("ix_outbox_mails_template", "template", "created_at", "id"),
        Index("ix_outbox_mails_to", "to", postgresql_ops={"to": "varchar_pattern_ops"}),
        Index(
            "ix_outbox_mails_dropped",
            "created_at",
            "id",
            sqlite_where=text("state = 'dropped'"),
            postgresql_where=text("state = 'dropped'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # a second queueing of the same mail is impossible
    key: Mapped[str] = mapped_column(String(120), unique=True)
    template: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(5))
    to: Mapped[str] = mapped_column(String(254))
    refs: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    # lease and back-off in one column: a claim moves it, a failure moves it further
    next_attempt_at: Mapped[datetime]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    # when an operator gave a dropped mail another chance: its patience counts from here
    released_at: Mapped[datetime | None]
    # what the mail server said last
    answer: Mapped[str] = mapped_column(String(500), default="")
