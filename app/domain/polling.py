"""When a gateway is asked, and what becomes of its answer.

The row in `poll_states` is lock, lease and schedule of its gateway: whoever settles an answer has
locked it first, so that each sample meets the meters the sample before it left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, NamedTuple, cast

from sqlalchemy import Row, Table, bindparam, case, delete, or_, select, update

from ..extensions import Model, db
from ..models import Gateway, Installation, Latest, PollState, PowerConditioner, Reading
from ..profiles.base import Discovery, Sample
from . import heartbeats, readings
from .energy import advance, limits_w
from .inserts import insert
from .readings import TODAY, Site, Today

# domestic supply (単相三線): contract current × 200 V
SUPPLY_V = 200.0
# a power may stand for the time of two polls (energy rule 2)
HELD_POLLS = 2
# spreads gateways over the interval: neighbours in number are far apart in time
GOLDEN_RATIO = 0.6180339887498949
# this row tells whether the poller is at work, and since when
POLLER = "poller"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often gateways are asked, in seconds."""

    interval_s: float
    watched_s: float
    backoff_max_s: float


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a site or a device does not say."""

    zone: str
    contract_current_a: float


class Claimed(NamedTuple):
    """A gateway that is ours to ask while the lease runs."""

    gateway_id: int
    is_watched: bool
    is_failing: bool


class Answer(NamedTuple):
    """What came of asking a gateway; `sample` is there exactly if `outcome` is "ok"."""

    gateway_id: int
    outcome: str
    taken_at: datetime
    sample: Sample | None = None
    discovery: Discovery | None = None
    detail: str = ""


class Settled(NamedTuple):
    """Gateways whose answers made a difference worth a line in the log, by public ID."""

    down: list[tuple[str, str, str]]
    up: list[str]


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
        .returning(PollState.gateway_id, PollState.watched_until, PollState.failures)
        .execution_options(synchronize_session=False)
    ).all()
    heartbeats.beat(POLLER, now)
    return [
        Claimed(row.gateway_id, is_watched(row.watched_until, now), row.failures > 0)
        for row in taken
    ]


def shards(claimed: Iterable[Claimed], size: int) -> list[list[int]]:
    """Return ids to ask together, at most `size` each; those that somebody watches come first.

    Gateways that do not answer hold up their shard by their time-outs, so they have their own.
    """
    groups: tuple[list[int], list[int], list[int]] = ([], [], [])
    for one in claimed:
        groups[0 if one.is_watched and not one.is_failing else 2 if one.is_failing else 1].append(
            one.gateway_id
        )
    return [group[start : start + size] for group in groups for start in range(0, len(group), size)]


def targets(ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return how to reach the gateways: rows of id, public ID, endpoint, profile and layout."""
    return db.session.execute(
        select(
            Gateway.id, Gateway.public_id, Gateway.endpoint, Gateway.profile, Gateway.layout
        ).where(Gateway.id.in_(ids))
    ).all()


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
    place = gateway_id * GOLDEN_RATIO % 1 * interval
    earliest = now.timestamp() + max(wait, interval) - interval / 2
    return datetime.fromtimestamp(ceil((earliest - place) / interval) * interval + place, UTC)


# ---- what they answered ---------------------------------------------------------------------


def settle(answers: Sequence[Answer], now: datetime, *, pace: Pace, defaults: Defaults) -> Settled:
    """Keep what the gateways answered and when each is asked again.

    An answer that comes late or twice changes nothing twice: readings have the moment as their key,
    and everything else only moves forward in time.
    """
    known = _lock([answer.gateway_id for answer in answers])
    writing = _Writing(now, pace, defaults)
    for answer in answers:
        row = known.get(answer.gateway_id)
        if row is not None:
            writing.add(answer, row)
    writing.flush()
    for answer in answers:
        if answer.discovery and answer.gateway_id in known:
            _learn(answer.gateway_id, answer.discovery)
    return Settled(writing.down, writing.up)


def _lock(ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return what is known of the gateways; nobody else settles them until the commit."""
    # a write comes first: SQLite locks by it, and on PostgreSQL it locks the rows
    db.session.execute(
        update(PollState)
        .where(PollState.gateway_id.in_(ids))
        .values(claimed_until=None)
        .execution_options(synchronize_session=False)
    )
    rows = db.session.execute(
        select(
            Gateway.id,
            Gateway.public_id,
            Gateway.ratings,
            Gateway.first_contact_at,
            PollState.watched_until,
            PollState.failures,
            PollState.window,
            PollState.meters,
            Latest.taken_at,
            Latest.day,
            Latest.installation_id.label("counted_for_id"),
            *[getattr(Latest, column) for column in TODAY],
            Installation.id.label("installation_id"),
            Installation.opened_at,
            Installation.zone,
        )
        .join(PollState, PollState.gateway_id == Gateway.id)
        .outerjoin(Latest, Latest.gateway_id == Gateway.id)
        .outerjoin(
            Installation,
            (Installation.gateway_id == Gateway.id) & Installation.closed_at.is_(None),
        )
        .where(Gateway.id.in_(ids))
    )
    return {row.id: row for row in rows}


class _Writing:
    """Rows to write for a shard, a statement per table however many there are."""

    def __init__(self, now: datetime, pace: Pace, defaults: Defaults) -> None:
        self.now, self.pace, self.defaults = now, pace, defaults
        self.readings: list[dict[str, Any]] = []
        self.latest: list[dict[str, Any]] = []
        self.good: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self.first: list[dict[str, Any]] = []
        self.down: list[tuple[str, str, str]] = []
        self.up: list[str] = []

    def add(self, answer: Answer, row: Row[Any]) -> None:
        """Take one gateway's answer; `row` is what `_lock` told of it."""
        failures = 0 if answer.sample else row.failures + 1
        state = {
            "key": answer.gateway_id,
            "next_poll_at": next_poll_at(
                answer.gateway_id,
                self.now,
                failures=failures,
                watched=is_watched(row.watched_until, self.now),
                pace=self.pace,
            ),
            "last_outcome": answer.outcome,
            "last_detail": answer.detail,
            "failures": failures,
        }
        if answer.sample is None:
            self.failed.append(state)
            if failures == 1:
                self.down.append((row.public_id, answer.outcome, answer.detail))
            return
        if row.failures:
            self.up.append(row.public_id)
        if row.first_contact_at is None:
            self.first.append({"key": answer.gateway_id, "first_contact_at": answer.taken_at})
        self.readings.append(readings.reading(answer.gateway_id, answer.taken_at, answer.sample))
        window, meters = row.window, row.meters
        if row.taken_at is None or answer.taken_at > row.taken_at:
            window = readings.window_after(row.window, answer.taken_at, answer.sample)
            meters = self._latest(answer, answer.sample, row, window)
        self.good.append(state | {"window": window, "meters": meters})

    def _latest(
        self, answer: Answer, sample: Sample, row: Row[Any], window: list[readings.Moment]
    ) -> dict[str, Any]:
        """Add the row of latest values; return the meters after the sample."""
        ratings = asdict(answer.discovery.ratings) if answer.discovery else row.ratings
        limits = limits_w(ratings, self.defaults.contract_current_a * SUPPLY_V)
        meters, pieces = advance(
            row.meters, answer.taken_at, sample, limits, HELD_POLLS * self.pace.interval_s
        )
        before = Today(
            row.day, row.counted_for_id, {column: getattr(row, column) for column in TODAY}
        )
        site = Site(row.installation_id, row.opened_at, row.zone or self.defaults.zone)
        today = readings.today_after(before, pieces, answer.taken_at, site)
        self.latest.append(
            {
                "gateway_id": answer.gateway_id,
                "taken_at": answer.taken_at,
                "state": sample.state.value,
                "alarms": list(sample.alarms),
                "soc_pct": sample.soc_pct,
                "day": today.day,
                "installation_id": today.installation_id,
                **readings.means(window),
                **today.totals,
            }
        )
        return meters

    def flush(self) -> None:
        """Write everything, one statement per table."""
        connection = db.session.connection()
        if self.readings:
            connection.execute(insert(_table(Reading)).on_conflict_do_nothing(), self.readings)
        if self.latest:
            latest = _table(Latest)
            new = insert(latest)
            columns = [name for name in self.latest[0] if name != "gateway_id"]
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=[latest.c.gateway_id],
                    set_={name: new.excluded[name] for name in columns},
                    where=or_(
                        latest.c.taken_at.is_(None), latest.c.taken_at < new.excluded.taken_at
                    ),
                ),
                self.latest,
            )
        for rows in (self.good, self.failed):
            _update_each(_table(PollState), "gateway_id", rows)
        _update_each(_table(Gateway), "id", self.first)


def _table(model: type[Model]) -> Table:
    return cast(Table, model.__table__)


def _update_each(table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update rows by their "key", all with the same columns."""
    if rows:
        columns: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "key"}
        statement = update(table).where(table.c[key] == bindparam("key")).values(columns)
        db.session.connection().execute(statement, rows)


def _learn(gateway_id: int, discovery: Discovery) -> None:
    """Keep what the device told of itself: layout, identity, ratings and units."""
    identity = discovery.identity
    told = {
        "layout": discovery.layout.to_json(),
        "ratings": asdict(discovery.ratings),
        "told_model": identity.model[:64] or None,
        "told_serial": identity.serial[:64] or None,
        "told_firmware": identity.firmware[:64] or None,
    }
    db.session.execute(
        update(Gateway)
        .where(Gateway.id == gateway_id)
        .values(told)
        .execution_options(synchronize_session=False)
    )
    units = {unit.unit_no: (unit.model[:64], unit.serial[:64]) for unit in discovery.units}
    present = db.session.execute(
        select(PowerConditioner.unit_no, PowerConditioner.model, PowerConditioner.serial).where(
            PowerConditioner.gateway_id == gateway_id
        )
    )
    if {unit_no: (model, serial) for unit_no, model, serial in present} == units:
        return
    db.session.execute(
        delete(PowerConditioner)
        .where(PowerConditioner.gateway_id == gateway_id)
        .execution_options(synchronize_session=False)
    )
    if units:
        connection = db.session.connection()
        connection.execute(
            _table(PowerConditioner).insert(),
            [
                {"gateway_id": gateway_id, "unit_no": unit_no, "model": model, "serial": serial}
                for unit_no, (model, serial) in units.items()
            ],
        )
