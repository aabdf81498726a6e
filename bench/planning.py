"""[plan_home_ms, plan_home_tested_ms, plans_10000_min]: CPU time of a day's plans, by the job.

One process makes an evening's plans by cost for homes all over the country with weeks of history,
from the database and back into it. One home in seven asks its held-back days, as each does once a
week (`plan_home_tested_ms`). What ten thousand homes take is told for one core from what `HOMES`
took, each prefecture's sky included; or all of them are planned:

    python -m bench.planning 10000
"""

import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select, update

from app import clock
from app.domain.daylight import CAPITALS
from app.domain.energy import day_of
from app.extensions import db
from app.jobs import planning
from app.models import EnergyTotal, Gateway, Installation, Latest, Plan, PlanChoice
from app.transaction import transaction
from demo import past
from demo.homes import KINDS

from .memory import resident_mb
from .portal import add_homes, new_portal

HOMES = 200
DAYS = 90
DAYS_OF_WEEK = 7
PREFECTURES = sorted(CAPITALS)
ZONE = "Asia/Tokyo"


def measure(homes: int = HOMES) -> dict[str, float]:
    """Return milliseconds for a home, and minutes of one core for ten thousand."""
    with tempfile.TemporaryDirectory() as folder:
        app = new_portal(Path(folder))
        add_homes(app, ["tcp://127.0.0.1:1/1"] * homes)
        now = clock.now()
        with app.app_context(), transaction():
            ids = settle(now)
            # an evening: held-back days are asked again once a week, each home on its own day
            today, _begins = day_of(now, ZONE)
            db.session.execute(
                update(PlanChoice)
                .where(PlanChoice.installation_id % DAYS_OF_WEEK != 1)
                .values(tested_on=today)
            )
        with app.app_context():
            # what is loaded once is not a plan's
            planning.plan_shard(ids[:1])
            tested, plain = [], []
            begun = time.perf_counter()
            for id_ in ids[1:]:
                (tested if id_ % DAYS_OF_WEEK == 1 else plain).append(timed(id_))
            took = time.perf_counter() - begun
            made = set(db.session.scalars(select(Plan.outcome)))
            assert made == {"made"}, made
    plain_s, tested_s = statistics.mean(plain), statistics.mean(tested)
    return {
        "plan_homes": float(homes),
        "plan_home_ms": plain_s * 1000,
        "plan_home_tested_ms": tested_s * 1000,
        "plans_s": took,
        "plans_rss_mb": resident_mb(os.getpid()),
        "plans_10000_min": 10_000 * (6 * plain_s + tested_s) / 7 / 60,
    }


def settle(now: object) -> list[int]:
    """Give every home the same weeks of history, a charge, and a choice; return their ids."""
    since = past.opened(clock.now(), DAYS)
    db.session.execute(update(Installation).values(opened_at=since))
    db.session.execute(update(Gateway).values(ratings={"battery_wh": 9800, "battery_w": 3000}))
    # from all over the country, and not two evenings alike
    db.session.execute(
        update(Latest).values(taken_at=now, soc_pct=10.0 + Latest.gateway_id * 7 % 80)
    )
    for number, prefecture in enumerate(PREFECTURES):
        db.session.execute(
            update(Installation)
            .where(Installation.id % len(PREFECTURES) == number)
            .values(prefecture=prefecture)
        )
    past.write({"id": "BENCH0000001", **KINDS[0]}, 1, 1, since, clock.now())
    columns = EnergyTotal.__table__.columns
    rows = db.session.execute(select(*columns).where(EnergyTotal.installation_id == 1)).all()
    ids = list(db.session.scalars(select(Installation.id).order_by(Installation.id)))
    for id_ in ids[1:]:
        own = {"gateway_id": id_, "installation_id": id_}
        db.session.execute(insert(EnergyTotal), [row._asdict() | own for row in rows])
    chosen = {"cost": True, "tariff": "tepco-smart-life", "sell_yen": 8.5}
    for id_ in ids:
        db.session.add(
            PlanChoice(
                installation_id=id_,
                changed_at=clock.now(),
                due_at=clock.now() - timedelta(minutes=1),
                **chosen,
            )
        )
    return ids


def timed(id_: int) -> float:
    begun = time.process_time()
    planning.plan_shard([id_])
    return time.process_time() - begun


if __name__ == "__main__":
    for name, value in measure(int(sys.argv[1]) if len(sys.argv) > 1 else HOMES).items():
        print(f"[{name}] {value:.3g}")
