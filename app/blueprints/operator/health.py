"""稼働状況: queues, workers, cron, polling and mail on one page, and jobs that failed.

This page is looked at when something is down, so it needs the database for its reader's session and
nothing else: what does not answer is said to be so. It asks no limiter, whose counts are in Valkey.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from platform import python_version
from re import compile as regex
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from redis.exceptions import RedisError
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry

from ... import clock
from ...domain import audit
from ...domain.errors import NotFound
from ...extensions import lazy_gettext as _
from ...extensions import limiter, queues
from ...queue_names import QUEUES
from ...transaction import transaction
from ..health import CRON_LATE, WORKER_LATE
from ..health.looking import look_at_database, look_at_queues
from ..signin.limited import client_address
from . import bp

REFRESH_S = 10
# of each queue; failed jobs are forgotten after an hour anyway
JOBS_SHOWN = 50
LONGEST_ERROR = 200
JOB_ID = regex(r"[A-Za-z0-9:_.-]{1,128}")
# polls and mails that wait longer than this are late
POLLS_LATE = timedelta(seconds=60)
MAILS_LATE = timedelta(minutes=5)
# 100,000 members take a quarter of an hour; a shard that failed is tried again and again
POINTS_LATE = timedelta(hours=6)


@dataclass(frozen=True)
class Failed:
    """A job that failed: what it was, when, and the last line of what went wrong."""

    id: str
    queue: str
    function: str
    ended_at: datetime | None
    error: str


@bp.get("/health")
@limiter.exempt
def health_show() -> str:
    """Show how all parts are."""
    return render_template("operator/health/show.html", **looked())


@bp.get("/health/parts")
@limiter.exempt
def health_parts() -> str:
    """Return the parts alone, for polling."""
    return render_template("operator/health/_parts.html", **looked())


def looked() -> dict[str, Any]:
    """Look at everything once."""
    now = clock.now()
    return {
        "now": now,
        "database": look_at_database(now),
        "server": look_at_queues(),
        "refresh_s": REFRESH_S,
        "cron_late": CRON_LATE,
        "worker_late": WORKER_LATE,
        "polls_late": POLLS_LATE,
        "mails_late": MAILS_LATE,
        "points_late": POINTS_LATE,
        "versions": {
            "Python": python_version(),
            **{name: version(name) for name in ("Flask", "SQLAlchemy", "rq", "redis")},
        },
    }


@bp.get("/health/jobs")
@limiter.exempt
def health_jobs() -> str:
    """List the newest jobs that failed."""
    try:
        jobs: list[Failed] | None = [job for name in QUEUES for job in failed_jobs(name)]
    except RedisError:
        jobs = None
    return render_template("operator/health/jobs.html", jobs=jobs)


@bp.post("/health/jobs/<queue>/<job_id>/requeue")
@limiter.exempt
def health_requeue(queue: str, job_id: str) -> ResponseReturnValue:
    """Let a failed job run again; each of ours may run twice."""
    return settle(queue, job_id, "job.requeued")


@bp.post("/health/jobs/<queue>/<job_id>/dismiss")
@limiter.exempt
def health_dismiss(queue: str, job_id: str) -> ResponseReturnValue:
    """Forget a failed job."""
    return settle(queue, job_id, "job.dismissed")


def settle(queue: str, job_id: str, action: str) -> ResponseReturnValue:
    """Do it, write it down, and show the list again.

    Raises:
        NotFound: There is no such queue, or that is no job's id.
    """
    if queue not in QUEUES or not JOB_ID.fullmatch(job_id):
        raise NotFound
    back = redirect(url_for("operator.health_jobs"), code=303)
    try:
        failed = FailedJobRegistry(queue=queues.get(queue))
        if job_id not in failed:
            raise NoSuchJobError
        if action == "job.requeued":
            failed.requeue(job_id)
        else:
            failed.remove(job_id, delete_job=True)
    except (NoSuchJobError, InvalidJobOperation):
        flash(_("このジョブは、すでに片付いています。"), "warning")
        return back
    except RedisError:
        flash(_("ジョブの待ち行列と通信できませんでした。"), "error")
        return back
    # after it: a job is no row of ours, and nothing of ours waits for the queue server
    with transaction():
        audit.record(
            action,
            actor_id=current_user.id,
            subject="job",
            subject_id=None,
            network_address=client_address(),
            now=clock.now(),
            job=job_id,
            queue=queue,
        )
    flash(
        _("ジョブをやり直します。") if action == "job.requeued" else _("ジョブを片付けました。"),
        "success",
    )
    return back


def failed_jobs(name: str) -> list[Failed]:
    """Return the jobs of a queue that failed last. Raises RedisError."""
    queue = queues.get(name)
    ids = FailedJobRegistry(queue=queue).get_job_ids(0, JOBS_SHOWN - 1, desc=True)
    found = Job.fetch_many(ids, connection=queue.connection)
    return [shown(job, name) for job in found if job is not None]


def shown(job: Job, queue: str) -> Failed:
    """Return what the list shows of a job: no arguments, which name rows of customers."""
    result = job.latest_result()
    lines = ((result.exc_string if result else "") or "").strip().splitlines()
    # the description, not the function: that would unpickle it
    function = (job.description or "").partition("(")[0]
    error = lines[-1][:LONGEST_ERROR] if lines else ""
    return Failed(job.id, queue, function, job.ended_at, error)
