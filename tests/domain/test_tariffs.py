"""Prices by the clock, and templates that are refused when they are wrong."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import app
from app.domain import tariffs
from app.domain.tariffs import BrokenTariff

SHIPPED = Path(app.__file__).parent / "content" / "tariffs"
GOOD = """
name = "夜"
company = "電力"
source = "料金表"
as_of = 2026-04-01
valid_from = 2026-04-01
[[buy]]
from = "23:00"
to = "07:00"
yen = 20.5
[[buy]]
yen = 35
"""


def at(hour: int, *, day: int = 24, month: int = 11, minute: int = 0) -> float:
    """A moment of Tokyo's clock."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp() - 9 * 3600


def test_the_shipped_templates_are_sound_and_say_where_they_come_from() -> None:
    shipped = tariffs.load(SHIPPED)
    assert {"tepco-smart-life", "kepco-hapie-time"} <= shipped.keys()
    for one in shipped.values():
        assert one.source
        assert one.as_of
        assert one.name_en
        assert one.company_en


def test_a_price_counts_by_the_clock_of_the_site_across_midnight() -> None:
    one = tariffs.load(SHIPPED)["tepco-smart-life"]
    moments = [at(0, minute=30), at(1), at(5, minute=30), at(6), at(23)]
    assert one.buy_yen(moments, "Asia/Tokyo") == [35.76, 27.86, 27.86, 35.76, 35.76]
    own = tariffs.own(35, 20, 23 * 60, 7 * 60)
    assert own.buy_yen([at(22), at(23), at(6), at(7)], "Asia/Tokyo") == [35, 20, 20, 35]


def test_weekends_and_summers_have_their_own_prices() -> None:
    one = tariffs.load(SHIPPED)["kepco-hapie-time"]
    tuesday, saturday, july = at(12), at(12, day=28), at(12, day=1, month=7)
    assert one.buy_yen([tuesday, saturday, july], "Asia/Tokyo") == [26.33, 22.89, 28.96]


def test_a_plans_days_off_count_as_weekends(tmp_path: Path) -> None:
    one = tariffs.load(SHIPPED)["kepco-hapie-time"]
    # Labour Thanksgiving Day, a Monday; a Tuesday; the last but one of December, a Wednesday
    assert one.buy_yen([at(12, day=23), at(12), at(12, day=30, month=12)], "Asia/Tokyo") == [
        22.89,
        26.33,
        22.89,
    ]
    (tmp_path / "none.toml").write_text(GOOD.replace("[[buy]]", '[[buy]]\ndays = "weekday"', 1))
    without = tariffs.load(tmp_path)["none"]
    assert without.buy_yen([at(0, day=23), at(0, day=22)], "Asia/Tokyo") == [20.5, 35]


def test_seasons_nights_and_holidays_go_together() -> None:
    one = tariffs.load(SHIPPED)["kyuden-night-select-22"]
    autumn, winter = {"month": 11}, {"month": 1, "day": 6}
    assert one.buy_yen([at(21, **autumn), at(22, **autumn), at(21, **winter)], "Asia/Tokyo") == [
        24.74,
        14.59,
        27.63,
    ]
    # a Sunday of autumn, and New Year's Day
    holidays = [at(12, day=22), at(12, month=1, day=1)]
    assert one.buy_yen(holidays, "Asia/Tokyo") == [18.61, 22.01]


def test_a_flat_plan_costs_the_same_at_any_hour() -> None:
    one = tariffs.load(SHIPPED)["energia-simple"]
    assert set(one.buy_yen([at(hour) for hour in range(24)], "Asia/Tokyo")) == {38.21}


def test_only_templates_that_hold_on_the_day_are_listed(tmp_path: Path) -> None:
    (tmp_path / "now.toml").write_text(GOOD)
    until = "valid_from = 2026-04-01\nvalid_until = 2026-10-31"
    (tmp_path / "past.toml").write_text(GOOD.replace("valid_from = 2026-04-01", until))
    assert [one.code for one in tariffs.listed(tmp_path, date(2026, 11, 23))] == ["now"]
    assert len(tariffs.listed(tmp_path, date(2026, 10, 1))) == 2


@pytest.mark.parametrize(
    ("good", "wrong"),
    [
        ('source = "料金表"\n', ""),
        ("as_of = 2026-04-01", 'as_of = "2026"'),
        ("yen = 20.5", "yen = -1"),
        ("yen = 20.5", "yen = 2050"),
        ('from = "23:00"', 'from = "23:15"'),
        ('to = "07:00"', 'to = "25:00"'),
        ("yen = 20.5", 'yen = 20.5\ndays = "holiday"'),
        ("yen = 20.5", "yen = 20.5\nmonths = [13]"),
        ("yen = 20.5", "yen = 20.5\nsummer = 1"),
        ("[[buy]]\nyen = 35\n", ""),
        ('to = "07:00"', 'to = "23:00"'),
        ('name = "夜"', 'name = "夜'),
        ("as_of", 'days_off = ["christmas"]\nas_of'),
        ("as_of", 'days_off = ["02-30"]\nas_of'),
        ("as_of", "days_off = 1\nas_of"),
    ],
)
def test_a_wrong_template_is_refused_by_its_name(tmp_path: Path, good: str, wrong: str) -> None:
    assert good in GOOD
    (tmp_path / "mine.toml").write_text(GOOD.replace(good, wrong))
    with pytest.raises(BrokenTariff, match=r"mine\.toml"):
        tariffs.load(tmp_path)


@pytest.mark.parametrize("typed", ["", "1", "a:00", "12:15", "24:30", "-1:00", "１:00"])
def test_a_time_off_the_half_hour_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        tariffs.minutes(typed)
