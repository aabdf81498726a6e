"""Means of the last minute and totals of the day."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.energy import Piece
from app.domain.readings import TODAY, Site, Today, means, today_after, window_after
from app.profiles.base import Sample

# 00:00:30 on the 23rd in Tokyo
JUST_AFTER_MIDNIGHT = datetime(2026, 11, 22, 15, 0, 30, tzinfo=UTC)
SITE = Site(7, datetime(2026, 4, 1, tzinfo=UTC), "Asia/Tokyo")
NOTHING = dict.fromkeys(TODAY)


def step(end: datetime, seconds: float, wh: float, quantity: str = "pv_wh") -> Piece:
    return Piece(quantity, end.timestamp() - seconds, end.timestamp(), wh, "counter")


def test_the_present_value_is_the_mean_of_the_last_minute() -> None:
    window: list[list[float | None]] = []
    for second, pv_w in ((0, 9000), (30, 1000), (60, 2000), (75, 3000)):
        at = JUST_AFTER_MIDNIGHT + timedelta(seconds=second)
        window = window_after(window, at, Sample(pv_w=pv_w))
    assert means(window)["pv_now_w"] == 2000


def test_a_single_sample_is_the_mean_of_itself() -> None:
    window = window_after([], JUST_AFTER_MIDNIGHT, Sample(pv_w=700.0, grid_w=-300.0))
    assert means(window) == {
        "pv_now_w": 700,
        "load_now_w": None,
        "sold_now_w": 300,
        "bought_now_w": 0,
        "battery_now_w": None,
    }


def test_buying_and_selling_do_not_cancel_out_within_the_minute() -> None:
    window: list[list[float | None]] = []
    for second, grid_w in ((0, 1000), (30, -1000)):
        at = JUST_AFTER_MIDNIGHT + timedelta(seconds=second)
        window = window_after(window, at, Sample(grid_w=grid_w))
    assert means(window)["bought_now_w"] == 500
    assert means(window)["sold_now_w"] == 500


def test_totals_begin_anew_at_the_sites_midnight() -> None:
    before = Today(date(2026, 11, 22), 7, {**NOTHING, "pv_today_wh": 9000.0})
    today = today_after(before, [step(JUST_AFTER_MIDNIGHT, 60, 10)], JUST_AFTER_MIDNIGHT, SITE)
    assert today.day == date(2026, 11, 23)
    assert today.totals["pv_today_wh"] == pytest.approx(5)


def test_totals_of_a_new_owner_begin_with_the_opening_of_the_installation() -> None:
    at = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    before = Today(date(2026, 11, 22), 7, {**NOTHING, "pv_today_wh": 9000.0})
    moved_in = Site(8, at - timedelta(seconds=15), "Asia/Tokyo")
    today = today_after(before, [step(at, 60, 40)], at, moved_in)
    assert (today.installation_id, today.totals["pv_today_wh"]) == (8, pytest.approx(10))


def test_what_nothing_is_known_of_stays_unknown() -> None:
    at = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    today = today_after(Today(None, None, NOTHING), [step(at, 60, 0)], at, SITE)
    assert today.totals == {**NOTHING, "pv_today_wh": 0}


def test_each_quantity_has_its_column() -> None:
    at = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    pieces = [
        step(at, 60, place, quantity) for place, quantity in enumerate(TODAY.values(), start=1)
    ]
    today = today_after(Today(None, None, NOTHING), pieces, at, SITE)
    assert list(today.totals.values()) == [1, 2, 3, 4, 5, 6]
