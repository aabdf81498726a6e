"""Ask the gateways that are due, in shards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import structlog
from flask import current_app
from redis.exceptions import RedisError
from sqlalchemy import Row

from .. import clock, holders
from ..config import Settings
from ..domain import answers, polling, seats
from ..domain.answers import Answer, Defaults
from ..domain.polling import Pace
from ..drivers.dialout import Via
from ..drivers.loop import run
from ..drivers.modbus import Target, poll_many, seat_of
from ..drivers.security import Trust
from ..extensions import db, queues
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# one round takes at most so many shards; the next one comes a moment later
SHARDS_A_ROUND = 20


@in_app
def claim_due() -> None:
    """Claim the gateways that are due and enqueue them in shards. At least once.

    A round that dies after its claim, or finds no queue server, leaves leases that run out.
    """
    settings: Settings = current_app.extensions["settings"]
    with transaction():
        claimed = polling.claim(
            clock.now(),
            lease_s=settings.poll_lease_s,
            limit=settings.poll_shard * SHARDS_A_ROUND,
        )
    queue = queues.get("poll")
    try:
        for shard in polling.shards(claimed, settings.poll_shard):
            queue.enqueue(
                "app.jobs.poll.poll_shard",
                shard,
                # whoever waits longer than the lease is claimed anew: this copy would be a second
                ttl=settings.poll_lease_s,
                job_timeout=settings.poll_lease_s,
                result_ttl=0,
                failure_ttl=3600,
            )
    except RedisError as error:
        log.warning("queue_unreachable", queue="poll", error=type(error).__name__)


@in_app
def poll_shard(ids: list[int]) -> None:
    """Read these gateways, all at once, and keep what they answered. At least once.

    Nothing is locked while they are being read. A gateway that is gone is left out, and so is one
    whose device allows one client only and has another worker: it is asked a little later.
    """
    settings: Settings = current_app.extensions["settings"]
    rows = polling.targets(ids)
    db.session.rollback()  # ends the reading transaction: the network takes its time
    relays = relays_of(rows, settings)
    with _seated(rows, settings) as free:
        results = run(
            poll_many(
                [
                    Target(
                        row.id,
                        row.endpoint,
                        row.profile,
                        row.layout,
                        row.public_id,
                        relays.get(row.public_id),
                    )
                    for row in free
                ],
                concurrency=settings.poll_concurrency,
                timeout_s=settings.poll_timeout_s,
                now=clock.now,
                trust=Trust.of(settings.modbus_tls_ca, settings.modbus_tls_client_dir),
            ),
            limit_s=settings.poll_lease_s,
        )
    found = [
        Answer(
            row.id,
            result.outcome.value,
            result.taken_at,
            result.sample,
            result.discovery,
            result.detail,
            relays[row.public_id].name if row.public_id in relays else "",
            result.took_s,
        )
        for row, result in zip(free, results, strict=True)
    ]
    with transaction():
        settled = answers.settle(
            found, clock.now(), pace=pace(settings), defaults=defaults(settings)
        )
    for gateway, outcome, detail in settled.down:
        log.warning("gateway_down", gateway=gateway, outcome=outcome, detail=detail)
    for gateway in settled.up:
        log.info("gateway_up", gateway=gateway)


@contextmanager
def _seated(rows: Sequence[Row[Any]], settings: Settings) -> Iterator[Sequence[Row[Any]]]:
    """Keep other workers away from devices that allow one client, for as long as they are read.

    Give the gateways that may be read now; those another worker is at are put off. Whoever dies
    here gives its seats back by doing nothing.
    """
    places = {row.id: seat for row in rows if (seat := seat_of(row.endpoint, row.profile))}
    if not places:
        yield rows
        return
    holder = uuid4().hex
    with transaction():
        now = clock.now()
        got = seats.take(set(places.values()), holder, now, lease_s=settings.poll_lease_s)
        taken = [id_ for id_, seat in places.items() if seat not in got]
        polling.put_off(taken, now + timedelta(seconds=settings.poll_watched_s))
    try:
        yield [row for row in rows if row.id not in taken]
    finally:
        with transaction():
            seats.give_back(holder)


def relays_of(rows: Sequence[Row[Any]], settings: Settings) -> dict[str, Via]:
    """Return by which relay to reach those gateways that dial in."""
    dial_in = [row.public_id for row in rows if row.endpoint.startswith("relay:")]
    return {
        public_id: Via(host, port, public_id, settings.relay_secret)
        for public_id, (host, port) in holders.find(dial_in).items()
    }


def pace(settings: Settings) -> Pace:
    """Return how often gateways are asked, as configured."""
    return Pace(settings.poll_interval_s, settings.poll_watched_s, settings.poll_backoff_max_s)


def defaults(settings: Settings) -> Defaults:
    """Return what holds where a site or a device does not say, as configured."""
    return Defaults(settings.site_zone, settings.contract_current_a, settings.alarm_quiet_s)
