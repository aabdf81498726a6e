"""Before a storm the battery is filled, and goes back afterwards."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import setting_lapses, setting_writes, storms, weather
from app.domain import settings as rules
from app.domain.weather import Warnings
from app.extensions import db
from app.models import PlanChoice, SettingOrder
from app.profiles.settings import Choice, Number, Settings, Windows
from app.transaction import transaction
from tests.setting import HOUR, MINUTE, NOW, Home, add_home, installation


@pytest.fixture
def home(app: Flask) -> Iterator[Home]:
    made = add_home(app)
    with app.app_context():
        with transaction():
            chosen = {"storm": True, "changed_at": NOW}
            db.session.add(PlanChoice(installation_id=installation().id, **chosen))
        yield made


def warn(*codes: str, area: str = "260010") -> None:
    with transaction():
        weather.keep_warnings("260000", Warnings(NOW, {area: codes}), NOW)


def follow(home: Home, now: object = NOW) -> list[SettingOrder]:
    with transaction():
        storms.follow(installation().id, now)  # type: ignore[arg-type]
    db.session.rollback()
    return list(db.session.scalars(select(SettingOrder).order_by(SettingOrder.id)))


def test_a_warning_fills_the_battery_and_its_end_puts_things_back(home: Home) -> None:
    warn("05")
    [order] = follow(home)
    assert (order.source, order.reason) == ("storm", "暴風警報が出たため、停電に備えて充電")
    assert {one.key: one.after for one in order.changes} == {"mode": "safe"}
    home.write()
    # it stands still, and nothing is asked twice
    [order] = follow(home, NOW + MINUTE)
    warn()
    [order] = follow(home, NOW + 2 * MINUTE)
    with transaction():
        back = setting_lapses.lapse(order.id, NOW + 2 * MINUTE)
        assert back is not None
        assert back.changes[0].after == "green"
        assert back.undoes is order


def test_a_warning_that_stands_prolongs_it_and_one_unknown_lets_it_end(home: Home) -> None:
    warn("33")
    follow(home)
    home.write()
    [order] = follow(home, NOW + HOUR + 30 * MINUTE)
    assert order.lapses_at == NOW + HOUR + 30 * MINUTE + storms.HOLDS
    [order] = follow(home, NOW + 4 * HOUR)
    assert order.lapses_at == NOW + HOUR + 30 * MINUTE + storms.HOLDS


def test_no_warning_and_nothing_known_ask_for_nothing(home: Home) -> None:
    assert follow(home) == []
    warn()
    assert follow(home) == []


def test_a_persons_own_change_of_today_wins(home: Home) -> None:
    home.place({"mode": "economic"})
    home.write()
    warn("05")
    assert len(follow(home)) == 1


def test_a_device_that_was_not_read_lately_is_read_first(home: Home) -> None:
    warn("05")
    assert follow(home, NOW + HOUR) == []


def test_another_area_of_the_prefecture_is_not_ones_own(home: Home) -> None:
    with transaction():
        db.session.scalars(select(PlanChoice)).one().area = "260020"
    warn("05")
    assert follow(home) == []
    assert storms.listed(NOW) == [(installation().id, "ja")]


def test_only_homes_with_something_to_do_are_looked_at(home: Home) -> None:
    assert storms.listed(NOW) == []
    warn("05")
    follow(home)
    home.write()
    with transaction():
        db.session.scalars(select(PlanChoice)).one().storm = False
    assert storms.listed(NOW + MINUTE) == [(installation().id, "ja")]
    [order] = follow(home, NOW + MINUTE)
    assert order.lapses_at == NOW + MINUTE
    assert storms.listed(NOW + 2 * MINUTE) == []


def test_a_device_without_a_safe_mode_is_charged_by_the_grid_all_day() -> None:
    level = Number("grid_charge_pct", 0, 90)
    windows = Windows("charge_windows", most=1)
    assert storms.wanted({"grid_charge_pct": level, "charge_windows": windows}) == {
        "grid_charge_pct": 90,
        "charge_windows": [{"start": 0, "end": 1440, "days": 127}],
    }
    assert storms.wanted({"grid_charge_pct": level}) is None
    assert storms.wanted({"mode": Choice("mode", ("green",))}) is None


def test_a_device_without_times_either_is_charged_now_and_keeps_what_is_in_it() -> None:
    reserve = Number("reserve_pct", 0, 100)
    timed = Choice("mode", ("green", "charge"), timed=("charge",), longest_s=65534)
    assert storms.wanted({"reserve_pct": reserve, "mode": timed}) == {
        "reserve_pct": 100,
        "mode": "charge",
    }
    assert storms.wanted({"reserve_pct": reserve}) == {"reserve_pct": 100}
    # a limit that its own steps do not meet
    assert storms.wanted({"reserve_pct": Number("reserve_pct", 5, 100, 10)}) is None


def test_a_charge_that_the_device_ends_by_itself_goes_back_with_the_reserve(home: Home) -> None:
    timed = Choice("mode", ("green", "charge"), timed=("charge",), longest_s=65534)
    offers = (timed, Number("reserve_pct", 0, 100))
    home.values = {"mode": "green", "reserve_pct": 20}
    told = Settings(offers, dict(home.values))
    with transaction():
        rules.keep(installation().gateway_id, told, NOW)
    warn("05")
    [order] = follow(home, NOW + MINUTE)
    assert {change.key: change.after for change in order.changes} == {
        "mode": "charge",
        "reserve_pct": 100,
    }
    home.write(NOW + MINUTE)
    # three hours later its own timer has ended; the warning stands no more
    home.values["mode"] = "green"
    warn()
    [*_, ended] = follow(home, NOW + 2 * MINUTE)
    assert ended.lapses_at == NOW + 2 * MINUTE
    with transaction():
        setting_lapses.lapse(ended.id, NOW + 3 * MINUTE)
    back = home.claim(NOW + 3 * MINUTE)
    assert back.wanted == {"mode": "green", "reserve_pct": 20}
    with transaction():
        told = Settings(offers, dict(home.values))
        left = setting_writes.drop_changed(back, told, NOW + 3 * MINUTE)
    assert left
    home.values |= left.wanted
    home.settle(left, now=NOW + 3 * MINUTE)
    assert home.values == {"mode": "green", "reserve_pct": 20}


def test_warnings_are_forgotten_after_two_hours(home: Home) -> None:
    warn("05")
    assert follow(home, NOW + timedelta(hours=2)) == []
