"""What becomes of a gateway's answer: sample, energy, alarms, and when it is asked again.

Whoever settles an answer has locked the gateway's row in `poll_states` first, so that each sample
meets the meters the sample before it left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Executable, Row, delete, insert, select, update

from ..extensions import db
from ..models import Gateway, Installation, Latest, PollState, PowerConditioner, Reading
from ..profiles.base import Discovery, Sample
from . import alarm_rules, audit, batches, counting, energy_totals, outages, readings
from .alarms import Noting
from .counting import Counted, Place, Standing
from .energy import day_of
from .half_hours import Owner
from .meters import Rebased, limits_w
from .polling import Pace, is_watched, next_poll_at
from .readings import TODAY, Site, Today

log = structlog.get_logger()

# domestic supply (単相三線) has two live wires of 100 V each; a contract's amperes are those of
# both together, where it is by ampere, or of each: a bound must never refuse what is true
SUPPLY_V = 200.0
# whoever takes longer is asked together with others who do: a shard lasts as long as its slowest
SLOW_S = 1.0
# a power may stand for the time of two polls (energy rule 2)
HELD_POLLS = 2


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a site or a device does not say."""

    zone: str
    contract_current_a: float
    #: so long after an outage of the service nothing alarms
    quiet_s: float = 900.0


class Answer(NamedTuple):
    """What came of asking a gateway; `sample` is there exactly if `outcome` is "ok"."""

    gateway_id: int
    outcome: str
    taken_at: datetime
    sample: Sample | None = None
    discovery: Discovery | None = None
    detail: str = ""
    #: the relay that brought it; "" is the poller itself
    via: str = ""
    #: seconds from connecting to the last answer
    took_s: float = 0.0


class Settled(NamedTuple):
    """Gateways whose answers made a difference worth a line in the log, by public ID."""

    down: list[tuple[str, str, str]]
    up: list[str]


def settle(answers: Sequence[Answer], now: datetime, *, pace: Pace, defaults: Defaults) -> Settled:
    """Keep what the gateways answered and when each is asked again.

    An answer that comes late or twice changes nothing twice: readings have the moment as their key,
    and everything else only moves forward in time.
    """
    known = _lock([answer.gateway_id for answer in answers])
    # rarely any: whose energy it was is asked only where a gateway has changed hands
    handed = [
        row.id
        for row in known.values()
        if counting.changed_hands(row.counted_for_id, row.installation_id, row.opened_at, now)
    ]
    writing = _Writing(now, pace, defaults, energy_totals.owners(handed))
    for answer in answers:
        row = known.get(answer.gateway_id)
        if row is not None:
            writing.add(answer, row)
    writing.flush()
    for answer in answers:
        if answer.discovery and answer.gateway_id in known:
            _learn(answer.gateway_id, answer.discovery, now)
    return Settled(writing.down, writing.up)


def _lock(ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return what is known of the gateways; nobody else settles them until the commit."""
    _hold(ids)
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
            PollState.half_hours,
            PollState.recount_from,
            PollState.standing,
            Latest.taken_at,
            Latest.day,
            Latest.installation_id.label("counted_for_id"),
            *[getattr(Latest, column) for column in TODAY],
            Installation.id.label("installation_id"),
            Installation.opened_at,
            Installation.zone,
            Installation.contract_current_a,
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


def _hold(ids: Sequence[int]) -> None:
    ours = PollState.gateway_id.in_(ids)
    lock: Executable = select(PollState.gateway_id).where(ours).with_for_update()
    if db.session.get_bind().dialect.name == "sqlite":
        # it locks by a write, and knows nothing else
        lock = update(PollState).where(ours).values(claimed_until=None)
    db.session.execute(lock, execution_options={"synchronize_session": False})


class _Writing:
    """Rows to write for a shard, a statement per table however many there are."""

    def __init__(
        self, now: datetime, pace: Pace, defaults: Defaults, owners: Mapping[int, list[Owner]]
    ) -> None:
        self.now, self.pace, self.defaults, self.owners = now, pace, defaults, owners
        self.alarms = Noting(now, defaults.quiet_s)
        self.outages = outages.Noting(now)
        self.readings: list[dict[str, Any]] = []
        self.latest: list[dict[str, Any]] = []
        self.good: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self.first: list[dict[str, Any]] = []
        self.settled: list[energy_totals.Settled] = []
        self.checkpoints: list[dict[str, Any]] = []
        self.rebased: list[tuple[int, Rebased]] = []
        self.down: list[tuple[str, str, str]] = []
        self.up: list[str] = []

    def add(self, answer: Answer, row: Row[Any]) -> None:
        """Take one gateway's answer; `row` is what `_lock` told of it."""
        failures = 0 if answer.sample else row.failures + 1
        state = {
            "gateway_id": answer.gateway_id,
            "next_poll_at": next_poll_at(
                answer.gateway_id,
                self.now,
                failures=failures,
                watched=is_watched(row.watched_until, self.now),
                pace=self.pace,
            ),
            "claimed_until": None,
            "last_outcome": answer.outcome,
            "last_detail": answer.detail,
            "failures": failures,
            "is_slow": answer.took_s > SLOW_S,
        }
        if answer.sample is None:
            self.failed.append(state)
            if failures == 1:
                self.down.append((row.public_id, answer.outcome, answer.detail))
            return
        try:
            counted = self._remember(answer, answer.sample, row)
        except Exception:
            # whatever a device told us, it must not keep the others of its shard from being kept
            log.exception("answer_not_counted", gateway=row.public_id)
            wrong = answer._replace(
                outcome="bad_answer", sample=None, discovery=None, detail="cannot be counted"
            )
            self.add(wrong, row)
            return
        if row.failures:
            self.up.append(row.public_id)
        if row.first_contact_at is None:
            self.first.append({"id": answer.gateway_id, "first_contact_at": answer.taken_at})
        self.readings.append(readings.reading(answer.gateway_id, answer.taken_at, answer.sample))
        self.good.append(state | counted)

    def _remember(self, answer: Answer, sample: Sample, row: Row[Any]) -> dict[str, Any]:
        """Return what is remembered of the gateway after its sample."""
        counted = {
            "window": row.window,
            "meters": row.meters,
            "half_hours": row.half_hours,
            "counted_zone": row.zone or self.defaults.zone,
            "recount_from": row.recount_from,
            "standing": row.standing,
            "silence_judged_at": None,
            "via": answer.via,
        }
        if row.taken_at is None or answer.taken_at > row.taken_at:
            counted |= self._count(answer, sample, row)
            standing = self.alarms.note(row, answer.taken_at, sample)
            counted["standing"] = self.outages.note(row, answer.taken_at, sample, standing)
        elif answer.taken_at < row.taken_at:
            # what lies between two samples that were counted: the whole time is counted anew
            counted["recount_from"] = min(row.recount_from or answer.taken_at, answer.taken_at)
        return counted

    def _count(self, answer: Answer, sample: Sample, row: Row[Any]) -> dict[str, Any]:
        """Add the row of latest values; return what is remembered after the sample."""
        at, zone = answer.taken_at, row.zone or self.defaults.zone
        window = readings.window_after(row.window, at, sample)
        counted = counting.count(
            Standing.of(row.meters, row.half_hours),
            at,
            sample,
            Place(
                row.id,
                zone,
                self.owners.get(row.id)
                or counting.owned_lately(row.installation_id, row.opened_at),
                limits_of(row.ratings, answer.discovery, row.contract_current_a, self.defaults),
                HELD_POLLS * self.pace.interval_s,
            ),
        )
        self._latest(answer, sample, row, window, counted)
        self.settled.append(counted.settled)
        self.rebased += [(row.id, one) for one in counted.rebased]
        if counting.begins_day(row.taken_at, at, zone):
            self.checkpoints.append(
                {
                    "gateway_id": row.id,
                    "day": day_of(at, zone)[0],
                    "taken_at": row.taken_at,
                    "meters": row.meters,
                    "half_hours": row.half_hours,
                }
            )
        return {
            "window": window,
            "meters": counted.standing.meters,
            "half_hours": [one.to_json() for one in counted.standing.half_hours],
        }

    def _latest(
        self,
        answer: Answer,
        sample: Sample,
        row: Row[Any],
        window: list[readings.Moment],
        counted: Counted,
    ) -> None:
        before = Today(
            row.day, row.counted_for_id, {column: getattr(row, column) for column in TODAY}
        )
        site = Site(row.installation_id, row.opened_at, row.zone or self.defaults.zone)
        today = readings.today_after(before, list(counted.pieces), answer.taken_at, site)
        self.latest.append(
            {
                "gateway_id": answer.gateway_id,
                "taken_at": answer.taken_at,
                "state": sample.state.value,
                "alarms": alarm_rules.codes_of(sample),
                "soc_pct": sample.soc_pct,
                "day": today.day,
                "installation_id": today.installation_id,
                **readings.means(window),
                **today.totals,
            }
        )

    def flush(self) -> None:
        """Write everything, one statement per table."""
        batches.insert_new(Reading, self.readings)
        batches.upsert_newer(Latest, self.latest, key="gateway_id", by="taken_at")
        for rows in (self.good, self.failed):
            batches.update_each(PollState, rows, key="gateway_id")
        batches.update_each(Gateway, self.first, key="id")
        energy_totals.write(one for one in self.settled if one.half_hours)
        energy_totals.keep_checkpoints(self.checkpoints)
        for gateway_id, one in self.rebased:
            audit.record(
                "meter.rebased",
                actor_id=None,
                subject="gateway",
                subject_id=gateway_id,
                now=self.now,
                quantity=one.quantity,
                before_wh=one.before_wh,
                after_wh=one.after_wh,
            )
        self.alarms.flush()
        self.outages.flush()


def limits_of(
    ratings: Mapping[str, Any] | None,
    discovery: Discovery | None,
    contract_current_a: float | None,
    defaults: Defaults,
) -> dict[str, float]:
    """Return what each quantity of a gateway can be at most, in W; what it just told wins.

    `contract_current_a` is the home's own, where it is known.
    """
    told = asdict(discovery.ratings) if discovery else ratings
    usual_w = defaults.contract_current_a * SUPPLY_V
    own = contract_current_a
    return limits_w(told, own * SUPPLY_V if own else usual_w, usual_w)


def _learn(gateway_id: int, discovery: Discovery, now: datetime) -> None:
    """Keep what the device told of itself: layout, identity, ratings and units.

    The serial number it is known by stays until an operator says that it was replaced
    (`replacements.py`): another one may be another home's, at an address that changed.
    """
    identity = discovery.identity
    serial = identity.serial[:64] or None
    before = db.session.execute(
        select(Gateway.known_serial, Gateway.told_serial).where(Gateway.id == gateway_id)
    ).one()
    if before.known_serial and serial and serial not in before:
        audit.record(
            "gateway.other_device",
            actor_id=None,
            subject="gateway",
            subject_id=gateway_id,
            now=now,
        )
    told = {
        "layout": discovery.layout.to_json(),
        "ratings": asdict(discovery.ratings),
        "told_model": identity.model[:64] or None,
        "told_serial": serial,
        "known_serial": before.known_serial or serial,
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
        db.session.execute(
            insert(PowerConditioner),
            [
                {"gateway_id": gateway_id, "unit_no": unit_no, "model": model, "serial": serial}
                for unit_no, (model, serial) in units.items()
            ],
        )
