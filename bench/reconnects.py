"""Thousands of gateways dial in again at once, after their relay was killed.

`python -m bench.reconnects --gateways 5000`: two relays, Valkey, SQLite and the gateways (asyncssh
clients in a few processes) on the loopback. All dial in at one relay, that is killed, all dial in
at the other in the same moment: without the pauses that `deploy/gateway/` has them make, or with
them (`--jitter 20`). Told are the seconds until all are held, and the CPU seconds of the relay.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import asyncssh
from sqlalchemy import select

from app import clock, holders
from app.cli.devices import create_host_key
from app.domain import device_credentials
from app.extensions import db, queues
from app.models import Gateway
from app.transaction import transaction

from .memory import resident_mb
from .portal import ROOT, free_port, new_portal, queue_server

PROCESSES = 4
PATIENCE_S = 900
# as the unit in deploy/gateway/ has it
PAUSE_S = 5.0
SECRET = "known to relays and workers of this measurement"


def main() -> None:
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--gateways", type=int, default=5000)
    wanted.add_argument("--jitter", type=float, default=0.0, help="s; 0: all at the same moment")
    given = wanted.parse_args()
    told = measure(given.gateways, given.jitter)
    print(json.dumps(told, indent=2))


def measure(count: int, jitter_s: float) -> dict[str, object]:
    """Let `count` gateways dial in, kill their relay, and wait until the other has them all."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
    with tempfile.TemporaryDirectory() as name, queue_server(Path(name)) as url:
        folder = Path(name)
        secrets = add_gateways(folder, url, count)
        queues.init(url)
        create_host_key(folder / "relay_host_key")
        # the one that takes over is not there yet: it must not cost while the first is measured
        first = start_relay(folder, url)
        port = multiprocessing.Value("i", first.port)
        shares = [list(secrets.items())[place::PROCESSES] for place in range(PROCESSES)]
        clients = [
            multiprocessing.Process(target=run_clients, args=(share, port, jitter_s))
            for share in shares
        ]
        began = time.monotonic()
        for process in clients:
            process.start()
        try:
            told: dict[str, object] = {"gateways": count, "jitter_s": jitter_s}
            told |= watch("first", first, list(secrets), began, clients)
            second = start_relay(folder, url)
            port.value = second.port
            first.process.kill()
            began = time.monotonic()
            told |= watch("after_kill", second, list(secrets), began, clients)
            idle = second.cpu_s()
            time.sleep(30)
            told["idle_cpu_percent"] = round((second.cpu_s() - idle) / 30 * 100, 1)
            return told
        finally:
            for process in clients:
                process.kill()
            first.process.kill()
            with suppress(NameError):
                second.process.terminate()
                second.process.wait(60)


class OneRelay:
    """A relay process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, address: str) -> None:
        self.process, self.port, self.address = process, port, address

    def cpu_s(self) -> float:
        return cpu_s(self.process.pid)


def start_relay(folder: Path, url: str) -> OneRelay:
    """Start a relay and wait until it shows itself."""
    port, inner = free_port(), free_port()
    environment = {
        **os.environ,
        "TESTING": "1",
        "DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "REDIS_URL": url,
        "RELAY_PORT": str(port),
        "RELAY_INTERNAL_PORT": str(inner),
        "RELAY_SECRET": SECRET,
    }
    with (folder / f"relay-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "relay.py"], cwd=ROOT, env=environment, stderr=log
        )
    relay = OneRelay(process, port, f"127.0.0.1:{inner}")
    until(lambda: relay.address in [one.address for one in holders.relays(clock.now())])
    return relay


def add_gateways(folder: Path, url: str, count: int) -> dict[str, str]:
    """Migrate a database in the folder and add gateways; return their secrets."""
    app = new_portal(folder, redis_url=url)
    with app.app_context(), transaction():
        db.session.add_all(
            Gateway(
                public_id=f"SIM{place:09d}",
                model="HDM",
                serial=str(place),
                endpoint="relay:///1",
                profile="sunspec",
                created_at=clock.now(),
            )
            for place in range(count)
        )
        db.session.flush()
        rows = db.session.scalars(select(Gateway)).all()
        made = device_credentials.new_secrets(rows, now=clock.now())
        return {row.public_id: secret for row, secret in zip(rows, made, strict=True)}


def watch(
    name: str,
    relay: OneRelay,
    ids: Sequence[str],
    began: float,
    clients: Sequence[multiprocessing.Process],
) -> dict[str, object]:
    """Wait until the relay has them all; return how long it took and what it cost."""
    before, others = relay.cpu_s(), sum(cpu_s(one.pid or 0) for one in clients)
    half: list[float] = []
    here = holders.split_address(relay.address)

    def all_are_held() -> bool:
        held = sum(found == here for found in holders.find(ids).values())
        if held >= len(ids) / 2 and not half:
            half.append(time.monotonic() - began)
        return held == len(ids)

    until(all_are_held, every_s=0.5)
    used = relay.cpu_s() - before
    return {
        f"{name}_half_s": round(half[0], 1),
        f"{name}_all_s": round(time.monotonic() - began, 1),
        f"{name}_relay_cpu_s": round(used, 1),
        f"{name}_relay_ms_each": round(used / len(ids) * 1000, 2),
        f"{name}_relay_mb": round(resident_mb(relay.process.pid)),
        f"{name}_clients_cpu_s": round(sum(cpu_s(one.pid or 0) for one in clients) - others, 1),
    }


def run_clients(share: list[tuple[str, str]], port: "Synchronized[int]", jitter_s: float) -> None:
    """Be some of the gateways: dial in, and again when the relay is gone."""
    os.nice(5)
    asyncio.run(dial_in_all(share, port, jitter_s))


async def dial_in_all(
    share: list[tuple[str, str]], port: "Synchronized[int]", jitter_s: float
) -> None:
    # one set of options for all: to make one takes longer than to sign in
    options = asyncssh.SSHClientConnectionOptions(
        known_hosts=None, client_keys=None, config=None, agent_path=None, login_timeout=120
    )

    async def dial(gateway: str, secret: str) -> None:
        # homes have an address each: many of one that fail would be let in by fours
        place = int(gateway[3:])
        home = f"127.1.{place // 250}.{place % 250 + 1}"
        while True:
            try:
                connection = await asyncssh.connect(
                    "127.0.0.1",
                    port.value,
                    local_addr=(home, 0),
                    options=options,
                    username=gateway,
                    password=secret,
                    config=None,
                )
                await connection.start_server(lambda *_: True, "modbus", 502)
                await connection.wait_closed()
                await asyncio.sleep(random.uniform(0, jitter_s))
            except (OSError, asyncssh.Error):
                await asyncio.sleep(PAUSE_S + random.uniform(0, jitter_s))

    await asyncio.gather(*(dial(*one) for one in share))


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process so far (Linux)."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def until(done: Callable[[], bool], *, every_s: float = 0.1) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: It takes too long.
    """
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("not all of them came")
        time.sleep(every_s)


if __name__ == "__main__":
    main()
