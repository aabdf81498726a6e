"""[cycle_100k_s, cpu_100k_s, cost_spread]: a whole round of polls of 100,000 gateways.

2 % of them never answer, 5 % begin to answer after 2 s. The portal's own processes do the work:
claims and shards through Valkey, workers of the poll queue, PostgreSQL. What the simulated gateways
take is told apart. All gateways are due at once; a service keeps up while that takes less than the
60 s between two polls.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import fmean
from typing import Any

from flask import Flask
from sqlalchemy import func, select, text, update

from app import clock
from app.drivers.modbus import Outcome, Target, poll
from app.extensions import db
from app.jobs.measurements import clear_measurements
from app.jobs.poll import claim_due
from app.models import Gateway, PollState, Reading
from app.transaction import transaction

from .canned_fleet import ADDRESSES, DEAD, QUICK, SLOW
from .polls import record_image
from .portal import ROOT, add_homes, gunicorn, new_portal, queue_server, signed_in
from .postgres import postgresql

SIZES = (1_000, 10_000, 100_000)
WORKERS = 3
CONCURRENCY = 500
# longer than any round takes: who was asked is not due again while the others wait
INTERVAL_S = 3600
# one round of few gateways costs a seventh more or less than the next
ASKED_AT_LEAST = 10_000
TICK_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Round:
    """What one round of polls took."""

    wall_s: float
    workers_cpu_s: float
    database_cpu_s: float
    fleet_cpu_s: float
    tile_ms: list[float] = field(default_factory=list)


def measure(sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Return the figures of a round for each number of gateways."""
    figures: dict[str, Any] = {}
    costs = []
    for size in sizes:
        one, memory_mb = measure_size(size)
        name = f"{size // 1000}k"
        cpu = one.workers_cpu_s
        costs.append((cpu + one.database_cpu_s) / size)
        figures |= {
            f"cycle_{name}_s": one.wall_s,
            f"cpu_{name}_s": cpu,
            f"database_cpu_{name}_s": one.database_cpu_s,
            f"simulator_cpu_{name}_s": one.fleet_cpu_s,
            f"workers_mb_{name}": memory_mb,
            f"tile_p50_ms_{name}": one.tile_ms[len(one.tile_ms) // 2],
            f"tile_p95_ms_{name}": one.tile_ms[len(one.tile_ms) * 95 // 100],
        }
    figures["cost_spread"] = max(costs) / min(costs) - 1
    return figures


def measure_size(size: int) -> tuple[Round, float]:
    """Return a round of `size` gateways, the mean of several where they are few.

    And the workers' memory (MB).
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, fleet = stack.enter_context(running_fleet(folder))
        url = stack.enter_context(postgresql())
        queue = stack.enter_context(queue_server(folder))
        app = new_portal(folder, database_url=url, redis_url=queue, poll_concurrency=CONCURRENCY)
        prepare(app, port, size)
        workers = [stack.enter_context(running_worker(folder, url, queue)) for _ in range(WORKERS)]
        # the first round tells who is slow and who is dead, and warms everything up
        a_round(app, workers, fleet)
        again = max(1, ASKED_AT_LEAST // size)
        one = mean([a_round(app, workers, fleet) for _again in range(again)])
        begun = clock.now()
        # a household that looks costs the same however many others there are: a round of its own
        with watching(app, folder, url, queue) as tile_ms:
            a_round(app, workers, fleet)
        one.tile_ms = sorted(tile_ms)
        answered = answered_since(app, begun)
        assert answered == size - size // 50, f"{answered} of {size} answered"
        return one, sum(rss_mb(worker.pid) for worker in workers)


def prepare(app: Flask, port: int, size: int) -> None:
    """Add gateways whose layout is known: of 50 one is dead, and of 20 one is slow."""
    endpoints = []
    for number in range(size):
        unit = DEAD if number % 50 == 7 else SLOW if number % 20 == 3 else QUICK
        endpoints.append(f"tcp://127.0.0.{number % ADDRESSES + 1}:{port}/{unit}")
    found = asyncio.run(poll(Target(1, endpoints[0], "sunspec"), timeout_s=5, now=clock.now))
    assert found.outcome is Outcome.OK
    assert found.discovery
    add_homes(app, endpoints)
    with app.app_context():
        with transaction():
            db.session.execute(update(Gateway).values(layout=found.discovery.layout.to_json()))
        clear_measurements()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def a_round(app: Flask, workers: list["subprocess.Popen[bytes]"], fleet: int) -> Round:
    """Let all gateways be due at once, and wait until each was asked."""
    with app.app_context():
        now = clock.now()
        with transaction():
            db.session.execute(update(PollState).values(next_poll_at=now, claimed_until=None))
        pids = [worker.pid for worker in workers]
        servers = postgres_pids(app)
        cpu = [cpu_s(pids), cpu_s(servers), cpu_s([fleet])]
        begun = time.perf_counter()
        while waiting(now):
            claim_due()
            time.sleep(0.5)
        wall = time.perf_counter() - begun
        after = [cpu_s(pids), cpu_s(postgres_pids(app)), cpu_s([fleet])]
    return Round(wall, after[0] - cpu[0], after[1] - cpu[1], after[2] - cpu[2])


def mean(rounds: list[Round]) -> Round:
    """Return what a round took on average."""
    return Round(
        fmean(one.wall_s for one in rounds),
        fmean(one.workers_cpu_s for one in rounds),
        fmean(one.database_cpu_s for one in rounds),
        fmean(one.fleet_cpu_s for one in rounds),
    )


def waiting(now: object) -> bool:
    """Tell whether a gateway is still to be asked, or being asked."""
    found = db.session.scalar(
        select(PollState.gateway_id)
        .where((PollState.next_poll_at <= now) | PollState.claimed_until.is_not(None))
        .limit(1)
    )
    db.session.rollback()
    return found is not None


def answered_since(app: Flask, begun: datetime) -> int:
    """Count the gateways that gave a sample; the home that is watched gives several."""
    with app.app_context():
        counted = select(func.count(Reading.gateway_id.distinct())).where(Reading.taken_at >= begun)
        return db.session.scalar(counted) or 0


def postgres_pids(app: Flask) -> list[int]:
    """Return the server's processes."""
    with app.app_context():
        here = int(db.session.scalar(text("SELECT pg_backend_pid()")) or 0)
        db.session.rollback()
    parent = int((Path("/proc") / str(here) / "stat").read_text().rpartition(")")[2].split()[1])
    children = (Path("/proc") / str(parent) / "task" / str(parent) / "children").read_text()
    return [parent, *map(int, children.split())]


def cpu_s(pids: list[int]) -> float:
    """Return the CPU seconds of processes until now, also of children that have ended (Linux)."""
    total = 0
    for pid in pids:
        stat = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, stat[11:15]))
    return total / TICK_S


def rss_mb(pid: int) -> float:
    """Return the memory of a process that is its own or shared (Linux)."""
    pages = int((Path("/proc") / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def running_fleet(folder: Path) -> Iterator[tuple[int, int]]:
    """Run the simulated gateways; give their port and the process's id."""
    image = folder / "image.bin"
    image.write_bytes(record_image())
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.canned_fleet", str(image)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout
        yield int(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def watching(app: Flask, folder: Path, url: str, queue: str) -> Iterator[list[float]]:
    """Look at one home's tiles five times a second; give the milliseconds that each took."""
    cookie = signed_in(app).get_cookie("hidamari")
    assert cookie
    environment = worker_environment(folder, url, queue)
    path = "/monitor/BENCH0000001/tiles"
    taken: list[float] = []
    over = threading.Event()
    with gunicorn("wsgi:app", "/healthz", environment) as server:

        def look() -> None:
            connection = HTTPConnection("localhost", server.port, timeout=30)
            headers = {"Cookie": f"hidamari={cookie.value}", "HX-Request": "true"}
            while not over.wait(0.2):
                begun = time.perf_counter()
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                taken.append((time.perf_counter() - begun) * 1000)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield taken
        finally:
            over.set()
            thread.join()


def worker_environment(folder: Path, url: str, queue: str) -> dict[str, str]:
    return {
        "DEMO": "true",
        "DATA_DIR": str(folder),
        "SECRET_KEY": "bench-" * 8,
        "BASE_URL": "http://localhost",
        "DATABASE_URL": url,
        "REDIS_URL": queue,
        "POLL_CONCURRENCY": str(CONCURRENCY),
        "POLL_INTERVAL_S": str(INTERVAL_S),
        "POLL_BACKOFF_MAX_S": str(INTERVAL_S),
        "RATE_LIMIT": "1000000 per minute",
    }


@contextmanager
def running_worker(
    folder: Path, url: str, queue: str, work: str = "poll"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker of a queue (`work`), as the portal's Procfile does."""
    environment = os.environ | worker_environment(folder, url, queue)
    process = subprocess.Popen(
        [sys.executable, "worker.py", work], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    wanted = tuple(map(int, sys.argv[1:])) or SIZES
    for name, value in measure(wanted).items():
        print(f"[{name}] {value:.4g}")
