"""Years of history asked for as one file, which a job makes (履歴のダウンロード)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class HistoryExport(Model):
    """A year of one installation as a ZIP of its months, for who asked for it, for a day."""

    __tablename__ = "history_exports"
    __table_args__ = (
        CheckConstraint("months_done BETWEEN 0 AND months", name="no_more_than_all_months"),
        CheckConstraint(
            "(finished_at IS NULL) = (expires_at IS NULL)", name="what_is_finished_expires"
        ),
        # one for each: who asks again gets the same, or the year anew
        Index(
            "uq_history_exports_account_installation_year",
            "account_id",
            "installation_id",
            "year",
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    year: Mapped[int]
    # the moment it shows the history of: every month of it
    created_at: Mapped[datetime] = mapped_column(index=True)
    # the first month that was theirs, how many there are, and how many of them are in the file
    first_month: Mapped[int]
    months: Mapped[int]
    months_done: Mapped[int] = mapped_column(default=0)
    # the job that works on it has it until then
    claimed_until: Mapped[datetime | None]
    # a ZIP with the months that are done
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)

    @property
    def is_finished(self) -> bool:
        """Tell whether it may be fetched."""
        return self.finished_at is not None
