"""Ask for the plans that are due. What makes them is loaded by a worker, and only for that."""

from collections.abc import Sequence

import structlog
from flask_babel import force_locale
from redis.exceptions import RedisError

from .. import clock
from ..domain import plan_orders, plans, storms
from ..extensions import db, queues
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# a home takes a twentieth of a second, and half of one where held-back days are asked; mail waits
SHARD = 5
# one round takes at most so many; the next one comes a minute later
ROUND = 1000
# by then a shard is done, however many wait before it
LEASE_S = 1800
PLACED_A_ROUND = 500


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


@in_app
def place_plans() -> None:
    """Hand plans to the settings, and do what weather warnings ask for. At least once.

    Each home has a transaction of its own; what cannot be done yet is tried with the next round.
    """
    now = clock.now()
    waiting = plan_orders.list_waiting(now, limit=PLACED_A_ROUND)
    stormy = storms.listed(now)
    db.session.rollback()
    for plan_id, language in waiting:
        # the reason is kept in the words of whoever reads it
        with force_locale(language), transaction():
            placed = plan_orders.place(plan_id, clock.now())
        log.info("plan_placed", plan=plan_id, placed=placed)
    for installation_id, language in stormy:
        with force_locale(language), transaction():
            storms.follow(installation_id, clock.now())
