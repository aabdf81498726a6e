"""[bytes_per_gateway_day]: what a gateway's day takes on PostgreSQL: samples and half hours.

The samples of a day (one a minute) are dropped after `RAW_RETENTION_DAYS`; the row with its half
hours stays for `HALF_HOUR_YEARS`, and is told apart.
"""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from app import clock
from app.domain import energy_totals, half_hours
from app.domain.half_hours import COUNTER, LENGTH_S, Energy, HalfHour
from app.extensions import db
from app.models import Reading
from app.transaction import transaction
from demo.homes import KINDS
from simulator.household import Config, Household

from .portal import add_homes, new_portal
from .postgres import postgresql

GATEWAYS = 100
ZONE = "Asia/Tokyo"
NAMES = ("pv", "load", "import", "export", "charge", "discharge")


def measure() -> dict[str, float]:
    """Return both figures, in bytes, indexes included."""
    with tempfile.TemporaryDirectory() as folder, postgresql() as url:
        app = new_portal(Path(folder), database_url=url)
        ids = add_homes(app, ["tcp://127.0.0.1:1/1"] * GATEWAYS)
        day = (clock.now() - timedelta(days=2)).date()
        samples, lived = live_a_day(half_hours.starts(day, ZONE))
        with app.app_context():
            for id_ in ids:
                with transaction():
                    db.session.execute(
                        insert(Reading), [{"gateway_id": id_} | sample for sample in samples]
                    )
                    energy_totals.write([energy_totals.Settled(id_, ZONE, lived)])
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
                raw, kept = (
                    connection.execute(text(f"SELECT pg_total_relation_size('{name}')")).scalar()
                    for name in ("readings_default", "energy_totals")
                )
        assert raw
        assert kept
        return {
            "bytes_per_gateway_day": (raw + kept) / GATEWAYS,
            "half_hour_bytes_per_gateway_day": kept / GATEWAYS,
        }


def live_a_day(starts: list[float]) -> tuple[list[dict[str, Any]], list[HalfHour]]:
    """Return a household's samples, one a minute, and its half hours."""
    home = Household.begin(Config(id="BENCH", **KINDS[0]), starts[0])
    samples, lived = [], []
    for start in starts:
        before, soc_pct = dict(home.energy), round(home.stored * 100)
        for minute in range(1, 31):
            at_s = start + minute * 60
            home.skim(at_s, 30)
            flow = home.flow(at_s)
            samples.append(
                {
                    "taken_at": datetime.fromtimestamp(at_s - 0.5, UTC),
                    "pv_w": flow.pv_w,
                    "load_w": flow.load_w,
                    "grid_w": flow.grid_w,
                    "battery_w": flow.battery_w,
                    "soc_pct": round(home.stored * 100, 1),
                    "counters": {f"{name}_wh": round(home.energy[name]) for name in NAMES},
                }
            )
        energy = {
            f"{name}_wh": Energy(home.energy[name] - before[name], LENGTH_S, 0, COUNTER)
            for name in NAMES
        }
        lived.append(HalfHour(start, 0, soc_pct, energy))
    return samples, lived
