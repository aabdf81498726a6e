"""Outages begin and end by polls, are reported, and mailed to the owner once."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, insert, select, update

from app.domain import installations, outage_reports, outage_rules, outages
from app.domain.alarm_mails import MAILS_A_DAY
from app.domain.alarm_readers import Desk
from app.domain.outage_figures import EMPTY, HELD, UNKNOWN, Figures
from app.extensions import db
from app.jobs import outages as jobs
from app.models import (
    Account,
    Alarm,
    AlarmQuota,
    Gateway,
    Installation,
    Outage,
    OutboxMail,
    PollState,
    Reading,
)
from app.profiles.base import Sample, State
from app.transaction import transaction
from tests.alarming import MINUTE, START, World
from tests.counting import counted
from tests.histories import write_history
from tests.racing import at_once

OWNER = "taro@example.org"
CUT = "inverter.grid_disconnect"


@pytest.fixture
def world(app: Flask) -> World:
    return World(app)


@pytest.fixture
def home(world: World) -> int:
    return world.add(owner=OWNER, gateway={"ratings": {"battery_wh": 10_000.0}})


def sample(minutes: float, *, tied: bool | None, load: float = 600.0, **rest: Any) -> Sample:
    """Return a sample of a home that lives on its battery."""
    told = {"soc_pct": 80 - minutes / 10, "battery_w": load, "state": State.RUNNING, **rest}
    alarms = (CUT,) if tied is False else ()
    return Sample(pv_w=0.0, load_w=load, grid_w=0.0, grid_tied=tied, alarms=alarms, **told)


def live(world: World, id_: int, tied: bool | None, minutes: range, **rest: Any) -> None:
    """Let a home tell of the grid, each of these minutes after the start."""
    for minute in minutes:
        told = sample(minute, tied=tied, **rest)
        world.answer([id_], START + minute * MINUTE, sample=told)


def without_grid(world: World, id_: int, minutes: int, **rest: Any) -> datetime:
    """Let a home be without the grid from its fifth minute on; return when it was back."""
    live(world, id_, True, range(1, 5))
    live(world, id_, False, range(5, 5 + minutes), **rest)
    live(world, id_, True, range(5 + minutes, 8 + minutes))
    return START + (5 + minutes) * MINUTE


def rows(world: World) -> list[Outage]:
    with world.app.app_context():
        return list(db.session.scalars(select(Outage).order_by(Outage.id)))


def report(world: World, at: datetime) -> None:
    with world.app.app_context(), time_machine.travel(at, tick=False):
        jobs.report_ended()


def mails(world: World) -> int:
    with world.app.app_context():
        found = select(func.count()).where(OutboxMail.template == "outage_ended")
        return db.session.scalar(found) or 0


# ---- by polls -------------------------------------------------------------------------------


def test_an_outage_is_noted_at_the_moments_of_its_samples(world: World, home: int) -> None:
    live(world, home, True, range(1, 5))
    live(world, home, False, range(5, 7))
    (stands,) = rows(world)
    assert (stands.before_at, stands.began_at) == (START + 4 * MINUTE, START + 5 * MINUTE)
    assert (stands.ended_at, stands.check_at, stands.soc_began) == (None, None, 79.5)
    live(world, home, False, range(7, 30))
    live(world, home, True, range(30, 32))
    (over,) = rows(world)
    assert (over.away_at, over.ended_at) == (START + 29 * MINUTE, START + 30 * MINUTE)
    assert (over.soc_ended, over.is_cut) == (77, False)
    assert over.check_at is not None
    with world.app.app_context():
        assert outages.KEY not in db.session.scalars(select(PollState.standing)).one()


def test_the_alarm_that_told_of_it_rises_and_clears_as_ever(world: World, home: int) -> None:
    live(world, home, True, range(1, 3))
    live(world, home, False, range(3, 6))
    assert world.alarms() == [(0, CUT, True)]
    live(world, home, True, range(6, 9))
    assert world.alarms() == [(0, CUT, False)]
    (over,) = rows(world)
    with world.app.app_context():
        alarm = db.session.scalars(select(Alarm)).one()
        told = outages.during(alarm.installation_id, [alarm])
    assert told == {alarm.id: over.id}


def test_a_blip_and_a_device_that_does_not_say_are_no_outage(world: World, home: int) -> None:
    live(world, home, False, range(1, 2))
    live(world, home, True, range(2, 4))
    live(world, home, None, range(4, 9))
    assert rows(world) == []


def test_polls_that_are_lost_leave_one_outage_and_its_moments_open(world: World, home: int) -> None:
    live(world, home, True, range(1, 2))
    live(world, home, False, range(20, 22))
    # the router has no power; the gateway is called lost meanwhile
    world.fail([home], START + 23 * MINUTE)
    world.watch(START + 60 * MINUTE)
    live(world, home, True, range(300, 302))
    (over,) = rows(world)
    assert (over.before_at, over.began_at) == (START + MINUTE, START + 20 * MINUTE)
    assert (over.away_at, over.ended_at) == (START + 21 * MINUTE, START + 300 * MINUTE)
    assert outage_reports.is_uncertain(over.before_at, over.began_at)
    report(world, START + 310 * MINUTE)
    # nor does the letter say what nobody knows
    letter = next(one for one in world.send(START + 310 * MINUTE) if "停電" in one.subject)
    assert "停電の長さ: はっきりしません" in letter.text
    assert Figures.from_json(rows(world)[0].report or {}).how == UNKNOWN


def test_an_answer_that_comes_late_or_before_the_installation_notes_nothing(
    world: World, home: int
) -> None:
    live(world, home, True, range(10, 12))
    live(world, home, False, range(5, 9))
    with world.app.app_context(), transaction():
        db.session.execute(update(Installation).values(opened_at=START + 60 * MINUTE))
    live(world, home, False, range(20, 24))
    assert rows(world) == []


def test_a_poll_of_a_home_with_the_grid_costs_outages_no_statement(
    world: World, home: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(world, home, True, range(1, 3), load=500.0)
    with counted(monkeypatch) as tied:
        live(world, home, True, range(3, 4), load=500.0)
    live(world, home, None, range(4, 5), load=500.0)
    with counted(monkeypatch) as silent:
        live(world, home, None, range(5, 6), load=500.0)
    assert not [one for one in tied.statements if "outages" in one]
    assert len(tied.statements) == len(silent.statements)


def test_many_homes_that_lose_the_grid_at_once_are_one_statement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [world.add() for _ in range(30)]
    for minute in (1, 2):
        world.answer(ids, START + minute * MINUTE, sample=sample(minute, tied=True))
    world.answer(ids, START + 3 * MINUTE, sample=sample(3, tied=False))
    with counted(monkeypatch) as work:
        world.answer(ids, START + 4 * MINUTE, sample=sample(4, tied=False))
    assert len([one for one in work.statements if "INTO outages" in one]) == 1
    assert len(rows(world)) == 30


def test_an_installation_that_closes_ends_it_without_an_end(world: World, home: int) -> None:
    live(world, home, True, range(1, 3))
    live(world, home, False, range(3, 20))
    closed_at = START + 20 * MINUTE
    with world.app.app_context(), transaction():
        mine = db.session.scalars(select(Installation)).one()
        gone = installations.close(
            mine, mine.account, eco_ends="removed", network_address="192.0.2.1", now=closed_at
        )
        assert gone
    live(world, home, True, range(21, 25))
    (cut,) = rows(world)
    assert (cut.is_cut, cut.ended_at) == (True, closed_at)
    report(world, START + 30 * MINUTE)
    (cut,) = rows(world)
    assert cut.report
    assert cut.report["used_wh"] == pytest.approx(160)
    assert mails(world) == 0


# ---- reports --------------------------------------------------------------------------------


def test_a_report_is_kept_with_the_outage_and_its_owner_mailed_once(
    world: World, home: int
) -> None:
    with world.app.app_context(), transaction():
        mine = db.session.scalars(select(Installation)).one()
        write_history(mine, date(2026, 10, 20), date(2026, 11, 22))
    back_at = without_grid(world, home, 120)
    for _ in range(2):
        report(world, back_at + 5 * MINUTE)
    (over,) = rows(world)
    assert over.check_at is None
    told = Figures.from_json(over.report or {})
    assert told.how == HELD
    assert told.used_wh == pytest.approx(600 * 119 / 60)
    # 74.5 % of 10 kWh at 400 W, less what the inverter loses
    assert told.foretold
    assert told.foretold[0] == pytest.approx(0.745 * 10_000 * 0.95 / 400 * 60, abs=2)
    assert mails(world) == 1
    letter = world.send(back_at + 5 * MINUTE)[-1]
    assert "停電の長さ: 約2時間\n" in letter.text
    assert "2026/11/23 10:05" in letter.text
    with world.app.app_context(), transaction():
        # the samples have had their time
        db.session.execute(Reading.__table__.delete())  # type: ignore[attr-defined]
    assert Figures.from_json(rows(world)[0].report or {}) == told


def test_a_battery_that_ran_empty_is_told(world: World, home: int) -> None:
    live(world, home, True, range(1, 3))
    live(world, home, False, range(3, 40))
    live(world, home, False, range(40, 60), load=0.0, soc_pct=10.0)
    live(world, home, True, range(60, 63))
    report(world, START + 70 * MINUTE)
    told = Figures.from_json(rows(world)[0].report or {})
    assert (told.how, told.was_drained) == (EMPTY, True)
    assert told.empty_at == (START + 40 * MINUTE).timestamp()


def _short(_world: World) -> int:
    return 4


def _switched_off(world: World) -> int:
    with world.app.app_context(), transaction():
        db.session.execute(update(Installation).values(mails_of_outages=False))
    return 30


def _account_closed(world: World) -> int:
    with world.app.app_context(), transaction():
        db.session.execute(update(Account).values(closed_at=START))
    return 30


@pytest.mark.parametrize("change", [_short, _switched_off, _account_closed])
def test_nobody_is_mailed_who_wants_or_needs_no_letter(
    world: World, home: int, change: Callable[[World], int]
) -> None:
    minutes = change(world)
    report(world, without_grid(world, home, minutes) + 5 * MINUTE)
    (over,) = rows(world)
    assert over.report
    assert over.check_at is None
    assert mails(world) == 0


def test_nobody_is_mailed_of_an_outage_of_last_week(world: World, home: int) -> None:
    report(world, without_grid(world, home, 30) + timedelta(days=8))
    assert rows(world)[0].report
    assert mails(world) == 0


def test_who_has_had_the_days_share_of_mails_is_mailed_later(world: World, home: int) -> None:
    back_at = without_grid(world, home, 30)
    with world.app.app_context(), transaction():
        db.session.execute(
            insert(AlarmQuota), [{"to": OWNER, "day": back_at.date(), "mails": MAILS_A_DAY}]
        )
    report(world, back_at + 5 * MINUTE)
    assert mails(world) == 0
    (over,) = rows(world)
    assert over.check_at == back_at + 5 * MINUTE + outage_reports.LATER
    report(world, back_at + timedelta(days=1))
    assert mails(world) == 1


def test_two_workers_make_each_report_once(world: World, home: int) -> None:
    back_at = without_grid(world, home, 30)
    now = back_at + 5 * MINUTE
    with world.app.app_context():
        with transaction():
            first = outage_reports.claim(now)
        with transaction():
            second = outage_reports.claim(now)
        assert (len(first), second) == (1, [])
        # one that died with its claim gives it back by doing nothing
        with transaction():
            assert outage_reports.claim(now + outage_reports.LEASE) == first
        desk = Desk(now, "Asia/Tokyo")
        for _ in range(2):
            with transaction():
                outage_reports.settle(first[0], desk)
        with transaction():
            outage_reports.settle(999, desk)
    assert mails(world) == 1


def test_workers_that_come_at_once_share_the_outages(app: Flask, world: World, home: int) -> None:
    ids = [home, *(world.add() for _ in range(5))]
    for minute, tied in enumerate((True, False, False, True, True)):
        world.answer(ids, START + minute * MINUTE, sample=sample(minute, tied=tied))
    now = START + 10 * MINUTE
    taken = at_once(app, *[lambda: outage_reports.claim(now)] * 3)
    claimed = [number for some in taken for number in some]  # type: ignore[attr-defined]
    assert len(claimed) == len(set(claimed)) == 6


def test_a_report_that_fails_keeps_no_other_from_being_made(
    world: World, home: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = world.add(owner="hanako@example.org")
    without_grid(world, home, 30)
    back_at = without_grid(world, other, 30)
    make = outage_reports.make

    def fails(outage: Outage, **rest: Any) -> Figures:
        if outage.gateway_id == home:
            raise ValueError("wrong")
        return make(outage, **rest)

    monkeypatch.setattr(outage_reports, "make", fails)
    report(world, back_at + 5 * MINUTE)
    assert [bool(one.report) for one in rows(world)] == [False, True]
    monkeypatch.undo()
    report(world, back_at + 5 * MINUTE + outage_reports.LEASE)
    assert all(one.report for one in rows(world))


def test_a_gateway_that_was_never_discovered_has_no_forecast(world: World, home: int) -> None:
    with world.app.app_context(), transaction():
        db.session.execute(update(Gateway).values(ratings=None))
    report(world, without_grid(world, home, 30) + 5 * MINUTE)
    assert Figures.from_json(rows(world)[0].report or {}).foretold is None


def test_a_grid_that_flaps_is_noted_some_times_a_day(world: World, home: int) -> None:
    for number in range(20):
        live(world, home, False, range(4 * number + 1, 4 * number + 3))
        live(world, home, True, range(4 * number + 3, 4 * number + 5))
    assert len(rows(world)) == outage_rules.MOST_A_DAY
    day = 24 * 60 + 1
    live(world, home, False, range(day, day + 3))
    live(world, home, True, range(day + 3, day + 6))
    assert len(rows(world)) == outage_rules.MOST_A_DAY + 1


def test_one_that_goes_on_for_weeks_is_reckoned_by_its_first_days(world: World, home: int) -> None:
    live(world, home, False, range(1, 4))
    far = int(timedelta(days=30) / MINUTE)
    live(world, home, False, range(far, far + 3))
    with world.app.app_context():
        outage = db.session.scalars(select(Outage)).one()
        now = START + timedelta(days=31)
        figures = outage_reports.make(outage, zone="Asia/Tokyo", now=now)
    assert figures.last_at is not None
    assert figures.last_at < (START + outage_reports.LONGEST).timestamp()
