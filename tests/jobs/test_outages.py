"""A home loses the grid: device, poll, report and letter, with nothing in between replaced."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import clock
from app.domain.outage_figures import EMPTY, HELD, Figures
from app.extensions import db
from app.jobs import outages, poll
from app.models import Heartbeat, Latest, Outage, OutboxMail, PollState
from app.transaction import transaction
from simulator.household import Config
from simulator.server import Running, running_simulator
from tests.factories import GatewayFactory, InstallationFactory

HOME = "SIM000000001"
EVENING = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)  # 20:00 in Tokyo
MINUTE = timedelta(minutes=1)


class Time:
    """The time of portal and home, which a test moves on."""

    def __init__(self) -> None:
        self.at = EVENING

    def now(self) -> datetime:
        return self.at

    def __call__(self) -> float:
        return self.at.timestamp()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "now", made.now)
    return made


def add(app: Flask, endpoint: str) -> int:
    with app.app_context(), transaction():
        gateway = GatewayFactory(public_id=HOME, endpoint=endpoint)
        InstallationFactory(gateway=gateway, opened_at=EVENING - timedelta(days=1))
        db.session.add(Heartbeat(name="poller", at=EVENING, back_at=EVENING - timedelta(days=9)))
        db.session.add(PollState(gateway_id=gateway.id, next_poll_at=EVENING))
        db.session.add(Latest(gateway_id=gateway.id))
        db.session.flush()
        return int(gateway.id)


def live(app: Flask, time: Time, id_: int, minutes: int) -> None:
    for _ in range(minutes):
        with app.app_context():
            poll.poll_shard([id_])
        time.at += MINUTE


def told(running: Running) -> dict[str, float]:
    energy: dict[str, float] = json.loads(running.command("list"))[0]["energy_wh"]
    return energy


@pytest.mark.parametrize("dialect", ["7xx", "10x"])
def test_a_whole_outage_from_the_device_to_the_letter(app: Flask, time: Time, dialect: str) -> None:
    with running_simulator([Config(HOME, dialect=dialect)], clock=time) as running:
        id_ = add(app, running.endpoints[HOME])
        live(app, time, id_, 3)
        running.command("outage 1")
        before = told(running)
        began_at = time.at
        live(app, time, id_, 20)
        during = told(running)
        running.command("grid 1")
        ended_at = time.at
        live(app, time, id_, 3)
    with app.app_context():
        outages.report_ended()
        (over,) = db.session.scalars(select(Outage))
        figures = Figures.from_json(over.report or {})
        mails = select(func.count()).where(OutboxMail.template == "outage_ended")
        assert db.session.scalar(mails) == 1
        assert (over.began_at, over.ended_at) == (began_at, ended_at)
        assert over.before_at == began_at - MINUTE
        assert over.soc_began is not None
        assert over.soc_ended is not None
        assert over.soc_ended < over.soc_began
    assert figures.how == HELD
    # from the first sample to the last there is a minute less
    used = (during["load"] - before["load"]) * 19 / 20
    assert figures.used_wh == pytest.approx(used, rel=0.15)
    assert figures.pv_wh == 0


def test_a_battery_that_comes_to_its_reserve_is_told_when(app: Flask, time: Time) -> None:
    with running_simulator([Config(HOME, battery_wh=1000, mode="safe")], clock=time) as running:
        id_ = add(app, running.endpoints[HOME])
        live(app, time, id_, 2)
        running.command("outage 1")
        live(app, time, id_, 120)
        running.command("grid 1")
        live(app, time, id_, 3)
    with app.app_context():
        outages.report_ended()
        (over,) = db.session.scalars(select(Outage))
        figures = Figures.from_json(over.report or {})
        assert (figures.how, figures.was_drained) == (EMPTY, True)
        assert figures.empty_at is not None
        assert 600 < figures.empty_at - over.began_at.timestamp() < 7000
