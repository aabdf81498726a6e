"""What the demo's customer has to look at from the first start on."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Settings
from app.domain import ledger, point_credits, point_runs, setting_history
from app.domain import settings as rules
from app.extensions import db
from app.jobs import points
from app.models import Alarm, EcoMembership, Installation, MaintenanceLink, PollState
from app.profiles.settings import Settings as Told
from app.transaction import transaction
from demo import homes, lived, seed
from demo.folder import Folder
from simulator import control
from tests.setting import LEASE, OFFERS, VALUES

# a noon of June in Japan: the half-year before it is credited
NOW = datetime(2026, 6, 8, 3, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Give the demo's folder; its homes have a past of some weeks."""
    monkeypatch.setattr(seed, "PAST_DAYS", (30, 2))
    return Folder(tmp_path)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the simulated homes are told, which is nothing while nobody listens."""
    words: list[str] = []
    monkeypatch.setenv("SIMULATOR_CONTROL_PORT", "15021")
    monkeypatch.setattr(control, "send", lambda _port, line: words.append(line))
    return words


def start(app: Flask, folder: Folder, settings: Settings) -> list[Installation]:
    """Do what every start does; return the customer's homes."""
    seed.prepare(folder, homes.read(folder, 15020), settings, NOW)
    return list(db.session.scalars(select(Installation).order_by(Installation.id)))


def test_the_customer_is_a_member_whose_half_year_the_portal_credits(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    with app.app_context():
        home, _other = start(app, folder, settings)
        membership = db.session.scalars(select(EcoMembership)).one()
        assert membership.member_from == date(2026, 5, 9)
        with transaction():
            assert point_runs.open_due(points._programme(), NOW, zone="Asia/Tokyo")
            (shard,) = point_runs.claim(NOW, limit=4)
        with transaction():
            assert point_credits.credit(shard, points._programme(), NOW) == 1
        assert ledger.balance(home.account_id).points > 10


def test_one_fault_came_and_went_and_one_stands(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    with app.app_context():
        home, other = start(app, folder, settings)
        passed, stands = db.session.scalars(select(Alarm).order_by(Alarm.id))
        assert (passed.installation_id, passed.code) == (home.id, "inverter.over_temp")
        assert passed.cleared_at
        assert passed.cleared_at - passed.raised_at == timedelta(minutes=40)
        assert (stands.installation_id, stands.cleared_at) == (other.id, None)
        # what the device says next is the same fault, not another
        state = db.session.get_one(PollState, other.gateway_id)
        assert state.standing["0:inverter.cabinet_open"][0] == "up"
        assert db.session.get_one(PollState, home.gateway_id).standing.keys() <= {"rises"}
        # the dealer reads of both
        assert len(db.session.scalars(select(MaintenanceLink)).all()) == 2


def test_the_second_homes_device_says_what_stands(
    app: Flask, folder: Folder, settings: Settings, told: list[str]
) -> None:
    with app.app_context():
        _home, other = start(app, folder, settings)
        lived.go_on(folder, seed.CUSTOMER_MAIL, NOW)
        lived.go_on(folder, seed.CUSTOMER_MAIL, NOW)
        assert told == [f"alarm {other.gateway.public_id} CABINET_OPEN"]


def test_a_simulator_that_is_not_there_yet_is_told_later(
    app: Flask, folder: Folder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_port: int, _line: str) -> str:
        raise ConnectionRefusedError

    monkeypatch.setenv("SIMULATOR_CONTROL_PORT", "15021")
    monkeypatch.setattr(control, "send", refuse)
    with app.app_context():
        start(app, folder, settings)
        lived.go_on(folder, seed.CUSTOMER_MAIL, NOW)
        assert "alarm" in folder.read("left", [])


def test_a_change_is_asked_for_once_the_device_was_read(
    app: Flask, folder: Folder, settings: Settings, told: list[str]
) -> None:
    with app.app_context():
        home, _other = start(app, folder, settings)
        lived.go_on(folder, seed.CUSTOMER_MAIL, NOW)
        with transaction():
            (claim,) = rules.claim_readings(NOW, lease=LEASE, limit=5)
        with transaction():
            rules.settle_reading(claim, "ok", "", Told(OFFERS, VALUES), NOW)
        lived.go_on(folder, seed.CUSTOMER_MAIL, NOW)
        (order,) = setting_history.search(home, 1).rows
        assert (order.by, order.changes[0].before, order.changes[0].after) == ("owner", 20, 30)
        assert order.reason
        assert folder.read("left", []) == []


def test_a_demo_that_was_begun_before_is_left_as_it_is(
    app: Flask, folder: Folder, settings: Settings, told: list[str]
) -> None:
    with app.app_context():
        start(app, folder, settings)
        folder.keep("left", [])
        start(app, folder, settings)
        lived.go_on(folder, seed.CUSTOMER_MAIL, NOW)
        assert len(db.session.scalars(select(EcoMembership)).all()) == 1
        assert len(db.session.scalars(select(Alarm)).all()) == 2
    assert told == []
