"""Read what devices are set to, and write what was ordered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
from flask import current_app
from sqlalchemy import Row

from .. import clock
from ..config import Settings
from ..domain import polling, seats, setting_lapses, setting_writes
from ..domain import settings as readings
from ..domain.setting_writes import Ended
from ..drivers.loop import run
from ..drivers.modbus import Target, seat_of
from ..drivers.security import Trust
from ..drivers.settings import OtherDevice, SettingsResult, read_settings, write_settings
from ..extensions import db
from ..profiles.settings import CannotSet
from ..transaction import transaction
from .context import in_app
from .poll import relays_of

log = structlog.get_logger()

# the worker's other jobs get their turn; cron comes again for what is left
RUN_S = 3
# devices at once
AT_ONCE = 10
# somebody else is at a device that allows one client: a poll takes about a second
SEAT_AGAIN = timedelta(seconds=2)
# connecting takes one time-out, the rest five: `drivers.settings`
TIMEOUTS = 6


@dataclass(frozen=True)
class Task:
    """What is to be done at one device: "write", "read", "look" what stands, also "before"."""

    kind: str
    claim: Any


@in_app
def work_due() -> None:
    """Read and write what is due, for a few seconds. Writes at most once, reads at least once.

    An order is claimed before anything goes out. A worker that dies with it leaves a claim that
    runs out; whoever finds that looks what stands at the device, and writes nothing.
    """
    ends = monotonic() + RUN_S
    while monotonic() < ends:
        tasks = _claim()
        if not tasks:
            return
        # what stood is known now: what an automatism may write is written in a second round
        _work(_work(tasks))


@in_app
def lapse_due() -> None:
    """Order the way back of temporary settings whose time is over. At least once.

    Each in a transaction of its own; after the portal was down, of all that ended meanwhile.
    """
    failed = 0
    for order_id in setting_lapses.list_due(clock.now(), limit=500):
        try:
            with transaction():
                setting_lapses.lapse(order_id, clock.now())
        except Exception:
            # the next round begins with it again: all others would stay for ever
            log.exception("lapse_failed", order=order_id)
            failed += 1
    if failed:
        raise RuntimeError(f"{failed} settings could not be sent back; the log has them")


def _claim() -> list[Task]:
    now, lease = clock.now(), _lease()
    tasks: list[Task] = []
    with transaction():
        for _ in range(AT_ONCE):
            claimed = setting_writes.claim(now, lease=lease)
            if claimed is None:
                break
            tasks.append(Task("before" if claimed.only_if else "write", claimed))
        for _ in range(AT_ONCE):
            claimed = setting_writes.claim_unsettled(now, lease=lease)
            if claimed is None:
                break
            tasks.append(Task("look", claimed))
        tasks += [
            Task("read", one) for one in readings.claim_readings(now, lease=lease, limit=AT_ONCE)
        ]
    return tasks


def _work(tasks: Sequence[Task]) -> list[Task]:
    """Do what is to be done, and settle it; return what is to be done next."""
    if not tasks:
        return []
    settings: Settings = current_app.extensions["settings"]
    rows = {row.id: row for row in polling.targets([task.claim.gateway_id for task in tasks])}
    db.session.rollback()  # ends the reading transaction: the network takes its time
    relays = relays_of(list(rows.values()), settings)
    targets = {
        row.id: Target(
            row.id,
            row.endpoint,
            row.profile,
            row.layout,
            row.public_id,
            relays.get(row.public_id),
            row.known_serial or "",
        )
        for row in rows.values()
    }
    places = {row.id: _seat(row) for row in rows.values()}
    holder = uuid4().hex
    wanted = {seat for seat in places.values() if seat.startswith("seat ")}
    with transaction():
        # no longer than a claim, or somebody would come between
        got = seats.take(
            {seat.removeprefix("seat ") for seat in wanted},
            holder,
            clock.now(),
            lease_s=_lease().total_seconds(),
        )
    busy = {seat for seat in wanted if seat.removeprefix("seat ") not in got}
    lines: dict[str, list[Task]] = {}
    for task in tasks:
        lines.setdefault(places[task.claim.gateway_id], []).append(task)
    try:
        ended = run(
            _visit_all(
                [line for place, line in lines.items() if place not in busy], targets, settings
            ),
            limit_s=_lease().total_seconds(),
        )
    finally:
        with transaction():
            seats.give_back(holder)
    for place in busy:
        for task in lines[place]:
            _put_off(task)
    following: list[Task] = []
    for task, came in ended:
        if came is None:
            _put_off(task)
        else:
            following += _settle(task, came)
    return following


def _seat(row: Row[Any]) -> str:
    """Return the place at which tasks wait for each other: the one seat of a device, or itself."""
    seat = seat_of(row.endpoint, row.profile)
    return f"seat {seat}" if seat else f"gateway {row.id}"


async def _visit_all(
    lines: Sequence[Sequence[Task]], targets: dict[int, Target], settings: Settings
) -> list[tuple[Task, Ended | None]]:
    trust = Trust.of(settings.modbus_tls_ca, settings.modbus_tls_client_dir)

    async def visit(line: Sequence[Task]) -> list[tuple[Task, Ended | None]]:
        return [
            (task, await _do(task, targets[task.claim.gateway_id], settings.poll_timeout_s, trust))
            for task in line
        ]

    return [one for line in await asyncio.gather(*map(visit, lines)) for one in line]


async def _do(task: Task, target: Target, timeout_s: float, trust: Trust) -> Ended | None:
    """Visit a device; None where too little is left of the claim to begin."""
    if task.claim.until < clock.now() + timedelta(seconds=TIMEOUTS * timeout_s):
        return None
    try:
        if task.kind == "write":
            came = await write_settings(
                target,
                task.claim.wanted,
                hold_s=task.claim.hold_s,
                timeout_s=timeout_s,
                now=clock.now,
                trust=trust,
            )
        else:
            came = await read_settings(target, timeout_s=timeout_s, now=clock.now, trust=trust)
    except CannotSet as cannot:
        return Ended("cannot_set", str(cannot)[:200], None, wrote=False, not_offered=True)
    except OtherDevice as other:
        log.warning("settings_other_device", gateway=target.gateway, detail=str(other))
        return Ended("other_device", str(other)[:200], None, wrote=False, other_device=True)
    return _ended(came)


def _ended(came: SettingsResult) -> Ended:
    return Ended(came.outcome.value, came.detail[:200], came.settings, came.wrote)


def _settle(task: Task, came: Ended) -> list[Task]:
    now = clock.now()
    with transaction():
        if task.kind == "read":
            readings.settle_reading(task.claim, came.outcome, came.detail, came.told, now)
        elif task.kind == "look":
            setting_writes.settle_look(task.claim, came, now)
        elif task.kind == "before" and came.told is not None:
            left = setting_writes.drop_changed(task.claim, came.told, now)
            return [Task("write", left)] if left else []
        else:
            setting_writes.settle(task.claim, came, now)
    if came.outcome != "ok":
        log.info(
            "settings_not_reached",
            gateway=task.claim.gateway_id,
            what=task.kind,
            outcome=came.outcome,
            detail=came.detail,
        )
    return []


def _put_off(task: Task) -> None:
    until: datetime = clock.now() + SEAT_AGAIN
    with transaction():
        if task.kind == "read":
            readings.put_off_reading(task.claim, until)
        elif task.kind == "look":
            setting_writes.look_later(task.claim, until)
        else:
            setting_writes.put_off(task.claim, until)


def _lease() -> timedelta:
    """Return how long a claim is: several visits one after the other, and the settling."""
    settings: Settings = current_app.extensions["settings"]
    return timedelta(seconds=60 + 2 * TIMEOUTS * settings.poll_timeout_s)
