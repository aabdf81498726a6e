"""Half-yearly crediting of points: a run of a period, in shards of memberships.

Each membership and period has a key of its own in the ledger: a run that is repeated, killed half
way or done by two workers at once books the same. What became known later of an earlier period is a
correction in the next run; one that takes points takes no more than are there, and the rest stays
due for the run after.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, update

from ..extensions import db
from ..models import (
    Account,
    EcoMembership,
    Installation,
    PointRun,
    PointShard,
    PointTransaction,
)
from . import audit, inserts, ledger, mail, point_sums, self_use
from .energy import day_of
from .ledger import LAPSED, MEMBER, PROGRAMME, Booking
from .point_sums import Sums
from .programme import HalfYear, Programme
from .self_use import Home
from .writes import count_changed

# memberships that are credited in one transaction: a second or so, which polls can wait for
SHARD = 100
# how long a shard may take, waiting in its queue included, before it is given to another worker
LEASE_S = 900
# days after a period until samples that come late have come
SETTLED_AFTER = 5
# earlier periods that are looked at again: a year
LOOKED_BACK = 2


@dataclass(frozen=True, slots=True)
class Member:
    """A membership, as far as crediting goes."""

    id: int
    account_id: int
    home: Home
    zone: str
    member_from: date | None
    member_until: date | None


class Progress(NamedTuple):
    """How far a run is."""

    run: PointRun
    shards: int
    done: int
    booked: int
    points: int


class Booked(NamedTuple):
    """What the ledger holds for a membership and period."""

    points: int
    dwh: int


# ---- runs and shards ------------------------------------------------------------------------


def due(programme: Programme, today: date) -> HalfYear:
    """Return the newest period whose points may be credited on a day."""
    return programme.period_before(today - timedelta(days=SETTLED_AFTER))


def open_due(programme: Programme, now: datetime, *, zone: str) -> PointRun | None:
    """Open the run of the newest period that is over, with its shards, once; None if it is open."""
    period = due(programme, day_of(now, zone)[0])
    # asked every few seconds, all year: nothing is written where it is open
    if db.session.scalar(select(PointRun.id).where(PointRun.period_first == period.first)):
        return None
    run_id = db.session.scalar(
        inserts.insert(PointRun)
        .values(period_first=period.first, period_last=period.last, opened_at=now)
        .on_conflict_do_nothing(index_elements=[PointRun.period_first])
        .returning(PointRun.id)
    )
    if run_id is None:
        return None
    oldest = _periods(programme, period)[0]
    for first, last in _ranges(_counted(oldest.first, period.last)):
        db.session.add(PointShard(run_id=run_id, first_id=first, last_id=last, booked=0, points=0))
    db.session.flush()
    _finish(run_id, now)
    audit.record(
        "points.credited",
        actor_id=None,
        subject="point_run",
        subject_id=run_id,
        now=now,
        period=period.first.isoformat(),
    )
    return db.session.get(PointRun, run_id)


def _counted(first: date, last: date) -> tuple[ColumnElement[bool], ...]:
    """Return what memberships of some days meet."""
    return (
        EcoMembership.member_from <= last,
        or_(EcoMembership.member_until.is_(None), EcoMembership.member_until > first),
    )


def _ranges(which: Sequence[ColumnElement[bool]]) -> Iterator[tuple[int, int]]:
    """Yield first and last ids of memberships, as many as a shard takes."""
    place = func.row_number().over(order_by=EcoMembership.id) - 1
    numbered = select(EcoMembership.id, place.label("place")).where(*which).subquery()
    begins = db.session.scalars(
        select(numbered.c.id).where(numbered.c.place % SHARD == 0).order_by(numbered.c.id)
    ).all()
    last = db.session.scalar(select(func.max(EcoMembership.id)).where(*which))
    if last is not None:
        yield from ((first, after - 1) for first, after in pairwise([*begins, last + 1]))


def claim(now: datetime, *, limit: int) -> list[int]:
    """Take shards that nobody works on, so that at most `limit` are under way.

    Where workers are slower than their cron, no more wait in the queue than that: others' jobs
    stand behind them. Whoever dies with a shard gives it back by doing nothing.
    """
    under_way = select(func.count()).where(
        PointShard.done_at.is_(None), PointShard.claimed_until > now
    )
    left = limit - (db.session.scalar(under_way) or 0)
    if left <= 0:
        return []
    free = or_(PointShard.claimed_until.is_(None), PointShard.claimed_until <= now)
    some = (
        select(PointShard.id)
        .where(PointShard.done_at.is_(None), free)
        .order_by(PointShard.id)
        .limit(left)
        .with_for_update(skip_locked=True)
        # asked once: PostgreSQL may ask a mere subquery again for each row, and lock more each time
        .cte("some")
    )
    return list(
        db.session.scalars(
            update(PointShard)
            .where(PointShard.id.in_(select(some.c.id)), PointShard.done_at.is_(None), free)
            .values(claimed_until=now + timedelta(seconds=LEASE_S))
            .returning(PointShard.id)
            .execution_options(synchronize_session=False)
        )
    )


def list_runs() -> list[Progress]:
    """Return the runs with how far they are, the newest first; one query."""
    done = func.count(PointShard.done_at)
    rows = db.session.execute(
        select(
            PointRun,
            func.count(PointShard.id),
            done,
            func.coalesce(func.sum(PointShard.booked), 0),
            func.coalesce(func.sum(PointShard.points), 0),
        )
        .outerjoin(PointShard, PointShard.run_id == PointRun.id)
        .group_by(PointRun.id)
        .order_by(PointRun.period_first.desc())
    )
    return [Progress(*row) for row in rows]


# ---- one shard ------------------------------------------------------------------------------


def credit(shard_id: int, programme: Programme, now: datetime) -> int:
    """Credit the memberships of a shard, all or none; return how many transactions are new.

    Raises:
        NotEnough: Somebody spent points meanwhile that were to be taken: try again.
    """
    shard = db.session.get(PointShard, shard_id)
    if shard is None or shard.done_at is not None:
        return 0
    run = shard.run
    periods = _periods(programme, HalfYear(run.period_first, run.period_last))
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
    _finish(run.id, now)
    return len(booked)


def _before(programme: Programme, period: HalfYear) -> HalfYear:
    return programme.period_of(period.first - timedelta(days=1))


def _periods(programme: Programme, period: HalfYear) -> list[HalfYear]:
    """Return a run's period and those it looks at again, the oldest first."""
    periods = [period]
    for _earlier in range(LOOKED_BACK):
        periods.insert(0, _before(programme, periods[0]))
    return periods


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
                *_counted(periods[0].first, periods[-1].last),
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
    for one, id_ in wanted:
        to = accounts[one.account_id]
        mail.queue(
            "points_credited",
            to.email,
            key=f"points-{id_}",
            language=to.language,
            now=now,
            account=to.id,
            transaction=id_,
        )


def _finish(run_id: int, now: datetime) -> None:
    """Note that a run is through, once no shard is left."""
    left = select(PointShard.id).where(
        PointShard.run_id == PointRun.id, PointShard.done_at.is_(None)
    )
    count_changed(
        update(PointRun)
        .where(PointRun.id == run_id, PointRun.finished_at.is_(None), ~left.exists())
        .values(finished_at=now)
    )
