"""[history_day_ms, history_month_ms, history_year_ms]: pages over three years of history.

The whole request with the period before beside it, from WSGI to the last byte, without a web server
and without the network.
"""

import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from app import clock
from app.extensions import db
from app.models import Installation
from app.transaction import transaction
from demo import past
from demo.homes import KINDS

from .portal import add_homes, new_portal, queue_server, signed_in

YEARS = 3
ROUNDS = 20


def measure() -> dict[str, float]:
    """Return the median milliseconds of each page."""
    with tempfile.TemporaryDirectory() as folder, queue_server(Path(folder)) as redis_url:
        app = new_portal(Path(folder), redis_url=redis_url)
        add_homes(app, ["tcp://127.0.0.1:1/1"])
        now = clock.now()
        with app.app_context(), transaction():
            since = past.opened(now, YEARS * 365)
            db.session.execute(update(Installation).values(opened_at=since))
            past.write({"id": "BENCH0000001", **KINDS[0]}, 1, 1, since, now)
        client = signed_in(app)
        figures = {}
        for span in ("day", "month", "year"):
            day = (now - timedelta(days=400)).date()
            path = f"/monitor/BENCH0000001/history/{span}?date={day}&compare=1"
            times = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                answer = client.get(path)
                assert answer.status_code == 200, answer.status_code
                times.append((time.perf_counter() - begun) * 1000)
            figures[f"history_{span}_ms"] = statistics.median(times)
        return figures
