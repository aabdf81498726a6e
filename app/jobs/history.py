"""Make years of history that were asked for as one file."""

from time import monotonic

from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import history_exports
from ..transaction import transaction
from .context import in_app

# a year takes less; cron comes again for what is left, and the worker's other queues get their turn
RUN_S = 3


@in_app
def make_due() -> None:
    """Work on the years that were asked for, for a few seconds. At least once.

    Each month is added in a transaction of its own, once: after a worker died, the claim runs out
    and the next one goes on with the month that is missing.
    """
    ends = monotonic() + RUN_S
    while monotonic() < ends:
        if not _step():
            return


def _step() -> bool:
    """Add one month to a file; False if there is nothing to do."""
    settings: Settings = current_app.extensions["settings"]
    with transaction():
        claimed = history_exports.claim(clock.now())
    if claimed is None:
        return False
    with transaction():
        history_exports.make(claimed, clock.now(), zone=settings.site_zone)
    return True
