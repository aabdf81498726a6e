"""What is done again and again: `rq cron app.jobs.cron` reads this file. Run it once, not twice.

Every job here claims its work in the database, so a second copy finds nothing left to do.
"""

from types import FunctionType

from rq.cron import register

from ..queue_names import QUEUES


def every(seconds: int, queue: str, job: str, *args: str) -> None:
    """Ask for `job`, "module.function" of this package, every so many seconds, on `queue`.

    While no worker takes them, old copies expire instead of piling up; what succeeded leaves
    nothing in Valkey, what failed leaves its traceback for an hour.
    """
    register(
        _named(job),
        queue_name=queue,
        args=args,
        interval=seconds,
        ttl=max(seconds * 3, 10),
        result_ttl=0,
        failure_ttl=3600,
        # several jobs may share a function: beats differ by their queue
        name=":".join([job.partition(".")[2], *args]),
    )


def _named(job: str) -> FunctionType:
    """Return a function of that name. RQ takes nothing else, and reads but its name.

    To ask for a job, the portal need not be loaded: that is seconds and a hundred megabytes.
    """
    module, _, name = job.partition(".")

    def run() -> None: ...

    run.__module__, run.__name__, run.__qualname__ = f"{__package__}.{module}", name, name
    return run  # type: ignore[return-value]


# a watched gateway is due every POLL_WATCHED_S: what is due must not wait long to be claimed
every(2, "default", "poll.claim_due")
# mails are sent as they are queued; this finds what was put off, and what nobody was woken for
every(10, "mail", "mail.send_due")
# an import begins as it is started; this goes on with it, also after a worker died
every(5, "default", "imports.run_due")
# likewise a year of history as a file
every(5, "default", "history.make_due")
# a sample that came late is rare: the half hours it belongs to are counted anew within a minute
every(60, "default", "measurements.recount_late")
# what rises by a poll is mailed, and what went silent is found, within this time
every(10, "default", "alarms.watch")
# plans are due at 17:05 of a site's clock, and at once for who chooses something else
every(15, "default", "plans.claim_plans")
# a plan waits until its device was read; a warning that was read is followed within a minute
every(60, "default", "plans.place_plans")
# the agency tells of warnings within minutes of deciding on them
every(600, "default", "weather.read_reports")
# settings at many systems go on step by step
every(5, "default", "rollouts.advance_due")
# a half-year that is over is credited a few shards at a time, between what cannot wait
every(10, "default", "points.credit_due")
# settings are read and written as they are asked; this finds what was put off, or lost its worker.
# A device that takes the connection and says nothing keeps its worker for half a minute: polls, and
# what claims them, do not wait behind it
every(2, "settings", "settings.work_due")
every(20, "default", "settings.lapse_due")
every(3600, "default", "eco.settle_memberships")
every(3600, "default", "clean.clear_expired")
every(3600, "default", "measurements.clear_measurements")
for name in QUEUES:
    every(10, name, "beat.beat", name)
