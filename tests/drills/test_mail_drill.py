"""500 mails go out while workers are killed, the mail server is down and Valkey forgets it all.

Everything is real: `worker.py`, `rq cron`, Valkey, the demo's mail sink. What may arrive twice is
what a worker had in hand when it was killed, and nothing else.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import func, select

from app import clock
from app.config import Settings
from app.domain import mail
from app.extensions import db
from app.models import Heartbeat, OutboxMail
from app.transaction import transaction
from tests.conftest import test_settings
from tests.factories import CustomerFactory
from tests.ports import free_port
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]
MAILS = 500
WORKERS = 2
# as app/jobs/cron.py, but a drill does not wait ten seconds each time
CRON = """
from rq.cron import register
from app.jobs.mail import send_due
register(send_due, queue_name="mail", interval=1, ttl=10, result_ttl=0, failure_ttl=3600)
"""


@pytest.fixture
def settings(database_url: str, tmp_path: Path, valkey: Valkey) -> Settings:
    return test_settings(
        database_url,
        tmp_path,
        redis_url=valkey.url,
        mail_server="127.0.0.1",
        mail_port=free_port(),
        mail_timeout_s=1,
        mail_lease_s=5,
        mail_retry_s=1,
        mail_backoff_s=2,
    )


class Processes:
    """The service's processes, which the drill kills and starts as a supervisor would."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.inbox = folder / "mail"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        names = ("redis_url", "mail_server", "mail_port", "mail_timeout_s")
        names += ("mail_lease_s", "mail_retry_s", "mail_backoff_s")
        self.environment = {
            **os.environ,
            **{name.upper(): str(getattr(settings, name)) for name in names},
            "DATABASE_URL": settings.database,
            "DATA_DIR": str(folder),
            "TESTING": "1",
        }

    def start(self, name: str, *command: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def end(self, name: str, how: signal.Signals) -> None:
        process = self.running.pop(name)
        process.send_signal(how)
        process.wait(10)

    def start_sink(self) -> None:
        port = str(self.settings.mail_port)
        self.start("sink", "-m", "demo.mail_sink", "--port", port, "--dir", str(self.inbox))

    def start_workers(self) -> None:
        for number in range(WORKERS):
            self.start(f"worker{number}", "worker.py", "mail")

    def kill_workers(self) -> None:
        workers = [self.running.pop(f"worker{number}") for number in range(WORKERS)]
        for process in workers:
            process.kill()
        for process in workers:
            process.wait(10)

    def start_cron(self) -> None:
        path = self.folder / "drill_cron.py"
        path.write_text(CRON)
        self.start("cron", "-m", "rq.cli", "cron", "-u", self.settings.redis_url, str(path))

    def arrived(self) -> int:
        return sum(name.endswith(".eml") for name in os.listdir(self.inbox))


@contextmanager
def processes(settings: Settings, folder: Path) -> Iterator[Processes]:
    started = Processes(settings, folder)
    started.inbox.mkdir()
    try:
        yield started
    finally:
        for name in list(started.running):
            started.end(name, signal.SIGKILL)


def wait_until(happened: Callable[[], bool], what: str, *, within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.005)


def counted(app: Flask, *conditions: object) -> int:
    with app.app_context():
        query = select(func.count()).select_from(OutboxMail).where(*conditions)  # type: ignore[arg-type]
        return int(db.session.scalar(query) or 0)


def in_flight(app: Flask) -> set[int]:
    """Return which mails are claimed and not settled."""
    with app.app_context():
        claimed = db.select(OutboxMail.id).where(
            OutboxMail.state == "waiting",
            OutboxMail.attempts > 0,
            OutboxMail.next_attempt_at > clock.now(),
        )
        return set(db.session.scalars(claimed))


def server_is_known_to_be_away(app: Flask) -> bool:
    with app.app_context():
        return db.session.get(Heartbeat, mail.SERVER_AWAY) is not None


def queue_all(app: Flask) -> None:
    with app.app_context():
        with transaction():
            account_id = CustomerFactory().id
        # as many commits as workers: each wakes one
        for part in range(WORKERS):
            with transaction():
                for number in range(part, MAILS, WORKERS):
                    mail.queue(
                        "password_changed",
                        f"person{number}@example.org",
                        key=f"drill-{number}",
                        language="ja",
                        now=clock.now(),
                        account=account_id,
                    )


@pytest.mark.drill
def test_every_mail_arrives_whatever_is_killed_stopped_or_emptied(
    app: Flask,
    settings: Settings,
    valkey: Valkey,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    # each once: the lease of the first kill's mails may outlast the second
    at_kills: set[int] = set()
    with processes(settings, tmp_path) as service:
        service.start_sink()
        service.start_cron()
        service.start_workers()
        queue_all(app)

        wait_until(lambda: service.arrived() >= 100, "the first hundred mails")
        service.kill_workers()
        at_kills |= in_flight(app)
        service.start_workers()

        wait_until(lambda: service.arrived() >= 200, "the second hundred")
        service.kill_workers()
        at_kills |= in_flight(app)
        with Redis.from_url(valkey.url) as client:
            client.flushall()
        service.start_workers()

        wait_until(lambda: service.arrived() >= 300, "the third hundred")
        service.end("sink", signal.SIGTERM)
        wait_until(lambda: server_is_known_to_be_away(app), "the missing mail server is noticed")
        with Redis.from_url(valkey.url) as client:
            client.flushall()
        assert service.arrived() < MAILS, "all was sent before the mail server stopped"
        time.sleep(2)  # "for a while": long enough for several tries
        service.start_sink()

        wait_until(lambda: counted(app, OutboxMail.state == "sent") == MAILS, "all sent")
        assert not server_is_known_to_be_away(app)

    copies = Counter()
    for path in service.inbox.glob("*.eml"):
        with path.open("rb") as file:
            copies[BytesHeaderParser().parse(file)["To"]] += 1
    twice = sum(copies.values()) - len(copies)
    with capsys.disabled():
        print(
            f"\nmail drill ({settings.database.partition(':')[0]}): {len(copies)} of {MAILS} mails "
            f"arrived, {twice} twice, {len(at_kills)} in flight at the kills, "
            f"{time.monotonic() - began:.0f} s",
            file=sys.stderr,
        )
    assert len(copies) == MAILS
    assert twice <= len(at_kills)
    assert len(at_kills) <= 2 * WORKERS
