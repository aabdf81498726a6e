"""Signs of life."""

from datetime import UTC, datetime, timedelta

from flask import Flask

from app.domain import heartbeats
from app.extensions import db
from app.models import Heartbeat
from app.transaction import transaction

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def beats(app: Flask, *moments: datetime) -> tuple[datetime, datetime]:
    """Beat at each moment; return when the part was last seen and since when without a break."""
    for moment in moments:
        with app.app_context(), transaction():
            heartbeats.beat("queue:mail", moment)
    with app.app_context():
        row = db.session.get_one(Heartbeat, "queue:mail")
        return row.at, row.back_at


def test_a_part_that_beats_on_was_never_away(app: Flask) -> None:
    later = NOON + timedelta(seconds=60)
    assert beats(app, NOON, later) == (later, NOON)


def test_a_part_that_was_away_is_back_since_its_next_beat(app: Flask) -> None:
    later = NOON + timedelta(seconds=61)
    assert beats(app, NOON, later) == (later, later)


def test_a_part_that_never_beat_is_left_out(app: Flask) -> None:
    beats(app, NOON)
    with app.app_context():
        assert heartbeats.seen_at(["queue:mail", "queue:poll"]) == {"queue:mail": NOON}
