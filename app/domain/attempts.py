"""Failed tries to prove a sheet, as operators look at them: when, at which gateway, from where."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CTE, BigInteger, ColumnElement, Row, cast, extract, func, select

from ..extensions import db
from ..models import ClaimAttempt, Gateway

DAYS = 7
SHOWN_AT_MOST = 20
# a cell's colour: how many failures at least. Five are one person with a smudged sheet.
STEPS = (1, 5, 20, 100)
HOUR_S = 3600


@dataclass(frozen=True)
class HeatMap:
    """Failures of seven days by hour; days are in the site's zone, the newest last."""

    days: list[datetime]
    # of each hour, a figure for each day
    hours: list[list[int]]
    total: int


def heat_map(now: datetime, zone: str) -> HeatMap:
    """Return when tries failed, by one query that reads these seven days alone."""
    local = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [local - timedelta(days=back) for back in reversed(range(DAYS))]
    hours = [[0] * DAYS for _hour in range(24)]
    columns = {day.date(): place for place, day in enumerate(days)}
    hour: ColumnElement[int] = cast(extract("epoch", ClaimAttempt.at), BigInteger).op("/")(HOUR_S)
    counted = db.session.execute(
        select(hour, func.count()).where(*_failed_since(days[0])).group_by(hour)
    )
    total = 0
    for since_epoch, failures in counted:
        at = datetime.fromtimestamp(since_epoch * HOUR_S, ZoneInfo(zone))
        if at.date() in columns:
            hours[at.hour][columns[at.date()]] += failures
            total += failures
    return HeatMap(days, hours, total)


def step(failures: int) -> int:
    """Return how strongly a cell is coloured: 0 to 4."""
    return sum(failures >= least for least in STEPS)


def worst_gateways(now: datetime) -> list[Row[Any]]:
    """Return the IDs typed most often in vain: ID, failures, from how many places, the last, known.

    What was typed need be no gateway's ID.
    """
    recent = _recent(now)
    failures = func.count().label("failures")
    return list(
        db.session.execute(
            select(
                recent.c.public_id_typed.label("public_id"),
                failures,
                func.count(recent.c.network_address.distinct()).label("places"),
                func.max(recent.c.at).label("last_at"),
                func.max(Gateway.id).label("gateway"),
            )
            .outerjoin(Gateway, Gateway.public_id == recent.c.public_id_typed)
            .group_by(recent.c.public_id_typed)
            .order_by(failures.desc(), recent.c.public_id_typed)
            .limit(SHOWN_AT_MOST)
        )
    )


def worst_places(now: datetime) -> list[Row[Any]]:
    """Return the network addresses with most failures: address, failures, of how many IDs, last."""
    recent = _recent(now)
    failures = func.count().label("failures")
    return list(
        db.session.execute(
            select(
                recent.c.network_address,
                failures,
                func.count(recent.c.public_id_typed.distinct()).label("ids"),
                func.max(recent.c.at).label("last_at"),
            )
            .group_by(recent.c.network_address)
            .order_by(failures.desc(), recent.c.network_address)
            .limit(SHOWN_AT_MOST)
        )
    )


def list_of_gateway(public_id: str) -> list[ClaimAttempt]:
    """Return the latest tries at one gateway, those that proved its sheet among them."""
    return list(
        db.session.scalars(
            select(ClaimAttempt)
            .where(ClaimAttempt.public_id_typed == public_id)
            .order_by(ClaimAttempt.at.desc(), ClaimAttempt.id.desc())
            .limit(SHOWN_AT_MOST)
        )
    )


def _failed_since(moment: datetime) -> tuple[ColumnElement[bool], ...]:
    return ClaimAttempt.proved.is_(False), ClaimAttempt.at >= moment


def _recent(now: datetime) -> CTE:
    """Return the failures of seven days, read first: grouping must not walk through all others."""
    tries = select(ClaimAttempt.public_id_typed, ClaimAttempt.network_address, ClaimAttempt.at)
    recent = tries.where(*_failed_since(now - timedelta(days=DAYS)))
    return recent.cte("recent").prefix_with("MATERIALIZED")
