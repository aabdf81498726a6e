"""What days are worth: the same by their totals, half hour by half hour, and many at once."""

from datetime import date, timedelta
from random import Random

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from app.domain import energy_totals, half_hours, point_sums, self_use
from app.domain.energy_totals import Settled
from app.domain.half_hours import BALANCE, COUNTER, POWER, Energy, HalfHour
from app.domain.self_use import Day, Home
from app.extensions import db
from app.models import EnergyTotal, Installation, PollState
from app.transaction import transaction
from tests.counting import counted
from tests.factories import InstallationFactory
from tests.members import PROGRAMME

# clocks change in Berlin on 25 October: that day has fifty half hours
FIRST, LAST = date(2026, 10, 20), date(2026, 11, 8)
ZONES = ("Asia/Tokyo", "Europe/Berlin")

energies = st.builds(
    Energy,
    st.integers(0, 60_000).map(lambda dwh: dwh / 10),
    st.sampled_from([1800, 1200, 0]),
    st.sampled_from([0, 600]),
    st.sampled_from([COUNTER, POWER, COUNTER | POWER, BALANCE]),
)


@given(
    st.lists(
        st.none() | st.dictionaries(st.sampled_from(["pv_wh", "export_wh"]), energies),
        min_size=48,
        max_size=48,
    )
)
def test_columns_hold_what_half_hours_hold(of_day: list[dict[str, Energy] | None]) -> None:
    zone = ZONES[0]
    starts = half_hours.starts(FIRST, zone)
    known = {
        start: HalfHour(start, 1, None, energy)
        for start, energy in zip(starts, of_day, strict=True)
        if energy
    }
    packed = half_hours.pack(known, FIRST, zone)
    told = half_hours.unpack(packed, FIRST, zone, 1)
    assert self_use._pairs(packed, FIRST, zone) == {
        start: self_use._pair(told[start]) if start in told else (None, None) for start in starts
    }


wholes = st.tuples(st.integers(0, 300_000), st.integers(0, 300_000))


@given(st.lists(wholes, min_size=48, max_size=48))
def test_a_whole_days_total_is_the_sum_of_its_half_hours(of_day: list[tuple[int, int]]) -> None:
    zone = ZONES[0]
    lived = {
        start: HalfHour(
            start,
            1,
            None,
            {
                "pv_wh": Energy(made / 10, 1800, 0, COUNTER),
                "export_wh": Energy(sold / 10, 0, 1800, COUNTER),
            },
        )
        for start, (made, sold) in zip(half_hours.starts(FIRST, zone), of_day, strict=True)
    }
    row = energy_totals._row((1, 1, FIRST), zone, lived)
    day = self_use.count(FIRST, zone, self_use._pairs(row["half_hours"], FIRST, zone))
    assert day == Day(round(row["self_wh"] * 10), 86_400, 86_400, ())


def random_day(luck: Random, day: date, zone: str, installation_id: int) -> list[HalfHour]:
    """Return a day that counters know, or one with a gap, or one that power tells in part."""
    kind = luck.choice(["whole", "whole", "whole", "filled", "gap", "power", "unsold"])
    lived = []
    for place, start in enumerate(half_hours.starts(day, zone)):
        if kind == "gap" and place in (luck.randrange(48), 5, 6):
            continue
        told = (1800, 0) if kind != "filled" else (600, 1200)
        method = POWER if kind == "power" and place == 20 else COUNTER
        energy = {
            "pv_wh": Energy(luck.randrange(20_000) / 10, *told, method),
            "load_wh": Energy(luck.randrange(9_000) / 10, *told, BALANCE),
            "export_wh": Energy(luck.randrange(20_000) / 10, *told, COUNTER),
        }
        if kind == "unsold" and place > 30:
            del energy["export_wh"]
        lived.append(HalfHour(start, installation_id, 50, energy))
    return lived


def one_by_one(home: Home, zone: str) -> dict[date, Day]:
    """Return the days of a home as its half hours tell them, each by itself."""
    found = {}
    told = energy_totals.days_half_hours(*home, FIRST, LAST)
    for day, lived in told.items():
        pairs = {start: self_use._pair(one) for start, one in lived.items()}
        found[day] = self_use.count(day, zone, pairs)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_many_homes_at_once_are_worth_what_their_half_hours_are(app: Flask, seed: int) -> None:
    luck = Random(seed)
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    homes: list[tuple[Home, str]] = []
    with app.app_context(), transaction():
        for number in range(4):
            # the last one moved to another zone after it was counted
            zone, counted_in = ZONES[number % 2], ZONES[(number == 3) ^ (number % 2)]
            made = InstallationFactory(zone=zone)
            homes.append((Home(made.gateway_id, made.id), counted_in))
            lived = [
                one
                for day in days
                if luck.random() > 0.1
                for one in random_day(luck, day, counted_in, made.id)
            ]
            # the last half hours are still open
            last = lived[-1].start - 5 * 1800
            settled = [one for one in lived if one.start < last]
            energy_totals.write([Settled(made.gateway_id, counted_in, settled)])
            db.session.execute(
                update(PollState)
                .where(PollState.gateway_id == made.gateway_id)
                .values(
                    half_hours=[one.to_json() for one in lived if one.start >= last],
                    counted_zone=counted_in,
                )
            )
    with app.app_context():
        found = list(self_use.days_of_many([home for home, _zone in homes], FIRST, LAST))
        for (home, zone), many in zip(homes, found, strict=True):
            alone = one_by_one(home, zone)
            assert dict(many) == alone
            for first, last in ((FIRST, LAST), (days[3], days[11]), (days[5], days[5])):
                quick, slow = (
                    point_sums.add_up(known, first, last, PROGRAMME, zone=zone)
                    for known in (many, alone)
                )
                assert quick == slow


def test_a_whole_day_counts_after_its_half_hours_were_cleared_and_another_does_not(
    app: Flask,
) -> None:
    with app.app_context(), transaction():
        made = InstallationFactory()
        home = Home(made.gateway_id, made.id)
        for number in range(2):
            lived = random_day(Random(1), FIRST + timedelta(days=number), made.zone, made.id)
            known = [replaced(one) for one in lived[number:]]
            energy_totals.write([Settled(made.gateway_id, made.zone, known)])
        db.session.execute(update(EnergyTotal).values(half_hours=None))
    with app.app_context():
        [days] = self_use.days_of_many([home], FIRST, LAST)
        assert [days[day].is_kept for day in days] == [True, False]
        assert days[FIRST].dwh == 48 * 3000
        sums = point_sums.add_up(days, FIRST, FIRST, PROGRAMME, zone=ZONES[0])
        assert (sums.dwh, sums.is_kept, sums.missing) == (48 * 3000, True, {})


def replaced(one: HalfHour) -> HalfHour:
    energy = {"pv_wh": Energy(500, 1800, 0, COUNTER), "export_wh": Energy(200, 1800, 0, COUNTER)}
    return HalfHour(one.start, one.installation_id, None, energy)


def test_homes_cost_the_same_few_statements_however_many_they_are(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), transaction():
        luck = Random(2)
        homes = []
        for _number in range(12):
            made: Installation = InstallationFactory()
            homes.append(Home(made.gateway_id, made.id))
            lived = random_day(luck, FIRST, made.zone, made.id)
            energy_totals.write([Settled(made.gateway_id, made.zone, lived[1:])])
    amounts = []
    for some in (homes[:1], homes):
        with app.app_context(), counted(monkeypatch) as work:
            assert len(list(self_use.days_of_many(some, FIRST, LAST))) == len(some)
        amounts.append(len(work.statements))
    assert amounts == [4, 4]
