"""A plan becomes settings once, explained, for a day; a person's own hand wins."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import plan_choices, plan_orders, plans, setting_lapses, storms, weather
from app.domain.history import starts_at
from app.domain.plan_orders import Placed
from app.domain.weather import Warnings
from app.extensions import db
from app.models import Latest, Plan, PlanChoice, SettingChange, SettingOrder
from app.profiles.settings import Choice, Number, Windows
from app.transaction import transaction
from tests.setting import NOW as READ_AT
from tests.setting import OFFERS, Home, add_home, installation

NOW = READ_AT + timedelta(hours=3, minutes=1)  # 17:06 in Tokyo
OFFER = {offer.key: offer for offer in OFFERS}
# told to charge now, for a while: all that a SunSpec device knows of the grid
TIMED = {key: OFFER[key] for key in ("mode", "reserve_pct")}
# 18:00 in Tokyo
BEGINS = (READ_AT.replace(minute=0) + timedelta(hours=4)).timestamp()
TOLD: dict[str, Any] = {
    "begins": BEGINS,
    "pv_wh": [0.0] * 24 + [600.0] * 20 + [0.0] * 16,
    "load_wh": [200.0] * 60,
    "level_pct": 40,
    "window": [14, 24],
    "sells": False,
}


@pytest.fixture
def home(app: Flask) -> Iterator[Home]:
    made = add_home(app)
    with app.app_context():
        made.read(NOW - timedelta(minutes=1))
        with transaction():
            chosen = {"cost": True, "changed_at": NOW, "due_at": NOW}
            db.session.add(PlanChoice(installation_id=installation().id, **chosen))
        yield made


def keep(**changes: object) -> int:
    with transaction():
        told = {**TOLD, **changes}
        made = plans.keep(installation().id, date(2026, 11, 24), "made", told, due_at=NOW, now=NOW)
    assert made is not None
    return made


def place(plan_id: int) -> Placed | None:
    with transaction():
        return plan_orders.place(plan_id, NOW)


def plan() -> Plan:
    db.session.rollback()
    return db.session.scalars(select(Plan)).one()


@pytest.mark.usefixtures("home")
def test_a_plan_is_asked_for_once_with_its_reason_until_the_next_evening() -> None:
    plan_id = keep()
    assert plan_orders.list_waiting(NOW, limit=5) == [(plan_id, "ja")]
    assert place(plan_id) is Placed.ASKED
    assert place(plan_id) is None
    [order] = db.session.scalars(select(SettingOrder))
    assert (order.by, order.source) == ("automatism", "plan")
    assert "発電 12 kWh" in order.reason
    assert order.until is not None
    assert order.until.timestamp() == BEGINS + 86400
    asked = {change.key: (change.before, change.after) for change in order.changes}
    window = {"start": 60, "end": 360, "days": 127}
    assert asked["grid_charge_pct"] == (50, 40)
    assert asked["charge_windows"][1] == [window]
    assert plan().handed == "asked"
    assert plan().placed_at == NOW
    assert plan_orders.list_waiting(NOW, limit=5) == []


def test_what_was_set_goes_back_when_the_day_is_over(home: Home) -> None:
    place(keep())
    home.write(NOW)
    [order] = db.session.scalars(select(SettingOrder))
    assert order.until
    with transaction():
        back = setting_lapses.lapse(order.id, order.until)
    assert back is not None
    changes = db.session.scalars(select(SettingChange).filter_by(order_id=back.id))
    assert {one.key: one.after for one in changes}["grid_charge_pct"] == 50


def test_a_persons_own_change_of_today_wins(home: Home) -> None:
    home.place({"grid_charge_pct": 70}, now=NOW)
    home.write(NOW)
    assert place(keep()) is Placed.HAND_WINS
    assert plan().handed == "hand_wins"
    assert plan().placed_at is None


@pytest.mark.usefixtures("home")
def test_it_waits_until_the_device_was_read_lately(app: Flask) -> None:
    plan_id = keep()
    later = NOW + timedelta(hours=1)
    with transaction():
        assert plan_orders.place(plan_id, later) is Placed.BUSY
    assert plan().handed == "waiting"
    # others have their turn meanwhile
    assert plan_orders.list_waiting(later, limit=5) == []
    assert plan_orders.list_waiting(later + plan_orders.AGAIN, limit=5) == [(plan_id, "ja")]


@pytest.mark.usefixtures("home")
def test_a_device_that_is_not_reached_is_left_as_it_is_for_the_night() -> None:
    plan_id = keep()
    with transaction():
        assert plan_orders.place(plan_id, NOW + timedelta(hours=6)) is Placed.MISSED
    assert (plan().handed, plan().place_at, plan().placed_at) == ("missed", None, None)
    assert plan_orders.list_waiting(NOW + timedelta(hours=7), limit=5) == []
    assert db.session.scalars(select(SettingOrder)).all() == []


@pytest.mark.usefixtures("home")
def test_while_the_battery_is_kept_full_for_a_storm_a_plan_waits() -> None:
    with transaction():
        weather.keep_warnings("260000", Warnings(NOW, {"260010": ("05",)}), NOW)
        db.session.scalars(select(PlanChoice)).one().storm = True
    with transaction():
        storms.follow(installation().id, NOW)
    assert place(keep()) is Placed.BUSY
    assert len(db.session.scalars(select(SettingOrder)).all()) == 1


@pytest.mark.usefixtures("home")
def test_what_stands_already_is_not_written_again() -> None:
    stands = keep(level_pct=50, window=None)
    assert place(stands) is Placed.STANDS


@pytest.mark.usefixtures("home")
def test_who_switched_it_off_meanwhile_is_left_alone() -> None:
    plan_id = keep()
    with transaction():
        db.session.scalars(select(PlanChoice)).one().due_at = None
    assert place(plan_id) is Placed.NOT_WANTED
    assert db.session.scalars(select(SettingOrder)).all() == []


@pytest.mark.usefixtures("home")
def test_what_is_planned_before_the_evening_is_only_looked_at() -> None:
    with transaction():
        noon = NOW - timedelta(hours=5)
        plans.keep(installation().id, date(2026, 11, 24), "made", TOLD, due_at=NOW, now=noon)
    assert plan().handed == ""
    assert plan_choices.find(installation().id) is not None


def test_a_level_becomes_the_nearest_that_the_device_offers() -> None:
    offer = Number("grid_charge_pct", 10, 100, 20, also=(0,))
    assert [plan_orders.nearest(offer, pct) for pct in (0, 5, 25, 100)] == [0, 10, 30, 90]
    assert plan_orders.nearest(Number("grid_charge_pct", 10, 100), 0) is None
    assert plan_orders.nearest(None, 40) is None


def test_a_device_that_cannot_do_as_planned_is_not_asked_for_half_of_it() -> None:
    sells = {**TOLD, "sells": True}
    assert plan_orders.wanted(sells, OFFER, "Asia/Tokyo")["mode"] == "economic"  # type: ignore[index]
    without = {**OFFER, "mode": Choice("mode", ("green",))}
    assert plan_orders.wanted(sells, without, "Asia/Tokyo") is None
    assert plan_orders.wanted(TOLD, {"mode": OFFER["mode"]}, "Asia/Tokyo") is None
    # it would charge at its own times of day, or never
    hours = {**OFFER, "charge_windows": Windows("charge_windows", most=1, step_min=120)}
    assert plan_orders.wanted(TOLD, hours, "Asia/Tokyo") is None


def test_a_night_is_two_windows_where_a_device_keeps_times_within_a_day_only() -> None:
    night = {**TOLD, "window": [10, 26]}  # 23:00 to 7:00
    whole = plan_orders.wanted(night, OFFER, "Asia/Tokyo")
    assert whole
    assert whole["charge_windows"] == [{"start": 1380, "end": 420, "days": 127}]
    within = {**OFFER, "charge_windows": Windows("charge_windows", most=2)}
    parts = plan_orders.wanted(night, within, "Asia/Tokyo")
    assert parts
    assert parts["charge_windows"] == [
        {"start": 0, "end": 420, "days": 127},
        {"start": 1380, "end": 1440, "days": 127},
    ]
    one = {**OFFER, "charge_windows": Windows("charge_windows", most=1)}
    assert plan_orders.wanted(night, one, "Asia/Tokyo") is None
    # what ends at midnight crosses none
    evening = plan_orders.wanted({**TOLD, "window": [8, 12]}, one, "Asia/Tokyo")
    assert evening
    assert evening["charge_windows"] == [{"start": 1320, "end": 1440, "days": 127}]


# ---- a device that can only be told to charge now, for a while ---------------------------------

# without a plan it is empty by 23:00, and is charged with 15 % in an hour: from 3:30 to 6:00
TIMED_TOLD: dict[str, Any] = {
    **TOLD,
    "baseline_pct": [60, 50, 40, 30, 20, *[10] * 55],
    "pct_h": 15.0,
}
CHARGES, CHEAP_UNTIL = (starts_at(BEGINS + place * 1800) for place in (20, 24))


@pytest.fixture
def timed(home: Home) -> Home:
    home.offers = tuple(TIMED.values())
    home.values = {"mode": "green", "reserve_pct": 20}
    home.read(NOW - timedelta(minutes=1))
    return home


def at_night(timed: Home, soc_pct: float | None, now: datetime = CHARGES) -> Placed | None:
    """Hand a plan over in the evening, and again as its hour comes."""
    plan_id = keep(**TIMED_TOLD)
    assert place(plan_id) is Placed.LATER
    with transaction():
        latest = db.session.get_one(Latest, installation().gateway_id)
        latest.taken_at, latest.soc_pct = now, soc_pct
    timed.read(now)
    with transaction():
        return plan_orders.place(plan_id, now)


def test_it_is_told_so_at_night_for_as_long_as_its_charge_then_needs(timed: Home) -> None:
    plan_id = keep(**TIMED_TOLD)
    assert place(plan_id) is Placed.LATER
    assert (plan().handed, plan().place_at, plan().place_by) == ("later", CHARGES, CHEAP_UNTIL)
    early = CHARGES - timedelta(seconds=1)
    assert plan_orders.list_waiting(early, limit=5) == []
    assert plan_orders.place(plan_id, early) is None
    assert plan_orders.list_waiting(CHARGES, limit=5) == [(plan_id, "ja")]
    assert at_night(timed, 25.0) is Placed.ASKED
    [order] = db.session.scalars(select(SettingOrder))
    assert [(one.key, one.after) for one in order.changes] == [("mode", "charge")]
    # 15 % at 15 % an hour
    assert order.until == CHARGES + timedelta(hours=1)
    assert (plan().handed, plan().placed_at) == ("asked", CHARGES)


def test_it_charges_no_longer_than_power_is_cheap(timed: Home) -> None:
    assert at_night(timed, 1.0) is Placed.ASKED
    [order] = db.session.scalars(select(SettingOrder))
    assert order.until == CHEAP_UNTIL


def test_who_chooses_it_as_the_cheap_hours_end_is_not_charged_beyond_them(timed: Home) -> None:
    """It was never put off until its hour, so only the hour itself says that it is over."""
    late = CHEAP_UNTIL - timedelta(minutes=1)
    with transaction():
        plan_id = plans.keep(
            installation().id, date(2026, 11, 24), "made", TIMED_TOLD, due_at=late, now=late
        )
        latest = db.session.get_one(Latest, installation().gateway_id)
        latest.taken_at, latest.soc_pct = late, 10.0
    assert plan_id is not None
    for now in (late, CHEAP_UNTIL + timedelta(minutes=2)):
        timed.read(now)
        with transaction():
            plan().handed, plan().place_at = "waiting", now
        with transaction():
            assert plan_orders.place(plan_id, now) is Placed.MISSED
    assert db.session.scalars(select(SettingOrder)).all() == []


@pytest.mark.parametrize("soc_pct", [41.0, 39.9])
def test_a_battery_that_is_full_enough_by_then_is_left_alone(timed: Home, soc_pct: float) -> None:
    assert at_night(timed, soc_pct) is Placed.STANDS
    assert db.session.scalars(select(SettingOrder)).all() == []


def test_without_a_known_charge_nothing_is_asked(timed: Home) -> None:
    assert at_night(timed, None) is Placed.BUSY
    assert plan().handed == "later"
    with transaction():
        assert plan_orders.place(plan().id, CHEAP_UNTIL) is Placed.MISSED


def test_a_change_of_the_evening_wins_over_the_night_after_it(timed: Home) -> None:
    plan_id = keep(**TIMED_TOLD)
    assert place(plan_id) is Placed.LATER
    timed.read(NOW + timedelta(minutes=1))
    timed.place({"mode": "safe"}, now=NOW + timedelta(minutes=1))
    timed.write(NOW + timedelta(minutes=1))
    with transaction():
        latest = db.session.get_one(Latest, installation().gateway_id)
        latest.taken_at, latest.soc_pct = CHARGES, 25.0
    timed.read(CHARGES)
    with transaction():
        assert plan_orders.place(plan_id, CHARGES) is Placed.HAND_WINS


def test_a_night_without_a_charge_changes_nothing_there(timed: Home) -> None:
    assert timed.offers
    assert place(keep(**{**TIMED_TOLD, "level_pct": 0, "window": None})) is Placed.STANDS
    assert plan_orders.can_be_set(plan(), installation(), "Asia/Tokyo")


@pytest.mark.parametrize(
    "why",
    [{"sells": True}, {"pct_h": None}, {"mode": Choice("mode", ("green", "charge"))}],
    ids=["it sells", "the contract does not bear it", "it would not go back by itself"],
)
def test_what_cannot_be_carried_out_so_is_only_looked_at(timed: Home, why: dict[str, Any]) -> None:
    timed.offers = (why.get("mode", OFFER["mode"]),)
    timed.read(NOW)
    assert place(keep(**{**TIMED_TOLD, **why})) is Placed.NOT_OFFERED
    assert not plan_orders.can_be_set(plan(), installation(), "Asia/Tokyo")


def test_it_begins_with_the_window_where_that_is_too_short() -> None:
    told = {**TIMED_TOLD, "level_pct": 90, "window": [20, 24]}
    assert plan_orders.charging(told) == (CHARGES, CHEAP_UNTIL)
    evening = {**TIMED_TOLD, "level_pct": 90, "window": [0, 2]}
    assert plan_orders.charging(evening)[0] == starts_at(BEGINS)
