"""Report outages that are over."""

from time import monotonic

import structlog
from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import outage_reports
from ..domain.alarm_readers import Desk
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# a round gives way to what cannot wait; cron comes again, and what is claimed and left is claimed
# anew after its lease
RUN_S = 5


@in_app
def report_ended() -> None:
    """Make reports of outages that are over and mail their owners, for some seconds. At least once.

    Each report is a transaction of its own; one that fails is tried again after its lease.
    """
    settings: Settings = current_app.extensions["settings"]
    ends = monotonic() + RUN_S
    while monotonic() < ends:
        now = clock.now()
        with transaction():
            claimed = outage_reports.claim(now)
        if not claimed:
            return
        for outage_id in claimed:
            try:
                with transaction():
                    outage_reports.settle(outage_id, Desk(now, settings.site_zone))
            except Exception:
                # whatever it was, it must not keep the others from being told
                log.exception("outage_not_reported", outage=outage_id)
