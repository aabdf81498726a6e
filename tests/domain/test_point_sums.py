"""What a half-year is worth: measured energy, rates by day, one rounding."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain import point_sums, self_use
from app.domain.half_hours import COUNTER, HELD, POWER
from app.domain.point_sums import Sums
from app.domain.programme import Programme
from app.domain.self_use import Day, Days, Told
from tests.members import PROGRAMME, SUMMER

ZONE = "Asia/Tokyo"
DAY = date(2026, 6, 1)


def told(wh: float, seconds: int = 1800, methods: int = COUNTER) -> Told:
    return Told(round(wh * 10), seconds, methods)


def test_what_was_sold_is_no_self_consumption() -> None:
    assert self_use.judged((told(500), told(200))) == (3000, 1800)


def test_a_battery_that_sells_what_it_bought_takes_nothing_from_other_half_hours() -> None:
    # sale at night, charged from the grid before
    assert self_use.judged((told(0), told(400))) == (0, 1800)


def test_energy_that_only_power_tells_is_missing() -> None:
    assert self_use.judged((told(500, methods=POWER), told(0))) is None
    assert self_use.judged((told(500), told(0, methods=COUNTER | POWER))) is None
    assert self_use.judged((told(500, methods=POWER | HELD), told(0))) is None


def test_generation_while_nobody_knows_the_sale_is_missing() -> None:
    assert self_use.judged((told(500), None)) is None
    assert self_use.judged((told(500), told(0, seconds=900))) is None


def test_a_half_hour_that_began_late_counts_what_counters_know() -> None:
    assert self_use.judged((told(100, seconds=600), told(0, seconds=600))) == (1000, 600)


def test_the_missing_half_hours_of_a_day_are_told_as_stretches() -> None:
    starts = list(self_use.starts_of(DAY, ZONE))
    pair = (told(100), told(0))
    known = {start: pair for place, start in enumerate(starts) if place not in (3, 4, 5, 20)}
    day = self_use.count(DAY, ZONE, known)
    assert day.missing == ((3, 5), (20, 20))
    assert (day.dwh, day.known_s, day.seconds) == (44_000, 44 * 1800, 86_400)


def whole(kwh: float) -> Day:
    return Day(round(kwh * 10_000), 86_400, 86_400, ())


def add_up(
    days: Mapping[date, Day], first: date, last: date, programme: Programme = PROGRAMME
) -> Sums:
    return point_sums.add_up(days, first, last, programme, zone=ZONE)


def test_the_published_example_comes_to_about_1100_yen_a_year() -> None:
    # 3,500 kWh, with more of it in the lighter half of the year
    year = [SUMMER, PROGRAMME.period_of(SUMMER.last + timedelta(days=1))]
    points = 0
    for period, kwh in zip(year, (1900, 1600), strict=True):
        count = (period.last - period.first).days + 1
        days = {period.first + timedelta(days=n): whole(kwh / count) for n in range(count)}
        points += add_up(days, period.first, period.last).points
    assert 1098 <= points <= 1101


def test_a_new_rate_holds_from_its_day_on() -> None:
    rates = [
        {"from": "2026-01-01", "yen_per_kwh": "0.3"},
        {"from": "2026-07-01", "yen_per_kwh": "2"},
    ]
    programme = Programme.model_validate(
        PROGRAMME.model_dump(by_alias=True, mode="json") | {"rates": rates}
    )
    days = {date(2026, 6, 30): whole(10), date(2026, 7, 1): whole(10)}
    sums = add_up(days, date(2026, 6, 30), date(2026, 7, 1), programme)
    assert sums.parts == ((Decimal("0.3"), 100_000), (Decimal(2), 100_000))
    assert sums.points == 23
    assert sums.months == {"2026-06": 100_000, "2026-07": 100_000}


def test_what_no_households_generator_makes_counts_nothing_and_is_told() -> None:
    bounds = [
        {"from": "2026-05-01", "generator_kw": "10", "kwh_per_kw": "8"},
        {"from": "2026-06-03", "generator_kw": "5", "kwh_per_kw": "8"},
    ]
    programme = Programme.model_validate(
        PROGRAMME.model_dump(by_alias=True, mode="json") | {"bounds": bounds}
    )
    # as much as may be, a device that tells of a power plant, and the next bound
    made = [whole(80), whole(2400), whole(50)]
    known = {DAY + timedelta(days=number): day for number, day in enumerate(made)}
    last = max(known)
    sums = add_up(known, DAY, last, programme)
    assert sums.dwh == (80 + 80 + 40) * 10_000
    over = {date(2026, 6, 2): 2320 * 10_000, last: 10 * 10_000}
    assert (sums.over, sums.over_dwh) == (over, 2330 * 10_000)
    assert Sums.from_json(sums.to_json()) == sums
    # the same where days are kept as numbers in a row
    row = Days(DAY, [day.dwh for day in made], {})
    assert add_up(row, DAY, last, programme) == sums
    unbounded = programme.model_copy(update={"bounds": ()})
    assert add_up(row, DAY, last, unbounded).dwh == (80 + 2400 + 50) * 10_000


def test_a_day_that_nothing_is_known_of_is_missing_and_counts_nothing() -> None:
    sums = add_up({}, DAY, DAY)
    assert (sums.points, sums.coverage, sums.missing_half_hours) == (0, 0.0, 48)


def test_membership_days_alone_count() -> None:
    days = point_sums.member_days
    assert days(SUMMER, None, None) is None
    assert days(SUMMER, date(2026, 8, 1), None) == (date(2026, 8, 1), SUMMER.last)
    # the day it ends is not a member's any more
    assert days(SUMMER, DAY, date(2026, 7, 1)) == (DAY, date(2026, 6, 30))
    assert days(SUMMER, date(2027, 1, 1), None) is None
    assert days(SUMMER, DAY, DAY) is None


def test_what_is_kept_is_what_was_counted() -> None:
    sums = add_up(
        {DAY: whole(3), DAY + timedelta(days=2): whole(1.5)}, DAY, DAY + timedelta(days=4)
    )
    assert Sums.from_json(sums.to_json()) == sums


halves = st.tuples(
    st.integers(0, 30_000), st.integers(0, 30_000), st.sampled_from([COUNTER, POWER, 3])
)
histories = st.lists(
    st.lists(st.one_of(st.none(), halves), min_size=48, max_size=48), min_size=2, max_size=6
)


def days_of(history: list[list[tuple[int, int, int] | None]]) -> dict[date, Day]:
    days = {}
    for number, of_day in enumerate(history):
        day = DAY + timedelta(days=number)
        pairs = {
            start: (Told(one[0], 1800, one[2]), Told(one[1], 1800, COUNTER))
            for start, one in zip(self_use.starts_of(day, ZONE), of_day, strict=True)
            if one
        }
        days[day] = self_use.count(day, ZONE, pairs)
    return days


@given(histories, st.data())
def test_splitting_a_membership_never_gives_more(history: list, data: st.DataObject) -> None:
    days = days_of(history)
    last = max(days)
    cut = data.draw(st.integers(0, len(days) - 2))
    middle = DAY + timedelta(days=cut)
    one = add_up(days, DAY, last)
    parts = [add_up(days, DAY, middle), add_up(days, middle + timedelta(days=1), last)]
    assert sum(part.dwh for part in parts) == one.dwh
    assert sum(part.points for part in parts) <= one.points
    assert one.points >= 0


@given(histories)
def test_more_energy_never_gives_less(history: list) -> None:
    less = add_up(days_of(history), DAY, DAY + timedelta(days=len(history) - 1))
    more = [[(one[0] + 500, *one[1:]) if one else None for one in day] for day in history]
    richer = add_up(days_of(more), DAY, DAY + timedelta(days=len(history) - 1))
    assert richer.dwh >= less.dwh
    assert richer.points >= less.points >= 0
