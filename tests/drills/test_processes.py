"""The running demo loses a process at a time, to SIGKILL, and goes on."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90

pytestmark = pytest.mark.drill


@dataclass
class Demo:
    """A demo as `make run` starts it, which reads its homes every 2 s."""

    data_dir: Path
    port: int

    def start(self) -> None:
        """Start it and wait until everything answers and the welcome is written."""
        self.log = self.data_dir / "run.log"
        (self.data_dir / "demo" / "welcome.txt").unlink(missing_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PORT": str(self.port),
                    "DATA_DIR": str(self.data_dir),
                    "POLL_INTERVAL_S": "2",
                    # a demo of its own, whatever the tests themselves use
                    "REDIS_URL": "",
                    "DATABASE_URL": "",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_until((self.data_dir / "demo" / "welcome.txt").exists)

    def stop(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; whatever ends the demo meanwhile fails the test."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, f"the demo ended:\n{self.said()}"
            assert time.monotonic() < end, f"not within {PATIENCE_S} s:\n{self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        """Return the end of what it printed."""
        return self.log.read_text("utf-8", "replace")[-4000:]

    def pid(self, name: str) -> int:
        """Return the process of a part."""
        return int((self.data_dir / "demo" / "pids" / name).read_text())

    def is_ready(self) -> bool:
        """Tell whether web, database, queue, workers and cron are at work."""
        url = f"http://localhost:{self.port}/healthz/ready"
        with suppress(URLError, OSError), urlopen(url, timeout=5) as answer:
            return bool(json.load(answer)["status"] == "ok")
        return False

    def last_reading(self) -> str:
        """Return when a home was read last: cron, queue, worker, simulator and database agreed."""
        with closing(sqlite3.connect(self.data_dir / "portal.db")) as connection:
            return str(connection.execute("SELECT max(taken_at) FROM readings").fetchone()[0])

    def lose(self, name: str) -> None:
        """Kill a part; wait until it is back, all is ready, and homes are read again."""
        lost = self.pid(name)
        os.kill(lost, signal.SIGKILL)
        self.wait_until(lambda: self.pid(name) != lost)
        back = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        self.wait_until(lambda: self.last_reading() > back)
        self.wait_until(self.is_ready)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run one demo for all drills."""
    demo = Demo(tmp_path_factory.mktemp("demo"), free_port())
    demo.start()
    yield demo
    demo.stop()


@pytest.mark.parametrize("name", ["queue", "poll", "mail", "cron", "web", "simulator", "inbox"])
def test_a_part_that_is_killed_comes_back_and_nothing_else_ends(demo: Demo, name: str) -> None:
    # a worker in the middle of a job ends with the queue server, and cron always does
    others = {"simulator", "inbox"} if name == "queue" else {"simulator", "inbox", "mail", "poll"}
    before = {part: demo.pid(part) for part in others - {name}}
    demo.lose(name)
    assert {part: demo.pid(part) for part in before} == before


def test_after_ctrl_c_nothing_runs_and_the_next_start_keeps_everything(demo: Demo) -> None:
    pids = [demo.pid(name) for name in ("queue", "poll", "mail", "cron", "web", "simulator")]
    samples = (demo.data_dir / "demo" / "samples.json").read_text()
    read = demo.last_reading()

    assert demo.stop() == 0
    assert [pid for pid in pids if is_running(pid)] == []

    demo.start()
    assert (demo.data_dir / "demo" / "samples.json").read_text() == samples
    demo.wait_until(lambda: demo.last_reading() > read)


def test_a_demo_that_is_killed_leaves_nothing_running(demo: Demo) -> None:
    names = ("queue", "poll", "mail", "cron", "web", "simulator", "inbox")
    pids = [demo.pid(name) for name in names]
    demo.process.kill()
    demo.process.wait()
    end = time.monotonic() + 30
    while left := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < end, left
        time.sleep(0.1)
    demo.start()


def is_running(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
