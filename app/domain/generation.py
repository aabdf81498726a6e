"""When gateways first generated, and how much of the time they were measured.

Days of energy are kept for ever, samples are not: both are read from the days.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import SQLColumnExpression, literal, select

from ..extensions import db
from ..models import EnergyTotal, Gateway, Installation, Latest, PollState
from ..profiles.base import QUANTITIES
from . import energy_totals, half_hours
from .eligibility import Coverage
from .energy import day_of

# what belongs to no installation was before the first one
NOBODYS = 0


def first_days(zones: Mapping[int, str], now: datetime) -> dict[int, date]:
    """Return the first day of generation of gateways that have generated; three queries.

    `zones` are of their sites, by gateway. Who owned a gateway then does not matter.
    """
    ids = list(zones)
    if not ids:
        return {}
    found: dict[int, date] = {}
    of_owner = select(
        Installation.gateway_id, _first_day(Installation.gateway_id, Installation.id)
    ).where(Installation.gateway_id.in_(ids))
    of_nobody = select(Gateway.id, _first_day(Gateway.id, literal(NOBODYS))).where(
        Gateway.id.in_(ids)
    )
    for statement in (of_owner, of_nobody):
        for gateway_id, day in db.session.execute(statement):
            if day is not None:
                found[gateway_id] = min(day, found.get(gateway_id, day))
    for row in db.session.execute(
        select(
            PollState.gateway_id,
            PollState.meters,
            Latest.pv_now_w,
            Latest.pv_today_wh,
            Gateway.first_contact_at,
        )
        .join(Gateway, Gateway.id == PollState.gateway_id)
        .outerjoin(Latest, Latest.gateway_id == PollState.gateway_id)
        .where(PollState.gateway_id.in_(ids))
    ):
        if row.gateway_id in found:
            continue
        # half hours are written when they are over: these are the first minutes
        if (row.pv_now_w or 0) > 0 or (row.pv_today_wh or 0) > 0:
            found[row.gateway_id] = day_of(now, zones[row.gateway_id])[0]
        elif (row.meters.get("pv_wh", {}).get("wh") or 0) > 0:
            # the counter tells of a sun that shone before the gateway was connected
            seen = row.first_contact_at or now
            found[row.gateway_id] = day_of(seen, zones[row.gateway_id])[0]
    return found


def _first_day(
    gateway_id: SQLColumnExpression[int], installation_id: SQLColumnExpression[int]
) -> SQLColumnExpression[date | None]:
    """Return the first sunny day of a gateway in an installation: the key is read in its order."""
    return (
        select(EnergyTotal.day)
        .where(
            EnergyTotal.gateway_id == gateway_id,
            EnergyTotal.installation_id == installation_id,
            EnergyTotal.pv_wh > 0,
        )
        .order_by(EnergyTotal.day)
        .limit(1)
        .scalar_subquery()
    )


def coverage(installation: Installation, days: int, now: datetime) -> Coverage | None:
    """Return for how much of the last whole `days` a gateway was measured.

    It counts from the first contact if that is shorter ago, and nothing of a former owner's time.
    None until one midnight has passed. Its `gateway` is loaded with the installation.
    """
    zone, gateway = installation.zone, installation.gateway
    if gateway.first_contact_at is None:
        return None
    today, midnight = day_of(now, zone)
    first = today - timedelta(days=days)
    begins = max(
        half_hours.day_bounds(first, zone)[0],
        gateway.first_contact_at.timestamp(),
        _former_end(installation),
    )
    if begins >= midnight:
        return None
    first, _ = day_of(datetime.fromtimestamp(begins, UTC), zone)
    measured = 0.0
    for owner in (NOBODYS, installation.id):
        for day in energy_totals.days(gateway.id, owner, first, today - timedelta(days=1)).values():
            # of what it measures, the best known: connected is connected
            measured += max(
                (one.measured_s for name, one in day.total.energy.items() if name in QUANTITIES),
                default=0.0,
            )
    length = round(midnight - begins)
    return Coverage(min(round(measured), length), length)


def _former_end(installation: Installation) -> float:
    """Return when the last owner before this one left, long ago if there was none."""
    ended = db.session.scalar(
        select(Installation.closed_at)
        .where(
            Installation.gateway_id == installation.gateway_id,
            Installation.id != installation.id,
            Installation.closed_at.is_not(None),
        )
        .order_by(Installation.closed_at.desc())
        .limit(1)
    )
    return ended.timestamp() if ended else float("-inf")
