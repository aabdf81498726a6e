"""A real Valkey for tests: one process, killed and started again as a test wishes."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from demo.queue_server import command, find
from tests.ports import free_port


class Valkey:
    """A queue server on a port of its own, empty at first, its data on disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = command(program, self.port, folder)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process to kill."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 10
        with Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except RedisError:
                    assert self._process.poll() is None, "Valkey ended"
                    assert time.monotonic() < end, "Valkey does not answer"
                    time.sleep(0.01)

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def empty(self) -> None:
        """Start it if a test stopped it, and forget everything."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        with Redis.from_url(self.url) as client:
            client.flushall()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """Run one server for this test process."""
    program = find()
    if program is None:
        pytest.skip("no queue server for this platform")
    server = Valkey(program, tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """Give an empty queue server."""
    valkey_server.empty()
    return valkey_server
