"""Days and moments as they are typed."""

from datetime import UTC, datetime

import pytest
from flask import Flask

from app.blueprints.moments import day_range, moment_of, typed_moment

MIDNIGHT = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize("typed", ["2026-12-01T00:00", "2026/12/01 00:00", "2026-12-01"])
def test_a_moment_is_typed_in_the_sites_zone(app: Flask, typed: str) -> None:
    with app.app_context():
        assert moment_of(typed) == MIDNIGHT
        assert typed_moment(MIDNIGHT) == "2026-12-01T00:00"
        assert typed_moment(None) == ""


@pytest.mark.parametrize(
    "typed", ["", "x", "2026-13-01", "0001-01-01T00:00", "9999-12-31T23:59", "2026-12-01T00:00Z"]
)
def test_what_is_no_moment_is_none(app: Flask, typed: str) -> None:
    with app.app_context():
        assert moment_of(typed) is None


def test_a_range_of_days_holds_both(app: Flask) -> None:
    with app.app_context():
        since, until = day_range("2026-12-01", "2026-12-01")
        assert since == MIDNIGHT
        assert until
        assert (until - since).days == 1
        assert day_range("x", "2026-12-01T09:00") == (None, None)
