"""Energy as rows without a hole: by half hour, day and month."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from app.domain import energy_series, energy_totals
from app.domain.energy_series import Row, Span
from app.domain.energy_totals import Settled
from app.domain.errors import NotFound
from app.domain.half_hours import COUNTER, LENGTH_S, Energy, HalfHour
from app.extensions import db
from app.models import Account, Installation
from app.transaction import transaction
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory

HOME, BERLIN = "HDM7Q2KX94TP", "Europe/Berlin"
OPENED = datetime(2026, 9, 30, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
# the day on which clocks go back there
LONG_DAY = date(2026, 10, 25)


@pytest.fixture
def taro(app: Flask) -> int:
    """Give the owner of a home whose sun gives 10 Wh in each half hour of three days."""
    with app.app_context(), transaction():
        home = InstallationFactory(
            gateway=GatewayFactory(public_id=HOME), zone=BERLIN, opened_at=OPENED
        )
        start = datetime(2026, 10, 23, 22, tzinfo=UTC).timestamp()
        energy = {"pv_wh": Energy(10.0, 1800.0, 0.0, COUNTER)}
        half_hours = [
            HalfHour(start + LENGTH_S * number, home.id, None, energy) for number in range(146)
        ]
        energy_totals.write([Settled(home.gateway_id, BERLIN, half_hours)])
        return int(home.account_id)


def rows(app: Flask, owner: int, period: str, first: date, last: date) -> list[Row]:
    with app.app_context():
        actor = db.session.get_one(Account, owner)
        span = Span(period, first, last)
        return energy_series.series(actor, HOME, span, NOW, zone="Asia/Tokyo").rows


def pv(row: Row) -> float | None:
    found = row.total.energy.get("pv_wh")
    return found.wh if found else None


def test_half_hours_sum_to_days_and_days_to_months_where_clocks_go_back(
    app: Flask, taro: int
) -> None:
    first, last = LONG_DAY - timedelta(days=1), LONG_DAY + timedelta(days=1)
    halves = rows(app, taro, "half_hour", first, last)
    days = rows(app, taro, "day", first, last)
    [month] = rows(app, taro, "month", first, last)
    assert [(row.start, row.seconds, pv(row)) for row in days] == [
        ("2026-10-24", 86400, 480.0),
        ("2026-10-25", 90000, 500.0),
        ("2026-10-26", 86400, 480.0),
    ]
    assert len(halves) == 48 + 50 + 48
    assert halves[0].start == "2026-10-23T22:00:00Z"
    assert len({row.start for row in halves}) == len(halves)
    assert sum(pv(row) or 0 for row in halves) == pv(month) == 1460.0
    assert (month.start, month.seconds) == ("2026-10", 31 * 86400 + 3600)


def test_what_is_not_known_has_its_row_without_a_figure(app: Flask, taro: int) -> None:
    unknown, known = rows(app, taro, "day", date(2026, 10, 23), date(2026, 10, 24))
    assert (pv(unknown), unknown.total.self_wh) == (None, None)
    assert pv(known) == 480.0
    assert [pv(row) for row in rows(app, taro, "month", date(2026, 9, 1), NOW.date())] == [
        None,
        1460.0,
        None,
    ]


def test_rows_begin_with_the_first_day_of_the_installation_and_end_with_today(
    app: Flask, taro: int
) -> None:
    for period, first, last in (
        ("half_hour", "2026-09-29T22:00:00Z", "2026-11-22T09:00:00Z"),
        ("day", "2026-09-30", "2026-11-22"),
        ("month", "2026-09", "2026-11"),
    ):
        found = rows(app, taro, period, date(1, 1, 1), date.max)
        assert (found[0].start, found[-1].start) == (first, last)
        assert rows(app, taro, period, date(1, 1, 1), date(1, 2, 1)) == []
        assert rows(app, taro, period, date.max, date.max) == []


def test_a_strangers_and_a_former_owners_gateway_is_not_found(app: Flask, taro: int) -> None:
    with app.app_context(), transaction():
        stranger = int(CustomerFactory().id)
    with pytest.raises(NotFound):
        rows(app, stranger, "day", LONG_DAY, LONG_DAY)
    with app.app_context(), transaction():
        db.session.query(Installation).one().closed_at = NOW
    with pytest.raises(NotFound):
        rows(app, taro, "day", LONG_DAY, LONG_DAY)


@pytest.mark.parametrize(
    ("span", "size"),
    [
        (Span("half_hour", date(2026, 10, 1), date(2026, 10, 31)), 31),
        (Span("day", date(2026, 11, 1), date(2026, 11, 1)), 1),
        (Span("month", date(2026, 12, 31), date(2027, 1, 1)), 2),
        (Span("month", date(2017, 1, 1), date(2026, 12, 31)), 120),
    ],
)
def test_the_size_of_what_is_asked_for_is_counted_in_days_or_months(span: Span, size: int) -> None:
    assert span.size == size
