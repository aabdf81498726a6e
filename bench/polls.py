"""[poll_ratio]: gateways polled through the whole job against a bare pymodbus loop.

Both read the same registers from the same canned server with the same concurrency, one client
process each, over a connection of its own per gateway.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient
from sqlalchemy import func, select, update

from app import clock, profiles
from app.drivers.modbus import Endpoint, Outcome, Target, poll
from app.extensions import db
from app.jobs.poll import poll_shard
from app.models import Gateway, PollState, Reading
from app.profiles.base import Layout, ReadRequest
from app.transaction import transaction
from simulator.server import running_simulator

from .portal import ROOT, add_homes, new_portal

GATEWAYS = 500
CONCURRENCY = 100
ROUNDS = 5


async def bare_poll(port: int, requests: tuple[ReadRequest, ...]) -> None:
    """Connect, read and close with pymodbus alone."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    assert await client.connect()
    for request in requests:
        answer = await client.read_holding_registers(
            request.address, count=request.count, device_id=1
        )
        assert len(answer.registers) == request.count
    client.close()


async def bare_loop(port: int, requests: tuple[ReadRequest, ...]) -> None:
    """Poll GATEWAYS times, CONCURRENCY at a time."""
    todo = iter(range(GATEWAYS))

    async def work() -> None:
        for _ in todo:
            await bare_poll(port, requests)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


def record_image() -> bytes:
    """Return the registers of a simulated household, from address 0 on, as a device has them."""
    with running_simulator(1) as homes:
        (endpoint,) = homes.endpoints.values()
        return asyncio.run(read_image(endpoint))


async def read_image(endpoint: str) -> bytes:
    """Read every register a device answers from 40000 on, block by block."""
    where = Endpoint.parse(endpoint)
    image = bytearray(2 * 40000)
    client = AsyncModbusTcpClient(where.host, port=where.port, timeout=5, retries=0)
    assert await client.connect()
    address = 40000
    while address < 42000:
        answer = await client.read_holding_registers(address, count=1, device_id=where.unit)
        if answer.isError():
            break
        image += answer.registers[0].to_bytes(2, "big")
        address += 1
    client.close()
    return bytes(image)


def measure() -> dict[str, float]:
    """Return the ratio, both rates (gateways per second) and CPU seconds per poll of both."""
    with tempfile.TemporaryDirectory() as folder, canned_gateway() as port:
        return measure_against(port, Path(folder))


@contextmanager
def canned_gateway() -> Iterator[int]:
    """Serve the registers of a simulated household in a process of its own; give its port."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.bin"
        image.write_bytes(record_image())
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.canned_gateway", str(image)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        try:
            assert server.stdout
            yield int(server.stdout.readline())
        finally:
            server.terminate()
            server.wait(10)


def measure_against(port: int, folder: Path) -> dict[str, float]:
    """Measure both in turn, ROUNDS times, and take medians."""
    endpoint = f"tcp://127.0.0.1:{port}/1"
    found = asyncio.run(poll(Target(1, endpoint, "sunspec"), timeout_s=5, now=clock.now))
    assert found.outcome is Outcome.OK
    assert found.discovery
    layout: Layout = found.discovery.layout
    requests = profiles.get("sunspec").requests(layout)
    app = new_portal(folder, poll_concurrency=CONCURRENCY)
    ids = add_homes(app, [endpoint] * GATEWAYS)
    with app.app_context(), transaction():
        # discovered before: a poll that walks the chain is the first one only
        db.session.execute(update(Gateway).values(layout=layout.to_json()))
    rates: dict[str, list[float]] = {"bare": [], "job": []}
    cpu: dict[str, list[float]] = {"bare": [], "job": []}

    def timed(name: str, act: object) -> None:
        wall, busy = time.perf_counter(), time.process_time()
        act()  # type: ignore[operator]
        rates[name].append(GATEWAYS / (time.perf_counter() - wall))
        cpu[name].append((time.process_time() - busy) / GATEWAYS)

    with app.app_context():
        poll_shard(ids)  # first contact: not what is measured
        for _ in range(ROUNDS):
            timed("bare", lambda: asyncio.run(bare_loop(port, requests)))
            timed("job", lambda: poll_shard(ids))
        kept = db.session.scalar(select(func.count()).select_from(Reading))
        good = db.session.scalar(select(func.count()).where(PollState.last_outcome == "ok"))
    assert kept == GATEWAYS * (ROUNDS + 1), f"{kept} readings were kept"
    assert good == GATEWAYS
    bare_s, job_s = (statistics.median(rates[name]) for name in ("bare", "job"))
    return {
        "poll_ratio": job_s / bare_s,
        "bare_polls_per_s": bare_s,
        "polls_per_s": job_s,
        "bare_cpu_s_per_poll": statistics.median(cpu["bare"]),
        "cpu_s_per_poll": statistics.median(cpu["job"]),
        "registers_per_poll": sum(request.count for request in requests),
        "requests_per_poll": len(requests),
    }
