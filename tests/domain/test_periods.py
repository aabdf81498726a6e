"""Days, months and years of a calendar."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import periods
from app.domain.periods import Period, Span

DAYS = st.dates(date(2001, 1, 1), date(2190, 12, 31))
SPANS = st.sampled_from(Span)


@given(SPANS, DAYS)
def test_a_period_holds_its_day_and_adjoins_its_neighbours(span: Span, day: date) -> None:
    period = Period.around(span, day)
    assert period.first <= day <= period.last
    assert period.before.last + timedelta(days=1) == period.first
    assert period.after.first - timedelta(days=1) == period.last
    assert period.before.after == period == period.after.before


@given(SPANS, DAYS)
def test_a_period_is_found_by_its_name(span: Span, day: date) -> None:
    period = Period.around(span, day)
    assert periods.typed(period.name) == period


@given(st.sampled_from([Span.MONTH, Span.YEAR]), DAYS)
def test_parts_fill_their_period_without_a_gap(span: Span, day: date) -> None:
    period = Period.around(span, day)
    parts = list(period.parts())
    assert parts[0].first == period.first
    assert parts[-1].last == period.last
    assert all(one.after == other for one, other in pairwise(parts))


def test_a_day_has_no_parts() -> None:
    assert list(Period(Span.DAY, date(2026, 11, 22)).parts()) == []


@pytest.mark.parametrize("text", ["2026/11/22", "2026-11-22", " 2026-11-22 "])
def test_a_day_may_be_typed_with_slashes(text: str) -> None:
    assert periods.typed(text) == Period(Span.DAY, date(2026, 11, 22))


@pytest.mark.parametrize(
    "text", ["", "x", "2026-13", "2026-02-30", "26-11", "0000", "9999", "２０２６", "2026-11-22T1"]
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert periods.typed(text) is None


def test_the_nearest_day_within_is_taken() -> None:
    within = (date(2026, 4, 1), date(2026, 11, 22))
    assert periods.latest_day(Period(Span.YEAR, date(2026, 1, 1)), within) == date(2026, 11, 22)
    assert periods.latest_day(Period(Span.MONTH, date(2026, 5, 1)), within) == date(2026, 5, 31)
    assert periods.latest_day(Period(Span.DAY, date(2020, 5, 1)), within) == date(2026, 4, 1)
