"""[mails_per_s]: mails queued in the outbox and sent by the job over SMTP on the loopback."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, select

from app import clock
from app.domain import mail as outbox
from app.extensions import db
from app.jobs.mail import send_due
from app.models import Account, OutboxMail
from app.transaction import transaction

from .portal import ROOT, add_homes, new_portal

COUNT = 500


def measure() -> dict[str, float]:
    """Queue and send COUNT mails; return how many a second went the whole way."""
    with tempfile.TemporaryDirectory() as folder:
        sink = subprocess.Popen(
            [sys.executable, "-m", "bench.smtp_sink"], cwd=ROOT, stdout=subprocess.PIPE
        )
        try:
            assert sink.stdout
            port = int(sink.stdout.readline())
            app = new_portal(Path(folder), mail_server="127.0.0.1", mail_port=port)
            add_homes(app, ["tcp://127.0.0.1:1/1"])
            with app.app_context():
                began = time.perf_counter()
                with transaction():
                    account = db.session.scalars(select(Account)).one()
                    for number in range(COUNT):
                        outbox.queue(
                            "password_changed",
                            account.email,
                            key=f"bench-{number}",
                            language="ja",
                            now=clock.now(),
                            account=account.id,
                        )
                send_due()
                elapsed = time.perf_counter() - began
                sent = db.session.scalar(select(func.count()).where(OutboxMail.state == "sent"))
            assert sent == COUNT, f"{sent} of {COUNT} mails were sent"
        finally:
            sink.terminate()
            sink.wait(10)
    return {"mails_per_s": COUNT / elapsed}
