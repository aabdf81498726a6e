"""The conditions of the eco programme, each both ways, and at their bounds."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import eligibility, programme
from app.domain.eligibility import Coverage, Facts, State

PROGRAMME = programme.load(programme.OURS)
RULES = PROGRAMME.conditions
TODAY = date(2026, 11, 23)
GOOD = Facts(
    models=("HDM-55",),
    is_registered=True,
    is_company=False,
    generation_began_on=date(2026, 6, 10),
    coverage=Coverage(95, 100),
    operation_began_on=date(2026, 6, 1),
    no_other_generator=True,
    no_other_scheme=True,
    no_subsidy=True,
)


def states(facts: Facts, day: date = TODAY, **asked: Any) -> dict[str, State]:
    return {one.name: one.state for one in eligibility.conditions(facts, PROGRAMME, day, **asked)}


def test_who_meets_everything_is_admitted() -> None:
    found = eligibility.conditions(GOOD, PROGRAMME, TODAY, asks_subsidy=True)
    assert {one.state for one in found} == {State.MET}
    assert eligibility.may_be_admitted(found)
    assert eligibility.may_apply(found)
    assert eligibility.may_be_offered(found)
    assert all(str(one.title) and str(one.reason) for one in found)


@pytest.mark.parametrize(
    ("name", "changed", "state", "offered", "taken"),
    [
        ("series", {"models": ("XYZ-1",)}, State.NOT_MET, False, False),
        ("series", {"models": ()}, State.NOT_MET, False, False),
        ("registered", {"is_registered": False}, State.NOT_MET, False, False),
        ("person", {"is_company": True}, State.NOT_MET, False, False),
        ("generation", {"generation_began_on": None}, State.UNKNOWN, False, False),
        ("operation", {"operation_began_on": None}, State.UNKNOWN, True, False),
        ("operation", {"operation_began_on": date(2026, 11, 24)}, State.NOT_MET, False, False),
        ("operation", {"operation_began_on": date(2026, 6, 11)}, State.NOT_MET, False, False),
        ("operation", {"operation_began_on": date(2024, 11, 22)}, State.NOT_MET, False, False),
        ("connected", {"coverage": None}, State.UNKNOWN, True, True),
        ("connected", {"coverage": Coverage(0, 0)}, State.UNKNOWN, True, True),
        ("connected", {"coverage": Coverage(89, 100)}, State.NOT_MET, True, True),
        ("generator", {"no_other_generator": None}, State.UNKNOWN, True, False),
        ("generator", {"no_other_generator": False}, State.NOT_MET, True, False),
        ("scheme", {"no_other_scheme": None}, State.UNKNOWN, True, False),
        ("scheme", {"no_other_scheme": False}, State.NOT_MET, True, False),
        ("subsidy", {"no_subsidy": None}, State.UNKNOWN, True, False),
        ("subsidy", {"no_subsidy": False}, State.NOT_MET, True, False),
    ],
)
def test_each_condition_alone_decides_what_it_is_about(
    name: str, changed: dict[str, Any], state: State, offered: bool, taken: bool
) -> None:
    found = eligibility.conditions(replace(GOOD, **changed), PROGRAMME, TODAY, asks_subsidy=True)
    assert [one.name for one in found if one.state is not State.MET] == [name]
    [one] = [one for one in found if one.name == name]
    assert one.state is state
    assert str(one.reason)
    assert eligibility.may_be_offered(found) is offered
    assert eligibility.may_apply(found) is taken
    assert not eligibility.may_be_admitted(found)


def test_a_unit_of_a_listed_series_behind_the_gateway_will_do() -> None:
    assert states(replace(GOOD, models=("BOX-1", "HDM-PCS")))["series"] is State.MET


def test_the_third_declaration_is_asked_only_where_the_operator_wants_it() -> None:
    assert "subsidy" not in states(replace(GOOD, no_subsidy=None))


@pytest.mark.parametrize(
    ("began", "last"),
    [
        (date(2024, 11, 23), date(2026, 11, 23)),
        (date(2024, 2, 29), date(2026, 2, 28)),
        (date(2024, 2, 28), date(2026, 2, 28)),
        (date(2024, 3, 1), date(2026, 3, 1)),
        (date(2026, 2, 28), date(2028, 2, 28)),
        (date(2026, 3, 1), date(2028, 3, 1)),
    ],
)
def test_one_may_apply_for_two_years_the_last_day_included(began: date, last: date) -> None:
    assert eligibility.last_day(began, RULES) == last
    facts = replace(GOOD, operation_began_on=began, generation_began_on=began)
    assert states(facts, last)["operation"] is State.MET
    assert states(facts, last + timedelta(days=1))["operation"] is State.NOT_MET


def test_generation_tells_of_an_operation_that_nobody_declared_yet() -> None:
    facts = replace(GOOD, operation_began_on=None, generation_began_on=date(2024, 11, 22))
    found = eligibility.conditions(facts, PROGRAMME, TODAY)
    assert {one.name: one.state for one in found}["operation"] is State.NOT_MET
    assert not eligibility.may_be_offered(found)


@pytest.mark.parametrize(
    ("measured", "of", "state", "pct"),
    [
        (2_332_800, 2_592_000, State.MET, 90),
        (2_332_799, 2_592_000, State.NOT_MET, 89),
        (2_592_000, 2_592_000, State.MET, 100),
        (0, 86_400, State.NOT_MET, 0),
    ],
)
def test_coverage_suffices_from_ninety_percent_on(
    measured: int, of: int, state: State, pct: int
) -> None:
    share = Coverage(measured, of)
    assert states(replace(GOOD, coverage=share))["connected"] is state
    assert share.pct == pct


@given(
    began=st.dates(date(2001, 1, 1), date(2150, 1, 1)),
    after=st.integers(min_value=0, max_value=900),
)
def test_two_years_are_two_years_wherever_they_begin(began: date, after: int) -> None:
    last = eligibility.last_day(began, RULES)
    assert 729 <= (last - began).days <= 731
    day = began + timedelta(days=after)
    facts = replace(GOOD, operation_began_on=began, generation_began_on=began)
    assert (states(facts, day)["operation"] is State.MET) == (day <= last)


@given(
    st.builds(
        Facts,
        models=st.sampled_from([("HDM-55",), ("XYZ",)]),
        is_registered=st.booleans(),
        is_company=st.booleans(),
        generation_began_on=st.none() | st.dates(date(2024, 1, 1), date(2026, 12, 31)),
        coverage=st.none() | st.builds(Coverage, st.integers(0, 100), st.just(100)),
        operation_began_on=st.none() | st.dates(date(2024, 1, 1), date(2027, 12, 31)),
        no_other_generator=st.none() | st.booleans(),
        no_other_scheme=st.none() | st.booleans(),
        no_subsidy=st.none() | st.booleans(),
    )
)
def test_who_is_admitted_could_apply_and_was_offered_it(facts: Facts) -> None:
    found = eligibility.conditions(facts, PROGRAMME, TODAY)
    if eligibility.may_be_admitted(found):
        assert eligibility.may_apply(found)
    if eligibility.may_apply(found):
        assert eligibility.may_be_offered(found)
        assert not facts.is_company
        assert facts.generation_began_on is not None
