"""Half-yearly crediting of points: a run of a period, opened once, in shards of memberships."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, update

from ..extensions import db
from ..models import EcoMembership, PointRun, PointShard
from . import audit, inserts
from .energy import day_of
from .programme import HalfYear, Programme
from .writes import count_changed

# memberships that are credited in one transaction: a second at most, which polls can wait for
SHARD = 250
# how long a shard may take, waiting in its queue included, before it is given to another worker
LEASE_S = 900
# days after a period until samples that come late have come
SETTLED_AFTER = 5
# earlier periods that are looked at again: a year
LOOKED_BACK = 2


class Progress(NamedTuple):
    """How far a run is."""

    run: PointRun
    shards: int
    done: int
    booked: int
    points: int


def due(programme: Programme, today: date) -> HalfYear:
    """Return the newest period whose points may be credited on a day."""
    return programme.period_before(today - timedelta(days=SETTLED_AFTER))


def open_due(programme: Programme, now: datetime, *, zone: str) -> PointRun | None:
    """Open the run of the next period that is over, with its shards, once; None if there is none.

    After a year away each half-year has its run, one after the other: a run corrects those before
    it, and must find them booked.
    """
    # asked every few seconds, all year: nothing is written where it is open
    period = _next(programme, due(programme, day_of(now, zone)[0]))
    if period is None:
        return None
    run_id = db.session.scalar(
        inserts.insert(PointRun)
        .values(period_first=period.first, period_last=period.last, opened_at=now)
        .on_conflict_do_nothing(index_elements=[PointRun.period_first])
        .returning(PointRun.id)
    )
    if run_id is None:
        return None
    oldest = looked_at(programme, period)[0]
    for first, last in _ranges(counted(oldest.first, period.last)):
        db.session.add(PointShard(run_id=run_id, first_id=first, last_id=last, booked=0, points=0))
    db.session.flush()
    finish(now)
    audit.record(
        "points.credited",
        actor_id=None,
        subject="point_run",
        subject_id=run_id,
        now=now,
        period=period.first.isoformat(),
    )
    return db.session.get(PointRun, run_id)


def _next(programme: Programme, newest: HalfYear) -> HalfYear | None:
    """Return the period that follows the last run, up to the newest that is due."""
    last = db.session.execute(
        select(PointRun.period_first, PointRun.period_last, PointRun.finished_at)
        .order_by(PointRun.period_first.desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        began = db.session.scalar(select(func.min(EcoMembership.member_from)))
        # nobody is a member yet: there is a run all the same
        return programme.period_of(min(began, newest.first)) if began else newest
    if last.finished_at is None:
        return None
    following = programme.period_of(last.period_last + timedelta(days=1))
    # where bounds changed, a period may begin in one that had its run under the old ones
    while following.first <= last.period_first:
        following = programme.period_of(following.last + timedelta(days=1))
    return following if following.first <= newest.first else None


def counted(first: date, last: date) -> tuple[ColumnElement[bool], ...]:
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
    finish(now)
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
        # by itself: within an IN, PostgreSQL may ask it again for each row, and more than the limit
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


def _before(programme: Programme, period: HalfYear) -> HalfYear:
    return programme.period_of(period.first - timedelta(days=1))


def looked_at(programme: Programme, period: HalfYear) -> list[HalfYear]:
    """Return a run's period and those it looks at again, the oldest first."""
    periods = [period]
    for _earlier in range(LOOKED_BACK):
        periods.insert(0, _before(programme, periods[0]))
    return periods


def finish(now: datetime) -> None:
    """Note which runs are through: no shard is left.

    Asked again with each claim: of two that end at the same moment neither sees the other.
    """
    left = select(PointShard.id).where(
        PointShard.run_id == PointRun.id, PointShard.done_at.is_(None)
    )
    count_changed(
        update(PointRun)
        .where(PointRun.finished_at.is_(None), ~left.exists())
        .values(finished_at=now)
    )
