"""Count late samples, and clear away what was measured long ago."""

from collections.abc import Callable

import structlog
from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import recounts, retention
from ..transaction import transaction
from .context import in_app
from .poll import defaults, pace

log = structlog.get_logger()

# gateways counted anew in one go; the next go is a minute later
RECOUNTS = 200


@in_app
def recount_late() -> None:
    """Count gateways anew whose samples came late, each in a transaction of its own.

    At least once: counting again gives the same.
    """
    settings: Settings = current_app.extensions["settings"]
    for _ in range(RECOUNTS):
        try:
            with transaction():
                if not recounts.recount_one(pace=pace(settings), defaults=defaults(settings)):
                    return
        except recounts.NotCounted as failed:
            # whatever it was, it must not keep all others from being counted
            log.exception("recount_failed", gateway_id=failed.gateway_id)
            with transaction():
                recounts.give_up(failed.gateway_id)


@in_app
def clear_measurements() -> None:
    """Make places for the samples of the next days, and clear away what has had its time.

    At least once: a second run finds nothing left to do. Each step is a transaction of its own.
    """
    settings: Settings = current_app.extensions["settings"]
    now = clock.now()
    _commit(lambda: retention.make_partitions(now))
    keep_days = settings.raw_retention_days
    steps: tuple[Callable[[], int], ...] = (
        lambda: retention.drop_partition(now, keep_days=keep_days),
        lambda: retention.clear_half_hours(now, keep_years=settings.half_hour_years),
        lambda: retention.clear_checkpoints(now),
    )
    for step in steps:
        while _commit(step):
            pass
    after: int | None = 0
    while after is not None:
        with transaction():
            after = retention.clear_samples(now, after, keep_days=keep_days)


def _commit(step: Callable[[], int]) -> int:
    with transaction():
        return step()
