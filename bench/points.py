"""[points_100k_s], [points_rss_mb]: crediting a half-year to 100,000 members, on PostgreSQL.

One worker, shard after shard, as the queue hands them out; each more takes its share. 5,000 members
are credited and the time is reckoned from them: shards do not know of each other, and 100,000 homes
are 18 million days of energy to write first. `POINTS_MEMBERS=100000` measures all of them. One home
in fifty has a day whose half hours must be looked at one by one.

    POINTS_MEMBERS=100000 python -m bench.points
"""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import MetaData, insert, select, text

from app.domain import energy_totals, half_hours, ledger, point_credits, point_runs
from app.domain.half_hours import COUNTER, LENGTH_S, Energy, HalfHour
from app.domain.programme import OURS, load
from app.extensions import db, hasher
from app.models import (
    Account,
    Consent,
    EcoMembership,
    EnergyTotal,
    Gateway,
    Installation,
    PointShard,
    PollState,
    TermsVersion,
)
from app.transaction import transaction

from .memory import resident_mb
from .portal import ADDRESS, new_portal
from .postgres import postgresql

MEMBERS = int(os.environ.get("POINTS_MEMBERS", "5000"))
ZONE = "Asia/Tokyo"
PROGRAMME = load(OURS)
PERIOD = PROGRAMME.period_of(date(2026, 6, 1))
NOW = datetime(2026, 12, 10, tzinfo=UTC)
BEGAN = datetime(2026, 4, 1, tzinfo=UTC)
AT_ONCE = 500
# of so many homes one has a day that counters know in part
TORN = 50


def measure() -> dict[str, float]:
    """Return how long a run takes, the worker's memory, and what a repeated run takes."""
    with tempfile.TemporaryDirectory() as folder, postgresql() as url:
        app = new_portal(Path(folder), database_url=url)
        add_members(app)
        began, most = time.perf_counter(), 0.0
        with app.app_context(), transaction():
            point_runs.open_due(PROGRAMME, NOW, zone=ZONE)
        with app.app_context():
            shards = list(db.session.scalars(select(PointShard.id).order_by(PointShard.id)))
        booked = 0
        for shard in shards:
            with app.app_context(), transaction():
                booked += point_credits.credit(shard, PROGRAMME, NOW)
            most = max(most, resident_mb(os.getpid()))
        took = time.perf_counter() - began
        assert booked == MEMBERS
        with app.app_context():
            assert sum(ledger.totals().values()) == 0
        return {
            "points_members": float(MEMBERS),
            "points_s": took,
            "points_members_per_s": MEMBERS / took,
            "points_100k_s": took * 100_000 / MEMBERS,
            "points_rss_mb": most,
        }


def add_members(app: Flask) -> None:
    """Add homes of one customer each, a day of energy for every day of the half-year."""
    with app.app_context(), transaction():
        version = TermsVersion(
            kind="eco", version="1", body_ja="", body_en="", effective_at=BEGAN, published_at=BEGAN
        )
        db.session.add(version)
        db.session.flush()
        version_id, password = version.id, hasher.hash("Bench-pass1")
    for first in range(1, MEMBERS + 1, AT_ONCE):
        ids = range(first, min(first + AT_ONCE, MEMBERS + 1))
        with app.app_context(), transaction():
            for model, rows in people(ids, version_id, password):
                db.session.execute(insert(model), rows)
    add_days(app)


# what to make again, a key's constraint or an index
INDEXES = """
SELECT conname, pg_get_constraintdef(oid), true FROM pg_constraint
WHERE conrelid = 'energy_totals'::regclass AND contype = 'p'
UNION ALL
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), false FROM pg_index
WHERE indrelid = 'energy_totals'::regclass AND NOT indisprimary
"""


def add_days(app: Flask) -> None:
    """Add a day of energy for every home and day, day by day, as polls write them.

    A home's rows lie far from each other then. The database makes them all from those of the first
    homes, and keys and indexes afterwards.
    """
    first_homes = range(1, TORN + 1)
    names = [one.name for one in EnergyTotal.__table__.columns]
    others = ", ".join(name for name in names if name not in ("gateway_id", "installation_id"))
    like = a_day(app)
    with app.app_context(), transaction():
        connection = db.session.connection()
        connection.execute(text("CREATE TEMP TABLE pattern (LIKE energy_totals)"))
        pattern = EnergyTotal.__table__.to_metadata(MetaData(), name="pattern")
        connection.execute(insert(pattern), list(days(first_homes, like)))
        indexes = connection.execute(text(INDEXES)).all()
        # a bench has no crash to survive
        connection.execute(text("ALTER TABLE energy_totals SET UNLOGGED"))
        for name, _made, is_key in indexes:
            drop = f"ALTER TABLE energy_totals DROP CONSTRAINT {name}" if is_key else None
            connection.execute(text(drop or f"DROP INDEX {name}"))
        for number in range((PERIOD.last - PERIOD.first).days + 1):
            connection.execute(
                text(
                    f"INSERT INTO energy_totals (gateway_id, installation_id, {others})"
                    f" SELECT id, id, {others} FROM generate_series(1, :members) AS id"
                    " JOIN pattern ON installation_id = (id - 1) % :homes + 1"
                    " WHERE day = :day ORDER BY id"
                ),
                {
                    "members": MEMBERS,
                    "homes": len(first_homes),
                    "day": PERIOD.first + timedelta(days=number),
                },
            )
        for name, made, is_key in indexes:
            add = f"ALTER TABLE energy_totals ADD CONSTRAINT {name} {made}" if is_key else made
            connection.execute(text(add))
        connection.execute(text("ANALYZE"))


def people(
    ids: range, version_id: int, password: str
) -> Iterator[tuple[type[Any], list[dict[str, Any]]]]:
    name = {"family_name": "陽", "given_name": "子", "family_kana": "ヒ", "given_kana": "コ"}
    yield (
        Account,
        [
            {
                "id": id_,
                "role": "customer",
                "email": f"member{id_}@example.org",
                "password_hash": password,
                "language": "ja",
                "phone": "+81312345678",
                "created_at": BEGAN,
                "password_changed_at": BEGAN,
                **name,
                **ADDRESS,
            }
            for id_ in ids
        ],
    )
    yield (
        Gateway,
        [
            {
                "id": id_,
                "public_id": f"BEN{id_:09d}",
                "model": "HDM-G2",
                "serial": f"S{id_}",
                "endpoint": "tcp://127.0.0.1:1/1",
                "profile": "sunspec",
                "created_at": BEGAN,
            }
            for id_ in ids
        ],
    )
    # what is open of today, long after the half-year
    half_hour = HalfHour(NOW.timestamp(), 1, 50, energy_of(300.0, 100.0, 200.0))
    yield (
        PollState,
        [
            {
                "gateway_id": id_,
                "next_poll_at": NOW,
                "half_hours": [replace(half_hour, installation_id=id_).to_json()] * 2,
                "counted_zone": ZONE,
            }
            for id_ in ids
        ],
    )
    yield (
        Installation,
        [
            {
                "id": id_,
                "gateway_id": id_,
                "account_id": id_,
                "site_name": "家",
                "opened_at": BEGAN,
                "claimed_from": "192.0.2.1",
                **ADDRESS,
            }
            for id_ in ids
        ],
    )
    yield (
        Consent,
        [
            {
                "id": id_,
                "terms_version_id": version_id,
                "account_id": id_,
                "agreed_at": BEGAN,
                "network_address": "",
            }
            for id_ in ids
        ],
    )
    yield (
        EcoMembership,
        [
            {
                "id": id_,
                "installation_id": id_,
                "account_id": id_,
                "gateway_id": id_,
                "consent_id": id_,
                "applied_at": BEGAN,
                "operation_began_on": BEGAN.date(),
                "first_generation_on": BEGAN.date(),
                "declared_no_other_generator": True,
                "declared_no_other_scheme": True,
                "member_from": PERIOD.first,
                "note": "",
            }
            for id_ in ids
        ],
    )


def a_day(app: Flask) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of a day that counters know, and of one that they know in part."""
    energy = energy_of(300.0, 100.0, 200.0)
    known = [HalfHour(start, 1, 50, energy) for start in half_hours.starts(PERIOD.first, ZONE)]
    with app.app_context():
        key = (1, 1, PERIOD.first)
        whole, torn = (
            energy_totals._row(key, ZONE, {one.start: one for one in some})
            for some in (known, known[5:])
        )
    return whole, torn


def energy_of(pv_wh: float, export_wh: float, load_wh: float) -> dict[str, Energy]:
    told = {"pv_wh": pv_wh, "export_wh": export_wh, "load_wh": load_wh}
    return {name: Energy(wh, LENGTH_S, 0, COUNTER) for name, wh in told.items()}


def days(ids: range, like: tuple[dict[str, Any], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    whole, torn = like
    for id_ in ids:
        for number in range((PERIOD.last - PERIOD.first).days + 1):
            row = torn if number == 7 and id_ % TORN == 0 else whole
            day = PERIOD.first + timedelta(days=number)
            yield row | {"gateway_id": id_, "installation_id": id_, "day": day}


if __name__ == "__main__":
    for figure, value in measure().items():
        print(f"[{figure}] {value:.4g}")
