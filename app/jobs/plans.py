"""Ask for the plans that are due. What makes them is loaded by a worker, and only for that."""

from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from .. import clock
from ..domain import plans
from ..extensions import queues
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# a home takes a tenth of a second, and a second where held-back days are asked; mail waits for it
SHARD = 5
# one round takes at most so many; the next one comes a minute later
ROUND = 1000
# by then a shard is done, however many wait before it
LEASE_S = 1800


@in_app
def claim_plans() -> None:
    """Claim the installations whose plan is due and enqueue them in shards. At least once.

    A round that dies after its claim, or finds no queue server, leaves leases that run out.
    """
    with transaction():
        claimed = plans.claim(clock.now(), lease_s=LEASE_S, limit=ROUND)
    try:
        for start in range(0, len(claimed), SHARD):
            enqueue(claimed[start : start + SHARD])
    except RedisError as error:
        log.warning("queue_unreachable", queue="plan", error=type(error).__name__)


def enqueue(ids: Sequence[int]) -> None:
    """Have a worker make the plans of these installations."""
    queues.get("plan").enqueue(
        # by its name: whoever enqueues must not load what plans
        "app.jobs.planning.plan_shard",
        list(ids),
        ttl=LEASE_S,
        job_timeout=120,
        result_ttl=0,
        failure_ttl=3600,
    )
