"""Before a storm the battery is filled, and goes back afterwards."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import setting_lapses, storms, weather
from app.domain.weather import Warnings
from app.extensions import db
from app.models import PlanChoice, SettingOrder
from app.profiles.settings import Choice, Number, Windows
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


def test_warnings_are_forgotten_after_two_hours(home: Home) -> None:
    warn("05")
    assert follow(home, NOW + timedelta(hours=2)) == []
