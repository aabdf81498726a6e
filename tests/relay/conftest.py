"""A relay, a simulated home behind NAT, and the OpenSSH client between them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.config import Settings
from app.extensions import queues
from simulator.server import Running as Homes
from simulator.server import running_simulator
from tests.databases import Databases
from tests.dialing import Client, Running, needs_ssh, relay_settings, running_relay
from tests.valkey import Valkey

Dial = Callable[..., Client]


@pytest.fixture
def database_url(databases: Databases, portal_dir: Path) -> str:
    """Give SQLite alone: what the database decides here is asked on both in `tests/cli`."""
    return databases.new_sqlite(portal_dir)


@pytest.fixture
def settings(database_url: str, tmp_path: Path, valkey: Valkey) -> Settings:
    return relay_settings(database_url, tmp_path, redis_url=valkey.url)


@pytest.fixture
def relay(app: Flask, settings: Settings) -> Iterator[Running]:
    queues.init(settings.redis_url)
    with running_relay(app, settings) as running:
        yield running


@pytest.fixture(scope="session")
def homes() -> Iterator[Homes]:
    with running_simulator(1) as running:
        yield running


@pytest.fixture
def device_port(homes: Homes) -> int:
    (endpoint,) = homes.endpoints.values()
    return int(endpoint.rsplit(":")[-1].split("/")[0])


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[Dial]:
    """Make OpenSSH clients, and end them."""
    needs_ssh()
    made: list[Client] = []

    def make(gateway: str, *, at: Settings | None = None, **rest: str) -> Client:
        folder = tmp_path / f"client{len(made)}"
        folder.mkdir()
        made.append(Client(at or settings, folder, gateway, **rest))
        return made[-1]

    yield make
    for one in made:
        one.end()
