"""Extensions, unbound: `create_app` binds them, everybody else imports them from here."""

import sqlite3
from base64 import b64encode
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from secrets import token_bytes
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import request
from flask_babel import Babel, gettext, lazy_gettext
from flask_limiter import Limiter
from flask_login import LoginManager
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from sqlalchemy import DateTime, Dialect, MetaData, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase, registry
from sqlalchemy.types import TypeDecorator

__all__ = ["gettext", "lazy_gettext"]

log = structlog.get_logger()


def network_address(remote: str | None) -> str:
    """Return the client's IPv4 address, or the /64 of its IPv6 address, which is one household."""
    if not remote:
        return "unknown"
    try:
        address = ip_address(remote)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return str(address)


class UtcDateTime(TypeDecorator[datetime]):
    """Keep a moment in UTC; SQLite gives datetimes back naive, this restores the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC.

        Raises:
            ValueError: The datetime is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment back aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Give every table constraint a name, so that migrations can speak of it."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={datetime: UtcDateTime},
    )


db = SQLAlchemy(model_class=Base)
if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model

login = LoginManager()
csrf = CSRFProtect()
babel = Babel()
mail = Mail()


limiter = Limiter(key_func=lambda: network_address(request.remote_addr))


# what a woken queue runs: enqueued by name, so that nobody imports jobs
WAKES = {
    "mail": "app.jobs.mail.send_due",
    "default": "app.jobs.imports.run_due",
    "history": "app.jobs.history.make_due",
    "settings": "app.jobs.settings.work_due",
}
# those that have no queue of their own
WAKES_ON = {"history": "default"}
WAKE_KEY = "wake_after_commit"


class JobQueues:
    """Reach RQ's queues; bound to Valkey by `create_app`."""

    def __init__(self) -> None:
        self.redis: Redis | None = None

    def init(self, url: str) -> None:
        """Remember the server; nothing is connected before the first command."""
        # socket limits: a queue server that hangs must not hang a page
        self.redis = Redis.from_url(url, socket_connect_timeout=1, socket_timeout=5)

    def get(self, name: str) -> Queue:
        """Return the queue `name` ("mail", "poll", "settings", "default" or "plan").

        Raises:
            RuntimeError: The portal was not wired yet.
        """
        if self.redis is None:
            raise RuntimeError("the queue server is not configured")
        return Queue(name, connection=self.redis)

    def wake(self, name: str) -> None:
        """Ask for the queue's job now. Without Valkey the next cron round does it, a bit later."""
        try:
            self.get(WAKES_ON.get(name, name)).enqueue(WAKES[name], result_ttl=0, failure_ttl=3600)
        except RedisError as error:
            log.warning("queue_unreachable", queue=name, error=type(error).__name__)


queues = JobQueues()


def wake_after_commit(name: str) -> None:
    """Let `transaction()` wake the queue `name` once the rows it needs are committed."""
    db.session.info.setdefault(WAKE_KEY, set()).add(name)


class Hasher:
    """Hash and verify passwords with argon2; its cost is bound by `create_app`."""

    def init(self, *, time_cost: int, memory_kib: int) -> None:
        """Set the cost (passes, KiB) and make a hash to verify against where there is none."""
        self._argon2 = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        # nobody's password has this hash: to verify against it takes the same work as any other
        self._nobodys = (
            f"$argon2id$v=19$m={memory_kib},t={time_cost},p=1${_base64(16)}${_base64(32)}"
        )

    def hash(self, password: str) -> str:
        """Return the argon2id hash of `password`, normalised so that every keyboard agrees."""
        return self._argon2.hash(normalize("NFKC", password))

    def verify(self, known: str | None, password: str) -> bool:
        """Tell whether `password` matches. No hash at all takes the same work and is False."""
        try:
            self._argon2.verify(known or self._nobodys, normalize("NFKC", password))
        except (VerificationError, InvalidHashError):
            return False
        return known is not None

    def is_outdated(self, known: str) -> bool:
        """Tell whether the hash was made at another cost than today's."""
        return self._argon2.check_needs_rehash(known)


def _base64(size: int) -> str:
    """Return random bytes as argon2 writes them."""
    return b64encode(token_bytes(size)).decode().rstrip("=")


hasher = Hasher()


@event.listens_for(Engine, "connect")
def _tune_sqlite(connection: Any, _record: object) -> None:
    """WAL and a busy timeout, or writers collide; foreign keys are off in SQLite by default."""
    if isinstance(connection, sqlite3.Connection):
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA busy_timeout=10000")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
