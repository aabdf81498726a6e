"""停電: when a home was without the grid, and what is told of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .installations import Installation

_STANDS = text("ended_at IS NULL")
_TO_CHECK = text("check_at IS NOT NULL")


class Outage(Model):
    """A time without the grid, as the samples of an installation's gateway told it."""

    __tablename__ = "outages"
    __table_args__ = (
        # at most one that stands per gateway: the database decides who came first
        Index(
            "uq_outages_open",
            "gateway_id",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
        # an installation's list, newest first
        Index("ix_outages_installation", "installation_id", "began_at", "id"),
        # those that are over and not reported yet
        Index("ix_outages_check", "check_at", sqlite_where=_TO_CHECK, postgresql_where=_TO_CHECK),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    # the last sample with the grid and the first without: the moment lies between them
    before_at: Mapped[datetime | None]
    began_at: Mapped[datetime]
    # the last sample without the grid and the first with it again
    away_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    # the installation closed while it stood: nobody knows the end
    is_cut: Mapped[bool] = mapped_column(default=False)
    # state of charge in % at `began_at` and `ended_at`
    soc_began: Mapped[float | None]
    soc_ended: Mapped[float | None]
    # figures and course (domain/outage_figures.py), kept after the samples are gone
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    # when it is to be reported; a claim moves it past the lease
    check_at: Mapped[datetime | None]

    installation: Mapped[Installation] = relationship()
