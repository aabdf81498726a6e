"""When a gateway is asked.

The row in `poll_states` is lock, lease and schedule of its gateway; `answers.py` settles what it
answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import Row, case, or_, select, update

from ..extensions import db
from ..models import Gateway, PollState
from . import heartbeats
from .spreading import place_in

POLLER = heartbeats.POLLER


@dataclass(frozen=True, slots=True)
class Pace:
    """How often gateways are asked, in seconds."""

    interval_s: float
    watched_s: float
    backoff_max_s: float


class Claimed(NamedTuple):
    """A gateway that is ours to ask while the lease runs."""

    gateway_id: int
    is_watched: bool
    is_failing: bool
    is_slow: bool = False


# ---- who is asked ---------------------------------------------------------------------------


def claim(now: datetime, *, lease_s: float, limit: int) -> list[Claimed]:
    """Take up to `limit` gateways that are due, for `lease_s` seconds; no two callers get the same.

    Whoever dies with a claim gives it back by doing nothing. A round also shows that the poller is
    at work.
    """
    until = now + timedelta(seconds=lease_s)
    due = (
        select(PollState.gateway_id)
        .where(PollState.next_poll_at <= now)
        .order_by(PollState.next_poll_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = db.session.execute(
        update(PollState)
        .where(PollState.gateway_id.in_(select(due.c.gateway_id)), PollState.next_poll_at <= now)
        .values(next_poll_at=until, claimed_until=until)
        .returning(
            PollState.gateway_id,
            PollState.watched_until,
            PollState.failures,
            PollState.is_slow,
        )
        .execution_options(synchronize_session=False)
    ).all()
    heartbeats.beat(POLLER, now)
    return [
        Claimed(row.gateway_id, is_watched(row.watched_until, now), row.failures > 0, row.is_slow)
        for row in taken
    ]


def shards(claimed: Iterable[Claimed], size: int) -> list[list[int]]:
    """Return ids to ask together, at most `size` each; those that somebody watches come first.

    Gateways that do not answer hold up their shard by their time-outs, and slow ones by their
    slowness, so they have their own.
    """
    groups: tuple[list[int], ...] = ([], [], [], [])
    for one in claimed:
        group = 3 if one.is_failing else 2 if one.is_slow else 0 if one.is_watched else 1
        groups[group].append(one.gateway_id)
    return [group[start : start + size] for group in groups for start in range(0, len(group), size)]


def targets(ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return how to reach the gateways, and what is known of the devices there.

    Rows of id, public_id, endpoint, profile, layout and known_serial.
    """
    return db.session.execute(
        select(
            Gateway.id,
            Gateway.public_id,
            Gateway.endpoint,
            Gateway.profile,
            Gateway.layout,
            Gateway.known_serial,
        ).where(Gateway.id.in_(ids))
    ).all()


def put_off(ids: Sequence[int], until: datetime) -> None:
    """Give claimed gateways back unasked, to be asked after `until`."""
    if ids:
        db.session.execute(
            update(PollState)
            .where(PollState.gateway_id.in_(ids))
            .values(next_poll_at=until, claimed_until=None)
            .execution_options(synchronize_session=False)
        )


def watch(gateway_id: int, now: datetime, *, for_s: float, pace: Pace) -> None:
    """Note that somebody watches the gateway, and have it asked at once if it was not about to be.

    Twice changes nothing.
    """
    soon = now + timedelta(seconds=pace.watched_s)
    is_free = or_(PollState.claimed_until.is_(None), PollState.claimed_until < now)
    db.session.execute(
        update(PollState)
        .where(PollState.gateway_id == gateway_id)
        .values(
            watched_until=now + timedelta(seconds=for_s),
            next_poll_at=case(
                (is_free & (PollState.next_poll_at > soon), now), else_=PollState.next_poll_at
            ),
        )
        .execution_options(synchronize_session=False)
    )


def is_watched(watched_until: datetime | None, now: datetime) -> bool:
    """Tell whether somebody looks at the gateway's screen."""
    return watched_until is not None and watched_until > now


def next_poll_at(
    gateway_id: int, now: datetime, *, failures: int, watched: bool, pace: Pace
) -> datetime:
    """Return when to ask again.

    Each gateway has its own place within the interval, so that polls spread evenly and stay so.
    One that fails is asked after 1, 2, 4 … intervals, but one that is watched like any other.
    """
    if watched:
        return now + timedelta(seconds=pace.watched_s)
    interval = pace.interval_s
    wait = min(interval * 2.0 ** min(max(failures - 1, 0), 32), pace.backoff_max_s)
    place = place_in(interval, gateway_id)
    earliest = now.timestamp() + max(wait, interval) - interval / 2
    return datetime.fromtimestamp(ceil((earliest - place) / interval) * interval + place, UTC)
