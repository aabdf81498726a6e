"""[dealer_list_ms]: server time of a dealer's list of 5,000 systems, worst first.

The whole request, from WSGI to the last byte, without a web server and without the network.
"""

import re
import statistics
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from app import clock
from app.extensions import db, hasher
from app.models import Account, Dealer, Installation, Latest, MaintenanceLink
from app.transaction import transaction

from .portal import ADDRESS, PASSWORD, add_homes, new_portal, queue_server

SYSTEMS = 5000
ROUNDS = 30
LIST = "/dealer/systems"
# what a dealer asks for: all, a filter, words, the last page
ASKED = ("", "?state=lost", "?q=家 12", f"?page={SYSTEMS // 20}")


def add_dealer(app: Flask, ids: list[int], now: datetime) -> None:
    """Add a dealer's person, and link the dealer to every home; of ten homes one is lost."""
    with app.app_context(), transaction():
        dealer = Dealer(
            dealer_no=4001,
            name="ひだまり電設",
            name_kana="ヒダマリデンセツ",
            phone="+81312345678",
            email="dealer@example.org",
            created_at=now,
            approved_at=now,
            **ADDRESS,
        )
        db.session.add(dealer)
        db.session.flush()
        db.session.add(
            Account(
                role="dealer",
                dealer_id=dealer.id,
                email="person@example.org",
                password_hash=hasher.hash(PASSWORD),
                family_name="佐藤",
                given_name="花子",
                family_kana="サトウ",
                given_kana="ハナコ",
                phone="+81312345678",
                created_at=now,
                password_changed_at=now,
                **ADDRESS,
            )
        )
        db.session.execute(update(Latest).values(taken_at=now, soc_pct=64.0))
        db.session.execute(
            update(Latest)
            .where(Latest.gateway_id % 10 == 0)
            .values(taken_at=now - timedelta(hours=1))
        )
        owners = dict(db.session.execute(select(Installation.id, Installation.account_id)).all())
        db.session.execute(
            insert(MaintenanceLink),
            [
                {
                    "gateway_id": number,
                    "installation_id": number,
                    "dealer_id": dealer.id,
                    "slot": 1,
                    "scope": "set",
                    "began_at": now,
                    "made_by_id": owners[number],
                }
                for number in ids
            ],
        )


def sign_in(client: FlaskClient) -> None:
    """Sign the dealer's person in."""
    page = client.get("/sign-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    typed = {"email": "person@example.org", "password": PASSWORD, "csrf_token": token[1]}
    answer = client.post("/sign-in", data=typed)
    assert answer.status_code == 303, answer.status


def measure() -> dict[str, float]:
    """Return the median of a list request in milliseconds: of the slowest of what is asked."""
    with tempfile.TemporaryDirectory() as folder, queue_server(Path(folder)) as redis_url:
        # a second factor is asked for once a session, not with a list
        app = new_portal(Path(folder), redis_url=redis_url, second_factor="optional")
        ids = add_homes(app, ["tcp://127.0.0.1:1/1"] * SYSTEMS)
        add_dealer(app, ids, clock.now())
        client = app.test_client()
        sign_in(client)
        medians = []
        for asked in ASKED:
            taken = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                answer = client.get(LIST + asked)
                taken.append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.status_code
            medians.append(statistics.median(taken))
        return {"dealer_list_ms": max(medians)}
