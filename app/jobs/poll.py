"""Ask the gateways that are due, in shards."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from flask import current_app
from redis.exceptions import RedisError
from sqlalchemy import Row

from .. import clock, holders
from ..config import Settings
from ..domain import polling
from ..domain.polling import Answer, Defaults, Pace
from ..drivers.dialout import Via
from ..drivers.modbus import Target, poll_many
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

    Nothing is locked while they are being read. A gateway that is gone is left out.
    """
    settings: Settings = current_app.extensions["settings"]
    rows = polling.targets(ids)
    db.session.rollback()  # ends the reading transaction: the network takes its time
    relays = _relays(rows, settings)
    results = asyncio.run(
        poll_many(
            [
                Target(row.id, row.endpoint, row.profile, row.layout, relays.get(row.public_id))
                for row in rows
            ],
            concurrency=settings.poll_concurrency,
            timeout_s=settings.poll_timeout_s,
            now=clock.now,
        )
    )
    answers = [
        Answer(
            row.id,
            result.outcome.value,
            result.taken_at,
            result.sample,
            result.discovery,
            result.detail,
        )
        for row, result in zip(rows, results, strict=True)
    ]
    with transaction():
        settled = polling.settle(
            answers, clock.now(), pace=pace(settings), defaults=defaults(settings)
        )
    for gateway, outcome, detail in settled.down:
        log.warning("gateway_down", gateway=gateway, outcome=outcome, detail=detail)
    for gateway in settled.up:
        log.info("gateway_up", gateway=gateway)


def _relays(rows: Sequence[Row[Any]], settings: Settings) -> dict[str, Via]:
    """Return by which relay to reach those gateways of a shard that dial in."""
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
    return Defaults(settings.site_zone, settings.contract_current_a)
