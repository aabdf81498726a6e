"""Credit points of the eco programme every half-year, in shards of memberships."""

import structlog
from flask import current_app
from redis.exceptions import RedisError

from .. import clock
from ..config import Settings
from ..domain import point_credits, point_runs
from ..domain.ledger import NotEnough
from ..domain.programme import Programme
from ..extensions import queues
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# at most so many shards are under way, some seconds of work, and the next ones come ten seconds
# later: polls are claimed on the same queue and must not wait
SHARDS_AT_ONCE = 4
# somebody may spend points while they are counted
TRIES = 3


@in_app
def credit_due() -> None:
    """Open the run of a half-year that is over, and enqueue its shards. At least once.

    A round that dies after its claim, or finds no queue server, leaves leases that run out.
    """
    settings: Settings = current_app.extensions["settings"]
    now = clock.now()
    with transaction():
        run = point_runs.open_due(_programme(), now, zone=settings.site_zone)
        if run is not None:
            log.info("point_run_opened", period=run.period_first.isoformat())
    with transaction():
        claimed = point_runs.claim(now, limit=SHARDS_AT_ONCE)
    queue = queues.get("default")
    try:
        for shard_id in claimed:
            queue.enqueue(
                "app.jobs.points.credit_shard",
                shard_id,
                # whoever waits longer than the lease is claimed anew: this copy would be a second
                ttl=point_runs.LEASE_S,
                job_timeout=point_runs.LEASE_S,
                result_ttl=0,
                failure_ttl=3600,
            )
    except RedisError as error:
        log.warning("queue_unreachable", queue="default", error=type(error).__name__)


@in_app
def credit_shard(shard_id: int) -> None:
    """Credit the memberships of a shard. At least once.

    All of it in one transaction; each credit has a key, so a second copy books nothing.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with transaction():
                booked = point_credits.credit(shard_id, _programme(), clock.now())
        except NotEnough:
            if attempt == TRIES:
                raise
        else:
            log.info("points_credited", shard=shard_id, transactions=booked)
            return


def _programme() -> Programme:
    found: Programme = current_app.extensions["programme"]
    return found
