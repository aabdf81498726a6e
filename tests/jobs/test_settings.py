"""Settings read and written over Modbus, with nothing in between replaced."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from app import clock
from app.config import Settings
from app.domain import replacements, seats, setting_lapses, setting_orders, setting_writes
from app.domain import settings as rules
from app.extensions import db
from app.jobs import settings as job
from app.jobs.poll import poll_shard
from app.models import AuditEntry, DeviceSeat, Gateway, OutboxMail, SettingOrder
from app.profiles.endpoints import Endpoint
from app.transaction import transaction
from simulator.household import Config
from simulator.server import Running, running_simulator
from tests.conftest import test_settings
from tests.setting import HOUR, ID, MINUTE, Home, add_home, installation, states

HOME = "SIM000000001"
DEALER, OWNER = "hanako@example.org", "taro@example.org"


@pytest.fixture
def settings(database_url: str, portal_dir: Path) -> Settings:
    """Give settings with which a device that is away is given up soon."""
    return test_settings(database_url, portal_dir, poll_timeout_s=1)


class Clock:
    """The time of portal and homes, which a test moves on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self.real() + self.ahead

    def __call__(self) -> float:
        return self.now().timestamp()

    real = staticmethod(clock.now)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "now", made.now)
    return made


@pytest.fixture
def device(time: Clock) -> Iterator[Running]:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")], clock=time) as running:
        yield running


@pytest.fixture
def home(app: Flask, device: Running, time: Clock) -> Iterator[Home]:
    """A home whose device was just read."""
    made = add_home(app)
    with app.app_context():
        with transaction():
            db.session.execute(
                update(Gateway)
                .where(Gateway.id == installation().gateway_id)
                .values(endpoint=device.endpoints[HOME])
            )
        read(time)
        yield made


def read(time: Clock) -> rules.Shown:
    """Have the settings read, and return them."""
    time.ahead += timedelta(seconds=11)
    with transaction():
        rules.ask_reading(installation(), clock.now())
    job.work_due()
    return rules.show(installation().gateway_id)


def ask(home: Home, wanted: dict[Any, Any], **more: Any) -> int:
    return home.place(wanted, now=clock.now(), **more)


def stands(device: Running) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(device.command("list"))[0]
    return found


def test_what_a_device_offers_and_is_set_to_is_read(home: Home, time: Clock) -> None:
    shown = read(time)
    assert (shown.outcome, shown.is_reading) == ("ok", False)
    assert {"mode", "reserve_pct", "charge_windows"} <= set(shown.offers)
    assert isinstance(shown.values["reserve_pct"], int)


def test_a_change_is_written_and_read_back(home: Home) -> None:
    made = ask(home, {"reserve_pct": 77})
    job.work_due()
    assert states(made) == ("confirmed", {"reserve_pct": ("confirmed", "")})
    assert rules.show(installation().gateway_id).values["reserve_pct"] == 77


def test_a_device_that_says_yes_and_changes_nothing_is_caught(home: Home, device: Running) -> None:
    device.command(f"refuse {HOME}")
    made = ask(home, {"reserve_pct": 77}, by=DEALER)
    job.work_due()
    assert states(made) == ("failed", {"reserve_pct": ("failed", "ignored")})
    [told] = db.session.scalars(select(OutboxMail)).all()
    assert (told.template, told.to) == ("setting_failed", OWNER)


@pytest.mark.parametrize("dialect", ["huawei-sun2000", "7xx"])
def test_nothing_is_written_to_another_home_at_the_address(
    app: Flask, time: Clock, dialect: str
) -> None:
    profile = "sunspec" if dialect == "7xx" else dialect
    made = add_home(app, profile=profile)
    neighbour = "SIM000000002"
    homes = [Config(id_, dialect=dialect) for id_ in (HOME, neighbour)]
    with running_simulator(homes, clock=time) as running, app.app_context():
        id_ = installation().gateway_id

        def move(home: str) -> None:
            with transaction():
                endpoint = running.endpoints[home]
                db.session.execute(
                    update(Gateway).where(Gateway.id == id_).values(endpoint=endpoint)
                )

        def stood() -> list[Any]:
            return [(home["mode"], home["wishes"]) for home in json.loads(running.command("list"))]

        move(HOME)
        poll_shard([id_])
        read(time)
        # the two change places; a poll that looks anew does not make one the other
        move(neighbour)
        with transaction():
            db.session.execute(update(Gateway).where(Gateway.id == id_).values(layout=None))
        poll_shard([id_])
        before = stood()
        # neither are the neighbour's settings shown
        read_at = rules.show(id_).read_at
        shown = read(time)
        assert (shown.outcome, shown.read_at) == ("other_device", read_at)
        asked = ask(made, {"reserve_pct": 77})
        job.work_due()
        state, changes = states(asked)
        assert (state, set(changes.values())) == ("failed", {("failed", "other_device")})
        assert stood() == before
        # the poll that looked anew said so, and the write
        told = select(AuditEntry.detail).where(AuditEntry.action == "gateway.other_device")
        assert [
            "order_id" in (one or {}) for one in db.session.scalars(told.order_by(AuditEntry.id))
        ] == [False, True]
        # it was replaced, not mistaken
        with transaction():
            replacements.accept(ID, clock.now())
        poll_shard([id_])
        asked = ask(made, {"reserve_pct": 77})
        job.work_due()
        assert states(asked)[0] == "confirmed"
        assert stood() != before


def test_a_device_that_refuses_part_of_it_is_told_by_setting(home: Home, device: Running) -> None:
    device.command(f"reject {HOME} after 1")
    made = ask(home, {"reserve_pct": 77, "min_soc_pct": 21})
    job.work_due()
    state, changes = states(made)
    assert state == "partly"
    assert sorted(changes.values()) == [("confirmed", ""), ("failed", "refused")]


def test_a_device_that_refuses_all_stands_as_it_stood(home: Home, device: Running) -> None:
    before = dict(rules.show(installation().gateway_id).values)
    device.command(f"reject {HOME}")
    made = ask(home, {"reserve_pct": 77})
    job.work_due()
    assert states(made) == ("failed", {"reserve_pct": ("failed", "refused")})
    assert rules.show(installation().gateway_id).values == before


def test_a_device_that_is_away_is_tried_again_and_then_given_up(
    home: Home, device: Running, time: Clock, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = app.extensions["settings"].model_copy(update={"poll_timeout_s": 0.5})
    monkeypatch.setitem(app.extensions, "settings", hurried)
    device.command(f"offline {HOME}")
    made = ask(home, {"reserve_pct": 77})
    job.work_due()
    assert states(made)[0] == "asked"
    time.ahead += MINUTE
    device.command(f"online {HOME}")
    job.work_due()
    assert states(made)[0] == "confirmed"
    device.command(f"offline {HOME}")
    made = ask(home, {"reserve_pct": 78})
    time.ahead += 6 * MINUTE
    job.work_due()
    assert states(made) == ("failed", {"reserve_pct": ("failed", "unreached")})


def test_a_worker_killed_between_claim_and_write_leaves_a_change_that_is_looked_after(
    home: Home, time: Clock
) -> None:
    made = ask(home, {"reserve_pct": 77})
    with transaction():
        assert setting_writes.claim(clock.now(), lease=MINUTE)
    job.work_due()
    assert states(made)[0] == "sent"
    time.ahead += MINUTE
    job.work_due()
    assert states(made) == ("failed", {"reserve_pct": ("failed", "broken_off")})
    assert rules.show(installation().gateway_id).values["reserve_pct"] != 77


def test_a_temporary_setting_goes_back_after_the_portal_was_down(
    home: Home, time: Clock, device: Running
) -> None:
    before = rules.show(installation().gateway_id).values["reserve_pct"]
    made = ask(home, {"reserve_pct": 77}, until=clock.now() + HOUR)
    job.work_due()
    job.lapse_due()
    assert rules.show(installation().gateway_id).values["reserve_pct"] == 77
    time.ahead += timedelta(days=2)
    job.lapse_due()
    job.work_due()
    assert rules.show(installation().gateway_id).values["reserve_pct"] == before
    back = db.session.scalars(select(SettingOrder).filter_by(undoes_id=made)).one()
    assert (back.source, back.state) == ("until", "confirmed")


def test_one_that_cannot_go_back_keeps_no_other(
    home: Home, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ({"reserve_pct": 77}, {"max_soc_pct": 95}):
        ask(home, key, until=clock.now() + HOUR)
        job.work_due()
    time.ahead += 2 * HOUR
    real, seen = setting_lapses.lapse, []

    def lapse(order_id: int, now: datetime) -> Any:
        seen.append(order_id)
        if len(seen) == 1:
            raise ArithmeticError
        return real(order_id, now)

    monkeypatch.setattr(setting_lapses, "lapse", lapse)
    with pytest.raises(RuntimeError):
        job.lapse_due()
    assert [one.undoes_id for one in db.session.scalars(select(SettingOrder)) if one.undoes_id] == [
        seen[1]
    ]


def test_what_somebody_set_at_the_device_meanwhile_is_left_alone(
    home: Home, time: Clock, device: Running, app: Flask
) -> None:
    made = ask(home, {"reserve_pct": 77}, until=clock.now() + HOUR)
    job.work_due()
    time.ahead += 2 * HOUR
    elsewhere = ask(home, {"reserve_pct": 55})
    job.work_due()
    with transaction():
        # nobody here knows of it: as if it had been done at the device's own panel
        for table in ("setting_changes", "setting_orders"):
            column = "order_id" if table == "setting_changes" else "id"
            db.session.execute(
                db.text(f"DELETE FROM {table} WHERE {column} = :id"),
                {"id": elsewhere},
            )
        stand = rules.show(installation().gateway_id)
        told = rules.Told(tuple(stand.offers.values()), {**stand.values, "reserve_pct": 77})
        rules.keep(installation().gateway_id, told, clock.now())
    job.lapse_due()
    job.work_due()
    back = db.session.scalars(select(SettingOrder).filter_by(undoes_id=made)).one()
    assert states(back.id) == ("superseded", {"reserve_pct": ("superseded", "changed")})
    assert rules.show(installation().gateway_id).values["reserve_pct"] == 55


def test_a_timed_mode_is_ended_by_the_devices_own_timer(
    home: Home, time: Clock, device: Running
) -> None:
    made = ask(home, {"mode": "charge"}, until=clock.now() + HOUR)
    job.work_due()
    assert states(made)[0] == "confirmed"
    time.ahead += 2 * HOUR
    assert read(time).values["mode"] != "charge"


def test_another_client_at_the_one_seat_is_waited_for(
    home: Home, settings: Settings, device: Running, time: Clock
) -> None:
    place = Endpoint.parse(device.endpoints[HOME]).address
    with transaction():
        seats.take([place], "a poll", clock.now(), lease_s=30)
    made = ask(home, {"reserve_pct": 77})
    job.work_due()
    assert states(made)[0] == "asked"
    with transaction():
        seats.give_back("a poll")
    time.ahead += job.SEAT_AGAIN
    job.work_due()
    assert states(made)[0] == "confirmed"
    assert db.session.scalars(select(DeviceSeat)).all() == []


def test_an_automatism_is_written_like_anybodys_change(home: Home) -> None:
    with transaction():
        made = setting_orders.place_automatic(
            installation().id,
            {"reserve_pct": 77},
            source="warning",
            reason="暴風警報が出ています",
            now=clock.now(),
        )
    assert made
    job.work_due()
    assert states(made.id)[0] == "confirmed"


def test_nothing_to_do_is_nothing_done(app: Flask) -> None:
    with app.app_context():
        job.work_due()
        job.lapse_due()
