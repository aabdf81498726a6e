"""What is done again and again: `rq cron app.jobs.cron` reads this file. Run it once, not twice.

Every job here claims its work in the database, so a second copy finds nothing left to do.
"""

from collections.abc import Callable

from rq.cron import register

from .alarms import watch
from .beat import beat
from .clean import clear_expired
from .eco import settle_memberships
from .history import make_due
from .imports import run_due
from .mail import send_due
from .measurements import clear_measurements, recount_late
from .outages import report_ended
from .plans import claim_plans, place_plans
from .points import credit_due
from .poll import claim_due
from .rollouts import advance_due
from .settings import lapse_due, work_due
from .weather import read_reports
from .worker import QUEUES


def every(seconds: int, queue: str, job: Callable[..., None], *args: str) -> None:
    """Ask for `job` every so many seconds, on `queue`.

    While no worker takes them, old copies expire instead of piling up; what succeeded leaves
    nothing in Valkey, what failed leaves its traceback for an hour.
    """
    register(
        job,
        queue_name=queue,
        args=args,
        interval=seconds,
        ttl=max(seconds * 3, 10),
        result_ttl=0,
        failure_ttl=3600,
        # several jobs may share a function: beats differ by their queue
        name=":".join([job.__name__, *args]),
    )


# a watched gateway is due every POLL_WATCHED_S: what is due must not wait long to be claimed
every(2, "default", claim_due)
# mails are sent as they are queued; this finds what was put off, and what nobody was woken for
every(10, "mail", send_due)
# an import begins as it is started; this goes on with it, also after a worker died
every(5, "default", run_due)
# likewise a year of history as a file
every(5, "default", make_due)
# a sample that came late is rare: the half hours it belongs to are counted anew within a minute
every(60, "default", recount_late)
# what rises by a poll is mailed, and what went silent is found, within this time
every(10, "default", watch)
# how an outage went is told soon after its end; that of a whole area, a few hundred at a time
every(10, "default", report_ended)
# plans are due at 17:05 of a site's clock, and at once for who chooses something else
every(15, "default", claim_plans)
# a plan waits until its device was read; a warning that was read is followed within a minute
every(60, "default", place_plans)
# the agency tells of warnings within minutes of deciding on them
every(600, "default", read_reports)
# settings at many systems go on step by step
every(5, "default", advance_due)
# a half-year that is over is credited a few shards at a time, between what cannot wait
every(10, "default", credit_due)
# settings are read and written as they are asked; this finds what was put off, or lost its worker.
# A device that takes the connection and says nothing keeps its worker for half a minute: polls, and
# what claims them, do not wait behind it
every(2, "settings", work_due)
every(20, "default", lapse_due)
every(3600, "default", settle_memberships)
every(3600, "default", clear_expired)
every(3600, "default", clear_measurements)
for name in QUEUES:
    every(10, name, beat, name)
