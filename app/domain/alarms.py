"""Alarms (異常) as rows: they rise and clear by polls, and by silence.

What polls remember of alarm bits stands in `poll_states`, which is read and written with every
answer anyway: while nothing changes, alarms cost no statement of their own. Silence is looked for
among the gateways that fail and are not yet known to be lost, never among all.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Row, Select, Table, and_, bindparam, case, delete, select, update

from ..extensions import db
from ..models import (
    Alarm,
    AlarmCare,
    AlarmComment,
    AlarmNotice,
    Gateway,
    Heartbeat,
    Installation,
    Latest,
    PollState,
)
from ..profiles.base import Sample
from . import alarm_rules, heartbeats, incidents
from .alarm_rules import GATEWAY, LOST
from .inserts import insert
from .live import LOST as LOST_AFTER
from .live import Link, asked_until, is_away, link_of
from .outage_rules import BEGUN as OUTAGES_BEGUN
from .outage_rules import KEY as OUTAGE
from .writes import count_changed

# how often a gateway may raise within a day, and where that is remembered
RISES_A_DAY, DAY_S, RISES = 100, 86400.0, "rises"
# silent gateways that one step judges
AT_ONCE = 500


class Poller(NamedTuple):
    """When the poller was last at work, and when its last outage ended."""

    beat_at: datetime | None
    back_at: datetime | None

    @classmethod
    def look(cls) -> "Poller":
        """Return what its heartbeat says."""
        beat = db.session.get(Heartbeat, heartbeats.POLLER, populate_existing=True)
        return cls(beat.at, beat.back_at) if beat else cls(None, None)

    def is_quiet(self, now: datetime, quiet_s: float) -> bool:
        """Tell whether nothing may alarm: the service is away, or is not back for so long."""
        if is_away(now, self.beat_at):
            return True
        return self.back_at is not None and now - self.back_at < timedelta(seconds=quiet_s)


class Noting:
    """What the answers of a shard say about alarms, a statement for all that rise or clear."""

    def __init__(self, now: datetime, quiet_s: float) -> None:
        self.now, self.quiet_s = now, quiet_s
        self.rose: list[dict[str, Any]] = []
        self.cleared: list[dict[str, Any]] = []
        self._is_quiet: bool | None = None

    def note(self, row: Row[Any], taken_at: datetime, sample: Sample) -> Mapping[str, Any]:
        """Take a new sample; return what the next poll is to remember.

        `row` has the gateway's `id`, `installation_id`, `opened_at` and `standing`.
        """
        if row.installation_id is None or taken_at < row.opened_at:
            # what was there before is nobody's fault of now
            return {}
        keys = alarm_rules.keys_of(sample)
        if not keys and not row.standing:
            return {}
        at = taken_at.timestamp()
        standing = dict(row.standing)
        # kept there, and none of the alarms' (domain/outages.py)
        for other in (OUTAGE, OUTAGES_BEGUN):
            standing.pop(other, None)
        since, count = standing.pop(RISES, (at, 0))
        if at - since >= DAY_S:
            since, count = at, 0
        after = alarm_rules.advance(standing, keys, at)
        # a device that raises and clears without end is told of for a while, not for ever
        if after.rose and (count + len(after.rose) > RISES_A_DAY or self.is_quiet()):
            after = alarm_rules.advance(standing, keys, at, may_rise=False)
        if count + len(after.rose):
            after.standing[RISES] = [since, count + len(after.rose)]
        self.rose += [
            {
                "installation_id": row.installation_id,
                "gateway_id": row.id,
                "unit_no": rise.key.unit_no,
                "code": rise.key.code,
                "first_seen_at": datetime.fromtimestamp(rise.since, UTC),
                "raised_at": taken_at,
                "check_at": self.now,
                "reminders": 0,
            }
            for rise in after.rose
        ]
        self.cleared += [
            {"gateway": row.id, "unit": key.unit_no, "what": key.code, "moment": taken_at}
            for key in after.cleared
        ]
        return after.standing

    def is_quiet(self) -> bool:
        """Tell whether nothing may alarm now; asked only when something would."""
        if self._is_quiet is None:
            self._is_quiet = Poller.look().is_quiet(self.now, self.quiet_s)
        return self._is_quiet

    def flush(self) -> None:
        """Write what rose and cleared; nothing, as a rule."""
        connection = db.session.connection()
        alarms = _table()
        if self.cleared:
            connection.execute(
                update(alarms)
                .where(
                    alarms.c.gateway_id == bindparam("gateway"),
                    alarms.c.unit_no == bindparam("unit"),
                    alarms.c.code == bindparam("what"),
                    alarms.c.cleared_at.is_(None),
                )
                .values(
                    cleared_at=bindparam("moment"),
                    # of an incident nobody is told one by one
                    check_at=case((alarms.c.incident_id.is_(None), self.now), else_=None),
                ),
                self.cleared,
            )
            back = [one["gateway"] for one in self.cleared if one["what"] == LOST]
            if back:
                incidents.unmark(back)
        if self.rose:
            connection.execute(insert(alarms).on_conflict_do_nothing(), self.rose)


class Silent(NamedTuple):
    """A gateway that fails: since when it is silent, and by what it may share a cause."""

    gateway_id: int
    installation_id: int | None
    #: its last good answer, or when its owner got it, whichever is later
    heard_at: datetime
    #: that, or the end of the service's own outage: nobody could know before
    since: datetime
    causes: Mapping[str, str]


def find_silent(
    now: datetime, poller: Poller, *, longer_than: timedelta = LOST_AFTER
) -> list[Silent]:
    """Return the failing gateways that are silent for so long and not yet judged to be lost."""
    before = asked_until(now, poller.beat_at) - longer_than
    if poller.back_at and poller.back_at > before:
        return []
    rows = db.session.execute(
        _silent().where(
            PollState.failures > 0,
            PollState.silence_judged_at.is_(None),
            Latest.taken_at <= before,
        )
    )
    return [_to_silent(row, poller) for row in rows]


def forget_unconnected(now: datetime) -> int:
    """Pass over some of those that never answered (未接続): they are never lost."""
    never = (
        select(PollState.gateway_id)
        .outerjoin(Latest, Latest.gateway_id == PollState.gateway_id)
        .with_for_update(skip_locked=True, of=PollState)
        .where(
            PollState.failures > 0,
            PollState.silence_judged_at.is_(None),
            Latest.taken_at.is_(None),
        )
        .limit(AT_ONCE)
    )
    return _judge(PollState.gateway_id.in_(never), now)


def raise_lost(ids: Sequence[int], now: datetime, poller: Poller) -> int:
    """Raise 通信断 for gateways that `find_silent` found, as far as they are still silent.

    Those that share the cause of an open incident become part of it. Returns how many rose.
    """
    # whoever settles an answer of one right now knows better: it is passed by, not waited for
    free = (
        select(PollState.gateway_id)
        .where(PollState.gateway_id.in_(ids))
        .with_for_update(skip_locked=True)
    )
    judged = _judge(PollState.gateway_id.in_(free), now)
    if not judged:
        return 0
    rows = db.session.execute(
        _silent()
        .add_columns(PollState.standing)
        .where(PollState.gateway_id.in_(ids), PollState.silence_judged_at == now)
    ).all()
    rose, standing, awake = [], [], []
    for row in rows:
        link = link_of(row.taken_at, now, beat_at=poller.beat_at, back_at=poller.back_at)
        if link not in (Link.LOST, Link.SILENT):
            awake.append(row.gateway_id)
        elif row.installation_id is not None:
            silent = _to_silent(row, poller)
            rose.append(silent)
            kept = alarm_rules.lost(row.standing, row.taken_at.timestamp())
            standing.append({"gateway": row.gateway_id, "after": kept})
    if awake:
        db.session.execute(
            update(PollState)
            .where(PollState.gateway_id.in_(awake))
            .values(silence_judged_at=None)
            .execution_options(synchronize_session=False)
        )
    if rose:
        _write_lost(rose, standing, now)
    return len(rose)


def _write_lost(rose: Sequence[Silent], standing: list[dict[str, Any]], now: datetime) -> None:
    connection = db.session.connection()
    states = cast(Table, PollState.__table__)
    connection.execute(
        update(states)
        .where(states.c.gateway_id == bindparam("gateway"))
        .values(standing=bindparam("after")),
        standing,
    )
    of = incidents.of_silent(rose)
    connection.execute(
        insert(_table()).on_conflict_do_nothing(),
        [
            {
                "installation_id": one.installation_id,
                "gateway_id": one.gateway_id,
                "unit_no": GATEWAY,
                "code": LOST,
                "first_seen_at": one.heard_at,
                "raised_at": now,
                "check_at": None if one.gateway_id in of else now,
                "reminders": 0,
                "incident_id": of.get(one.gateway_id),
            }
            for one in rose
        ],
    )
    incidents.mark(of)


def end_all(installation: Installation, now: datetime) -> None:
    """End what stands at an installation that closes; nobody is mailed. What polls know is void."""
    # first, as who settles an answer does: neither waits for the other's rows in turn
    db.session.execute(
        update(PollState)
        .where(PollState.gateway_id == installation.gateway_id)
        .values(standing={}, silence_judged_at=None)
        .execution_options(synchronize_session=False)
    )
    db.session.execute(
        update(Alarm)
        .where(Alarm.installation_id == installation.id, Alarm.cleared_at.is_(None))
        .values(cleared_at=now, check_at=None)
        .execution_options(synchronize_session=False)
    )
    incidents.unmark([installation.gateway_id])


def look_again(gateway_id: int) -> None:
    """Judge the silence of a gateway anew: it has an owner now."""
    db.session.execute(
        update(PollState)
        .where(PollState.gateway_id == gateway_id)
        .values(silence_judged_at=None)
        .execution_options(synchronize_session=False)
    )


def _judge(which: Any, now: datetime) -> int:
    return count_changed(
        update(PollState)
        .where(which, PollState.failures > 0, PollState.silence_judged_at.is_(None))
        .values(silence_judged_at=now)
    )


def _silent() -> Select[*tuple[Any, ...]]:
    return (
        select(
            PollState.gateway_id,
            PollState.via,
            Latest.taken_at,
            Gateway.endpoint,
            Gateway.model,
            Gateway.told_model,
            Gateway.told_firmware,
            Installation.id.label("installation_id"),
            Installation.opened_at,
            Installation.prefecture,
        )
        .join(Gateway, Gateway.id == PollState.gateway_id)
        .join(Latest, Latest.gateway_id == PollState.gateway_id)
        .outerjoin(
            Installation,
            and_(Installation.gateway_id == PollState.gateway_id, Installation.closed_at.is_(None)),
        )
        .order_by(PollState.gateway_id)
    )


def _to_silent(row: Row[Any], poller: Poller) -> Silent:
    heard_at = max(row.taken_at, row.opened_at or row.taken_at)
    return Silent(
        row.gateway_id,
        row.installation_id,
        heard_at,
        max(heard_at, poller.back_at or heard_at),
        incidents.causes_of(row),
    )


def _table() -> Table:
    return cast(Table, Alarm.__table__)


def clear_old(now: datetime, *, keep_days: int) -> int:
    """Delete some alarms that were over so long ago, and all that was noted about them."""
    before = now - timedelta(days=keep_days)
    old = db.session.scalars(
        select(Alarm.id)
        # what stands that long is rare: the oldest come first by the index
        .where(Alarm.raised_at < before, Alarm.cleared_at < before)
        .order_by(Alarm.raised_at, Alarm.id)
        .limit(AT_ONCE)
    ).all()
    for noted in (AlarmComment, AlarmCare, AlarmNotice):
        count_changed(delete(noted).where(noted.alarm_id.in_(old)))
    return count_changed(delete(Alarm).where(Alarm.id.in_(old)))
