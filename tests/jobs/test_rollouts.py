"""Settings at many systems, step by step, written to simulated devices for real."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
import uvloop
from flask import Flask
from sqlalchemy import select, update

from app import clock
from app.domain import rollout_parts, rollout_starts, rollouts
from app.drivers.modbus import Target
from app.drivers.settings import write_settings
from app.extensions import db
from app.jobs.rollouts import advance_due
from app.jobs.settings import work_due
from app.models import (
    Account,
    Alarm,
    AuditEntry,
    Installation,
    MaintenanceLink,
    OutboxMail,
    Rollout,
    RolloutPart,
    SettingChange,
    SettingOrder,
    SettingStand,
)
from app.transaction import transaction
from simulator.household import Config
from simulator.server import Running, running_simulator
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
)

pytestmark = pytest.mark.both_databases
HOMES = 7
# as the standard settings have it
WATCH = timedelta(seconds=900)


def id_of(number: int) -> str:
    return f"ROLL{number:08d}"


@pytest.fixture
def homes() -> Iterator[Running]:
    configs = [Config(id=id_of(n), dialect="10x", serial=f"S{n}") for n in range(HOMES)]
    with running_simulator(configs) as running:
        yield running


@dataclass
class Fleet:
    """Seven systems of a dealer, and a clock that runs as the test says."""

    app: Flask
    homes: Running
    ids: list[int] = field(default_factory=list)
    rollout_id: int = 0
    ahead: timedelta = timedelta(0)

    def begin(self, percent: int = 40) -> None:
        with self.app.app_context(), transaction():
            rollout = rollout_starts.start(
                self.dealer(),
                self.ids,
                {"reserve_pct": percent},
                reason="台風の季節に備えて",
                network_address="",
                now=clock.now(),
            )
            self.rollout_id = rollout.id

    def dealer(self) -> Account:
        return db.session.scalars(select(Account).where(Account.role == "dealer")).first()  # type: ignore[return-value]

    def run(self, until: Callable[[], bool], rounds: int = 30) -> None:
        """Let the jobs do their rounds until something holds."""
        with self.app.app_context():
            for _round in range(rounds):
                advance_due()
                work_due()
                db.session.rollback()
                if until():
                    return
                self.ahead += timedelta(seconds=6)
        raise AssertionError(f"still {self.states()}")

    def states(self) -> list[str]:
        with self.app.app_context():
            found = select(RolloutPart.state).where(RolloutPart.rollout_id == self.rollout_id)
            return list(db.session.scalars(found.order_by(RolloutPart.id)))

    def state(self) -> tuple[str, int]:
        with self.app.app_context():
            one = db.session.get_one(Rollout, self.rollout_id)
            return one.state, one.step

    def is_watched(self) -> bool:
        return db.session.get_one(Rollout, self.rollout_id).watched_until is not None

    def reserve(self, number: int) -> int:
        with self.app.app_context():
            stand = db.session.scalar(
                select(SettingStand)
                .join(Installation, Installation.gateway_id == SettingStand.gateway_id)
                .where(Installation.id == self.ids[number])
            )
            return int(stand.values["reserve_pct"]) if stand else -1


@pytest.fixture
def fleet(app: Flask, homes: Running, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet(app, homes)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + made.ahead)
    with app.app_context(), transaction():
        dealer = DealerPersonFactory(email="hanako@example.org").dealer
        for number in range(HOMES):
            installation = InstallationFactory(
                account=CustomerFactory(),
                gateway=GatewayFactory(
                    public_id=id_of(number), endpoint=homes.endpoints[id_of(number)]
                ),
            )
            LinkFactory(installation=installation, dealer=dealer)
            made.ids.append(installation.id)
    return made


def test_five_are_changed_first_then_after_a_while_all_others(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    assert fleet.states() == ["confirmed"] * 5 + ["waiting"] * 2
    assert fleet.reserve(0) == 40
    assert fleet.state() == ("running", 1)
    # nothing goes on before the time of watching is over
    with fleet.app.app_context():
        advance_due()
    assert fleet.states()[5:] == ["waiting"] * 2
    fleet.ahead += WATCH
    fleet.run(lambda: fleet.states() == ["confirmed"] * 7)
    fleet.run(fleet.is_watched)
    fleet.ahead += WATCH
    fleet.run(lambda: fleet.state()[0] == "done")
    with fleet.app.app_context():
        # each household finds its line in its record, and is mailed
        orders = db.session.scalars(select(SettingOrder)).all()
        assert {one.installation_id for one in orders} == set(fleet.ids)
        assert {one.reason for one in orders} == {"台風の季節に備えて"}
        mailed = select(OutboxMail.template).where(OutboxMail.template.startswith("setting"))
        assert len(db.session.scalars(mailed).all()) == HOMES


def test_what_the_dealer_may_not_set_is_dropped_before_anything_is_written(fleet: Fleet) -> None:
    with fleet.app.app_context(), transaction():
        of_first = MaintenanceLink.installation_id == fleet.ids[0]
        db.session.execute(update(MaintenanceLink).where(of_first).values(scope="watch"))
        stranger = InstallationFactory(gateway=GatewayFactory()).id
    fleet.ids.append(stranger)
    fleet.begin()
    with fleet.app.app_context():
        parts = db.session.scalars(select(RolloutPart).order_by(RolloutPart.id)).all()
        assert [(part.installation_id, part.detail) for part in parts][:1] == [
            (fleet.ids[0], rollouts.NO_RIGHT)
        ]
        # a stranger's system does not exist
        assert stranger not in {part.installation_id for part in parts}
        # the step of five is full all the same
        assert [part.step for part in parts if part.state == "waiting"] == [1] * 5 + [2]


def test_who_loses_the_right_meanwhile_is_dropped(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    with fleet.app.app_context(), transaction():
        of_last = MaintenanceLink.installation_id == fleet.ids[6]
        db.session.execute(update(MaintenanceLink).where(of_last).values(scope="watch"))
    fleet.ahead += WATCH
    fleet.run(lambda: fleet.states()[6] == "dropped")
    assert fleet.reserve(6) != 40


def test_an_alarm_that_came_up_holds_it_until_somebody_decides(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    raise_alarm(fleet, 2)
    fleet.ahead += WATCH
    fleet.run(lambda: fleet.state() == ("held", 1))
    assert fleet.states()[5:] == ["waiting"] * 2
    with fleet.app.app_context():
        found = db.session.get_one(Rollout, fleet.rollout_id)
        assert rollouts.counts(found)[1] == {"confirmed": 5, "alarmed": 1}
        with transaction():
            rollouts.go_on(fleet.dealer(), fleet.rollout_id, 1, network_address="", now=clock.now())
        # a second press, or a press on an old page, changes nothing
        with pytest.raises(rollouts.NotNow), transaction():
            rollouts.go_on(fleet.dealer(), fleet.rollout_id, 1, network_address="", now=clock.now())
    fleet.run(lambda: fleet.states() == ["confirmed"] * 7)


def test_a_device_that_changes_nothing_holds_it_too(fleet: Fleet) -> None:
    fleet.homes.command(f"refuse {id_of(1)}")
    fleet.begin()
    fleet.run(fleet.is_watched)
    assert fleet.states()[:2] == ["confirmed", "failed"]
    fleet.ahead += WATCH
    fleet.run(lambda: fleet.state() == ("held", 1))


def test_a_gateway_that_cannot_be_read_fails_and_holds_up_no_other(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = fleet.app.extensions["settings"].model_copy(update={"poll_timeout_s": 1})
    monkeypatch.setitem(fleet.app.extensions, "settings", hurried)
    fleet.homes.command(f"offline {id_of(3)}")
    fleet.begin()
    fleet.run(lambda: fleet.states()[:5].count("confirmed") == 4)
    fleet.run(fleet.is_watched, rounds=150)
    assert fleet.states()[3] == "failed"


def test_a_system_that_cannot_be_attended_to_holds_up_no_other(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.begin()
    real = rollout_parts.advance

    def advance(part_id: int, now: datetime) -> None:
        if part_id == 1:
            raise ArithmeticError
        real(part_id, now)

    monkeypatch.setattr(rollout_parts, "advance", advance)
    with fleet.app.app_context(), pytest.raises(RuntimeError):
        advance_due()
    assert fleet.states()[:5] == ["waiting"] + ["reading"] * 4


def test_what_stands_already_gets_no_order(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    first = fleet.rollout_id
    fleet.begin()
    fleet.run(lambda: fleet.states()[:5] == ["same"] * 5)
    assert fleet.rollout_id != first


def test_one_button_stops_it_and_takes_back_what_it_changed(fleet: Fleet) -> None:
    before = 10
    fleet.begin()
    fleet.run(fleet.is_watched)
    with fleet.app.app_context():
        # somebody changed one of them since: that stays
        stand = db.session.scalar(
            select(SettingStand)
            .join(Installation, Installation.gateway_id == SettingStand.gateway_id)
            .where(Installation.id == fleet.ids[4])
        )
        assert stand
        with transaction():
            stand.values = {**stand.values, "reserve_pct": 55}
            rollouts.roll_back(
                fleet.dealer(), fleet.rollout_id, network_address="", now=clock.now()
            )
    fleet.run(lambda: fleet.state()[0] == "rolled_back")
    assert fleet.states() == ["undone"] * 4 + ["kept"] + ["stopped"] * 2
    assert [fleet.reserve(number) for number in range(5)] == [before] * 4 + [55]
    with fleet.app.app_context():
        actions = db.session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject == "rollout").order_by(AuditEntry.id)
        )
        assert list(actions) == ["rollout.started", "rollout.rolled_back"]


def test_taking_back_brings_no_value_back_that_was_there_for_a_while_only(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    with fleet.app.app_context(), transaction():
        # at one of them a household's temporary 90 % stood on top of its 25 %
        part = db.session.scalars(select(RolloutPart).filter_by(installation_id=fleet.ids[0])).one()
        change = db.session.scalars(select(SettingChange).filter_by(order_id=part.order_id)).one()
        change.before, change.back = 90, 25
        rollouts.roll_back(fleet.dealer(), fleet.rollout_id, network_address="", now=clock.now())
    fleet.run(lambda: fleet.state()[0] == "rolled_back")
    assert [fleet.reserve(number) for number in range(3)] == [25, 10, 10]


def test_taking_back_long_after_begins_with_reading(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    fleet.ahead += timedelta(hours=3)
    with fleet.app.app_context():
        stand = db.session.scalar(
            select(SettingStand)
            .join(Installation, Installation.gateway_id == SettingStand.gateway_id)
            .where(Installation.id == fleet.ids[0])
        )
        assert stand
        with transaction():
            # what stands at this device is not what was read three hours ago
            stand.values = {**stand.values, "reserve_pct": 55}
            rollouts.roll_back(
                fleet.dealer(), fleet.rollout_id, network_address="", now=clock.now()
            )
    fleet.run(lambda: fleet.state()[0] == "rolled_back")
    assert fleet.states()[:5] == ["undone"] * 5


def test_what_is_being_written_as_it_is_stopped_is_settled_and_shown(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(lambda: "asked" in fleet.states())
    with fleet.app.app_context():
        asked = select(RolloutPart.order_id).where(RolloutPart.state == "asked").limit(1)
        order_id = db.session.scalar(asked)
        with transaction():
            # a job has it in its hands
            db.session.execute(
                update(SettingOrder)
                .where(SettingOrder.id == order_id)
                .values(state="sent", sent_at=clock.now(), claimed_until=clock.now())
            )
            rollouts.stop(fleet.dealer(), fleet.rollout_id, network_address="", now=clock.now())
    fleet.run(lambda: "asked" not in fleet.states())
    states = fleet.states()
    assert set(states) <= {"stopped", "confirmed", "failed"}
    assert states[5:] == ["stopped"] * 2
    fleet.run(lambda: not fleet_goes_on(fleet))
    assert fleet.state()[0] == "stopped"


def fleet_goes_on(fleet: Fleet) -> bool:
    return db.session.get_one(Rollout, fleet.rollout_id).next_at is not None


def raise_alarm(fleet: Fleet, number: int) -> None:
    with fleet.app.app_context(), transaction():
        installation = db.session.get_one(Installation, fleet.ids[number])
        now: datetime = clock.now()
        db.session.add(
            Alarm(
                installation_id=installation.id,
                gateway_id=installation.gateway_id,
                code="inverter.over_temp",
                first_seen_at=now,
                raised_at=now,
            )
        )


def test_an_alarm_of_a_home_that_left_the_dealer_is_not_told(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    raise_alarm(fleet, 2)
    with fleet.app.app_context(), transaction():
        of_third = MaintenanceLink.installation_id == fleet.ids[2]
        db.session.execute(
            update(MaintenanceLink)
            .where(of_third)
            .values(ended_at=clock.now(), how_ended="unlinked")
        )
    fleet.ahead += WATCH
    fleet.run(lambda: fleet.state() == ("running", 2))
    with fleet.app.app_context():
        found = db.session.get_one(Rollout, fleet.rollout_id)
        assert "alarmed" not in rollouts.counts(found)[1]


def test_what_is_confirmed_as_everything_is_taken_back_is_taken_back_too(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.begin()
    fleet.run(lambda: "asked" in fleet.states())
    with fleet.app.app_context():
        work_due()
    fleet.ahead += timedelta(seconds=6)
    real = rollout_parts.move
    pressed = Thread(target=take_back, args=[fleet])

    def slow(part_id: int, was: str, **values: Any) -> bool:
        # somebody presses the button between the look at the roll-out and the note of its part
        if not pressed.ident:
            pressed.start()
            pressed.join(1)
        return real(part_id, was, **values)

    monkeypatch.setattr(rollout_parts, "move", slow)
    with fleet.app.app_context():
        advance_due()
    pressed.join()
    fleet.run(lambda: fleet.state()[0] == "rolled_back")
    assert "confirmed" not in fleet.states()
    assert [fleet.reserve(number) for number in range(5)] == [10] * 5


def take_back(fleet: Fleet) -> None:
    with fleet.app.app_context(), transaction():
        rollouts.roll_back(fleet.dealer(), fleet.rollout_id, network_address="", now=clock.now())


def test_what_changed_at_the_device_since_is_not_taken_back(fleet: Fleet) -> None:
    fleet.begin()
    fleet.run(fleet.is_watched)
    # by the remote control in the home, which nobody has read yet
    home = Target(0, fleet.homes.endpoints[id_of(0)], "sunspec", None, id_of(0))
    wish = write_settings(home, {"reserve_pct": 70}, hold_s=None, timeout_s=2, now=clock.now)
    assert uvloop.run(wish).outcome == "ok"
    fleet.ahead += timedelta(days=3)
    take_back(fleet)
    fleet.run(lambda: fleet.state()[0] == "rolled_back", rounds=60)
    assert fleet.states()[:5] == ["kept"] + ["undone"] * 4
    assert [fleet.reserve(number) for number in range(5)] == [70] + [10] * 4
