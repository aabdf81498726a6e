"""Whom the eco programme may be offered to, and what is known of first generation and coverage."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from app.domain import eco, generation
from app.domain.eligibility import Coverage
from app.domain.half_hours import HalfHour
from app.extensions import db
from app.models import Account, EnergyTotal, Installation, Latest, PollState, Reading
from app.transaction import transaction
from tests.counting import counted
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory
from tests.histories import write_history
from tests.joining import MOVED_IN, NOW, TODAY, home, join, rules, the_programme

DAY = timedelta(days=1)


def offered(installation: Installation, now: datetime = NOW) -> bool:
    both = eco.may_be_offered(installation.id, the_programme(), now)
    listed = eco.offered(installation.account, the_programme(), now)
    assert (installation in listed) is both
    return both


@pytest.fixture(autouse=True)
def _in_app(app: Flask) -> Any:
    with app.app_context(), transaction():
        yield


def test_a_household_whose_panels_have_generated_is_offered_it_once_samples_are_gone() -> None:
    installation = home()
    db.session.execute(delete(Reading))
    assert offered(installation)


@pytest.mark.parametrize(
    ("state", "latest", "told"),
    [
        ({}, {"pv_now_w": 800.0}, True),
        ({}, {"pv_today_wh": 20.0}, True),
        ({"pv_wh": {"wh": 5.0}}, {}, True),
        ({"pv_wh": {"wh": 0.0}}, {"pv_now_w": 0.0, "pv_today_wh": 0.0}, False),
        ({}, {}, False),
    ],
)
def test_in_the_first_minutes_the_newest_values_tell_of_generation(
    state: dict[str, Any], latest: dict[str, Any], told: bool
) -> None:
    installation = home(first=None)
    gateway_id = installation.gateway_id
    db.session.add(PollState(gateway_id=gateway_id, next_poll_at=NOW, meters=state))
    db.session.add(Latest(gateway_id=gateway_id, **latest))
    db.session.flush()
    assert offered(installation) is told


def test_it_is_not_offered_before_generation_has_begun() -> None:
    installation = home(first=None)
    assert not offered(installation)

    def at_night(_place: int, one: HalfHour) -> HalfHour:
        return HalfHour(
            one.start,
            one.installation_id,
            energy=one.energy | {"pv_wh": one.energy["pv_wh"]._replace(wh=0.0)},
        )

    write_history(installation, TODAY - DAY, TODAY - DAY, change=at_night)
    assert not offered(installation)


def test_a_company_and_who_is_no_customer_are_not_offered_it() -> None:
    installation = home(account=CustomerFactory(company_name="日向商店"))
    assert not offered(installation)


def test_another_series_may_not_join_and_the_devices_own_word_wins() -> None:
    assert not offered(home(first=TODAY - DAY, model="XYZ-1"))
    assert not offered(home(first=TODAY - DAY, told_model="XYZ-1"))
    assert offered(home(first=TODAY - DAY, model="XYZ-1", told_model="HDM-40"))


def test_it_is_never_offered_after_two_years() -> None:
    installation = home(first=TODAY - DAY)
    day = date(2026, 11, 22)
    assert offered(installation, datetime(2028, 11, 22, 9, 0, tzinfo=UTC))
    assert not offered(installation, datetime(2028, 11, 23, 9, 0, tzinfo=UTC))
    assert generation.first_days({installation.gateway_id: installation.zone}, NOW) == {
        installation.gateway_id: day
    }


def test_generation_before_the_first_owner_and_under_another_counts() -> None:
    gateway = GatewayFactory(first_contact_at=MOVED_IN)
    former = InstallationFactory(gateway=gateway, opened_at=MOVED_IN, closed_at=NOW - 9 * DAY)
    write_history(former, date(2026, 8, 3), date(2026, 8, 3))
    own = InstallationFactory(gateway=gateway, opened_at=NOW - 8 * DAY, claimed_sheet_id=None)
    zones = {gateway.id: own.zone}
    assert generation.first_days(zones, NOW) == {gateway.id: date(2026, 8, 3)}
    row = db.session.query(EnergyTotal).one()
    row.installation_id, row.day = 0, date(2026, 7, 30)
    db.session.flush()
    assert generation.first_days(zones, NOW) == {gateway.id: date(2026, 7, 30)}
    assert generation.first_days({}, NOW) == {}


def test_who_takes_part_is_offered_it_no_more_and_after_leaving_again() -> None:
    rules()
    installation = home()
    membership = join(installation)
    assert not offered(installation)
    membership.ended_at, membership.how_ended = NOW, "withdrawn"
    db.session.flush()
    assert offered(installation)


def test_an_installation_that_is_closed_or_unknown_is_offered_nothing() -> None:
    installation = home()
    installation.closed_at = NOW
    db.session.flush()
    assert not offered(installation)
    assert not eco.may_be_offered(4711, the_programme(), NOW)


@pytest.mark.parametrize("homes", [1, 6])
def test_an_offer_costs_the_same_however_many_homes_there_are(
    homes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    account: Account = CustomerFactory()
    for _ in range(homes):
        home(account=account, first=TODAY - DAY)
    db.session.flush()
    with counted(monkeypatch) as work:
        assert len(eco.offered(account, the_programme(), NOW)) == homes
    assert len(work.statements) == 6
    company = CustomerFactory(company_name="商店")
    with counted(monkeypatch) as work:
        eco.offered(company, the_programme(), NOW)
    assert not work.statements


# ---- coverage -------------------------------------------------------------------------------


def half(place: int, one: HalfHour) -> HalfHour | None:
    return one if place % 2 else None


def test_coverage_is_that_of_the_last_thirty_whole_days() -> None:
    installation = home(first=None)
    write_history(installation, date(2026, 9, 1), date(2026, 11, 7), change=half)
    write_history(installation, date(2026, 11, 8), TODAY - DAY)
    # 24 October to 7 November half, 8 to 22 November wholly
    assert generation.coverage(installation, 30, NOW) == Coverage(15 * 43200 + 15 * 86400, 2592000)


def test_what_was_filled_in_is_not_measured() -> None:
    installation = home(first=None)

    def filled(_place: int, one: HalfHour) -> HalfHour:
        energy = {
            name: value._replace(measured_s=0, filled_s=1800) for name, value in one.energy.items()
        }
        return HalfHour(one.start, one.installation_id, energy=energy)

    write_history(installation, date(2026, 10, 1), TODAY - DAY, change=filled)
    assert generation.coverage(installation, 30, NOW) == Coverage(0, 30 * 86400)


def test_a_young_gateway_counts_from_its_first_contact_and_today_tells_nothing_yet() -> None:
    # 10:00 of 21 November in Japan
    since = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
    installation = home(first=None, opened_at=since)
    write_history(
        installation,
        date(2026, 11, 21),
        TODAY - DAY,
        change=lambda _place, one: one if one.start >= since.timestamp() else None,
    )
    whole = 38 * 3600
    assert generation.coverage(installation, 30, NOW) == Coverage(whole, whole)
    installation.gateway.first_contact_at = NOW - timedelta(hours=3)
    assert generation.coverage(installation, 30, NOW) is None
    installation.gateway.first_contact_at = None
    assert generation.coverage(installation, 30, NOW) is None


def test_a_former_owners_time_counts_neither_for_nor_against_the_new_one() -> None:
    gateway = GatewayFactory(first_contact_at=MOVED_IN)
    # midnight between 12 and 13 November in Japan
    handed_over = datetime(2026, 11, 12, 15, 0, tzinfo=UTC)
    former = InstallationFactory(gateway=gateway, opened_at=MOVED_IN, closed_at=handed_over)
    write_history(former, date(2026, 10, 1), date(2026, 11, 12), change=half)
    own = InstallationFactory(gateway=gateway, opened_at=handed_over, claimed_sheet_id=None)
    write_history(own, date(2026, 11, 13), TODAY - DAY)
    assert generation.coverage(own, 30, NOW) == Coverage(10 * 86400, 10 * 86400)
