"""Samples of gateways, what a tile needs of them, and when to ask again."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class Reading(Model):
    """One sample (計測値). Signs: import > 0, discharge > 0. Unknown is NULL, never 0."""

    __tablename__ = "readings"
    # a day is a partition, made and dropped by domain/retention.py
    __table_args__ = {"postgresql_partition_by": "RANGE (taken_at)"}  # noqa: RUF012

    # no surrogate key: a second writing of the same sample changes nothing
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(primary_key=True)
    pv_w: Mapped[float | None]
    load_w: Mapped[float | None]
    grid_w: Mapped[float | None]
    battery_w: Mapped[float | None]
    soc_pct: Mapped[float | None]
    # lifetime counters in Wh by quantity, as the device gave them
    counters: Mapped[dict[str, Any]] = mapped_column(JSON)


class Latest(Model):
    """All that a gateway's tiles show, in one row.

    `*_now_w` are means of the last 60 s; `*_today_wh` count from the site's midnight, or from
    the moment the present installation opened.
    """

    __tablename__ = "latest"

    gateway_id: Mapped[int] = mapped_column(
        ForeignKey("gateways.id"), primary_key=True, autoincrement=False
    )
    taken_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(16), default="")
    alarms: Mapped[list[str]] = mapped_column(JSON, default=list)
    pv_now_w: Mapped[float | None]
    load_now_w: Mapped[float | None]
    # the grid's two directions are told apart before the mean is taken
    sold_now_w: Mapped[float | None]
    bought_now_w: Mapped[float | None]
    battery_now_w: Mapped[float | None]
    soc_pct: Mapped[float | None]
    day: Mapped[date | None]
    installation_id: Mapped[int | None] = mapped_column(ForeignKey("installations.id"))
    pv_today_wh: Mapped[float | None]
    load_today_wh: Mapped[float | None]
    sold_today_wh: Mapped[float | None]
    bought_today_wh: Mapped[float | None]
    charged_today_wh: Mapped[float | None]
    discharged_today_wh: Mapped[float | None]
    # the cause of the incident by which the gateway was lost (models/incidents.py), "" for none
    incident: Mapped[str] = mapped_column(String(16), default="", server_default="")


class PollState(Model):
    """When a gateway is asked next, who watches it, and what its counters stood at."""

    __tablename__ = "poll_states"
    __table_args__ = (
        Index("ix_poll_states_due", "next_poll_at"),
        Index(
            "ix_poll_states_recount",
            "recount_from",
            sqlite_where=text("recount_from IS NOT NULL"),
            postgresql_where=text("recount_from IS NOT NULL"),
        ),
        # those that may have to be called lost: few, and what answers is never among them
        Index(
            "ix_poll_states_unjudged",
            "gateway_id",
            sqlite_where=text("failures > 0 AND silence_judged_at IS NULL"),
            postgresql_where=text("failures > 0 AND silence_judged_at IS NULL"),
        ),
    )

    gateway_id: Mapped[int] = mapped_column(
        ForeignKey("gateways.id"), primary_key=True, autoincrement=False
    )
    # a claim moves it past the lease, a result to the next interval or back-off
    next_poll_at: Mapped[datetime]
    # set while a job asks: a look at the screen must not have the gateway asked twice at once
    claimed_until: Mapped[datetime | None]
    watched_until: Mapped[datetime | None]
    last_outcome: Mapped[str] = mapped_column(String(16), default="")
    last_detail: Mapped[str] = mapped_column(String(200), default="")
    failures: Mapped[int] = mapped_column(default=0)
    # its last answer took long
    is_slow: Mapped[bool] = mapped_column(default=False, server_default=false())
    # powers of the last minute (domain/readings.py), each counter's standing (domain/meters.py)
    window: Mapped[list[Any]] = mapped_column(JSON, default=list)
    meters: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # half hours that are not written yet (domain/half_hours.py)
    half_hours: Mapped[list[Any]] = mapped_column(JSON, default=list)
    # the zone whose half hours those are
    counted_zone: Mapped[str] = mapped_column(String(64), default="Asia/Tokyo")
    # an answer came late: what was counted since is counted anew
    recount_from: Mapped[datetime | None]
    # alarms that were seen, stand or are going (domain/alarm_rules.py)
    standing: Mapped[dict[str, Any]] = mapped_column(
        JSON, default=dict, server_default=text("'{}'")
    )
    # since when its silence is known and written down; None while it answers
    silence_judged_at: Mapped[datetime | None]
    # the relay that brought the last good answer; "" is the poller itself
    via: Mapped[str] = mapped_column(String(64), default="", server_default="")
