"""Energy of counters and of power: the energy rules 1–4."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.energy import Piece, day_of, energy_between
from app.domain.meters import GIVE_UP_S, LUMP_S, MARGIN, Meters, advance, limits_w
from app.profiles.base import QUANTITIES, Sample

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo
LIMITS = dict.fromkeys(QUANTITIES, 6000.0)  # 6 kW: 120 Wh a minute with the margin
HOLD_S = 120.0


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def counted(wh: float | None, w: float | None = None, size: float | None = None) -> Sample:
    """Return a sample of the PV counter (resolution 1 Wh) and power."""
    if wh is None:
        return Sample(pv_w=w)
    sizes = {} if size is None else {"pv_wh": size}
    return Sample(pv_w=w, counters={"pv_wh": wh}, resolution_wh={"pv_wh": 1.0}, counter_size=sizes)


def run(samples: Iterable[tuple[float, Sample]]) -> list[Piece]:
    """Return the pieces of samples taken at minutes after noon; the state goes through JSON."""
    meters: Meters = {}
    pieces: list[Piece] = []
    for minutes, sample in samples:
        meters, settled, _ = advance(
            json.loads(json.dumps(meters)), at(minutes), sample, LIMITS, HOLD_S
        )
        pieces += settled
    return pieces


def total(samples: Iterable[tuple[float, Sample]]) -> float:
    return sum(piece.wh for piece in run(samples))


# ---- rule 1 and 2 ---------------------------------------------------------------------------


def test_energy_is_the_difference_of_two_counter_readings() -> None:
    pieces = run([(0, counted(1000, 3000)), (1, counted(1050, 9)), (2, counted(1100, 9))])
    assert [(piece.wh, piece.method) for piece in pieces] == [(50, "counter"), (50, "counter")]


def test_a_first_reading_counts_nothing() -> None:
    assert run([(0, counted(123456))]) == []


def test_a_step_over_a_gap_is_spread_over_it_and_split_at_the_sites_midnight() -> None:
    # 23:00 to 01:00 in Tokyo: half of it belongs to the new day
    pieces = run([(11 * 60, counted(1000)), (13 * 60, counted(3000))])
    day, begins = day_of(at(13 * 60), "Asia/Tokyo")
    assert day == date(2026, 11, 23)
    assert energy_between(pieces, begins, at(13 * 60).timestamp()) == {"pv_wh": 1000}


def test_the_day_begins_at_the_sites_midnight_also_when_the_clock_changes() -> None:
    changed = datetime(2026, 10, 25, 12, tzinfo=UTC)  # Berlin goes back to winter time that day
    day, begins = day_of(changed, "Europe/Berlin")
    assert (day, begins) == (
        date(2026, 10, 25),
        datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp(),
    )


def test_without_a_counter_power_over_time_serves() -> None:
    pieces = run([(0, counted(None, 1200)), (1, counted(None, 2400))])
    assert [(piece.wh, piece.method) for piece in pieces] == [(30, "power")]


def test_a_power_is_held_at_most_two_poll_intervals() -> None:
    (piece,) = run([(0, counted(None, 3000)), (60, counted(None, 3000))])
    assert piece.wh == pytest.approx(3000 * HOLD_S / 3600)
    assert piece.end - piece.start == HOLD_S


def test_power_beyond_what_is_possible_is_unknown() -> None:
    # the one before it is held until then
    (piece,) = run([(0, counted(None, 3000)), (1, counted(None, 900_000))])
    assert (piece.wh, piece.end, piece.filled) == (50, at(1).timestamp(), True)


def test_a_power_that_became_unknown_is_held_no_longer_than_two_polls() -> None:
    samples = [(0, counted(None, 3000)), (30, counted(None, None)), (60, counted(None, 3000))]
    (piece,) = run(samples)
    assert (piece.wh, piece.filled) == (100, True)


# ---- consumption without a counter ----------------------------------------------------------


def balanced(minute: float, load_w: float, pv_wh: float, import_wh: float = 0) -> Any:
    counters = {"pv_wh": pv_wh, "import_wh": import_wh, "export_wh": 0.0}
    return minute, Sample(
        load_w=load_w, counters=counters, resolution_wh=dict.fromkeys(counters, 1.0)
    )


def load_wh(samples: Iterable[tuple[float, Sample]]) -> float:
    return sum(piece.wh for piece in run(samples) if piece.quantity == "load_wh")


@pytest.mark.parametrize("load_w", [500, 600, 700])
def test_consumption_without_a_counter_follows_the_balance_of_the_others(load_w: float) -> None:
    # the house draws 600 W; what its power says once a minute is off
    samples = [balanced(minute, load_w, 10.0 * minute) for minute in range(121)]
    assert load_wh(samples) == pytest.approx(1200, abs=3)


def test_a_gap_in_consumption_is_worth_what_the_others_say() -> None:
    samples = [balanced(0, 600, 0), balanced(1, 600, 10), balanced(61, 600, 610)]
    assert load_wh(samples) == pytest.approx(610)


def test_consumption_is_never_negative_and_never_beyond_what_is_possible() -> None:
    samples = [
        balanced(minute, 0 if minute % 2 else 6000, 70.0 * minute * (minute % 3), 7.0 * minute)
        for minute in range(60)
    ]
    pieces = [piece for piece in run(samples) if piece.quantity == "load_wh"]
    assert all(0 <= piece.wh <= 6000 / 60 * MARGIN for piece in pieces)


def test_the_grids_two_directions_are_told_apart() -> None:
    meters, *_ = advance({}, at(0), Sample(grid_w=600), LIMITS, HOLD_S)
    _, pieces, _ = advance(meters, at(1), Sample(grid_w=-600), LIMITS, HOLD_S)
    assert {piece.quantity: piece.wh for piece in pieces} == {"import_wh": 5, "export_wh": 5}


def test_a_counter_that_is_missing_once_does_not_count_its_time_twice() -> None:
    samples = [(0, counted(1000, 3000)), (1, counted(None, 3000)), (2, counted(1100, 3000))]
    assert total(samples) == 100


def test_a_counter_that_stays_away_is_replaced_by_power_and_begins_anew() -> None:
    away = [(minute, counted(None, 3000)) for minute in range(1, 70)]
    samples = [(0, counted(1000, 3000)), *away, (70, counted(90_000, 3000))]
    assert total(samples) == pytest.approx(3000 * 70 / 60)


# ---- rule 3 ---------------------------------------------------------------------------------


def test_a_dip_that_comes_back_counts_nothing() -> None:
    samples = [(0, counted(1000)), (1, counted(10)), (2, counted(1020)), (3, counted(1030))]
    assert total(samples) == 30


def test_a_reset_counts_from_zero_once_a_second_sample_confirms_it() -> None:
    samples = [(0, counted(50_000)), (1, counted(30)), (2, counted(70))]
    assert run(samples[:2]) == []
    assert [piece.wh for piece in run(samples)] == [30, 40]


def test_after_a_reset_a_value_too_high_to_come_from_zero_counts_nothing() -> None:
    assert total([(0, counted(50_000)), (1, counted(20_000)), (2, counted(20_040))]) == 40


def test_a_reset_of_unknown_worth_takes_its_interval_from_power() -> None:
    pieces = run(
        [(0, counted(50_000, 3000)), (1, counted(20_000, 3000)), (2, counted(20_040, 3000))]
    )
    assert [(piece.wh, piece.method) for piece in pieces] == [(50, "power"), (40, "counter")]


@pytest.mark.parametrize("size", [2.0**32, 1e8])
def test_a_counter_that_wraps_counts_the_step_modulo_its_size(size: float) -> None:
    samples = [
        (0, counted(size - 20, size=size)),
        (1, counted(30, size=size)),
        (2, counted(60, size=size)),
    ]
    assert total(samples) == 80


# ---- rule 4 ---------------------------------------------------------------------------------


def test_a_jump_that_is_not_confirmed_is_dropped() -> None:
    assert total([(0, counted(1000)), (1, counted(900_000)), (2, counted(1080))]) == 80


def test_a_jump_that_is_confirmed_counts_nothing_and_its_interval_comes_from_power() -> None:
    pieces = run([(0, counted(1000, 3000)), (1, counted(9000, 3000)), (2, counted(9040, 3000))])
    assert [(piece.wh, piece.method) for piece in pieces] == [(50, "power"), (40, "counter")]
    # a step was refused: what power says of it is filled in, not measured
    assert [piece.filled for piece in pieces] == [True, False]


def test_power_speaks_for_a_jump_only_up_to_the_jump() -> None:
    samples = [
        (0, counted(1000, 3000)),
        (1, counted(9000, 3000)),
        (2, counted(None, 3000)),
        (3, counted(9040, 3000)),
    ]
    assert [(piece.wh, piece.method) for piece in run(samples)] == [(50, "power"), (40, "counter")]


def test_a_confirmed_jump_without_power_leaves_its_interval_unknown() -> None:
    (piece,) = run([(0, counted(1000)), (1, counted(9000)), (2, counted(9040))])
    assert (piece.start, piece.wh) == (at(1).timestamp(), 40)


def test_the_bound_is_limit_times_time_times_margin_and_one_step_of_resolution() -> None:
    bound = 6000 / 60 * MARGIN + 1
    assert total([(0, counted(0)), (1, counted(bound))]) == bound
    assert total([(0, counted(0)), (1, counted(bound + 0.1))]) == 0


def test_a_meter_that_moves_in_half_hour_lumps_is_no_jump() -> None:
    still = [(minute, counted(1000)) for minute in range(30)]
    assert total([*still, (30, counted(2500))]) == 1500


def test_a_long_stillness_does_not_allow_any_jump() -> None:
    still = [(minute, counted(1000)) for minute in range(0, 600, 10)]
    assert total([*still, (600, counted(41_000)), (601, counted(41_010))]) == 10


def test_a_counter_of_pure_nonsense_is_given_up_for_power() -> None:
    samples = [(minute, counted(1000 + 70_000 * minute, 3000)) for minute in range(150)]
    # what is not settled yet at the end is at most as long as the patience
    assert total(samples) >= 3000 / 60 * 149 - 3000 * GIVE_UP_S / 3600 - 100
    assert {piece.method for piece in run(samples)} == {"power"}


def test_a_counter_that_claims_to_step_by_megawatt_hours_does_not_get_them() -> None:
    def claimed(minute: int) -> Sample:
        wh = 1e9 * minute
        return Sample(counters={"pv_wh": wh}, resolution_wh={"pv_wh": 1e9})

    assert total((minute, claimed(minute)) for minute in range(60)) == 0


def test_one_step_of_the_resolution_is_lent_once_and_not_with_every_sample() -> None:
    # a tenth of a kWh every six seconds would be 60 kW
    samples = [
        (second / 60, Sample(counters={"pv_wh": wh}, resolution_wh={"pv_wh": 100.0}))
        for second, wh in ((second, 100.0 * (second // 6)) for second in range(0, 3600, 6))
    ]
    assert total(samples) <= 6000 * MARGIN + 200


def test_ratings_that_no_home_has_bound_nothing() -> None:
    assert max(limits_w({"inverter_w": 1e12, "pv_w": 1e12}, 12_000, 12_000).values()) <= 2e6


def test_a_counter_that_jumps_all_day_is_told_of_once() -> None:
    meters: Meters = {}
    told = []
    for minute in range(300):
        wh = 100_000.0 * (minute // 2)
        meters, _, rebased = advance(meters, at(minute), counted(wh), LIMITS, HOLD_S)
        told += rebased
    assert len(told) == 1


def test_limits_follow_the_ratings_and_else_the_contract() -> None:
    stated = limits_w({"pv_w": None, "inverter_w": 5500, "battery_w": 3000}, 12_000, 12_000)
    assert (stated["pv_wh"], stated["discharge_wh"], stated["import_wh"]) == (8500, 3000, 12_000)
    assert set(limits_w(None, 12_000, 12_000).values()) == {12_000}
    assert limits_w({"inverter_w": 15_000}, 12_000, 12_000)["export_wh"] == 15_000


# ---- whatever comes -------------------------------------------------------------------------

any_sample = st.builds(
    counted,
    st.none() | st.floats(0, 5000) | st.sampled_from([0.0, 900_000.0, 2.0**32 - 5]),
    st.none() | st.floats(-100, 9000),
    st.none() | st.just(2.0**32),
)
any_run = st.lists(st.tuples(st.floats(0.05, 400), any_sample), max_size=40).map(
    lambda steps: [
        (sum(gap for gap, _ in steps[: place + 1]), sample)
        for place, (_, sample) in enumerate(steps)
    ]
)


@given(any_run)
def test_energy_is_never_negative_never_overlaps_and_never_exceeds_the_bound(
    samples: list[tuple[float, Sample]],
) -> None:
    pieces = run(samples)
    assert all(piece.wh >= 0 and piece.end > piece.start for piece in pieces)
    assert all(one.end <= other.start for one, other in pairwise(pieces))
    if samples:
        elapsed_h = (samples[-1][0] - samples[0][0]) / 60
        bound = 6000 * MARGIN * (elapsed_h + LUMP_S / 3600) + len(samples)
        assert sum(piece.wh for piece in pieces) <= bound


@given(any_run, st.data())
def test_a_late_or_repeated_sample_changes_nothing_twice(
    samples: list[tuple[float, Sample]], data: st.DataObject
) -> None:
    disturbed = list(samples)
    for place in range(len(samples), 0, -1):
        repeated = data.draw(st.integers(0, place - 1))
        disturbed.insert(place, samples[repeated])
    assert run(disturbed) == run(samples)


@given(any_run, st.lists(st.floats(0, 20_000), max_size=5))
def test_parts_of_a_time_sum_to_the_whole(
    samples: list[tuple[float, Sample]], cuts: list[float]
) -> None:
    pieces = run(samples)
    edges = [at(minutes).timestamp() for minutes in (-1, *sorted(cuts), 30_000)]
    parts = [energy_between(pieces, *part).get("pv_wh", 0.0) for part in pairwise(edges)]
    assert sum(parts) == pytest.approx(sum(piece.wh for piece in pieces), rel=1e-9, abs=1e-6)


@given(
    st.lists(st.floats(0, 90), min_size=3, max_size=30),
    st.integers(1, 20),
    st.sampled_from(["dip", "reset", "jump", "spike"]),
)
def test_one_disturbance_costs_at_most_its_own_interval(
    steps: list[float], place: int, kind: str
) -> None:
    readings = [100_000.0]
    for step in steps:
        readings.append(readings[-1] + step)
    place = 1 + place % (len(readings) - 2)
    for later in range(place, len(readings)):
        if kind == "reset":
            readings[later] -= 99_000
        elif kind == "jump":
            readings[later] += 400_000
    if kind == "dip":
        readings[place] = 7.0
    if kind == "spike":
        readings[place] += 400_000
    # two still minutes so that everything is settled
    readings += [readings[-1], readings[-1]]
    counted_wh = total((float(minute), counted(wh)) for minute, wh in enumerate(readings))
    lost = steps[place - 1] if kind in ("reset", "jump") else 0.0
    assert counted_wh == pytest.approx(sum(steps) - lost, abs=1e-6)


def test_the_state_between_two_samples_stays_small() -> None:
    meters: Meters = {}
    full: dict[str, Any] = dict.fromkeys(QUANTITIES, 123_456_789.0)
    for minute in range(200):
        wild = {quantity: value * (1 + minute % 3) for quantity, value in full.items()}
        sample = Sample(1000, 1000, 1000, 1000, 50, counters=wild)
        meters, *_ = advance(meters, at(minute / 10), sample, LIMITS, HOLD_S)
    assert len(json.dumps(meters)) < 2000
    assert GIVE_UP_S > 0
