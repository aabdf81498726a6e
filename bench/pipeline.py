"""[pipeline_ratio]: a poll from the wire to its rows on PostgreSQL, against its two bare halves.

The whole job reads, decodes, writes the sample, the tiles' row, half hours and the schedule. Beside
it stand a bare pymodbus loop that reads the same registers, and a bare COPY of the same samples;
the ratio is to the slower of both.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.engine import make_url

from app import clock, profiles
from app.drivers.modbus import Outcome, Target, poll
from app.extensions import db
from app.jobs.measurements import clear_measurements
from app.jobs.poll import poll_shard
from app.models import EnergyTotal, Gateway, PollState, Reading
from app.profiles.base import Layout
from app.transaction import transaction

from .polls import CONCURRENCY, GATEWAYS, ROUNDS, bare_loop, canned_gateway
from .portal import add_homes, new_portal
from .postgres import postgresql

COPY = (
    "COPY bare_readings (gateway_id, taken_at, pv_w, load_w, grid_w, battery_w, soc_pct, counters)"
    " FROM STDIN"
)


def measure() -> dict[str, float]:
    """Return the ratio and the three rates, in gateways per second."""
    with prepared() as (app, ids, port, layout):
        return rates(app, ids, lambda: bare_poll_all(port, layout))


@contextmanager
def prepared() -> Iterator[tuple[Flask, list[int], int, Layout]]:
    """Give a portal with gateways to poll, their ids, the server's port and their layout."""
    with tempfile.TemporaryDirectory() as folder, canned_gateway() as port, postgresql() as url:
        app = new_portal(Path(folder), database_url=url, poll_concurrency=CONCURRENCY)
        endpoint = f"tcp://127.0.0.1:{port}/1"
        found = asyncio.run(poll(Target(1, endpoint, "sunspec"), timeout_s=5, now=clock.now))
        assert found.outcome is Outcome.OK
        assert found.discovery
        layout = found.discovery.layout
        ids = add_homes(app, [endpoint] * GATEWAYS)
        with app.app_context(), transaction():
            db.session.execute(update(Gateway).values(layout=layout.to_json()))
        yield app, ids, port, layout


def bare_poll_all(port: int, layout: Layout) -> None:
    """Read all gateways' registers with pymodbus alone."""
    asyncio.run(bare_loop(port, profiles.get("sunspec").requests(layout)))


def rates(app: Flask, ids: list[int], bare: Callable[[], None]) -> dict[str, float]:
    """Measure all three in turn, ROUNDS times, and take medians."""
    found: dict[str, list[float]] = {"bare": [], "copy": [], "job": []}
    ratios = []

    def timed(name: str, act: Callable[[], None]) -> None:
        begun = time.perf_counter()
        act()
        found[name].append(GATEWAYS / (time.perf_counter() - begun))

    with app.app_context():
        clear_measurements()  # makes the partitions
        poll_shard(ids)  # first contact: not what is measured
        poll_shard(ids)
        rows = db.session.execute(select(Reading.__table__).limit(GATEWAYS)).all()
        db.session.rollback()
        plain = make_url(str(app.config["SQLALCHEMY_DATABASE_URI"])).set(drivername="postgresql")
        with psycopg.connect(plain.render_as_string(hide_password=False)) as connection:
            connection.execute("CREATE TABLE bare_readings (LIKE readings INCLUDING ALL)")
            connection.commit()
            for number in range(ROUNDS):
                timed("bare", bare)
                timed("copy", partial(copy, connection, rows, timedelta(seconds=number)))
                timed("job", partial(poll_shard, ids))
                ratios.append(found["job"][-1] / min(found["bare"][-1], found["copy"][-1]))
        kept = db.session.scalar(select(func.count()).select_from(Reading))
        good = db.session.scalar(select(func.count()).where(PollState.last_outcome == "ok"))
        counted = db.session.scalar(select(func.count()).select_from(EnergyTotal))
        db.session.rollback()
    assert kept == GATEWAYS * (ROUNDS + 2), f"{kept} readings were kept"
    assert good == GATEWAYS
    assert counted is not None
    return {
        "pipeline_ratio": statistics.median(ratios),
        "pipeline_polls_per_s": statistics.median(found["job"]),
        "pipeline_bare_polls_per_s": statistics.median(found["bare"]),
        "pipeline_copied_rows_per_s": statistics.median(found["copy"]),
    }


def copy(connection: psycopg.Connection, rows: list[object], later: timedelta) -> None:
    """Write the samples by COPY, in one transaction."""
    with connection.cursor() as cursor, cursor.copy(COPY) as target:
        for gateway_id, taken_at, *values, counters in rows:  # type: ignore[misc]
            moment: datetime = taken_at + later
            target.write_row((gateway_id, moment, *values, json.dumps(counters)))
    connection.commit()
