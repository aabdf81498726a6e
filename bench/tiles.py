"""[tile_ratio], [tile_304_ratio]: signed-in tile requests against a bare Flask view.

Both run under the same gunicorn; the load comes from a process of its own.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from werkzeug.test import TestResponse

from app import clock
from app.extensions import db
from app.models import Latest
from app.transaction import transaction

from .portal import ROOT, Server, add_homes, gunicorn, new_portal, queue_server, signed_in

COUNT = 3000
CONNECTIONS = 4
ROUNDS = 5


@dataclass(frozen=True)
class Seen:
    """What one load saw: requests per second, CPU milliseconds a request, answers by status."""

    per_s: float
    cpu_ms: float
    statuses: dict[str, int]


def load(server: Server, path: str, headers: dict[str, str]) -> Seen:
    """Run the load in a process of its own and return what it saw."""
    pairs = [f"{name}={value}" for name, value in headers.items()]
    command = [
        sys.executable,
        "-m",
        "bench.http_load",
        str(server.port),
        path,
        str(COUNT),
        str(CONNECTIONS),
    ]
    before = server.cpu_s()
    done = subprocess.run([*command, *pairs], cwd=ROOT, capture_output=True, check=True)
    seen = json.loads(done.stdout)
    return Seen(seen["per_s"], (server.cpu_s() - before) / COUNT * 1000, seen["statuses"])


def present_tag(answer: TestResponse) -> dict[str, str]:
    """Return the header by which a browser says which tiles it has."""
    assert answer.status_code == 200, answer.status_code
    return {"HX-PTag": answer.headers["HX-PTag"]}


def measure() -> dict[str, float]:
    """Return both ratios, the rates (requests per second) and the CPU time they were made of."""
    with tempfile.TemporaryDirectory() as folder, queue_server(Path(folder)) as redis_url:
        app = new_portal(Path(folder), redis_url=redis_url)
        add_homes(app, ["tcp://127.0.0.1:1/1"])
        with app.app_context(), transaction():
            latest = db.session.get_one(Latest, 1)
            latest.taken_at = clock.now()
            latest.state = "running"
            latest.pv_now_w, latest.load_now_w = 3210.0, 1234.0
            latest.sold_now_w, latest.bought_now_w = 1200.0, 0.0
            latest.battery_now_w, latest.soc_pct = -776.0, 64.0
            latest.pv_today_wh = latest.load_today_wh = 7654.0
        client = signed_in(app)
        cookie = client.get_cookie("hidamari")
        assert cookie
        headers = {"Cookie": f"hidamari={cookie.value}", "HX-Request": "true"}
        path = "/monitor/BENCH0000001/tiles"
        environment = {
            "DEMO": "1",
            "DATA_DIR": folder,
            "SECRET_KEY": "bench-" * 8,
            "BASE_URL": "http://localhost",
            "REDIS_URL": redis_url,
        }
        loads: dict[str, list[Seen]] = {"bare": [], "rendered": [], "unchanged": []}
        with (
            gunicorn("bench.bare_view:app", "/", {}) as bare,
            gunicorn("wsgi:app", "/monitor/sign-in", environment) as portal,
        ):
            for _ in range(ROUNDS):
                loads["bare"].append(load(bare, "/", {}))
                # a sample older than a minute shows its age, which moves on
                with app.app_context(), transaction():
                    db.session.get_one(Latest, 1).taken_at = clock.now()
                unchanged = {**headers, **present_tag(client.get(path))}
                for name, sent, status in (
                    ("rendered", headers, "200"),
                    ("unchanged", unchanged, "304"),
                ):
                    seen = load(portal, path, sent)
                    # the age a tile shows may move on meanwhile: some of the unchanged are rendered
                    assert seen.statuses[status] > 0.9 * COUNT, seen
                    loads[name].append(seen)
    per_s = {name: statistics.median(seen.per_s for seen in loads[name]) for name in loads}
    cpu_ms = {name: statistics.median(seen.cpu_ms for seen in loads[name]) for name in loads}

    def ratio(name: str) -> float:
        # round by round: what slows the machine for a while slows both sides of a round
        rounds = zip(loads[name], loads["bare"], strict=True)
        return statistics.median(seen.per_s / bare.per_s for seen, bare in rounds)

    return {
        "tile_ratio": ratio("rendered"),
        "tile_304_ratio": ratio("unchanged"),
        "bare_views_per_s": per_s["bare"],
        "tiles_per_s": per_s["rendered"],
        "tiles_304_per_s": per_s["unchanged"],
        # what other work on the machine does not change as much as the rates
        "bare_cpu_ms": cpu_ms["bare"],
        "tile_cpu_ms": cpu_ms["rendered"],
        "tile_304_cpu_ms": cpu_ms["unchanged"],
    }
