"""Energy of gateways by day with its half hours (実績), and where a day's counting began."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class EnergyTotal(Model):
    """Wh of one gateway, one installation and one day of the site's zone.

    Unknown is NULL, never 0. `*_measured_s` and `*_filled_s` are seconds of the day; what is left
    of it is missing. The half hours are in the same row, so that they always sum to the day.
    """

    __tablename__ = "energy_totals"
    __table_args__ = (
        # a history page reads one ownership; operators read the gateway by its key
        Index("ix_energy_totals_installation_day", "installation_id", "day"),
        Index(
            "ix_energy_totals_day_detailed",
            "day",
            sqlite_where=text("half_hours IS NOT NULL"),
            postgresql_where=text("half_hours IS NOT NULL"),
        ),
    )

    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    # 0 is nobody's: before the first installation, and between two
    installation_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    zone: Mapped[str] = mapped_column(String(64))
    pv_wh: Mapped[float | None]
    load_wh: Mapped[float | None]
    import_wh: Mapped[float | None]
    export_wh: Mapped[float | None]
    charge_wh: Mapped[float | None]
    discharge_wh: Mapped[float | None]
    # generation that was not sold, half hour by half hour
    self_wh: Mapped[float | None]
    pv_measured_s: Mapped[int]
    load_measured_s: Mapped[int]
    import_measured_s: Mapped[int]
    export_measured_s: Mapped[int]
    charge_measured_s: Mapped[int]
    discharge_measured_s: Mapped[int]
    pv_filled_s: Mapped[int]
    load_filled_s: Mapped[int]
    import_filled_s: Mapped[int]
    export_filled_s: Mapped[int]
    charge_filled_s: Mapped[int]
    discharge_filled_s: Mapped[int]
    # bits of domain/half_hours.py, four for each quantity
    methods: Mapped[int]
    # packed by domain/half_hours.py; NULL once their time is over
    half_hours: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class MeterCheckpoint(Model):
    """What a gateway's meters stood at before the first sample of a day: late samples need it."""

    __tablename__ = "meter_checkpoints"
    __table_args__ = (Index("ix_meter_checkpoints_day", "day"),)

    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    # of the sample they stood at; None where there was none before
    taken_at: Mapped[datetime | None]
    meters: Mapped[dict[str, Any]] = mapped_column(JSON)
    half_hours: Mapped[list[Any]] = mapped_column(JSON)
