"""Alarms rise and clear by polls and by silence, and who is mailed of them, by the outbox."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from app.domain import alarm_acts, alarm_mails, alarms, installations
from app.domain.alarms import Poller
from app.domain.answers import Answer
from app.extensions import db
from app.models import (
    Alarm,
    AlarmCare,
    AlarmComment,
    AlarmNotice,
    Dealer,
    Gateway,
    Heartbeat,
    Installation,
    Latest,
    MaintenanceContact,
    MaintenanceLink,
    PollState,
)
from app.profiles.base import Sample, State
from app.transaction import transaction
from tests.alarming import DAY, HOUR, MINUTE, START, World
from tests.counting import counted
from tests.factories import (
    DealerFactory,
    DealerPersonFactory,
    InstallationFactory,
    MaintenanceContactFactory,
)

HOT = "inverter.over_temp"
OWNER, CONTACT = "taro@example.org", "night@example.org"


@pytest.fixture
def world(app: Flask) -> World:
    return World(app)


@pytest.fixture
def home(world: World) -> int:
    """A home with an owner and a dealer whose contact has confirmed; another has not."""
    with world.app.app_context(), transaction():
        dealer = DealerFactory(email="dealer@example.org")
        MaintenanceContactFactory(dealer=dealer, email=CONTACT, confirmed_at=START)
        MaintenanceContactFactory(dealer=dealer, email="unconfirmed@example.org")
        dealer_id = dealer.id
    return world.add(owner=OWNER, dealer_id=dealer_id)


def fault(world: World, id_: int, at: datetime = START) -> None:
    """Let a fault rise, which takes two polls."""
    for poll in (1, 2):
        world.answer([id_], at + poll * MINUTE, HOT)


def silence(world: World, id_: int, until: datetime) -> None:
    """Let a gateway be asked in vain from a minute after the start on."""
    world.fail([id_], START + MINUTE)
    world.watch(until)
    world.send(until)


# ---- by polls -------------------------------------------------------------------------------


def test_a_device_that_raises_and_clears_without_end_is_told_of_for_a_while(
    world: World, home: int
) -> None:
    for poll in range(0, 1200, 4):
        at = START + poll * MINUTE / 10
        for second, codes in enumerate(((HOT, "b", "c"), (HOT, "b", "c"), (), ())):
            world.answer([home], at + second * MINUTE / 10, *codes)
    assert len(world.alarms()) <= alarms.RISES_A_DAY
    # the next day it is heard again
    world.answer([home], START + DAY + MINUTE, HOT)
    world.answer([home], START + DAY + 2 * MINUTE, HOT)
    assert world.alarms()[-1] == (0, HOT, True)


def test_a_bit_raises_one_alarm_and_mails_owner_and_contact_at_once(
    world: World, home: int
) -> None:
    world.answer([home], START + MINUTE, HOT)
    assert world.alarms() == []
    for poll in range(2, 5):
        world.answer([home], START + poll * MINUTE, HOT)
    assert world.alarms() == [(0, HOT, True)]
    world.run(START + 5 * MINUTE, START + 7 * MINUTE, MINUTE)
    assert world.mails() == Counter(
        {("alarm_raised", OWNER): 1, ("alarm_raised_dealer", CONTACT): 1}
    )
    world.answer([home], START + 8 * MINUTE)
    assert world.alarms() == [(0, HOT, True)]
    world.answer([home], START + 9 * MINUTE)
    assert world.alarms() == [(0, HOT, False)]
    world.run(START + 9 * MINUTE, START + 11 * MINUTE, MINUTE)
    assert world.mails()["alarm_cleared", OWNER] == 1
    assert world.mails()["alarm_cleared_dealer", CONTACT] == 1
    assert world.mails().total() == 4


def test_a_late_answer_raises_nothing(world: World, home: int) -> None:
    world.answer([home], START + 5 * MINUTE)
    for poll in (1, 2, 3):
        world.answer([home], START + poll * MINUTE, HOT)
    assert world.alarms() == []


def test_a_poll_where_nothing_changes_costs_alarms_no_statement(
    world: World, home: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(world, home)
    with counted(monkeypatch) as work:
        world.answer([home], START + 3 * MINUTE, HOT)
    assert not [one for one in work.statements if "alarms" in one and "UPDATE" not in one]
    assert not [one for one in work.statements if one.startswith("UPDATE alarms")]


def test_a_silent_unit_and_a_fault_without_a_name_are_alarms(world: World, home: int) -> None:
    class OfUnits:
        """A sample as profiles give it that know of units."""

        def __init__(self) -> None:
            self.sample = Sample(pv_w=1.0, state=State.RUNNING)
            self.silent_units = (2,)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.sample, name)

    for poll in (1, 2):
        world.answer([home], START + poll * MINUTE, sample=OfUnits())
    assert world.alarms() == [(2, "unit_silent", True)]


def test_nothing_alarms_for_a_quarter_of_an_hour_after_an_outage(world: World, home: int) -> None:
    with world.app.app_context(), transaction():
        db.session.execute(update(Heartbeat).values(at=START, back_at=START))
    for poll in range(1, 15):
        world.answer([home], START + poll * MINUTE, HOT)
    assert world.alarms() == []
    world.answer([home], START + 16 * MINUTE, HOT)
    assert world.alarms() == [(0, HOT, True)]


def test_a_gateway_without_an_owner_has_no_alarms(world: World) -> None:
    id_ = world.add()
    with world.app.app_context(), transaction():
        db.session.execute(update(Installation).values(closed_at=START))
    fault(world, id_)
    world.fail([id_], START + 5 * MINUTE)
    world.watch(START + HOUR)
    assert world.alarms() == []


@pytest.mark.parametrize("again", [True, False])
def test_an_alarm_ends_with_the_installation_and_the_next_owner_starts_afresh(
    world: World, home: int, again: bool
) -> None:
    fault(world, home)
    with world.app.app_context(), transaction():
        installation = db.session.scalars(select(Installation)).one()
        installations.close(
            installation, installation.account, network_address="", now=START + 3 * MINUTE
        )
    assert world.alarms() == [(0, HOT, False)]
    world.watch(START + 4 * MINUTE)
    world.send(START + 4 * MINUTE)
    assert world.templates() == Counter({"link_installation_ended": 1})
    with world.app.app_context(), transaction():
        InstallationFactory(
            gateway=db.session.get_one(Gateway, home),
            claimed_sheet_id=None,
            opened_at=START + 4 * MINUTE,
        )
    if again:
        fault(world, home, START + 5 * MINUTE)
        assert world.alarms() == [(0, HOT, False), (0, HOT, True)]
    else:
        world.answer([home], START + 5 * MINUTE)
        assert world.alarms() == [(0, HOT, False)]


# ---- by silence -----------------------------------------------------------------------------


def test_dealers_are_told_of_a_lost_gateway_after_15_minutes_households_after_two_hours_of_light(
    world: World, home: int
) -> None:
    world.fail([home], START + MINUTE)
    world.watch(START + 14 * MINUTE)
    assert world.alarms() == []
    world.run(START + 15 * MINUTE, START + 115 * MINUTE, 20 * MINUTE)
    assert world.alarms() == [(0, "lost", True)]
    assert world.mails() == Counter({("alarm_raised_dealer", CONTACT): 1})
    world.run(START + 120 * MINUTE, START + 130 * MINUTE)
    assert world.mails()["alarm_raised", OWNER] == 1


def test_what_is_lost_in_the_evening_is_told_to_households_in_the_morning(
    world: World, home: int
) -> None:
    evening = START + 8 * HOUR  # 18:00; the sun of Kyoto rises at 6:39
    world.answer([home], evening)
    world.fail([home], evening + MINUTE)
    world.run(evening + 15 * MINUTE, evening + 12 * HOUR - 5 * MINUTE, HOUR)
    assert world.mails()["alarm_raised", OWNER] == 0
    world.run(evening + 12 * HOUR, evening + 12 * HOUR + 5 * MINUTE)
    assert world.mails()["alarm_raised", OWNER] == 1


def test_a_lost_gateway_clears_at_its_second_good_answer(world: World, home: int) -> None:
    silence(world, home, START + 16 * MINUTE)
    world.answer([home], START + 17 * MINUTE)
    assert world.alarms() == [(0, "lost", True)]
    world.answer([home], START + 18 * MINUTE)
    assert world.alarms() == [(0, "lost", False)]
    world.run(START + 19 * MINUTE, START + 25 * MINUTE)
    # the household was not told that it was lost
    assert world.mails() == Counter(
        {("alarm_raised_dealer", CONTACT): 1, ("alarm_cleared_dealer", CONTACT): 1}
    )


def test_a_gateway_that_never_answered_is_never_lost(world: World, home: int) -> None:
    with world.app.app_context(), transaction():
        db.session.execute(update(Latest).values(taken_at=None))
    silence(world, home, START + 2 * DAY)
    assert world.alarms() == []


def test_nothing_is_lost_while_the_service_itself_is_away(world: World, home: int) -> None:
    world.fail([home], START + MINUTE)
    with world.app.app_context(), transaction():
        db.session.execute(update(Heartbeat).values(at=START + 2 * MINUTE))
    world.watch(START + 5 * HOUR, beats=False)
    assert world.alarms() == []
    back = START + 5 * HOUR
    with world.app.app_context(), transaction():
        db.session.execute(update(Heartbeat).values(at=back, back_at=back))
    world.watch(back + 14 * MINUTE)
    assert world.alarms() == []
    world.watch(back + 15 * MINUTE)
    assert world.alarms() == [(0, "lost", True)]


def test_only_gateways_that_fail_and_are_not_known_to_be_lost_are_looked_at(
    world: World, home: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [world.add() for _ in range(3)]
    world.answer(others, START + 20 * MINUTE)
    silence(world, home, START + 21 * MINUTE)
    with world.app.app_context():
        beat = Poller(START + HOUR, START - DAY)
        assert alarms.find_silent(START + HOUR, beat) == []
        judged = select(func.count()).where(PollState.silence_judged_at.is_not(None))
        assert db.session.scalar(judged) == 1


def test_two_who_find_the_same_silence_raise_one_alarm(world: World) -> None:
    ids = [world.add() for _ in range(20)]
    world.fail(ids, START + MINUTE)
    now = START + HOUR
    poller = Poller(now, START - DAY)

    def find(_worker: int) -> int:
        with world.app.app_context(), transaction():
            return alarms.raise_lost(ids, now, poller)

    with ThreadPoolExecutor(4) as workers:
        rose = sum(workers.map(find, range(4)))
    assert rose == 20
    assert len(world.alarms()) == 20


def test_an_answer_that_comes_while_silence_is_judged_wins(world: World, home: int) -> None:
    world.fail([home], START + MINUTE)
    world.answer([home], START + 59 * MINUTE)
    with world.app.app_context(), transaction():
        assert alarms.raise_lost([home], START + HOUR, Poller(START + HOUR, START - DAY)) == 0


# ---- what is due is asked again when it goes -------------------------------------------------


def test_a_mail_whose_alarm_cleared_meanwhile_is_dropped_and_so_is_its_end(
    world: World, home: int
) -> None:
    fault(world, home)
    world.watch(START + 3 * MINUTE)
    for poll in (4, 5):
        world.answer([home], START + poll * MINUTE)
    world.watch(START + 6 * MINUTE)
    assert world.send(START + 6 * MINUTE) == []
    assert world.mails(state="dropped").total() == 4


@pytest.mark.parametrize("how", ["unlinked", "removed"])
def test_who_is_no_longer_the_dealers_contact_gets_no_mail(
    world: World, home: int, how: str
) -> None:
    fault(world, home)
    world.watch(START + 3 * MINUTE)
    with world.app.app_context(), transaction():
        if how == "unlinked":
            db.session.execute(update(MaintenanceLink).values(ended_at=START, how_ended="unlinked"))
        else:
            db.session.execute(delete(MaintenanceContact).filter_by(email=CONTACT))
    world.send(START + 4 * MINUTE)
    assert world.mails() == Counter({("alarm_raised", OWNER): 1})


def test_who_mutes_a_fault_is_told_nothing_more_of_it(world: World, home: int) -> None:
    fault(world, home)
    world.watch(START + 3 * MINUTE)
    world.send(START + 3 * MINUTE)
    with world.app.app_context(), transaction():
        alarm = db.session.scalars(select(Alarm)).one()
        dealer_id = db.session.scalars(select(MaintenanceLink.dealer_id)).one()
        owner = alarm.installation.account
        alarm_acts.mute_own(
            owner, alarm.gateway.public_id, alarm.id, muted=True, network_address="", now=START
        )
        person = DealerPersonFactory(dealer=db.session.get_one(Dealer, dealer_id))
        alarm_acts.mute(person, alarm.id, muted=True, network_address="", now=START + 4 * MINUTE)
    world.run(START + 5 * MINUTE, START + 2 * DAY, 6 * HOUR)
    for poll in (1, 2):
        world.answer([home], START + 2 * DAY + poll * MINUTE)
    world.run(START + 2 * DAY + 3 * MINUTE, START + 2 * DAY + 4 * MINUTE, MINUTE)
    assert world.alarms() == [(0, HOT, False)]
    assert world.mails() == Counter(
        {("alarm_raised", OWNER): 1, ("alarm_raised_dealer", CONTACT): 1}
    )


def test_a_mail_that_waits_is_dropped_where_its_reader_muted_the_fault(
    world: World, home: int
) -> None:
    fault(world, home)
    world.watch(START + 3 * MINUTE)
    with world.app.app_context(), transaction():
        db.session.execute(update(Alarm).values(muted_at=START))
    world.send(START + 4 * MINUTE)
    assert world.mails() == Counter({("alarm_raised_dealer", CONTACT): 1})


def test_a_dealer_without_a_confirmed_contact_is_mailed_itself(world: World, home: int) -> None:
    with world.app.app_context(), transaction():
        db.session.execute(delete(MaintenanceContact).filter_by(email=CONTACT))
    fault(world, home)
    world.run(START + 3 * MINUTE, START + 4 * MINUTE, MINUTE)
    assert world.mails()["alarm_raised_dealer", "dealer@example.org"] == 1


# ---- what still stands ----------------------------------------------------------------------


def test_the_owner_is_reminded_on_three_days_and_contacts_get_one_digest_each_morning(
    world: World, home: int
) -> None:
    fault(world, home)
    world.run(START + 3 * MINUTE, START + 5 * DAY, 2 * HOUR)
    assert world.mails() == Counter(
        {
            ("alarm_raised", OWNER): 1,
            ("alarm_reminder", OWNER): 3,
            ("alarm_raised_dealer", CONTACT): 1,
            ("alarm_daily", CONTACT): 5,
        }
    )


def test_the_digest_goes_at_eight_and_only_if_something_stands(world: World, home: int) -> None:
    fault(world, home)
    eight = START + 22 * HOUR
    world.run(START + HOUR, eight - MINUTE, 5 * HOUR)
    assert world.mails()["alarm_daily", CONTACT] == 0
    world.watch(eight)
    (letter,) = world.send(eight)
    assert letter.subject == "【続いている異常 1 件】"
    for poll in (1, 2):
        world.answer([home], eight + poll * MINUTE)
    world.run(eight + 5 * MINUTE, eight + 2 * DAY, 6 * HOUR)
    assert world.mails()["alarm_daily", CONTACT] == 1


# ---- too many -------------------------------------------------------------------------------


def test_more_than_twenty_mails_a_day_become_an_hourly_digest_and_nothing_is_dropped(
    world: World, home: int
) -> None:
    with world.app.app_context():
        dealer_id = db.session.scalars(select(MaintenanceLink.dealer_id)).one()
    more = [world.add(dealer_id=dealer_id) for _ in range(29)]
    for poll in (1, 2):
        world.answer([home, *more], START + poll * MINUTE, HOT)
    world.watch(START + 3 * MINUTE)
    letters = world.send(START + 3 * MINUTE)
    assert world.mails()["alarm_raised_dealer", CONTACT] == 20
    # every household got its own
    assert world.templates()["alarm_raised"] == 30
    world.watch(START + HOUR)
    (digest,) = world.send(START + HOUR)
    assert digest.subject == "【異常のお知らせのまとめ 10 件】"
    assert len(letters) == 50
    # what cleared before its hour came is told by the same digest; its end never goes alone
    for poll in (61, 62):
        world.answer([home, *more], START + poll * MINUTE)
    world.run(START + 63 * MINUTE, START + 119 * MINUTE, 10 * MINUTE)
    assert world.mails()["alarm_cleared_dealer", CONTACT] == 0
    world.watch(START + 2 * HOUR)
    (digest,) = world.send(START + 2 * HOUR)
    assert digest.subject == "【異常のお知らせのまとめ 30 件】"
    with world.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Alarm)) == 30


def test_an_answer_names_the_relay_that_brought_it(world: World, home: int) -> None:
    world.settle(
        [Answer(home, "ok", START + MINUTE, Sample(pv_w=1.0), via="relay-1")], START + MINUTE
    )
    with world.app.app_context():
        assert db.session.get_one(PollState, home).via == "relay-1"


def test_old_notices_and_comments_are_cleared_but_not_what_still_stands(
    world: World, home: int
) -> None:
    other = world.add()
    for id_ in (home, other):
        fault(world, id_)
    world.watch(START + 3 * MINUTE)
    for poll in (4, 5):
        world.answer([other], START + poll * MINUTE)
    with world.app.app_context(), transaction():
        for alarm in db.session.scalars(select(Alarm)):
            author_id = alarm.installation.account_id
            dealer_id = db.session.scalars(select(MaintenanceLink.dealer_id)).one()
            db.session.add(
                AlarmComment(
                    alarm_id=alarm.id,
                    dealer_id=dealer_id,
                    author_id=author_id,
                    at=START,
                    words="留守がちなお客様",
                )
            )
        gone = db.session.scalars(select(Installation).filter_by(gateway_id=other)).one()
        gone.closed_at = START + HOUR
    later = START + 40 * DAY
    with world.app.app_context(), transaction():
        assert alarm_mails.clear_old(later, keep_days=30) == 1
        assert alarm_acts.clear_comments(later, keep_days=30) == 1
        assert alarm_mails.clear_old(later, keep_days=30) == 0
    with world.app.app_context():
        left = db.session.scalars(select(AlarmNotice)).all()
        assert {notice.to for notice in left} == {OWNER, CONTACT}


def test_alarms_that_are_long_over_go_with_what_was_noted_about_them(
    world: World, home: int
) -> None:
    other = world.add()
    for id_ in (home, other):
        fault(world, id_)
    world.watch(START + 3 * MINUTE)
    for poll in (4, 5):
        world.answer([home], START + poll * MINUTE)
    with world.app.app_context(), transaction():
        over = db.session.scalars(select(Alarm).filter_by(gateway_id=home)).one()
        dealer_id = db.session.scalars(select(MaintenanceLink.dealer_id)).one()
        db.session.add(AlarmCare(alarm_id=over.id, dealer_id=dealer_id, acknowledged_at=START))
        db.session.add(
            AlarmComment(
                alarm_id=over.id,
                dealer_id=dealer_id,
                author_id=over.installation.account_id,
                at=START,
                words="部品を替えました",
            )
        )
    ended = START + 5 * MINUTE
    with world.app.app_context(), transaction():
        assert alarms.clear_old(ended + 400 * DAY, keep_days=400) == 0
        assert alarms.clear_old(ended + 401 * DAY, keep_days=400) == 1
        assert alarms.clear_old(ended + 401 * DAY, keep_days=400) == 0
    with world.app.app_context():
        # what stands is never too old
        assert db.session.scalars(select(Alarm.gateway_id)).all() == [other]
        assert db.session.scalars(select(AlarmComment)).all() == []
        assert db.session.scalars(select(AlarmCare)).all() == []
