"""What a supervisor asks: does the portal answer, and is everything behind it at work?"""

from datetime import datetime, timedelta

import structlog
from flask import Blueprint
from redis.exceptions import RedisError
from rq.cron_scheduler_registry import get_registry_key
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ... import clock
from ...domain import heartbeats
from ...extensions import db, limiter, queues
from ...queue_names import QUEUES

log = structlog.get_logger()
bp = Blueprint("health", __name__, url_prefix="/healthz")
limiter.exempt(bp)

# a poll of many silent gateways keeps its worker for up to a minute; twice that is a worker lost
WORKER_LATE = timedelta(seconds=120)
# cron shows itself every few seconds
CRON_LATE = timedelta(seconds=30)

Answer = tuple[dict[str, object], int]


@bp.get("")
def healthz() -> Answer:
    """Say whether web, database and queue answer."""
    return answer({"web": "ok", "database": database(), "queue": queue()})


@bp.get("/ready")
def ready() -> Answer:
    """Say also whether workers and cron are at work: a job of each queue went through lately."""
    now = clock.now()
    parts = {"web": "ok", "database": database(), "queue": queue(), "cron": cron(now)}
    return answer(parts | workers(now))


def answer(parts: dict[str, str]) -> Answer:
    """Return 200 if every part is well, else 503 with the same body. It holds no secret."""
    well = all(state == "ok" for state in parts.values())
    return {"status": "ok" if well else "failing", **parts}, 200 if well else 503


def database() -> str:
    """Ask the database for nothing."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.error("health_database", error=type(error).__name__)
        db.session.rollback()
        return "no answer"
    return "ok"


def queue() -> str:
    """Ping Valkey."""
    try:
        queues.get("default").connection.ping()
    except RedisError as error:
        log.error("health_queue", error=type(error).__name__)
        return "no answer"
    return "ok"


def cron(now: datetime) -> str:
    """Look for the heartbeat of `rq cron`."""
    try:
        latest = queues.get("default").connection.zrange(
            get_registry_key(), 0, 0, desc=True, withscores=True
        )
    except RedisError:
        return "unknown"
    if not latest:
        return "missing"
    return "ok" if now.timestamp() - float(latest[0][1]) <= CRON_LATE.total_seconds() else "late"


def workers(now: datetime) -> dict[str, str]:
    """Look when each queue's beat last went all the way through."""
    names = {f"worker:{name}": f"queue:{name}" for name in QUEUES}
    try:
        seen = heartbeats.seen_at(names.values())
    except SQLAlchemyError:
        db.session.rollback()
        return dict.fromkeys(names, "unknown")
    return {name: late(seen.get(row), now) for name, row in names.items()}


def late(seen: datetime | None, now: datetime) -> str:
    """Put the age of a beat into a word."""
    if seen is None:
        return "missing"
    return "ok" if now - seen <= WORKER_LATE else "late"
