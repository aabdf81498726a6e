"""The eco programme's file: what it says of a day, and what it must not say."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import programme
from app.domain.programme import OURS, HalfYear, Programme, ProgrammeWrong

OWN: dict[str, Any] = json.loads((OURS / programme.FILE).read_text())


def made(**changed: Any) -> Programme:
    return Programme.model_validate_json(json.dumps(OWN | changed))


def test_the_published_example_is_what_the_rate_makes_of_it() -> None:
    ours = programme.load(OURS)
    assert ours.example_yen == 1100
    assert ours.example.used_pct == 70
    assert ours.rate_on(date(2026, 6, 1)) == Decimal("0.3143")


def test_a_folder_without_the_file_has_the_one_that_came_with_the_portal(tmp_path: Path) -> None:
    assert programme.load(tmp_path) == programme.load(OURS)


def test_an_operators_own_file_counts(tmp_path: Path) -> None:
    (tmp_path / "eco").mkdir()
    (tmp_path / programme.FILE).write_text(json.dumps(OWN | {"donates": False}))
    assert not programme.load(tmp_path).donates


@pytest.mark.parametrize(
    "changed",
    [
        {"rates": []},
        {"rates": [{"from": "2026-06-01", "yen_per_kwh": "-1"}]},
        {"rates": [*OWN["rates"], *OWN["rates"]]},
        {"rates": [{"from": "2026-12-01", "yen_per_kwh": "1"}]},
        {"periods": [{"begins": "12-01"}, {"begins": "06-01"}]},
        {"periods": [{"begins": "02-29"}]},
        {"series": [{"begins": "", "kind": "hybrid", "from": "2026-06-01"}]},
        {"series": [{"begins": "HDM-", "kind": "hybird", "from": "2026-06-01"}]},
        {"example": OWN["example"] | {"used_kwh": 5001}},
        {"reates": []},
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused_by_its_name(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    (tmp_path / "eco").mkdir()
    (tmp_path / programme.FILE).write_text(json.dumps(OWN | changed))
    with pytest.raises(ProgrammeWrong, match=r"programme\.json"):
        programme.load(tmp_path)


def test_a_rate_holds_from_its_day_until_the_next() -> None:
    rates = [
        {"from": "2026-06-01", "yen_per_kwh": "0.3143"},
        {"from": "2027-12-01", "yen_per_kwh": "0.35"},
    ]
    both = made(rates=rates)
    assert both.rate_on(date(2026, 5, 31)) is None
    assert both.rate_on(date(2027, 11, 30)) == Decimal("0.3143")
    assert both.rate_on(date(2027, 12, 1)) == Decimal("0.35")


def test_a_series_may_join_within_its_days() -> None:
    listed = {"begins": "HDM-4", "kind": "v2x", "from": "2026-06-01", "until": "2027-05-31"}
    one = made(series=[listed])
    assert one.series_of("HDM-40", date(2027, 5, 31)) == one.series[0]
    assert one.series_of("HDM-40", date(2027, 6, 1)) is None
    assert one.series_of("HDM-40", date(2026, 5, 31)) is None
    assert one.series_of("HDM-55", date(2026, 6, 1)) is None


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 11, 30), date(2026, 6, 1), date(2026, 11, 30)),
        (date(2026, 12, 1), date(2026, 12, 1), date(2027, 5, 31)),
        (date(2027, 5, 31), date(2026, 12, 1), date(2027, 5, 31)),
        (date(2028, 2, 29), date(2027, 12, 1), date(2028, 5, 31)),
    ],
)
def test_half_years_are_those_of_the_file(day: date, first: date, last: date) -> None:
    assert programme.load(OURS).period_of(day) == HalfYear(first, last)


@given(st.dates(date(2001, 1, 1), date(2199, 1, 1)))
def test_each_day_lies_in_one_period_and_the_one_before_ends_where_it_begins(day: date) -> None:
    ours = programme.load(OURS)
    period = ours.period_of(day)
    assert period.first <= day <= period.last
    a_day = timedelta(days=1)
    assert ours.period_before(day).last + a_day == period.first
    assert ours.period_of(period.last + a_day).first == period.last + a_day
