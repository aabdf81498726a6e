"""Count anew where a sample came late: what lies between two samples fills its own half hours.

Each day begins with a checkpoint of the meters. From the newest one before the late sample, all
readings are counted again in their order, and what they are worth takes the place of what was
written. The same readings give the same totals, in whatever order they came.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row, RowMapping, or_, select, update

from ..extensions import db
from ..models import (
    Gateway,
    Installation,
    Latest,
    MeterCheckpoint,
    PollState,
    Reading,
)
from . import counting, energy_totals, half_hours
from .answers import HELD_POLLS, Defaults, limits_of
from .counting import Place, Standing
from .energy import day_of
from .energy_totals import Settled
from .half_hours import HalfHour
from .polling import Pace
from .readings import TODAY
from .writes import count_changed

COLUMNS = ("pv_w", "load_w", "grid_w", "battery_w", "soc_pct", "counters")


class NotCounted(Exception):
    """A gateway's readings cannot be counted anew."""

    def __init__(self, gateway_id: int) -> None:
        super().__init__(f"gateway {gateway_id}")
        self.gateway_id = gateway_id


def recount_one(*, pace: Pace, defaults: Defaults) -> bool:
    """Count one waiting gateway anew; return whether there was one.

    The one that waits longest comes first. It is locked, as by whoever settles its answers.

    Raises:
        NotCounted: Its readings cannot be counted; nothing was written.
    """
    waiting = (
        select(PollState.gateway_id)
        .where(PollState.recount_from.is_not(None))
        .order_by(PollState.recount_from)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    gateway_id = db.session.scalar(
        # a write comes first: SQLite locks by it
        update(PollState)
        .where(PollState.gateway_id == waiting, PollState.recount_from.is_not(None))
        .values(claimed_until=PollState.claimed_until)
        .returning(PollState.gateway_id)
        .execution_options(synchronize_session=False)
    )
    if gateway_id is None:
        return False
    try:
        _recount(gateway_id, pace, defaults)
    except Exception as error:
        raise NotCounted(gateway_id) from error
    return True


def give_up(gateway_id: int) -> None:
    """Leave a gateway's totals as they are, whatever came late."""
    count_changed(
        update(PollState).where(PollState.gateway_id == gateway_id).values(recount_from=None)
    )


def _recount(gateway_id: int, pace: Pace, defaults: Defaults) -> None:
    state = db.session.execute(
        select(
            PollState.recount_from,
            PollState.meters,
            Gateway.ratings,
            Installation.id.label("installation_id"),
            Installation.zone,
            Installation.contract_current_a,
            Latest.day,
        )
        .join(Gateway, Gateway.id == PollState.gateway_id)
        .outerjoin(Latest, Latest.gateway_id == PollState.gateway_id)
        .outerjoin(
            Installation,
            (Installation.gateway_id == PollState.gateway_id) & Installation.closed_at.is_(None),
        )
        .where(PollState.gateway_id == gateway_id)
    ).one()
    after: dict[str, Any] = {"recount_from": None}
    # too late: the day it belongs to is closed
    if checkpoint := _checkpoint(gateway_id, state.recount_from):
        after |= _replay(gateway_id, checkpoint, state, pace, defaults)
    db.session.execute(
        update(PollState)
        .where(PollState.gateway_id == gateway_id)
        .values(after)
        .execution_options(synchronize_session=False)
    )


def _checkpoint(gateway_id: int, late: datetime) -> MeterCheckpoint | None:
    """Return the newest checkpoint that the late sample comes after."""
    return db.session.scalar(
        select(MeterCheckpoint)
        .where(
            MeterCheckpoint.gateway_id == gateway_id,
            or_(MeterCheckpoint.taken_at.is_(None), MeterCheckpoint.taken_at < late),
        )
        .order_by(MeterCheckpoint.day.desc())
        .limit(1)
    )


def _replay(
    gateway_id: int, checkpoint: MeterCheckpoint, state: Row[Any], pace: Pace, defaults: Defaults
) -> dict[str, Any]:
    """Write what the readings since the checkpoint are worth; return what is remembered."""
    zone = state.zone or defaults.zone
    place = Place(
        gateway_id,
        zone,
        energy_totals.owners([gateway_id])[gateway_id],
        limits_of(state.ratings, None, state.contract_current_a, defaults),
        HELD_POLLS * pace.interval_s,
    )
    standing = Standing.of(checkpoint.meters, checkpoint.half_hours)
    before, begins = checkpoint.taken_at, checkpoint.taken_at
    settled: list[HalfHour] = []
    checkpoints = []
    for at, reading in _readings(gateway_id, checkpoint.taken_at):
        if begins is None:
            begins = at
        if before and counting.begins_day(before, at, zone):
            checkpoints.append(
                {
                    "gateway_id": gateway_id,
                    "day": day_of(at, zone)[0],
                    "taken_at": before,
                    "meters": standing.meters,
                    "half_hours": [one.to_json() for one in standing.half_hours],
                }
            )
        sample = counting.sample_of(reading, state.meters)
        counted = counting.count(standing, at, sample, place)
        standing, before = counted.standing, at
        settled += counted.settled.half_hours
    if begins is None:
        return {}
    first = min(
        [half_hours.start_of(begins.timestamp(), zone)]
        + [HalfHour.from_json(one).start for one in checkpoint.half_hours]
    )
    energy_totals.write([Settled(gateway_id, zone, settled, replaces_from=first)])
    energy_totals.keep_checkpoints(checkpoints)
    if state.day and state.installation_id:
        _show(gateway_id, state, zone, [*settled, *standing.half_hours])
    return {
        "meters": standing.meters,
        "half_hours": [one.to_json() for one in standing.half_hours],
    }


def _readings(gateway_id: int, after: datetime | None) -> Iterator[tuple[datetime, RowMapping]]:
    columns = [getattr(Reading, name) for name in COLUMNS]
    newer = Reading.taken_at > after if after else Reading.taken_at.is_not(None)
    found = db.session.execute(
        select(Reading.taken_at, *columns)
        .where(Reading.gateway_id == gateway_id, newer)
        .order_by(Reading.taken_at)
    )
    for row in found:
        yield row.taken_at, row._mapping


def _show(gateway_id: int, state: Row[Any], zone: str, counted: Iterable[HalfHour]) -> None:
    """Let the tiles show what today is worth now."""
    begins, ends = half_hours.day_bounds(state.day, zone)
    kept = energy_totals.day_half_hours(gateway_id, state.installation_id, state.day)
    today = kept | {
        one.start: one
        for one in counted
        if begins <= one.start < ends and one.installation_id == state.installation_id
    }
    energy = half_hours.total(today.values()).energy
    count_changed(
        update(Latest)
        .where(
            Latest.gateway_id == gateway_id,
            Latest.installation_id == state.installation_id,
            Latest.day == state.day,
        )
        .values(
            {
                column: energy[quantity].wh if quantity in energy else None
                for column, quantity in TODAY.items()
            }
        )
    )
