"""Many rows in one statement, on both databases."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import batches
from app.extensions import db
from app.models import Latest, PollState, Reading
from app.transaction import transaction
from tests.factories import GatewayFactory

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def ids(app: Flask) -> list[int]:
    """Give the ids of three gateways."""
    with app.app_context(), transaction():
        gateways = GatewayFactory.create_batch(3)
        db.session.flush()
        return sorted(gateway.id for gateway in gateways)


def reading(gateway_id: int, pv_w: float | None) -> dict[str, Any]:
    counters = {"pv_wh": 123456.7, "load_wh": 0.1}
    return {"gateway_id": gateway_id, "taken_at": NOON, "pv_w": pv_w, "counters": counters}


def latest(gateway_id: int, at: datetime, soc_pct: float | None) -> dict[str, Any]:
    return {
        "gateway_id": gateway_id,
        "taken_at": at,
        "day": date(2026, 11, 22),
        "state": "running",
        "alarms": ["熱い", 'a "quoted" one'],
        "soc_pct": soc_pct,
    }


def test_rows_are_inserted_once(app: Flask, ids: list[int]) -> None:
    with app.app_context():
        batches.insert_new(Reading, [reading(ids[0], 1.5), reading(ids[1], None)])
        batches.insert_new(Reading, [reading(ids[1], 9.9), reading(ids[2], 0.0)])
        batches.insert_new(Reading, [])
        kept = db.session.scalars(select(Reading).order_by(Reading.gateway_id)).all()
        assert [one.pv_w for one in kept] == [1.5, None, 0.0]
        assert [one.taken_at for one in kept] == [NOON] * 3
        assert kept[0].counters == {"pv_wh": 123456.7, "load_wh": 0.1}


def test_only_a_newer_row_takes_the_place_of_another(app: Flask, ids: list[int]) -> None:
    with app.app_context(), transaction():
        db.session.add(Latest(gateway_id=ids[2], taken_at=None))
        db.session.flush()
        for at, charges in ((NOON, (10.0, 20.0, 30.0)), (LATER, (11.5,)), (NOON, (99.0, 99.0))):
            rows = [latest(id_, at, soc) for id_, soc in zip(ids, charges, strict=False)]
            batches.upsert_newer(Latest, rows, key="gateway_id", by="taken_at")
    with app.app_context():
        kept = db.session.scalars(select(Latest).order_by(Latest.gateway_id)).all()
        assert [one.soc_pct for one in kept] == [11.5, 20.0, 30.0]
        assert [one.taken_at for one in kept] == [LATER, NOON, NOON]
        assert kept[0].alarms == ["熱い", 'a "quoted" one']
        assert kept[0].day == date(2026, 11, 22)
        assert kept[0].incident == ""


def test_each_row_is_changed_by_its_own_values(app: Flask, ids: list[int]) -> None:
    with app.app_context(), transaction():
        db.session.add_all(
            PollState(gateway_id=id_, next_poll_at=NOON, claimed_until=NOON) for id_ in ids
        )
        db.session.flush()
        batches.update_each(
            PollState,
            [
                {
                    "gateway_id": id_,
                    "next_poll_at": LATER,
                    "claimed_until": None,
                    "is_slow": id_ == ids[0],
                    "failures": number,
                    "meters": {"pv_wh": {"doubt": [1.5, None]}},
                }
                for number, id_ in enumerate(ids[:2])
            ],
            key="gateway_id",
        )
    with app.app_context():
        kept = db.session.scalars(select(PollState).order_by(PollState.gateway_id)).all()
        assert [one.next_poll_at for one in kept] == [LATER, LATER, NOON]
        assert [one.claimed_until for one in kept] == [None, None, NOON]
        assert [one.is_slow for one in kept] == [True, False, False]
        assert [one.failures for one in kept] == [0, 1, 0]
        assert kept[1].meters == {"pv_wh": {"doubt": [1.5, None]}}
