"""Half hours of energy: the energy rules 2 and 5, whatever samples come."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import half_hours
from app.domain.counting import Place, Standing, count
from app.domain.energy import Piece, day_of
from app.domain.half_hours import LENGTH_S, Energy, HalfHour, Owner
from app.domain.meters import MARGIN
from app.profiles.base import QUANTITIES, Sample
from simulator.household import Config, Household
from tests.conftest import PROFILE

TOKYO, BERLIN, KATHMANDU = "Asia/Tokyo", "Europe/Berlin", "Asia/Kathmandu"
NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo
LIMITS = dict.fromkeys(QUANTITIES, 6000.0)
HOLD_S = 120.0


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def run(
    samples: Iterable[tuple[datetime, Sample]],
    zone: str = TOKYO,
    owners: Sequence[Owner] = (),
    gateway_id: int = 1,
    *,
    through_json: bool = True,
) -> tuple[list[HalfHour], list[Piece]]:
    """Return all half hours of these samples, and the pieces; what is kept goes through JSON."""
    place = Place(gateway_id, zone, owners, LIMITS, HOLD_S)
    standing, settled, pieces = Standing({}, []), [], []
    for moment, sample in samples:
        if through_json:
            kept = [standing.meters, [one.to_json() for one in standing.half_hours]]
            standing = Standing.of(*json.loads(json.dumps(kept)))
        counted = count(standing, moment, sample, place)
        standing = counted.standing
        settled += counted.settled.half_hours
        pieces += counted.pieces
    return [*settled, *standing.half_hours], pieces


def pv(wh: float | None, w: float | None = None, soc: float | None = None) -> Sample:
    counters = {} if wh is None else {"pv_wh": wh}
    return Sample(pv_w=w, soc_pct=soc, counters=counters, resolution_wh=dict.fromkeys(counters, 1))


def by_clock(found: Iterable[HalfHour], zone: str = TOKYO) -> dict[str, Energy]:
    """Return PV by the clock of the site."""
    there = half_hours.ZoneInfo(zone)
    return {
        f"{datetime.fromtimestamp(one.start, there):%H:%M}": one.energy["pv_wh"]
        for one in found
        if "pv_wh" in one.energy
    }


# ---- each energy in its own half hour -------------------------------------------------------


def test_a_step_within_two_polls_is_measured_in_the_half_hours_it_lies_in() -> None:
    found, _ = run([(at(29), pv(1000)), (at(31), pv(1100))])
    assert by_clock(found) == {
        "12:00": Energy(50, 60, 0, half_hours.COUNTER),
        "12:30": Energy(50, 60, 0, half_hours.COUNTER),
    }


def test_a_step_over_a_gap_is_spread_evenly_and_filled() -> None:
    found, _ = run([(at(0), pv(1000)), (at(120), pv(3000))])
    assert by_clock(found) == {
        clock: Energy(500, 0, LENGTH_S, half_hours.COUNTER)
        for clock in ("12:00", "12:30", "13:00", "13:30")
    }


def test_a_gap_is_spread_like_the_power_that_is_known_in_it() -> None:
    # the counter is away for 50 minutes, power is not: 600 W before half past, 3000 W after it
    away = [(at(minute), pv(None, 600 if minute < 30 else 3000)) for minute in range(10, 60)]
    found, _ = run([(at(9), pv(1000, 600)), *away, (at(60), pv(2710, 3000))])
    energy = by_clock(found)
    assert sum(one.wh for one in energy.values()) == pytest.approx(1710)
    assert energy["12:00"].wh == pytest.approx(20 * 10 + 30, abs=30)
    assert energy["12:30"].wh == pytest.approx(1500, abs=30)
    assert energy["12:30"].filled_s == LENGTH_S


def test_without_a_counter_a_held_power_is_filled_and_the_rest_of_the_gap_is_missing() -> None:
    found, _ = run([(at(0), pv(None, 3000)), (at(20), pv(None, 3000))])
    assert by_clock(found)["12:00"] == Energy(
        pytest.approx(100), 0, HOLD_S, half_hours.POWER | half_hours.HELD
    )


def test_consumption_without_a_counter_is_the_balance_of_the_others_over_a_gap() -> None:
    def sample(pv_wh: float, import_wh: float, export_wh: float) -> Sample:
        counters = {"pv_wh": pv_wh, "import_wh": import_wh, "export_wh": export_wh}
        return Sample(load_w=500, counters=counters, resolution_wh=dict.fromkeys(counters, 1))

    found, _ = run([(at(0), sample(0, 0, 0)), (at(60), sample(900, 300, 200))])
    assert [one.energy["load_wh"] for one in found if "load_wh" in one.energy] == [
        Energy(500, 0, LENGTH_S, half_hours.BALANCE)
    ] * 2


def test_energy_goes_to_who_owned_the_gateway_then() -> None:
    opened, closed, opened_again = (at(minutes).timestamp() for minutes in (10, 40, 50))
    owners = [(opened, closed, 7), (opened_again, float("inf"), 8)]
    found, _ = run([(at(0), pv(0)), (at(60), pv(600))], owners=owners)
    wh: dict[int, float] = defaultdict(float)
    for one in found:
        wh[one.installation_id] += one.energy["pv_wh"].wh
    assert wh == pytest.approx({0: 200, 7: 300, 8: 100})


def test_the_state_of_charge_is_that_at_the_start_of_the_half_hour() -> None:
    found, _ = run(
        [
            (at(28), pv(0, soc=50)),
            (at(29), pv(0, soc=51)),
            (at(31), pv(0, soc=53)),
            (at(65), pv(0, soc=70)),
        ]
    )
    charge = {(one.start - NOON.timestamp()) / 60: one.soc_pct for one in found}
    # nobody knows it where a gap spans the start
    assert charge[30] == 51
    assert charge[60] is None


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        (TOKYO, date(2026, 11, 22), 48),
        (BERLIN, date(2026, 3, 29), 46),
        (BERLIN, date(2026, 10, 25), 50),
        (KATHMANDU, date(2026, 11, 22), 48),
        ("Australia/Lord_Howe", date(2026, 10, 4), 47),
    ],
)
def test_a_day_has_as_many_half_hours_as_its_clock_says(zone: str, day: date, count: int) -> None:
    begins, ends = half_hours.day_bounds(day, zone)
    starts = half_hours.starts(day, zone)
    assert len(starts) == count
    assert starts[0] == begins
    assert [half_hours.start_of(start + 1799, zone) for start in starts] == starts
    assert half_hours.end_of(starts[-1], zone) == ends


# ---- when they are written ------------------------------------------------------------------


def test_a_half_hour_is_written_once_nothing_more_can_settle_in_it() -> None:
    place = Place(1, TOKYO, (), LIMITS, HOLD_S)
    standing, written = Standing({}, []), []
    for minute in range(180):
        # the counter is away from 12:20 on, and is back at 13:10
        wh = None if 20 <= minute < 70 else 50.0 * minute
        counted = count(standing, at(minute), pv(wh, 3000), place)
        standing = counted.standing
        written += [(minute, one) for one in counted.settled.half_hours]
    starts = [one.start for _, one in written]
    assert len(starts) == len(set(starts)) == 5
    assert min(minute for minute, _ in written) >= 70
    assert all(one.energy["pv_wh"].wh == pytest.approx(1500) for _, one in written)


def test_gateways_write_their_half_hours_at_different_times() -> None:
    minutes = []
    for gateway_id in range(1, 21):
        place = Place(gateway_id, TOKYO, (), LIMITS, HOLD_S)
        standing = Standing({}, [])
        for minute in range(70):
            counted = count(standing, at(minute), pv(50.0 * minute), place)
            standing = counted.standing
            if counted.settled.half_hours:
                minutes.append(minute)
                break
    assert min(minutes) >= 30
    assert max(minutes) < 60
    assert len(set(minutes)) >= 10


# ---- packed ---------------------------------------------------------------------------------

energies = st.builds(
    Energy,
    st.floats(0, 200_000_000 / 10),
    st.floats(0, 900),
    st.floats(0, 900),
    st.integers(0, 15),
)
any_day = st.tuples(
    st.sampled_from([TOKYO, BERLIN, KATHMANDU]),
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.dictionaries(
        st.integers(0, 45),
        st.tuples(
            st.none() | st.integers(0, 100),
            st.dictionaries(st.sampled_from(QUANTITIES), energies, min_size=1),
        ),
    ),
)


@given(any_day)
def test_a_packed_day_gives_back_what_was_rounded_into_it(made: tuple[str, date, Any]) -> None:
    zone, day, slots = made
    starts = half_hours.starts(day, zone)
    kept = {
        starts[place]: HalfHour(starts[place], 3, soc, energy)
        for place, (soc, energy) in slots.items()
    }
    packed = half_hours.pack(kept, day, zone)
    assert half_hours.unpack(packed, day, zone, 3) == {
        start: one.rounded() for start, one in kept.items()
    }


def test_energy_that_no_building_has_is_unknown_when_it_is_written() -> None:
    start = half_hours.starts(NOON.date(), TOKYO)[0]
    one = HalfHour(start, 3, 50, {"pv_wh": Energy(1e12, 900, 0, 1), "load_wh": Energy(5, 9, 0, 1)})
    packed = half_hours.pack({start: one}, NOON.date(), TOKYO)
    found = half_hours.unpack(packed, NOON.date(), TOKYO, 3)
    assert set(found[start].energy) == {"load_wh"}


# ---- whatever comes -------------------------------------------------------------------------


def any_quantity(draw: st.DrawFn) -> dict[str, float]:
    return {
        quantity: draw(st.floats(0, 300) | st.sampled_from([0.0, -700.0, 2.0**31]))
        for quantity in draw(st.sets(st.sampled_from(QUANTITIES)))
    }


@st.composite
def any_run(draw: st.DrawFn) -> list[tuple[datetime, Sample]]:
    """Draw samples after gaps of seconds to days: counters that rise, fall, jump and go away."""
    samples, minutes = [], draw(st.floats(-1000, 1000))
    counters = dict.fromkeys(QUANTITIES, 1000.0)
    for _ in range(draw(st.integers(0, 14))):
        minutes += draw(st.sampled_from([0.1, 1.0, 1.0, 1.0, 2.0, 17.0, 95.0, 1500.0]))
        steps = any_quantity(draw)
        for quantity, step in steps.items():
            counters[quantity] = max(0.0, counters[quantity] + step)
        known = {quantity: counters[quantity] for quantity in steps}
        powers = draw(st.tuples(*[st.none() | st.floats(-5000, 5000)] * 4))
        samples.append(
            (
                at(minutes),
                Sample(
                    *powers,
                    soc_pct=draw(st.none() | st.floats(0, 100)),
                    counters=known,
                    resolution_wh=dict.fromkeys(known, 1.0),
                    counter_size=dict.fromkeys(known, 2.0**32),
                ),
            )
        )
    return samples


zones = st.sampled_from([TOKYO, BERLIN, KATHMANDU])


@given(any_run(), zones, st.integers(1, 1000))
def test_half_hours_hold_all_energy_once_and_never_more_time_than_they_have(
    samples: list[tuple[datetime, Sample]], zone: str, gateway_id: int
) -> None:
    found, pieces = run(samples, zone, gateway_id=gateway_id)
    keys = [(one.start, one.installation_id) for one in found]
    assert len(keys) == len(set(keys))
    for quantity in QUANTITIES:
        ours = [one.energy[quantity] for one in found if quantity in one.energy]
        assert sum(one.wh for one in ours) == pytest.approx(
            sum(piece.wh for piece in pieces if piece.quantity == quantity), abs=1e-6
        )
        for one in ours:
            assert one.wh >= 0
            assert 0 < one.measured_s + one.filled_s <= LENGTH_S + 1e-6
    for one in found:
        for energy in one.energy.values():
            # rule 4: a lump may hold what half an hour before it was worth
            assert energy.wh <= 6000 * MARGIN * (one_hour := 1.0) + 2 * one_hour * 6000


@given(any_run(), zones)
def test_half_hours_sum_to_the_day_and_days_to_all_there_is(
    samples: list[tuple[datetime, Sample]], zone: str
) -> None:
    found, _ = run(samples, zone)
    days: dict[date, dict[float, HalfHour]] = defaultdict(dict)
    for one in found:
        day, _ = day_of(datetime.fromtimestamp(one.start, UTC), zone)
        days[day][one.start] = one
    whole = half_hours.total(one.rounded() for one in found)
    summed = half_hours.Total()
    for day, kept in days.items():
        begins, ends = half_hours.day_bounds(day, zone)
        assert all(begins <= start < ends for start in kept)
        written = half_hours.unpack(half_hours.pack(kept, day, zone), day, zone, 0)
        total = half_hours.total(written.values())
        summed.add(total.energy, total.self_wh)
    for quantity, energy in whole.energy.items():
        assert summed.energy[quantity].wh == pytest.approx(energy.wh, abs=1e-6)
        assert summed.energy[quantity].measured_s == energy.measured_s
        assert summed.energy[quantity].filled_s == energy.filled_s
    assert summed.self_wh == pytest.approx(whole.self_wh)


@given(any_run(), st.lists(st.floats(-1500, 6000), max_size=4, unique=True))
def test_owners_share_the_energy_of_a_gateway_and_nothing_is_counted_twice(
    samples: list[tuple[datetime, Sample]], cuts: list[float]
) -> None:
    moments = sorted(at(minutes).timestamp() for minutes in cuts)
    owners = [(since, until, number) for number, (since, until) in enumerate(pairwise(moments), 1)]
    alone, _ = run(samples)
    shared, _ = run(samples, owners=owners)
    for quantity in QUANTITIES:
        sums = [
            sum(one.energy[quantity].wh for one in found if quantity in one.energy)
            for found in (alone, shared)
        ]
        assert sums[0] == pytest.approx(sums[1], abs=1e-6)


# ---- a simulated month ----------------------------------------------------------------------

DAYS = 30 if PROFILE == "many" else 4
# a device that counts in tenths of a kWh
COARSE_WH = 100.0
NAMES = {
    "pv_wh": "pv",
    "load_wh": "load",
    "import_wh": "import",
    "export_wh": "export",
    "charge_wh": "charge",
    "discharge_wh": "discharge",
}


@cache
def lived() -> tuple[dict[str, float], list[tuple[datetime, Sample]]]:
    """Live for a month; return the true energy, and what a poller saw of it."""
    home = Household.begin(Config(id="MONTH"), NOON.timestamp())
    # what the counters of a device that was exchanged do not know
    lost = dict.fromkeys(NAMES.values(), 0.0)
    begins = dict(home.energy)
    samples = []
    for minute in range(1, DAYS * 1440 + 1):
        moment = at(minute)
        home.advance(moment.timestamp())
        day, of_day = divmod(minute, 1440)
        # two polls lost at noon each day, every other night three hours, a reset now and then
        if of_day in (3, 4) or (day % 2 and 700 <= of_day < 880):
            continue
        if day % 7 == 2 and of_day == 100:
            lost = dict(home.energy)
        counters = {
            name: (home.energy[truth] - lost[truth]) // COARSE_WH * COARSE_WH
            for name, truth in NAMES.items()
        }
        flow = home.flow(moment.timestamp())
        powers = (flow.pv_w, flow.load_w, flow.grid_w, flow.battery_w, home.stored * 100)
        scale = dict.fromkeys(counters, COARSE_WH)
        samples.append((moment, Sample(*powers, counters=counters, resolution_wh=scale)))
    return {name: home.energy[name] - begins[name] for name in begins}, samples


@pytest.mark.grows
@pytest.mark.parametrize("has_load_counter", [True, False])
def test_a_month_with_gaps_resets_and_coarse_counters_is_within_half_a_percent(
    has_load_counter: bool,
) -> None:
    true_wh, samples = lived()
    if not has_load_counter:
        samples = [(moment, without_load(sample)) for moment, sample in samples]
    found, _ = run(samples, through_json=False)
    for name, truth in NAMES.items():
        counted = sum(one.energy[name].wh for one in found if name in one.energy)
        # the first and the last step of a coarse counter are not seen whole
        slack = 2 * COARSE_WH if PROFILE != "many" else 0.0
        assert counted == pytest.approx(true_wh[truth], rel=0.005, abs=slack), name


def without_load(sample: Sample) -> Sample:
    counters = {name: wh for name, wh in sample.counters.items() if name != "load_wh"}
    return replace(sample, counters=counters)
