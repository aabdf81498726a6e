"""A relay, and gateways that dial in to it with the plain OpenSSH client."""

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest
from flask import Flask

from app import clock
from app.config import Settings
from app.domain import device_credentials
from app.extensions import db
from app.models import Gateway, Latest, PollState
from app.relay.server import Relay
from app.transaction import transaction
from tests.conftest import test_settings
from tests.factories import GatewayFactory
from tests.ports import free_port

SECRET = "a secret that relays and pollers share"
PATIENCE_S = 10


def needs_ssh() -> str:
    """Return the OpenSSH client; skip where there is none, but not in CI."""
    program = shutil.which("ssh")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no OpenSSH client")
        pytest.skip("no OpenSSH client")
    return program


def wait_until(done: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Wait until something is so."""
    end = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def relay_settings(database_url: str, folder: Path, **changes: object) -> Settings:
    """Return settings of a relay on free ports, whose host key lies in the folder."""
    key = folder / "relay_host_key"
    if not key.exists():
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(key))
    values: dict[str, object] = {
        "relay_port": free_port(),
        "relay_internal_port": free_port(),
        "relay_host_key": str(key),
        "relay_secret": SECRET,
        "relay_lease_s": 3,
    }
    return test_settings(database_url, folder, **{**values, **changes})


class Running:
    """A relay in a thread of its own."""

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop) -> None:
        self.relay, self.loop = relay, loop
        self.settings = relay.settings

    @property
    def held(self) -> list[str]:
        """Return the gateways it holds."""
        return sorted(self.relay.held)


@contextmanager
def running_relay(app: Flask, settings: Settings) -> Iterator[Running]:
    """Run a relay for as long as the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)
    thread.start()
    relay = Relay(app, settings)
    try:
        asyncio.run_coroutine_threadsafe(relay.start(), loop).result(timeout=30)
        yield Running(relay, loop)
    finally:
        asyncio.run_coroutine_threadsafe(relay.stop(), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


def add_gateway(app: Flask, unit: int = 1) -> tuple[int, str, str]:
    """Add a gateway that dials in; return its row, its ID and its device secret."""
    with app.app_context(), transaction():
        gateway: Gateway = GatewayFactory(endpoint=f"relay:///{unit}")
        db.session.add(PollState(gateway_id=gateway.id, next_poll_at=clock.now()))
        db.session.add(Latest(gateway_id=gateway.id))
        (secret,) = device_credentials.new_secrets([gateway], now=clock.now())
        return gateway.id, gateway.public_id, secret


class Client:
    """An OpenSSH client as a gateway runs it."""

    def __init__(
        self, settings: Settings, folder: Path, gateway: str, *, secret: str = "", key: str = ""
    ) -> None:
        self.settings, self.folder, self.gateway, self.key = settings, folder, gateway, key
        self._processes: list[subprocess.Popen[str]] = []
        public = asyncssh.read_private_key(settings.relay_host_key).export_public_key().decode()
        self.known_hosts = folder / "known_hosts"
        host = f"[127.0.0.1]:{settings.relay_port}"
        self.known_hosts.write_text(f"{host} {public}")
        self.secret_file = folder / "secret"
        self.secret_file.write_text(secret)
        self.askpass = folder / "askpass"
        self.askpass.write_text(f"#!/bin/sh\nexec cat {self.secret_file}\n")
        self.askpass.chmod(0o700)

    def command(self, *rest: str) -> list[str]:
        """Return a command line; `rest` comes before the host."""
        options = {
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "ExitOnForwardFailure": "yes",
            "NumberOfPasswordPrompts": "1",
            "PreferredAuthentications": "publickey" if self.key else "password",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "ConnectTimeout": "10",
        }
        listed = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        key = ["-i", self.key] if self.key else []
        port = ["-p", str(self.settings.relay_port)]
        return [
            needs_ssh(), "-F", "none", *listed, *key, *port, *rest, f"{self.gateway}@127.0.0.1",
        ]  # fmt: skip

    def start(self, device_port: int, *rest: str) -> subprocess.Popen[str]:
        """Dial in with the forward to the device."""
        return self.run("-N", "-T", "-R", f"modbus:502:127.0.0.1:{device_port}", *rest)

    def run(self, *rest: str, after: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Run the client."""
        return self.run_as_given(*self.command(*rest), *after)

    def run_as_given(self, *command: str) -> subprocess.Popen[str]:
        """Run a command line of the test's own."""
        process = subprocess.Popen(
            command,
            env={**os.environ, "SSH_ASKPASS": str(self.askpass), "SSH_ASKPASS_REQUIRE": "force"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def end(self) -> None:
        """End what was started here, even what is frozen."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate(timeout=10)
