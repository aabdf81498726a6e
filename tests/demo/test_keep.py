"""Processes that are started again when they end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator["Kept"]:
    """Give a way to keep processes, and leave none behind."""
    kept = Kept(tmp_path)
    yield kept
    kept.stop()


class Kept:
    """A process under the keeper, and where its pid is told."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.keeper: subprocess.Popen[str] | None = None
        self.seen = 0

    def start(self, code: str, **environment: str) -> None:
        """Keep a Python process that runs `code`."""
        self.keeper = subprocess.Popen(
            [sys.executable, "-m", "demo.keep", "one", sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "DATA_DIR": str(self.data_dir), **environment},
            stdout=subprocess.PIPE,
            text=True,
        )

    def pid(self) -> int:
        """Wait for a process that was not seen yet; return its pid."""
        file = self.data_dir / "demo" / "pids" / "one"
        for _ in range(1000):
            with suppress(OSError, ValueError):
                found = int(file.read_text())
                if found != self.seen:
                    self.seen = found
                    return found
            time.sleep(0.01)
        raise AssertionError("no new process within 10 s")

    def stop(self) -> str:
        """Stop the keeper; return what it said."""
        assert self.keeper
        self.keeper.terminate()
        return self.keeper.communicate(timeout=10)[0]


def is_gone(pid: int) -> bool:
    """Wait until a process is gone."""
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_process_that_was_killed_starts_again(kept: Kept) -> None:
    kept.start(SLEEP)
    first = kept.pid()
    os.kill(first, signal.SIGKILL)
    assert kept.pid() != first
    assert "one ended (-9), starts again in 0.5 s" in kept.stop()


def test_the_pause_grows_while_it_keeps_ending(kept: Kept) -> None:
    kept.start("")
    for _ in range(3):
        kept.pid()
    said = kept.stop()
    assert "in 0.5 s" in said
    assert "in 1 s" in said


def test_whoever_stops_the_keeper_stops_the_process(kept: Kept) -> None:
    kept.start(SLEEP)
    pid = kept.pid()
    kept.stop()
    assert is_gone(pid)


def test_a_process_that_does_not_listen_is_killed(kept: Kept) -> None:
    ready = kept.data_dir / "ready"
    kept.start(
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    pid = kept.pid()
    for _ in range(1000):
        if ready.exists():
            break
        time.sleep(0.01)
    kept.stop()
    assert is_gone(pid)


def test_when_the_demo_was_killed_everything_ends(kept: Kept) -> None:
    owner = subprocess.Popen([sys.executable, "-c", SLEEP])
    kept.start(SLEEP, DEMO_PID=str(owner.pid))
    pid = kept.pid()
    owner.kill()
    owner.wait()
    assert kept.keeper
    kept.keeper.wait(10)
    assert is_gone(pid)
