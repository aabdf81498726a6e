"""Gateways lost together are one incident: who reads of it, who is mailed, who is not."""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from app.domain import incident_rules, incidents
from app.domain.incident_rules import Population, common_causes, is_over, network_of
from app.extensions import db
from app.models import (
    Account,
    Alarm,
    AlarmNotice,
    Gateway,
    Incident,
    Installation,
    Latest,
    MaintenanceLink,
    PollState,
)
from app.transaction import transaction
from tests.alarming import DAY, HOUR, LONG_BEFORE, MINUTE, START, World
from tests.factories import CustomerFactory, DealerFactory, MaintenanceContactFactory

MANY = os.environ.get("HYPOTHESIS_PROFILE") == "many"
# gateways that are lost by one cause, of all
FEW = (120, 400, 40)
# lost together, everybody, separate faults: a minute and a half for one cause on one database
CROWD = (30_000, 40_000, 200) if MANY else FEW
CONTACT = "night@example.org"


# ---- rules ----------------------------------------------------------------------------------


def crowd(number: int, **shared: str) -> list[dict[str, str]]:
    """Return gateways that are spread over everything but what they share."""
    return [
        {
            "service": "",
            "network": f"10.{n % 40}.0.0/16",
            "area": f"県{n % 47}",
            "model": f"m{n % 7}",
            **shared,
        }
        for n in range(number)
    ]


def population(everybody: Sequence[dict[str, str]]) -> Population:
    counts: dict[str, Counter[str]] = {}
    for keys in everybody:
        for cause, key in keys.items():
            counts.setdefault(cause, Counter())[key] += 1
    return Population(len(everybody), counts)


@pytest.mark.parametrize(
    ("cause", "key"),
    [("service", "relay-3"), ("network", "192.0.0.0/16"), ("area", "京都府"), ("model", "X / 9")],
)
def test_what_all_that_are_lost_share_is_the_cause(cause: str, key: str) -> None:
    lost = crowd(300, **{cause: key})
    assert common_causes(lost, population(crowd(5000) + lost)) == [(cause, key)]


def test_half_of_an_area_is_an_incident_too() -> None:
    lost = crowd(150, area="京都府")
    everybody = population(crowd(5000) + lost + crowd(600, area="京都府"))
    assert common_causes(lost, everybody) == [("area", "京都府")]


def test_everything_at_once_is_our_own_fault() -> None:
    everybody = crowd(1000)
    assert common_causes(everybody, population(everybody)) == [("service", "")]


def test_two_causes_at_once_are_two_incidents() -> None:
    lost = crowd(100, area="京都府") + crowd(80, network="192.0.0.0/16")
    found = common_causes(lost, population(crowd(5000) + lost))
    assert sorted(found) == [("area", "京都府"), ("network", "192.0.0.0/16")]


TOWN = crowd(6580)  # each network, area and model has many
TOWNS_POPULATION = population(TOWN)


@given(st.integers(0, 300), st.randoms(use_true_random=False))
def test_separate_faults_at_the_same_moment_are_no_incident(number: int, random: Random) -> None:
    assert common_causes(random.sample(TOWN, number), TOWNS_POPULATION) == []


def test_a_few_are_never_an_incident() -> None:
    lost = crowd(incident_rules.FEWEST - 1, area="京都府")
    assert common_causes(lost, population(crowd(5000) + lost)) == []


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8::/32"),
        ("home.net.example.org", "example.org"),
    ],
)
def test_a_network_is_a_block_of_addresses_or_the_end_of_a_name(host: str, network: str) -> None:
    assert network_of(host) == network
    assert incidents.network_of("relay://HDM000000001") == ""


def test_an_incident_is_over_when_few_are_left() -> None:
    assert not is_over(100, 6, HOUR)
    assert is_over(100, 5, HOUR)
    assert is_over(100, 20, DAY)
    assert not is_over(100, 21, DAY)


# ---- thousands ------------------------------------------------------------------------------


class Crowd:
    """Many homes of one dealer, some of which share a cause."""

    def __init__(self, world: World, lost: int, everybody: int, **shared: Any) -> None:
        self.world = world
        with world.app.app_context(), transaction():
            owner, dealer = CustomerFactory(email="owner@example.org"), DealerFactory()
            MaintenanceContactFactory(dealer=dealer, email=CONTACT, confirmed_at=LONG_BEFORE)
            self._add(owner, dealer.id, everybody, lost, shared)
        self.lost, self.others = self.ids[:lost], self.ids[lost:]

    def _add(
        self, owner: Account, dealer_id: int, everybody: int, lost: int, shared: dict[str, Any]
    ) -> None:
        numbers = range(1, everybody + 1)
        told = [shared if n <= lost else {} for n in numbers]
        self.ids = list(numbers)
        db.session.execute(
            insert(Gateway),
            [
                {
                    "id": n,
                    "public_id": f"HDM{n:09d}",
                    "model": "GW",
                    "told_firmware": one.get("firmware", f"1.{n % 7}"),
                    "serial": f"S{n}",
                    "endpoint": f"tcp://{one.get('network', f'10.{n % 40}')}.{n % 200}.1:502/1",
                    "profile": "sunspec",
                    "created_at": LONG_BEFORE,
                }
                for n, one in zip(numbers, told, strict=True)
            ],
        )
        db.session.execute(
            insert(Installation),
            [
                {
                    "id": n,
                    "gateway_id": n,
                    "account_id": owner.id,
                    "site_name": f"家{n}",
                    "opened_at": LONG_BEFORE,
                    "claimed_from": "",
                    "postal_code": "",
                    "prefecture": one.get("area", f"県{n % 47}"),
                    "city": "",
                    "street": "",
                    "building": "",
                }
                for n, one in zip(numbers, told, strict=True)
            ],
        )
        db.session.execute(
            insert(MaintenanceLink),
            [
                {
                    "gateway_id": n,
                    "installation_id": n,
                    "dealer_id": dealer_id,
                    "slot": 1,
                    "scope": "set",
                    "began_at": LONG_BEFORE,
                    "made_by_id": owner.id,
                }
                for n in numbers
            ],
        )
        db.session.execute(
            insert(Latest),
            # polls are spread over a minute
            [{"gateway_id": n, "taken_at": START + timedelta(seconds=n % 60)} for n in numbers],
        )
        db.session.execute(
            insert(PollState),
            [
                {"gateway_id": n, "next_poll_at": START, "via": one.get("relay", "")}
                for n, one in zip(numbers, told, strict=True)
            ],
        )

    def fail(self, ids: Sequence[int]) -> None:
        with self.world.app.app_context(), transaction():
            db.session.execute(
                update(PollState).where(PollState.gateway_id.in_(ids)).values(failures=1)
            )

    def answer(self, ids: Sequence[int], at: Any) -> None:
        for start in range(0, len(ids), 500):
            self.world.answer(ids[start : start + 500], at)

    def said(self) -> Counter[str]:
        with self.world.app.app_context():
            rows = db.session.execute(
                select(Latest.incident, func.count()).group_by(Latest.incident)
            )
            return Counter({row.incident: row[1] for row in rows})


@pytest.fixture
def world(app: Flask) -> World:
    world = World(app)
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(
        update={"operator_alarm_mail": "desk@example.org"}
    )
    return world


@pytest.mark.grows
@pytest.mark.parametrize(
    ("shared", "cause", "key"),
    [
        ({"relay": "relay-3"}, "service", "relay-3"),
        ({"network": "192.0"}, "network", "192.0.0.0/16"),
        ({"area": "京都府"}, "area", "京都府"),
        ({"firmware": "9.9"}, "model", "GW / 9.9"),
    ],
)
def test_thousands_lost_at_once_are_one_incident_and_no_household_is_mailed(
    world: World, shared: dict[str, str], cause: str, key: str
) -> None:
    is_sqlite = world.app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite")
    lost, everybody, separate_faults = CROWD if cause == "area" and is_sqlite else FEW
    crowd = Crowd(world, lost, everybody, **shared)
    crowd.fail(crowd.lost)
    # some are fifteen minutes away a minute before the last ones are
    world.run(START + 15 * MINUTE, START + 20 * MINUTE, MINUTE / 2)
    assert crowd.said() == Counter({"": everybody - lost, cause: lost})
    world.run(START + HOUR, START + 13 * HOUR, 2 * HOUR)
    with world.app.app_context():
        (incident,) = db.session.scalars(select(Incident))
        assert (incident.cause, incident.key, incident.gateways) == (cause, key, lost)
        assert incident.ended_at is None
    assert world.mails() == Counter(
        {("incident_began_operator", "desk@example.org"): 1, ("incident_began", CONTACT): 1}
    )
    # 200 separate faults of the same day still go out on time
    separate = Random(1).sample(crowd.others, separate_faults)
    with world.app.app_context(), transaction():
        db.session.execute(
            update(Latest).where(Latest.gateway_id.in_(separate)).values(taken_at=START + 6 * HOUR)
        )
    crowd.fail(separate)
    world.watch(START + 13 * HOUR + 5 * MINUTE)
    world.send(START + 13 * HOUR + 5 * MINUTE)
    # the incident was the first of the day's twenty mails to this address
    assert world.templates()["alarm_raised_dealer"] == 19
    world.watch(START + 14 * HOUR - MINUTE)
    assert len(notices(world, "raised", CONTACT)) == separate_faults
    # all is well again
    back = START + 14 * HOUR
    for poll in (0, 1):
        crowd.answer(crowd.lost, back + poll * MINUTE)
    world.run(back + 2 * MINUTE, back + 4 * MINUTE, MINUTE)
    with world.app.app_context():
        assert db.session.scalars(select(Incident)).one().ended_at is not None
        standing = select(func.count()).where(Alarm.cleared_at.is_(None))
        assert db.session.scalar(standing) == separate_faults
    assert crowd.said() == Counter({"": everybody})
    assert world.templates()["incident_ended"] == 1
    assert world.templates()["alarm_hourly"] == 1
    assert all(notices(world, "raised", CONTACT))
    assert world.templates()["alarm_cleared"] + world.templates()["alarm_cleared_dealer"] == 0


def notices(world: World, kind: str, to: str) -> list[str | None]:
    """Return the keys of the mails by which an address was told, None for what waits."""
    with world.app.app_context():
        told = select(AlarmNotice.mail_key).filter_by(kind=kind, to=to)
        return list(db.session.scalars(told))


def test_scattered_faults_of_one_moment_are_mailed_one_by_one(world: World) -> None:
    _, everybody, separate_faults = FEW
    crowd = Crowd(world, 0, everybody)
    separate = Random(1).sample(crowd.others, separate_faults)
    crowd.fail(separate)
    world.run(START + 15 * MINUTE, START + 17 * MINUTE, MINUTE)
    with world.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Incident)) == 0
        assert db.session.scalar(select(func.count()).select_from(Alarm)) == separate_faults


def test_what_stays_away_after_an_incident_becomes_a_fault_of_its_own(world: World) -> None:
    crowd = Crowd(world, 100, 400, area="京都府")
    crowd.fail(crowd.lost)
    # a dealer is told once all that are lost by the same cause are known
    world.run(START + 15 * MINUTE, START + 30 * MINUTE, MINUTE)
    back = START + 6 * HOUR
    for poll in (0, 1):
        crowd.answer(crowd.lost[2:], back + poll * MINUTE)
    world.run(back + 2 * MINUTE, back + 4 * MINUTE, MINUTE)
    assert world.templates() == Counter(
        {
            "incident_began": 1,
            "incident_began_operator": 1,
            "incident_ended": 1,
            "alarm_raised_dealer": 2,
            "alarm_raised": 2,
        }
    )
    assert crowd.said() == Counter({"": 400})


def test_what_is_lost_hours_later_in_the_same_area_is_no_part_of_the_incident(
    world: World,
) -> None:
    crowd = Crowd(world, 100, 400, area="京都府")
    with world.app.app_context(), transaction():
        late = crowd.lost[:1]
        db.session.execute(
            update(Latest).where(Latest.gateway_id.in_(late)).values(taken_at=START + 3 * HOUR)
        )
    crowd.fail(crowd.lost[1:])
    world.run(START + 15 * MINUTE, START + 20 * MINUTE, MINUTE)
    crowd.fail(late)
    world.run(START + 3 * HOUR + 15 * MINUTE, START + 3 * HOUR + 16 * MINUTE, MINUTE)
    assert world.templates()["alarm_raised_dealer"] == 1
