"""[settings_round_trip_ms]: from the button to 「設定しました」, against a simulated device.

A household confirms a change: the order is placed, a worker takes it, recognises the device,
writes, reads back and settles. What is measured is the time from the request until the order says
"confirmed", and the driver's part of it.
"""

import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from app import clock
from app.domain import setting_orders
from app.domain import settings as rules
from app.drivers.modbus import Target
from app.drivers.settings import read_settings, write_settings
from app.extensions import db
from app.models import Account, SettingOrder, SettingStand
from app.transaction import transaction
from simulator.household import Config
from simulator.server import running_simulator

from .cycle import running_worker
from .portal import add_homes, new_portal, queue_server

HOME = "BENCH0000001"
# a device takes no more than twenty changes an hour
ROUNDS = 15
PATIENCE_S = 30


def measure() -> dict[str, float]:
    """Return the medians in milliseconds, of the whole way and of the device's part."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        homes = stack.enter_context(running_simulator([Config(id=HOME, dialect="10x")]))
        queue = stack.enter_context(queue_server(folder))
        app = new_portal(folder, redis_url=queue)
        add_homes(app, [homes.endpoints[HOME]])
        url = str(app.config["SQLALCHEMY_DATABASE_URI"])
        stack.enter_context(running_worker(folder, url, queue, "settings"))
        target = Target(1, homes.endpoints[HOME], "sunspec")
        whole, device = [], []
        read(app, target)
        round_trip(app, 19)  # the worker is starting: not what is measured
        for number in range(ROUNDS):
            whole.append(round_trip(app, 20 + number))
            device.append(written(target, 50 + number))
            read(app, target)
        return {
            "settings_round_trip_ms": statistics.median(whole),
            "settings_round_trip_longest_ms": max(whole),
            "settings_device_ms": statistics.median(device),
        }


def read(app: Flask, target: Target) -> None:
    """Keep what stands at the device, as a job that was asked to would."""
    told = asyncio.run(read_settings(target, timeout_s=5, now=clock.now)).settings
    assert told
    with app.app_context(), transaction():
        rules.keep(1, told, clock.now())


def round_trip(app: Flask, percent: int) -> float:
    """Return how many milliseconds a change of the reserve took until it was confirmed."""
    with app.app_context():
        begun = time.perf_counter()
        with transaction():
            stand = db.session.get_one(SettingStand, 1)
            order = setting_orders.place(
                db.session.scalars(select(Account)).one(),
                HOME,
                {"reserve_pct": percent},
                seen={"reserve_pct": stand.values["reserve_pct"]},
                reason="",
                until=None,
                network_address="127.0.0.1",
                now=clock.now(),
            )
            order_id = order.id
        while time.perf_counter() - begun < PATIENCE_S:
            state = db.session.scalar(select(SettingOrder.state).where(SettingOrder.id == order_id))
            db.session.rollback()
            if state == "confirmed":
                return (time.perf_counter() - begun) * 1000
            assert state in ("asked", "sent"), state
            time.sleep(0.005)
    raise AssertionError("the order was not confirmed in time")


def written(target: Target, percent: int) -> float:
    """Return how many milliseconds the driver takes to write and read back."""
    begun = time.perf_counter()
    result = asyncio.run(
        write_settings(target, {"reserve_pct": percent}, hold_s=None, timeout_s=5, now=clock.now)
    )
    assert result.settings
    assert result.settings.values["reserve_pct"] == percent
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"[{name}] {value:.4g}")
