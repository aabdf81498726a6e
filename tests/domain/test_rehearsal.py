"""How long a battery carries a home."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.domain import rehearsal
from app.domain.errors import NotFound
from app.domain.rehearsal import SLOTS, Living, lasts
from app.extensions import db
from app.models import Account, Installation, Latest, PlanChoice
from app.transaction import transaction
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory
from tests.histories import without, write_history

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)  # 18:05 in Tokyo
ID = "HDM100000001"


@pytest.fixture
def home(app: Flask) -> Iterator[Installation]:
    """A home that uses 400 W all day and all night, with half of 9.8 kWh left."""
    with app.app_context(), transaction():
        made = InstallationFactory(
            account=CustomerFactory(),
            gateway=GatewayFactory(public_id=ID, ratings={"battery_wh": 9800.0}),
            opened_at=NOW - timedelta(days=60),
        )
        write_history(made, date(2026, 10, 20), date(2026, 11, 21))
        db.session.add(Latest(gateway_id=made.gateway_id, taken_at=NOW, soc_pct=55.0))
        db.session.flush()
        yield made


def rehearse(home: Installation, **changes: object) -> rehearsal.Rehearsal:
    asked: dict[str, object] = {"reserve_pct": 30, "with_sun": False, "zone": "Asia/Tokyo"}
    return rehearsal.rehearse(home.account, ID, NOW, **{**asked, **changes})  # type: ignore[arg-type]


def test_it_lasts_as_long_as_what_is_left_serves_the_homes_own_use(home: Installation) -> None:
    told = rehearse(home)
    # (55 - 5) % of 9,800 Wh, less what the inverter loses, at 400 W
    assert told.now_lasts
    assert told.now_lasts.minutes == pytest.approx(0.5 * 9800 * 0.95 / 400 * 60, abs=2)
    assert told.reserve_lasts
    assert told.reserve_lasts.minutes == pytest.approx(0.25 * 9800 * 0.95 / 400 * 60, abs=2)
    assert told.worst_lasts
    assert told.worst_lasts.minutes <= told.reserve_lasts.minutes
    assert told.days == 28
    assert told.course
    assert told.course.soc_pct[0] == 55
    assert told.course.soc_pct[-1] == 5


def test_the_sun_counts_where_it_is_asked_for(home: Installation) -> None:
    told = rehearse(home, with_sun=True)
    plain = rehearse(home)
    assert told.reserve_lasts
    assert plain.reserve_lasts
    # the sun of these homes shines until half past seven
    assert told.reserve_lasts.minutes > plain.reserve_lasts.minutes
    assert rehearse(home, reserve_pct=100, with_sun=True).reserve_lasts.is_long  # type: ignore[union-attr]


def test_what_is_not_known_is_not_made_up(home: Installation) -> None:
    latest = db.session.get_one(Latest, home.gateway_id)
    latest.soc_pct = None
    told = rehearse(home)
    assert told.now_lasts is None
    assert told.course is None
    assert told.reserve_lasts
    latest.taken_at = NOW - timedelta(hours=1)
    assert rehearse(home).is_old
    home.gateway.ratings = None
    assert rehearse(home).reserve_lasts is None


def test_the_owners_word_of_the_battery_wins(home: Installation) -> None:
    db.session.add(PlanChoice(installation_id=home.id, battery_wh=4900.0, changed_at=NOW))
    db.session.flush()
    told = rehearse(home)
    assert told.now_lasts
    assert told.now_lasts.minutes == pytest.approx(0.5 * 4900 * 0.95 / 400 * 60, abs=2)


def test_two_days_say_nothing_about_a_home(app: Flask) -> None:
    with app.app_context(), transaction():
        made = InstallationFactory(
            account=CustomerFactory(),
            gateway=GatewayFactory(public_id=ID, ratings={"battery_wh": 9800.0}),
            opened_at=NOW - timedelta(days=60),
        )
        write_history(made, date(2026, 11, 20), date(2026, 11, 21))
        write_history(
            made,
            date(2026, 11, 10),
            date(2026, 11, 19),
            change=lambda place, one: one if place % 2 else without(one, "load_wh"),
        )
        told = rehearse(made)
        assert told.days == 2
        assert told.reserve_lasts is None


def test_a_stranger_cannot_rehearse(app: Flask, home: Installation) -> None:
    stranger: Account = CustomerFactory()
    with pytest.raises(NotFound):
        rehearsal.rehearse(stranger, ID, NOW, reserve_pct=30, with_sun=False, zone="Asia/Tokyo")


DAYS = st.lists(
    st.lists(st.floats(5, 2000), min_size=SLOTS, max_size=SLOTS), min_size=3, max_size=5
)


@given(DAYS, st.floats(1000, 16000), st.integers(0, SLOTS - 1), st.floats(0, 99), st.floats(0, 1))
def test_more_in_the_battery_never_lasts_shorter(
    loads: list[list[float]], battery_wh: float, place: int, soc_pct: float, into: float
) -> None:
    living = Living(loads, [0.0] * SLOTS, battery_wh)
    less, more = lasts(living, soc_pct, place, into), lasts(living, soc_pct + 1, place, into)
    assert 0 <= less.least <= less.minutes <= less.most
    assert less.minutes <= more.minutes
    assert lasts(living, 5, place, into).minutes == 0
