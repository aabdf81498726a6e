"""A member's statement of points (明細): what came and went, how each figure came about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..models import Account, EcoMembership, Installation, PointTransaction
from . import csv_files, point_runs, point_sums, self_use
from .energy import day_of
from .errors import NotFound
from .paging import Page, paged
from .point_sums import Sums
from .programme import HalfYear, Programme
from .self_use import Home

# months of the picture
MONTHS = 12
# rows fetched at once for a file
AT_ONCE = 500

# edges name the type without knowing tables
Transaction = PointTransaction


@dataclass(frozen=True, slots=True)
class Preview:
    """What a half-year that is not credited yet comes to so far."""

    installation: Installation
    period: HalfYear
    sums: Sums
    credited_from: date


def change_of(one: PointTransaction) -> int:
    """Return what a transaction changed of the points a member may spend."""
    return 0 if one.kind == "done" else -one.points if one.kind == "lapsed" else one.points


def page(actor: Account, number: int) -> Page[PointTransaction]:
    """Return a page of one's transactions, the newest first.

    What a gift that is done moves is nothing to spend: its order tells it.
    """
    return paged(_mine(actor).order_by(PointTransaction.id.desc()), number)


def get(actor: Account, transaction_id: int) -> PointTransaction:
    """Return a credit, or a correction of one.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    found = db.session.scalar(
        select(PointTransaction)
        .options(joinedload(PointTransaction.membership).joinedload(EcoMembership.installation))
        .where(
            PointTransaction.id == transaction_id,
            PointTransaction.account_id == actor.id,
            PointTransaction.membership_id.is_not(None),
        )
    )
    if found is None:
        raise NotFound
    return found


def sums_of(one: PointTransaction) -> Sums:
    """Return what a credit rests on."""
    return Sums.from_json(one.sums or {})


def is_member(actor: Account) -> bool:
    """Tell whether somebody takes part, or ever did."""
    return (
        db.session.scalar(
            select(EcoMembership.id)
            .where(EcoMembership.account_id == actor.id, EcoMembership.member_from.is_not(None))
            .limit(1)
        )
        is not None
    )


def previews(actor: Account, programme: Programme, now: datetime, *, zone: str) -> list[Preview]:
    """Return what is not credited yet: this half-year so far, and the last one until its run."""
    today = day_of(now, zone)[0]
    current = programme.period_of(today)
    periods = [programme.period_of(current.first - timedelta(days=1)), current]
    memberships = db.session.scalars(
        select(EcoMembership)
        .options(joinedload(EcoMembership.installation))
        .where(EcoMembership.account_id == actor.id, EcoMembership.member_from.is_not(None))
        .order_by(EcoMembership.id)
    ).all()
    credited = set(
        db.session.execute(
            select(PointTransaction.membership_id, PointTransaction.period_first).where(
                PointTransaction.membership_id.in_([one.id for one in memberships]),
                PointTransaction.period_first.in_([one.first for one in periods]),
                PointTransaction.kind == "credit",
            )
        )
    )
    found = []
    for one in memberships:
        for period in periods:
            counted = point_sums.member_days(period, one.member_from, one.member_until)
            if counted is None or counted[0] > today or (one.id, period.first) in credited:
                continue
            first, last = counted[0], min(counted[1], today)
            home = Home(one.gateway_id, one.installation_id)
            [days] = self_use.days_of_many([home], first, last)
            sums = point_sums.add_up(days, first, last, programme, zone=one.installation.zone)
            starts = period.last + timedelta(days=point_runs.SETTLED_AFTER + 1)
            found.append(Preview(one.installation, period, sums, starts))
    return found


def months(actor: Account, shown: Sequence[Preview], today: date) -> dict[str, float | None]:
    """Return the kWh of the last months, as they were credited or stand now; None: not a member."""
    by_month: dict[str, float | None] = {}
    month = today.replace(day=1)
    for _earlier in range(MONTHS):
        by_month[f"{month:%Y-%m}"] = None
        month = (month - timedelta(days=1)).replace(day=1)
    by_month = dict(sorted(by_month.items()))
    counted = db.session.scalars(
        select(PointTransaction)
        .where(
            PointTransaction.account_id == actor.id,
            PointTransaction.period_first >= today - timedelta(days=550),
        )
        .order_by(PointTransaction.id)
    )
    # what was counted last of a membership and period holds
    newest = {(one.membership_id, one.period_first): sums_of(one) for one in counted}
    for sums in [*newest.values(), *(one.sums for one in shown)]:
        for name, dwh in sums.months.items():
            if name in by_month:
                by_month[name] = (by_month[name] or 0.0) + dwh / point_sums.DWH_PER_KWH
    return by_month


COLUMNS = (
    *("id", "at", "kind", "points", "period_first", "period_last", "site"),
    *("self_consumed_kwh", "rates_yen_per_kwh", "days", "coverage_pct", "missing_half_hours"),
    "not_counted_kwh",
)


def lines(actor: Account) -> Iterator[str]:
    """Return one's statement as a CSV file, the oldest first."""
    rows = db.session.scalars(
        _mine(actor).order_by(PointTransaction.id).execution_options(yield_per=AT_ONCE)
    )
    yield csv_files.BOM + csv_files.line(COLUMNS)
    for one in rows:
        values: list[object] = [one.id, f"{one.at:%Y-%m-%dT%H:%M:%SZ}", one.kind, change_of(one)]
        if one.membership:
            sums = sums_of(one)
            values += [
                sums.first.isoformat(),
                sums.last.isoformat(),
                one.membership.installation.site_name,
                f"{one.self_dwh / point_sums.DWH_PER_KWH:.4f}",
                " ".join(str(rate) for rate, _dwh in sums.parts),
                sums.days,
                f"{sums.coverage:.1f}",
                sums.missing_half_hours,
                f"{sums.over_dwh / point_sums.DWH_PER_KWH:.4f}",
            ]
        yield csv_files.line(values)


def _mine(actor: Account) -> Select[PointTransaction]:
    return (
        select(PointTransaction)
        .options(
            joinedload(PointTransaction.membership).joinedload(EcoMembership.installation),
            joinedload(PointTransaction.order),
        )
        .where(PointTransaction.account_id == actor.id, PointTransaction.kind != "done")
    )
