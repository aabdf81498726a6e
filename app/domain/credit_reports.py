"""The monitoring report of a half-year for J-Credits: what members used, and what it spares.

It sums what was credited, corrections included: its total is that of all statements.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Subquery, func, select

from ..extensions import db
from ..models import EcoMembership, Gateway, Installation, PointRun, PointTransaction
from . import csv_files
from .emission import Factor, Factors
from .errors import NotFound
from .point_sums import DWH_PER_KWH, Sums

# rows fetched at once
AT_ONCE = 500
# of a year
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Line:
    """A member's half-year."""

    membership_id: int
    gateway: str
    prefecture: str
    dwh: int
    points: int
    sums: Sums

    @property
    def kwh(self) -> Decimal:
        """Return what was self-consumed."""
        return kwh(self.dwh)


@dataclass(frozen=True, slots=True)
class Summary:
    """All members of a half-year."""

    first: date
    last: date
    members: int
    dwh: int
    points: int
    is_finished: bool
    #: members of whom some was not counted, as no household's generator makes it
    bounded: int = 0

    @property
    def kwh(self) -> Decimal:
        """Return what all of them self-consumed."""
        return kwh(self.dwh)


def kwh(dwh: int) -> Decimal:
    """Return tenths of a Wh as kWh, exactly."""
    return Decimal(dwh) / DWH_PER_KWH


def spared_kg(dwh: int, factor: Factor | None) -> Decimal | None:
    """Return the kilograms of CO2 that were not emitted; None without a factor."""
    return None if factor is None else kwh(dwh) * factor.kg_per_kwh


def spared_by(months: Mapping[str, int], factors: Factors) -> Decimal | None:
    """Return the kilograms that tenths of a Wh spared, by month, each by its own factor.

    None where one of the months has none.
    """
    found = [spared_kg(dwh, factors.of_month(month)) for month, dwh in months.items()]
    return None if None in found else sum((kg for kg in found if kg is not None), Decimal(0))


def spared_by_all(told: Summary, factors: Factors) -> Decimal | None:
    """Return the kilograms that all members of a half-year spared.

    One query where its factor changes within it, none where one holds.
    """
    held = factors.within(told.first, told.last)
    if len(held) == 1 and held[0].since <= told.first:
        return spared_kg(told.dwh, held[0])
    return spared_by(_months(told), factors) if held else None


def _months(told: Summary) -> dict[str, int]:
    """Return what all members of a half-year self-consumed, by month, as it was counted last."""
    first = told.first.year * MONTHS + told.first.month - 1
    last = told.last.year * MONTHS + told.last.month - 1
    months = [f"{n // MONTHS}-{n % MONTHS + 1:02}" for n in range(first, last + 1)]
    booked = _booked(told.first)
    sums = db.session.execute(
        select(*(func.sum(PointTransaction.sums["months", month].as_integer()) for month in months))
        .select_from(booked)
        .join(PointTransaction, PointTransaction.id == booked.c.newest)
    ).one()
    return {month: int(dwh) for month, dwh in zip(months, sums, strict=True) if dwh is not None}


def summary(first: date) -> Summary:
    """Return the sums of the half-year that begins on a day; one query each.

    Raises:
        NotFound: No run credited it.
    """
    run = db.session.scalar(select(PointRun).where(PointRun.period_first == first))
    if run is None:
        raise NotFound
    over = PointTransaction.sums["over"].as_string().is_not(None)
    booked = _booked(first)
    # a correction may have found that nothing was too much
    members, dwh, points, bounded = db.session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(booked.c.dwh), 0),
            func.coalesce(func.sum(booked.c.points), 0),
            func.count().filter(over),
        )
        .select_from(booked)
        .join(PointTransaction, PointTransaction.id == booked.c.newest)
    ).one()
    return Summary(
        first,
        run.period_last,
        members,
        int(dwh),
        int(points),
        run.finished_at is not None,
        bounded,
    )


def _booked(first: date) -> Subquery:
    """Return what each member of a half-year was booked, and which booking was the last."""
    return (
        select(
            PointTransaction.membership_id,
            func.sum(PointTransaction.self_dwh).label("dwh"),
            func.sum(PointTransaction.points).label("points"),
            func.max(PointTransaction.id).label("newest"),
        )
        .where(PointTransaction.period_first == first)
        .group_by(PointTransaction.membership_id)
        .subquery()
    )


def lines(first: date) -> Iterator[Line]:
    """Yield the members of a half-year, in the order of their memberships, a few at a time.

    Coverage is that of what was counted last.
    """
    booked = _booked(first)
    rows = db.session.execute(
        select(
            booked.c.membership_id,
            Gateway.public_id,
            Installation.prefecture,
            booked.c.dwh,
            booked.c.points,
            PointTransaction.sums,
        )
        .join(PointTransaction, PointTransaction.id == booked.c.newest)
        .join(EcoMembership, EcoMembership.id == booked.c.membership_id)
        .join(Installation, Installation.id == EcoMembership.installation_id)
        .join(Gateway, Gateway.id == EcoMembership.gateway_id)
        .order_by(booked.c.membership_id)
        .execution_options(yield_per=AT_ONCE)
    )
    for membership_id, gateway, prefecture, dwh, points, sums in rows:
        yield Line(
            membership_id, gateway, prefecture, int(dwh), int(points), Sums.from_json(sums or {})
        )


COLUMNS = (
    *("membership", "gateway", "prefecture", "from", "to", "days", "self_consumed_kwh"),
    *("coverage_pct", "missing_half_hours", "factor_kg_per_kwh", "reduction_kg_co2", "points"),
    "not_counted_kwh",
)


def file(told: Summary, factors: Factors) -> Iterator[str]:
    """Return the report as a CSV file, with its sum at the end."""
    yield csv_files.BOM + csv_files.line(COLUMNS)
    held = " ".join(str(one.kg_per_kwh) for one in factors.within(told.first, told.last))
    members = dwh = points = over = 0
    spared: Decimal | None = Decimal(0)
    for one in lines(told.first):
        of_one = spared_by(one.sums.months, factors)
        spared = None if spared is None or of_one is None else spared + of_one
        members, dwh, points = members + 1, dwh + one.dwh, points + one.points
        over += one.sums.over_dwh
        yield csv_files.line(
            [
                one.membership_id,
                one.gateway,
                one.prefecture,
                one.sums.first.isoformat(),
                one.sums.last.isoformat(),
                one.sums.days,
                f"{one.kwh:.4f}",
                f"{one.sums.coverage:.1f}",
                one.sums.missing_half_hours,
                held,
                _kg(of_one),
                one.points,
                f"{kwh(one.sums.over_dwh):.4f}",
            ]
        )
    yield csv_files.line(
        [
            *("total", members, "", "", "", "", f"{kwh(dwh):.4f}", "", ""),
            *(held, _kg(spared) if members else "", points, f"{kwh(over):.4f}"),
        ]
    )


def _kg(spared: Decimal | None) -> str:
    return "" if spared is None else f"{spared:.4f}"
