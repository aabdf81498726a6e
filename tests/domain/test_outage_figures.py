"""How a home fared without the grid, by its samples."""

import pytest

from app.domain import outage_figures
from app.domain.outage_figures import EMPTY, HELD, UNKNOWN, Figures, Moment, reckon

START = 1_000_000.0


def moment(
    minutes: float,
    *,
    pv: float | None = 0.0,
    load: float | None = 600.0,
    soc: float | None = 80.0,
    **counters: float,
) -> Moment:
    """Return a sample; the battery gives what the sun does not."""
    battery = None if pv is None or load is None else load - pv
    return Moment(START + minutes * 60, pv, load, battery, soc, counters)


def minutes_of(count: int, **values: float) -> list[Moment]:
    return [moment(minute, soc=80 - minute / 10, **values) for minute in range(count)]


def test_a_battery_that_serves_to_the_end_held() -> None:
    told = reckon(minutes_of(121, pv=200.0), START, START + 121 * 60)
    assert told.how == HELD
    assert told.used_wh == pytest.approx(1200)
    assert told.pv_wh == pytest.approx(400)
    assert (told.empty_at, told.silent_s, told.is_partial) == (None, 0, False)
    assert told.last_soc == pytest.approx(68)


def test_a_battery_that_runs_empty_is_told_with_its_moment() -> None:
    dark = [moment(minute, load=0.0, soc=10.0) for minute in range(60, 90)]
    told = reckon([*minutes_of(60), *dark], START, START + 90 * 60)
    assert told.how == EMPTY
    assert told.empty_at == START + 3600
    assert told.was_drained


@pytest.mark.parametrize("minute", [0, 20])
def test_an_inverter_that_switches_over_did_not_leave_the_home_in_the_dark(minute: int) -> None:
    served = minutes_of(60)
    served[minute] = moment(minute, load=0.0, soc=80.0)
    told = reckon(served, START, START + 60 * 60)
    assert (told.how, told.empty_at) == (HELD, None)


def test_a_beginning_that_was_cleared_away_is_not_known() -> None:
    told = reckon(minutes_of(60)[30:], START, START + 60 * 60)
    assert (told.silent_s, told.is_partial) == (30 * 60, True)


def test_one_that_never_serves_the_home_was_not_drained() -> None:
    told = reckon([moment(minute, load=0.0, soc=90.0) for minute in range(30)], START, START + 1800)
    assert (told.how, told.empty_at, told.was_drained) == (EMPTY, START, False)
    assert told.used_wh == 0


def test_the_sun_alone_serves_a_home_as_well() -> None:
    told = reckon([moment(minute, pv=600.0, soc=5.0) for minute in range(30)], START, START + 1800)
    assert told.how == HELD


def test_what_came_after_the_last_sample_is_not_known() -> None:
    told = reckon(minutes_of(30), START, START + 5 * 3600)
    assert told.how == UNKNOWN
    assert told.silent_s == 5 * 3600 - 29 * 60
    assert told.is_partial
    assert told.last_at == START + 29 * 60
    # while it stands, nobody knows the end
    assert reckon(minutes_of(30), START, None).how == UNKNOWN
    assert reckon([], START, START + 60) == Figures(UNKNOWN)


def test_counters_tell_what_was_used_while_polls_were_lost() -> None:
    before = moment(0, pv_wh=1000, charge_wh=500, discharge_wh=300)
    after = moment(180, pv_wh=1900, charge_wh=700, discharge_wh=1200)
    told = reckon([before, after], START, START + 181 * 60)
    assert told.used_wh == 900 + 900 - 200
    assert told.pv_wh == 900
    assert (told.silent_s, told.is_partial, told.how) == (3 * 3600, False, HELD)
    # one that was reset says nothing
    reset = reckon([before, after._replace(counters={"pv_wh": 0.0})], START, START + 181 * 60)
    assert reset.is_partial
    assert reset.pv_wh == 0


def test_what_no_sample_knows_is_not_known() -> None:
    told = reckon(
        [moment(minute, pv=None, load=None, soc=None) for minute in range(5)], START, START + 300
    )
    assert (told.used_wh, told.pv_wh, told.empty_at) == (None, None, None)
    assert told.is_partial
    assert told.points[0] == (START, None, None, None)


@pytest.mark.parametrize(("hours", "step_s"), [(1, 60), (5, 300), (12, 600), (70, 3600)])
def test_a_course_has_no_more_points_than_a_picture_shows(hours: int, step_s: int) -> None:
    told = reckon(minutes_of(hours * 60), START, START + hours * 3600)
    assert told.step_s == step_s
    assert len(told.points) <= outage_figures.MOST_POINTS + 1
    assert told.points[0].load_w == 600


def test_figures_survive_json() -> None:
    told = reckon(minutes_of(30), START, START + 1800)
    assert Figures.from_json(told.to_json()) == told
