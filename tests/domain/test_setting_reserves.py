"""A mode brings back the reserve that was last used with it."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.domain import setting_orders, setting_reserves
from app.domain import settings as rules
from app.extensions import db
from tests.setting import HOUR, NOW, Home, add_home, installation


@pytest.fixture
def home(app: Flask) -> Iterator[Home]:
    made = add_home(app)
    with app.app_context():
        yield made


def suggested() -> dict[str, object]:
    db.session.rollback()
    here = installation()
    shown = rules.show(here.gateway_id)
    present = setting_orders.expected(shown, setting_orders.find_open(here))
    return dict(setting_reserves.suggested(here, shown, present))


def test_what_stands_is_suggested_for_a_mode_that_was_never_used(home: Home) -> None:
    assert suggested() == {"economic": 20, "green": 20, "safe": 20, "charge": 20}


def test_a_mode_brings_back_the_reserve_it_had(home: Home) -> None:
    home.place({"mode": "safe", "reserve_pct": 80})
    home.write()
    assert suggested() == {"economic": 80, "green": 20, "safe": 80, "charge": 80}
    home.place({"mode": "green", "reserve_pct": 20})
    home.write()
    home.place({"reserve_pct": 30})
    home.write()
    assert suggested() == {"economic": 30, "green": 30, "safe": 80, "charge": 30}


def test_what_is_for_a_while_says_nothing_of_a_mode(home: Home) -> None:
    home.place({"mode": "safe", "reserve_pct": 90}, until=NOW + HOUR)
    home.write()
    home.place({"mode": "economic"})
    home.write()
    assert setting_reserves.remembered(installation()) == {"green": 20, "economic": 20}


def test_what_a_device_did_not_take_is_not_remembered(home: Home) -> None:
    home.place({"mode": "safe", "reserve_pct": 80})
    home.write(ignores=("reserve_pct",))
    assert setting_reserves.remembered(installation()) == {"green": 20, "safe": 20}
    home.place({"mode": "economic", "reserve_pct": 60})
    home.write(ignores=("mode", "reserve_pct"))
    assert setting_reserves.remembered(installation()) == {"green": 20, "safe": 20}


def test_what_was_overtaken_before_it_was_written_is_not_remembered(home: Home) -> None:
    home.place({"reserve_pct": 90})
    home.place({"reserve_pct": 40})
    home.write()
    home.place({"mode": "safe"})
    home.write()
    assert setting_reserves.remembered(installation()) == {"green": 40, "safe": 40}


def test_a_reserve_that_the_device_offers_no_longer_is_not_suggested(home: Home) -> None:
    installation().reserves = {"safe": 85}
    db.session.commit()
    assert suggested()["safe"] == 20


def test_a_device_without_a_reserve_suggests_none(home: Home) -> None:
    shown = rules.NOTHING
    assert setting_reserves.suggested(installation(), shown, {}) == {}
