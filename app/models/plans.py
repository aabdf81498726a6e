"""What a home wants planned for its battery, the plans that were made, and reports of weather."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .installations import Installation

_WAITS = text("due_at IS NOT NULL")
_TO_PLACE = text("place_at IS NOT NULL")


class PlanChoice(Model):
    """What an owner has chosen for an installation; without a row all of it is off."""

    __tablename__ = "plan_choices"
    __table_args__ = (
        Index("ix_plan_choices_due", "due_at", sqlite_where=_WAITS, postgresql_where=_WAITS),
    )

    installation_id: Mapped[int] = mapped_column(
        ForeignKey("installations.id"), primary_key=True, autoincrement=False
    )
    # charge before a weather warning and go back afterwards
    storm: Mapped[bool] = mapped_column(default=False)
    # charge at night as tomorrow's sun and use want it
    night: Mapped[bool] = mapped_column(default=False)
    # the day that costs least by the tariff
    cost: Mapped[bool] = mapped_column(default=False)
    # a template's code (domain/tariffs.py); "": the home's own prices
    tariff: Mapped[str] = mapped_column(String(64), default="")
    # yen per kWh and minutes of the day, where the home has given its own
    day_yen: Mapped[float | None]
    night_yen: Mapped[float | None]
    night_begins: Mapped[int | None]
    night_ends: Mapped[int | None]
    sell_yen: Mapped[float | None]
    # what the device does not tell, or tells wrong
    battery_wh: Mapped[float | None]
    panels_kw: Mapped[float | None]
    panels_tilt: Mapped[float | None]
    panels_azimuth: Mapped[float | None]
    # of the weather agency: an office, and one of its areas; "" is all of them
    office: Mapped[str] = mapped_column(String(6), default="")
    area: Mapped[str] = mapped_column(String(7), default="")
    changed_at: Mapped[datetime]
    # when the next plan is to be made; a claim moves it past the lease. None: nothing is planned
    due_at: Mapped[datetime | None]
    # what held-back days say (jobs/planning.py), and when they were asked
    tested: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    tested_on: Mapped[date | None]

    installation: Mapped[Installation] = relationship()


class Plan(Model):
    """What was planned for a day, or why nothing was."""

    __tablename__ = "plans"
    __table_args__ = (
        # a job that runs twice writes the same plan
        Index("uq_plans_installation_day", "installation_id", "day", unique=True),
        Index("ix_plans_place_at", "place_at", sqlite_where=_TO_PLACE, postgresql_where=_TO_PLACE),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    # the day after the evening on which it was made, in the site's zone
    day: Mapped[date]
    made_at: Mapped[datetime]
    # "made", or why not: see domain/plans.py
    outcome: Mapped[str] = mapped_column(String(24))
    # courses, figures and orders, as domain/plans.py describes them
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    # how it stands with the settings: "waiting", "later", or what came of it; "" for what is only
    # looked at
    handed: Mapped[str] = mapped_column(String(16), default="")
    # when it is handed over next, and until when that is tried; None: it is no more, or never
    place_at: Mapped[datetime | None]
    place_by: Mapped[datetime | None]
    # when a change was asked for; None: none was
    placed_at: Mapped[datetime | None]


class WeatherReport(Model):
    """The latest report of an office, as domain/weather.py reads it; kind: forecast or warning."""

    __tablename__ = "weather_reports"

    office: Mapped[str] = mapped_column(String(6), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    # when the agency says it was told, and when we read it
    told_at: Mapped[datetime]
    read_at: Mapped[datetime]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
