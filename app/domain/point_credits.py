"""What memberships are credited in a run: a shard at a time, each credit once.

Each membership and period has a key of its own in the ledger: a run that is repeated, killed half
way or done by two workers at once books the same. What became known later of an earlier period is a
correction in the next run; one that takes points takes no more than are there, and the rest stays
due for the run after.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import func, select, update

from ..extensions import db
from ..models import (
    Account,
    EcoMembership,
    Installation,
    PointRun,
    PointShard,
    PointTransaction,
)
from . import ledger, mail, point_runs, point_sums, self_use
from .ledger import LAPSED, MEMBER, PROGRAMME, Booking
from .mail import Letter
from .point_sums import Sums
from .programme import HalfYear, Programme
from .self_use import Home
from .writes import count_changed


@dataclass(frozen=True, slots=True)
class Member:
    """A membership, as far as crediting goes."""

    id: int
    account_id: int
    home: Home
    zone: str
    member_from: date | None
    member_until: date | None


class Booked(NamedTuple):
    """What the ledger holds for a membership and period."""

    points: int
    dwh: int


def credit(shard_id: int, programme: Programme, now: datetime) -> int:
    """Credit the memberships of a shard, all or none; return how many transactions are new.

    Raises:
        NotEnough: Somebody spent points meanwhile that were to be taken: try again.
    """
    shard = db.session.get(PointShard, shard_id)
    if shard is None or shard.done_at is not None:
        return 0
    run = shard.run
    periods = point_runs.looked_at(programme, HalfYear(run.period_first, run.period_last))
    members = _members(shard, periods)
    may_spend = ledger.held({one.account_id for one in members})
    # asked once their balances are held: who closes an account now waits for us
    closed = _closed(may_spend)
    bookings = []
    for made in _bookings(members, periods, programme, run, now):
        if made.account_id in closed:
            # the energy counts, and nobody is there for the points
            bookings.append(replace(made, target=LAPSED))
            continue
        # what was spent already cannot be taken: it stays due
        points = max(made.points, -may_spend[made.account_id])
        may_spend[made.account_id] += points
        if points or made.self_dwh or made.kind == "credit":
            bookings.append(replace(made, points=points))
    new = ledger.book(*bookings)
    booked = [one for one in bookings if one.key in new]
    _tell([(one, new[one.key]) for one in booked if one.account_id not in closed], now)
    count_changed(
        update(PointShard)
        .where(PointShard.id == shard_id, PointShard.done_at.is_(None))
        .values(
            done_at=now,
            claimed_until=None,
            booked=len(booked),
            points=sum(one.points for one in booked),
        )
    )
    point_runs.finish(now)
    return len(booked)


def _members(shard: PointShard, periods: Sequence[HalfYear]) -> list[Member]:
    """Return the memberships of a shard, in the order of their installations."""
    return [
        Member(id_, account_id, Home(gateway_id, installation_id), zone, first, until)
        for id_, account_id, gateway_id, installation_id, zone, first, until in db.session.execute(
            select(
                EcoMembership.id,
                EcoMembership.account_id,
                EcoMembership.gateway_id,
                EcoMembership.installation_id,
                Installation.zone,
                EcoMembership.member_from,
                EcoMembership.member_until,
            )
            .join(Installation, Installation.id == EcoMembership.installation_id)
            .where(
                EcoMembership.id.between(shard.first_id, shard.last_id),
                *point_runs.counted(periods[0].first, periods[-1].last),
            )
            .order_by(EcoMembership.installation_id, EcoMembership.id)
        )
    ]


def _closed(account_ids: Collection[int]) -> set[int]:
    return set(
        db.session.scalars(
            select(Account.id).where(Account.id.in_(account_ids), Account.closed_at.is_not(None))
        )
    )


def _booked(
    members: Sequence[Member], periods: Sequence[HalfYear]
) -> dict[tuple[int, date], Booked]:
    """Return what the ledger holds already, by membership and period."""
    rows = db.session.execute(
        select(
            PointTransaction.membership_id,
            PointTransaction.period_first,
            func.sum(PointTransaction.points),
            func.sum(PointTransaction.self_dwh),
        )
        .where(
            PointTransaction.membership_id.in_([one.id for one in members]),
            PointTransaction.period_first.in_([one.first for one in periods]),
        )
        .group_by(PointTransaction.membership_id, PointTransaction.period_first)
    )
    return {
        (membership_id, first): Booked(int(points), int(dwh))
        for membership_id, first, points, dwh in rows
        if membership_id is not None and first is not None
    }


def _bookings(
    members: Sequence[Member],
    periods: Sequence[HalfYear],
    programme: Programme,
    run: PointRun,
    now: datetime,
) -> Iterator[Booking]:
    """Yield what a run has to book, one home at a time."""
    known = _booked(members, periods)
    days = self_use.days_of_many([one.home for one in members], periods[0].first, periods[-1].last)
    for (_home, of_home), known_days in zip(groupby(members, _home_of), days, strict=True):
        for member in of_home:
            for period in periods:
                counted = point_sums.member_days(period, member.member_from, member.member_until)
                if counted is None:
                    continue
                sums = point_sums.add_up(known_days, *counted, programme, zone=member.zone)
                made = _booking(member, run, period, sums, known.get((member.id, period.first)))
                if made:
                    yield replace(made, at=now)


def _home_of(member: Member) -> Home:
    return member.home


def _booking(
    member: Member, run: PointRun, period: HalfYear, sums: Sums, booked: Booked | None
) -> Booking | None:
    """Return the credit of a run's own period, or what an earlier one has too little or too much.

    None: nothing is to be booked.
    """
    is_credit = period.first == run.period_first
    sofar = booked or Booked(0, 0)
    points, dwh = sums.points - sofar.points, sums.dwh - sofar.dwh
    if is_credit and booked:
        return None
    # what was cleared away can be counted no more: it stays as it was booked
    if not is_credit and (not sums.is_kept or (points == 0 and dwh == 0)):
        return None
    kind = "credit" if is_credit else "correction"
    key = f"{kind}-{member.id}-{period.first}" + ("" if is_credit else f"-{run.period_first}")
    return Booking(
        key,
        kind,
        member.account_id,
        points,
        PROGRAMME,
        MEMBER,
        run.opened_at,
        membership_id=member.id,
        period_first=period.first,
        run_id=run.id,
        self_dwh=dwh,
        sums=sums.to_json(),
    )


def _tell(credited: Sequence[tuple[Booking, int]], now: datetime) -> None:
    """Mail those who were credited points."""
    wanted = [(one, id_) for one, id_ in credited if one.points > 0 and one.kind == "credit"]
    accounts = {
        row.id: row
        for row in db.session.execute(
            select(Account.id, Account.email, Account.language).where(
                Account.id.in_({one.account_id for one, _id in wanted})
            )
        )
    }
    mail.queue_all(
        (
            Letter(
                "points_credited",
                (to := accounts[one.account_id]).email,
                f"points-{id_}",
                to.language,
                {"account": to.id, "transaction": id_},
            )
            for one, id_ in wanted
        ),
        now,
    )
