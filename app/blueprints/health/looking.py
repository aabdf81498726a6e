"""A closer look at database and queues, for the operator's page and for Prometheus.

Each look returns None where its part does not answer: what shows it says so, and shows the rest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import structlog
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.cron_scheduler_registry import get_registry_key
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.worker import BaseWorker
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ... import clock, holders
from ...domain import backlog, heartbeats
from ...domain.backlog import Backlog
from ...extensions import db, queues
from ...queue_names import QUEUES

log = structlog.get_logger()


@dataclass(frozen=True)
class OneQueue:
    """A queue of RQ: what waits, since when, what is at work and what failed."""

    name: str
    waiting: int
    oldest_at: datetime | None
    running: int
    failed: int


@dataclass(frozen=True)
class OneWorker:
    """A worker as it last showed itself."""

    name: str
    state: str
    queues: tuple[str, ...]
    seen_at: datetime | None


@dataclass(frozen=True)
class QueueServer:
    """Valkey or Redis, and what RQ keeps there."""

    latency_ms: float
    version: str
    queues: list[OneQueue]
    workers: list[OneWorker]
    cron_seen_at: datetime | None
    relays: list[holders.Relay]


@dataclass(frozen=True)
class Database:
    """The database: how quickly it answers, which it is, how its tables are, and what waits."""

    latency_ms: float
    version: str
    revision: str
    backlog: Backlog
    beats: dict[str, datetime]


def look_at_queues() -> QueueServer | None:
    """Return what the queue server tells, or None if it does not answer."""
    try:
        connection = queues.get("default").connection
        begun = perf_counter()
        connection.ping()
        latency_ms = (perf_counter() - begun) * 1000
        told = connection.info("server")
        crons = connection.zrange(get_registry_key(), 0, 0, desc=True, withscores=True)
        return QueueServer(
            latency_ms,
            f"{told.get('server_name', 'redis')} "
            f"{told.get('valkey_version') or told.get('redis_version', '')}",
            [_queue(queues.get(name)) for name in QUEUES],
            sorted(map(_worker, Worker.all(connection)), key=lambda worker: worker.name),
            datetime.fromtimestamp(float(crons[0][1]), UTC) if crons else None,
            holders.relays(clock.now()),
        )
    except RedisError as error:
        log.error("health_queue", error=type(error).__name__)
        return None


def look_at_database(now: datetime) -> Database | None:
    """Return what the database tells, or None if it does not answer."""
    try:
        begun = perf_counter()
        db.session.execute(text("SELECT 1"))
        latency_ms = (perf_counter() - begun) * 1000
        return Database(
            latency_ms,
            _version(),
            str(db.session.scalar(text("SELECT version_num FROM alembic_version"))),
            backlog.look(now),
            heartbeats.seen_at([f"queue:{name}" for name in QUEUES]),
        )
    except SQLAlchemyError as error:
        log.error("health_database", error=type(error).__name__)
        db.session.rollback()
        return None


def _version() -> str:
    if db.engine.dialect.name == "postgresql":
        return f"PostgreSQL {db.session.scalar(text('SHOW server_version'))}"
    return f"SQLite {db.session.scalar(text('SELECT sqlite_version()'))}"


def _queue(queue: Queue) -> OneQueue:
    first = queue.get_job_ids(0, 1)
    oldest = Job.fetch_many(first, connection=queue.connection)[0] if first else None
    return OneQueue(
        queue.name,
        queue.count,
        oldest.enqueued_at if oldest else None,
        StartedJobRegistry(queue=queue).get_job_count(cleanup=False),
        FailedJobRegistry(queue=queue).get_job_count(),
    )


def _worker(worker: BaseWorker) -> OneWorker:
    return OneWorker(
        worker.name, str(worker.get_state()), tuple(worker.queue_names()), worker.last_heartbeat
    )
