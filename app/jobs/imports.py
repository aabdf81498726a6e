"""Write the gateways of uploaded files, a few at a time."""

from datetime import timedelta
from time import monotonic

import structlog
from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import import_steps, provisioning
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# Cron comes again every few seconds: in between a worker has time for its other queues, which a
# job that asked for its own next run would keep waiting for minutes.
RUN_S = 3


@in_app
def run_due() -> None:
    """Work on the imports that were started, for a few seconds. At least once.

    Each row is written once, whoever dies where: a row is noted in the transaction that makes its
    gateway, and a claim that nobody gave back runs out.
    """
    ends = monotonic() + RUN_S
    while monotonic() < ends:
        if not _step():
            return


def _step() -> bool:
    """Write a few gateways; False if there is nothing to do."""
    settings: Settings = current_app.extensions["settings"]
    with transaction():
        now = clock.now()
        claimed = import_steps.claim(
            now, sheets_until=now + timedelta(hours=settings.sheet_file_hours)
        )
    if claimed is None:
        return False
    if not claimed.rows:
        log.info("import_done", gateway_import=claimed.import_id)
        return True
    # the slow part stands between transactions: nobody waits for our rows while argon2 works
    passwords = provisioning.new_passwords(len(claimed.rows))
    try:
        with transaction():
            import_steps.write(claimed, passwords, clock.now())
    except provisioning.ImportedMeanwhile:
        with transaction():
            import_steps.release(claimed)
    return True
