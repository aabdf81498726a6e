"""A worker of RQ's queues."""

import sys

import structlog
from flask import Flask
from rq import SimpleWorker

from ..extensions import queues
from ..queue_names import QUEUES
from .context import bind

log = structlog.get_logger()

# an idle worker shows itself this often (s, less RQ's margin of 15): /healthz/ready looks for it
WORKER_TTL_S = 30
# then it ends and is started afresh: about a day, and what leaks leaks no further
MAX_JOBS = 50_000


def main(app: Flask, names: list[str]) -> int:
    """Work on the queues `names` (all of them if none is named) until told to stop.

    Returns:
        The process's exit code: 64 if a queue is unknown.
    """
    unknown = sorted(set(names) - set(QUEUES))
    if unknown:
        sys.stderr.write(f"no such queue: {', '.join(unknown)} (known: {', '.join(QUEUES)})\n")
        return 64
    bind(app)
    # Jobs run in this very process: forking costs more than most of our jobs do (about 90 jobs a
    # second against 330), and nothing here runs code that is not ours. A crash or a hard kill
    # loses what was in flight, which every job is written for; the supervisor starts the next.
    worker = SimpleWorker(
        [queues.get(name) for name in names or QUEUES],
        worker_ttl=WORKER_TTL_S,
        # arguments may name a customer's row, but a line per job says nothing
        log_job_description=False,
    )
    log.info("worker_started", queues=names or list(QUEUES), name=worker.name)
    worker.work(logging_level="WARNING", max_jobs=MAX_JOBS)
    return 0
