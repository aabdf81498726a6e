"""設定: who asks for what, who comes first, what becomes of it, and how it goes back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.domain import (
    installations,
    links,
    setting_history,
    setting_lapses,
    setting_orders,
    setting_writes,
)
from app.domain import settings as rules
from app.domain.errors import NotFound
from app.domain.links import Mandate
from app.domain.setting_checks import (
    ChangedMeanwhile,
    HandWins,
    NothingWanted,
    NotOffered,
    ReasonNeeded,
    StillWriting,
    TooManyChanges,
    UntilNeeded,
    UntilPassed,
    UntilTooFar,
)
from app.domain.setting_writes import Ended
from app.extensions import db
from app.models import AuditEntry, Installation, OutboxMail, SettingOrder
from app.transaction import transaction
from tests.racing import at_once
from tests.setting import (
    HOUR,
    ID,
    LEASE,
    MINUTE,
    NOW,
    Home,
    account,
    add_home,
    installation,
    link,
    order,
    states,
)

OWNER, DEALER, OPERATOR = "taro@example.org", "hanako@example.org", "op@example.org"


@pytest.fixture
def home(app: Flask) -> Iterator[Home]:
    made = add_home(app)
    with app.app_context():
        yield made


def mails() -> list[tuple[str, str]]:
    rows = db.session.scalars(select(OutboxMail).order_by(OutboxMail.id))
    return [(row.template, row.to) for row in rows]


def automatic(wanted: dict[Any, Any], now: datetime, **more: Any) -> SettingOrder | None:
    with transaction():
        return setting_orders.place_automatic(
            installation().id,
            wanted,
            **{"source": "forecast", "reason": "明日は雨の予報です", **more},
            now=now,
        )


def lapse(now: datetime) -> list[int]:
    """Do what the periodic job does; return the orders it placed."""
    placed = []
    for order_id in setting_lapses.list_due(now, limit=100):
        with transaction():
            back = setting_lapses.lapse(order_id, now)
            if back is not None:
                placed.append(back.id)
    return placed


# ---- who may, and what ----------------------------------------------------------------------


def test_owner_dealer_and_operator_change_settings(home: Home) -> None:
    for number, who in enumerate((OWNER, DEALER, OPERATOR)):
        made = home.place({"reserve_pct": 30 + 10 * number}, by=who)
        home.write()
        assert states(made) == ("confirmed", {"reserve_pct": ("confirmed", "")})
        assert order(made).by == ("owner", "dealer", "operator")[number]


@pytest.mark.parametrize("who", ["stranger@example.org", "jiro@example.org"])
def test_a_stranger_finds_nothing_to_set(home: Home, who: str) -> None:
    with pytest.raises(NotFound):
        home.place({"reserve_pct": 30}, by=who)


def test_a_dealer_that_only_watches_sees_values_and_sets_nothing(app: Flask) -> None:
    home = add_home(app, scope="watch")
    with app.app_context():
        assert not rules.get(account(DEALER), ID, NOW).may_set
        with pytest.raises(NotFound):
            home.place({"reserve_pct": 30}, by=DEALER)


@pytest.mark.parametrize(
    "wanted",
    [
        {"reserve_pct": 35},
        {"reserve_pct": True},
        {"max_soc_pct": 50},
        {"mode": "standby"},
        {"mode": ["green"]},
        {"charge_windows": [{"start": 0, "end": 60, "days": 0}]},
        {"actor_id": 1},
    ],
)
def test_what_the_device_does_not_offer_is_not_asked_of_it(home: Home, wanted: Any) -> None:
    with pytest.raises(NotOffered):
        home.place(wanted)


def test_a_change_of_nothing_and_one_of_another_home_without_reason_are_refused(home: Home) -> None:
    with pytest.raises(NothingWanted):
        home.place({})
    with pytest.raises(ReasonNeeded):
        home.place({"reserve_pct": 30}, by=DEALER, reason="")
    with pytest.raises(ReasonNeeded):
        home.place({"reserve_pct": 30}, by=OPERATOR, reason="")
    assert home.place({"reserve_pct": 30}, reason="")


def test_a_timed_mode_needs_an_end_that_the_device_can_keep(home: Home) -> None:
    with pytest.raises(UntilNeeded):
        home.place({"mode": "charge"})
    with pytest.raises(UntilPassed):
        home.place({"mode": "charge"}, until=NOW)
    with pytest.raises(UntilTooFar):
        home.place({"mode": "charge"}, until=NOW + timedelta(hours=25))
    home.place({"mode": "charge"}, until=NOW + 3 * HOUR)
    assert home.claim(NOW + HOUR).hold_s == 2 * 3600


# ---- several at once ------------------------------------------------------------------------


def test_what_somebody_else_asked_is_shown_before_it_is_overwritten(home: Home) -> None:
    first = home.place({"reserve_pct": 50}, by=DEALER)
    with pytest.raises(ChangedMeanwhile):
        home.place({"reserve_pct": 80}, seen={"reserve_pct": 20})
    second = home.place({"reserve_pct": 80}, seen={"reserve_pct": 50})
    assert states(first)[0] == "superseded"
    home.write()
    assert states(second)[0] == "confirmed"
    assert home.values["reserve_pct"] == 80


def test_what_changed_at_the_device_is_shown_before_it_is_overwritten(home: Home) -> None:
    home.values["reserve_pct"] = 60
    home.read()
    with pytest.raises(ChangedMeanwhile):
        home.place({"reserve_pct": 80}, seen={"reserve_pct": 20})
    assert home.place({"mode": "safe"}, seen={"mode": "green"})


def test_two_changes_of_ones_own_in_a_row_both_come_about(home: Home) -> None:
    first = home.place({"reserve_pct": 50})
    second = home.place({"mode": "safe"})
    home.write()
    assert states(first)[0] == "superseded"
    assert states(second)[0] == "confirmed"
    assert (home.values["reserve_pct"], home.values["mode"]) == (50, "safe")


def test_what_was_asked_and_never_written_is_no_way_back(home: Home) -> None:
    home.place({"reserve_pct": 50})
    home.place({"reserve_pct": 80})
    made = home.place({"mode": "safe"})
    home.write()
    found = order(made)
    assert {one.key: (one.before, one.after) for one in found.changes} == {
        "reserve_pct": (20, 80),
        "mode": ("green", "safe"),
    }
    assert setting_history.before_of(found) == {"reserve_pct": 20, "mode": "green"}


def test_somebody_elses_change_of_another_setting_does_not_get_lost(home: Home) -> None:
    home.place({"reserve_pct": 50}, by=DEALER)
    with pytest.raises(StillWriting):
        home.place({"mode": "safe"})
    home.write()
    assert home.place({"mode": "safe"})
    with pytest.raises(StillWriting):
        home.place({"reserve_pct": 60}, until=NOW + HOUR)


def test_of_two_people_at_once_one_comes_first_and_the_other_is_told(home: Home) -> None:
    def ask(who: str, reserve: int) -> object:
        return setting_orders.place(
            account(who),
            ID,
            {"reserve_pct": reserve},
            seen={"reserve_pct": 20},
            reason="点検",
            until=None,
            network_address="",
            now=NOW,
        ).reason

    results = at_once(home.app, lambda: ask(OWNER, 30), lambda: ask(DEALER, 40))
    assert sorted(map(str, results)) == sorted(["点検", str(ChangedMeanwhile)])
    assert len(db.session.scalars(select(SettingOrder)).all()) == 1


def test_of_two_workers_one_gets_an_order(home: Home) -> None:
    home.place({"reserve_pct": 30})
    results = at_once(
        home.app,
        lambda: setting_writes.claim(NOW, lease=LEASE),
        lambda: setting_writes.claim(NOW, lease=LEASE),
    )
    assert sum(result is not None for result in results) == 1


def test_while_one_is_written_the_next_waits(home: Home) -> None:
    home.place({"reserve_pct": 30})
    claimed = home.claim()
    with pytest.raises(StillWriting):
        home.place({"reserve_pct": 40})
    home.values["reserve_pct"] = 30
    home.settle(claimed)
    assert home.place({"reserve_pct": 40})


# ---- what becomes of it ---------------------------------------------------------------------


def test_a_device_that_says_yes_and_changes_nothing_is_caught(home: Home) -> None:
    made = home.place({"reserve_pct": 30})
    home.write(ignores=("reserve_pct",))
    assert states(made) == ("failed", {"reserve_pct": ("failed", "ignored")})


def test_a_part_is_told_and_can_be_completed_or_undone(home: Home) -> None:
    made = home.place({"reserve_pct": 30, "min_soc_pct": 10})
    home.write(ignores=("min_soc_pct",))
    assert states(made) == (
        "partly",
        {"reserve_pct": ("confirmed", ""), "min_soc_pct": ("failed", "ignored")},
    )
    found = setting_history.get(installation(), made)
    assert setting_history.missing_of(found) == {"min_soc_pct": 10}
    assert setting_history.before_of(found) == {"reserve_pct": 20}


def test_a_refusal_is_told(home: Home) -> None:
    made = home.place({"reserve_pct": 30})
    home.settle(home.claim(), "exception")
    assert states(made) == ("failed", {"reserve_pct": ("failed", "refused")})


def test_what_did_not_reach_the_device_is_tried_again_for_some_minutes(home: Home) -> None:
    made = home.place({"reserve_pct": 30})
    home.settle(home.claim(), "unreachable", wrote=False)
    assert states(made)[0] == "asked"
    with transaction():
        assert setting_writes.claim(NOW, lease=LEASE) is None
    home.write(NOW + MINUTE)
    assert states(made)[0] == "confirmed"
    made = home.place({"reserve_pct": 40})
    home.settle(home.claim(), "timeout", wrote=False, now=NOW + 6 * MINUTE)
    assert states(made) == ("failed", {"reserve_pct": ("failed", "unreached")})


@pytest.mark.parametrize(("arrived", "state"), [(True, "confirmed"), (False, "failed")])
def test_a_write_without_an_end_is_settled_by_what_stands_and_never_repeated(
    home: Home, arrived: bool, state: str
) -> None:
    made = home.place({"reserve_pct": 30})
    home.settle(home.claim(), "timeout")
    assert states(made)[0] == "sent"
    with transaction():
        assert setting_writes.claim(NOW + HOUR, lease=LEASE) is None
    home.values["reserve_pct"] = 30 if arrived else 20
    look(home, NOW + MINUTE)
    assert states(made)[0] == state


def look(home: Home, now: datetime, *, reached: bool = True) -> None:
    with transaction():
        claimed = setting_writes.claim_unsettled(now, lease=LEASE)
    assert claimed is not None
    told = home.told() if reached else None
    with transaction():
        setting_writes.settle_look(claimed, Ended("ok", "", told, wrote=False), now)


def test_the_order_of_a_worker_that_died_is_settled_by_what_stands(home: Home) -> None:
    made = home.place({"reserve_pct": 30})
    dead = home.claim()
    with transaction():
        assert setting_writes.claim_unsettled(NOW + MINUTE, lease=LEASE) is None
    look(home, NOW + LEASE)
    assert states(made) == ("failed", {"reserve_pct": ("failed", "broken_off")})
    # it comes back from the dead: nothing of what it says counts any more
    home.values["reserve_pct"] = 30
    home.settle(dead, now=NOW + 2 * LEASE)
    assert states(made)[0] == "failed"


def test_what_nobody_can_look_after_is_said_to_be_unknown_in_the_end(home: Home) -> None:
    made = home.place({"reserve_pct": 30})
    home.claim()
    look(home, NOW + 10 * MINUTE, reached=False)
    assert states(made)[0] == "sent"
    look(home, NOW + HOUR, reached=False)
    assert states(made) == ("failed", {"reserve_pct": ("failed", "unknown")})


def test_a_temporary_setting_that_nobody_saw_written_is_looked_for_until_it_goes_back(
    home: Home,
) -> None:
    made = home.place({"reserve_pct": 30}, until=NOW + 3 * HOUR)
    home.claim()
    # the write reached the device, its line broke off, and stays so for hours
    home.values["reserve_pct"] = 30
    look(home, NOW + HOUR, reached=False)
    look(home, NOW + 5 * HOUR, reached=False)
    assert states(made)[0] == "sent"
    look(home, NOW + 6 * HOUR)
    assert states(made) == ("confirmed", {"reserve_pct": ("confirmed", "")})
    [_back] = lapse(NOW + 6 * HOUR)
    assert home.claim(NOW + 6 * HOUR).wanted == {"reserve_pct": 20}


def test_a_temporary_setting_that_nobody_can_look_after_is_given_up_in_the_end(
    home: Home,
) -> None:
    made = home.place({"reserve_pct": 30}, until=NOW + HOUR)
    home.claim()
    look(home, NOW + timedelta(hours=26), reached=False)
    assert states(made) == ("failed", {"reserve_pct": ("failed", "unknown")})


# ---- rights are asked again before anything is written --------------------------------------


def test_a_link_that_only_watches_by_now_writes_nothing(home: Home) -> None:
    made = home.place({"reserve_pct": 30}, by=DEALER)
    with transaction():
        number = link().dealer.dealer_no
        assert number
        links.change(account(OWNER), ID, number, Mandate("watch"), network_address="", now=NOW)
    with transaction():
        assert setting_writes.claim(NOW, lease=LEASE) is None
    assert states(made) == ("superseded", {"reserve_pct": ("superseded", "no_right")})


def test_a_link_that_ended_writes_nothing(home: Home) -> None:
    made = home.place({"reserve_pct": 30}, by=DEALER)
    with transaction():
        number = link().dealer.dealer_no
        assert number
        links.unlink(account(OWNER), ID, number, network_address="", now=NOW)
    with transaction():
        assert setting_writes.claim(NOW, lease=LEASE) is None
    assert states(made)[0] == "superseded"


def test_who_may_not_sign_in_any_more_writes_nothing(home: Home) -> None:
    made = home.place({"reserve_pct": 30}, by=OPERATOR)
    with transaction():
        account(OPERATOR).locked_at = NOW
    with transaction():
        assert setting_writes.claim(NOW, lease=LEASE) is None
    assert states(made)[0] == "superseded"


def test_closing_the_installation_ends_what_was_asked_and_what_would_go_back(home: Home) -> None:
    first = home.place({"mode": "safe"}, until=NOW + HOUR)
    home.write()
    second = home.place({"reserve_pct": 30})
    with transaction():
        installations.remove(account(OWNER), ID, network_address="", now=NOW)
    assert states(second) == ("superseded", {"reserve_pct": ("superseded", "closed")})
    assert order(first).lapses_at is None
    assert lapse(NOW + 2 * HOUR) == []


# ---- temporary settings ---------------------------------------------------------------------


def test_a_temporary_setting_goes_back_by_itself_also_after_the_portal_was_down(
    home: Home,
) -> None:
    made = home.place({"mode": "safe"}, until=NOW + HOUR)
    home.write()
    assert lapse(NOW + 59 * MINUTE) == []
    later = NOW + timedelta(days=2)
    [back] = lapse(later)
    assert lapse(later) == []
    found = order(back)
    assert (found.by, found.source, found.undoes_id, found.actor_id) == (
        "automatism",
        "until",
        made,
        None,
    )
    home.write(later)
    assert home.values["mode"] == "green"
    assert states(back)[0] == "confirmed"
    assert lapse(later + HOUR) == []


def test_of_two_jobs_one_orders_the_way_back(home: Home) -> None:
    made = home.place({"mode": "safe"}, until=NOW + HOUR)
    home.write()
    later = NOW + HOUR

    def once() -> bool:
        return setting_lapses.lapse(made, later) is not None

    assert sorted(at_once(home.app, once, once), key=bool) == [False, True]


def test_what_somebody_changed_since_does_not_go_back(home: Home) -> None:
    home.place({"mode": "safe"}, until=NOW + HOUR)
    home.write()
    home.place({"mode": "economic"})
    home.write()
    assert lapse(NOW + HOUR) == []
    assert home.values["mode"] == "economic"


def test_what_changed_at_the_device_since_does_not_go_back(home: Home) -> None:
    home.place({"mode": "safe", "reserve_pct": 100}, until=NOW + HOUR)
    home.write()
    # nobody has read it since
    home.values["mode"] = "economic"
    [back] = lapse(NOW + HOUR)
    claimed = home.claim(NOW + HOUR)
    with transaction():
        left = setting_writes.drop_changed(claimed, home.told(), NOW + HOUR)
    assert left is not None
    assert left.wanted == {"reserve_pct": 20}
    home.values["reserve_pct"] = 20
    home.settle(left, now=NOW + HOUR)
    assert states(back) == (
        "confirmed",
        {"mode": ("superseded", "changed"), "reserve_pct": ("confirmed", "")},
    )


def test_what_went_back_by_the_devices_own_timer_is_not_written_again(home: Home) -> None:
    home.place({"mode": "charge"}, until=NOW + HOUR)
    home.write()
    home.values["mode"] = "green"
    [back] = lapse(NOW + HOUR)
    claimed = home.claim(NOW + HOUR)
    with transaction():
        assert setting_writes.drop_changed(claimed, home.told(), NOW + HOUR) is None
    assert states(back) == ("confirmed", {"mode": ("confirmed", "")})


def test_a_temporary_value_on_top_of_another_goes_back_to_what_was_before_both(
    home: Home,
) -> None:
    home.place({"reserve_pct": 50}, until=NOW + HOUR)
    home.write()
    home.place({"reserve_pct": 80}, until=NOW + 2 * HOUR)
    home.write()
    assert lapse(NOW + HOUR) == []
    [_back] = lapse(NOW + 2 * HOUR)
    assert home.claim(NOW + 2 * HOUR).wanted == {"reserve_pct": 20}


def test_the_way_back_waits_for_somebodys_change_and_is_tried_for_a_day(home: Home) -> None:
    home.place({"mode": "safe"}, until=NOW + HOUR)
    home.write()
    person = home.place({"reserve_pct": 30}, now=NOW + HOUR)
    assert lapse(NOW + HOUR) == []
    home.write(NOW + HOUR)
    assert states(person)[0] == "confirmed"
    [back] = lapse(NOW + HOUR + MINUTE)
    now = NOW + 2 * HOUR
    home.settle(home.claim(now), "unreachable", wrote=False, now=now)
    assert states(back)[0] == "asked"
    now = NOW + timedelta(hours=26)
    home.settle(home.claim(now), "unreachable", wrote=False, now=now)
    assert states(back)[0] == "failed"
    assert mails() == [("setting_failed", OWNER)]


def test_a_way_back_that_is_overtaken_is_ordered_again(home: Home) -> None:
    home.place({"mode": "safe", "reserve_pct": 100}, until=NOW + HOUR)
    home.write()
    later = NOW + HOUR
    [back] = lapse(later)
    home.settle(home.claim(later), "unreachable", wrote=False, now=later)
    person = home.place({"reserve_pct": 30}, now=later)
    assert states(back)[0] == "superseded"
    assert lapse(later) == []
    home.write(later)
    assert states(person)[0] == "confirmed"
    [again] = lapse(later + MINUTE)
    assert home.claim(later + MINUTE).wanted == {"mode": "green"}
    assert order(again).state == "sent"


# ---- automatisms ----------------------------------------------------------------------------


def test_an_automatism_changes_what_no_person_changed_today(home: Home) -> None:
    made = automatic({"grid_charge_pct": 70, "reserve_pct": 20}, NOW)
    assert made is not None
    home.write()
    assert states(made.id) == ("confirmed", {"grid_charge_pct": ("confirmed", "")})
    assert automatic({"grid_charge_pct": 70}, NOW) is None
    home.place({"grid_charge_pct": 0})
    home.write()
    with pytest.raises(HandWins):
        automatic({"grid_charge_pct": 70}, NOW)
    # the site's midnight is at 15:00 UTC
    with pytest.raises(HandWins):
        automatic({"grid_charge_pct": 70}, datetime(2026, 11, 23, 14, 59, tzinfo=UTC))
    assert automatic({"grid_charge_pct": 70}, datetime(2026, 11, 23, 15, 0, tzinfo=UTC))


def test_an_automatism_leaves_alone_what_a_person_set_until_later(home: Home) -> None:
    tomorrow = NOW + timedelta(days=1)
    home.place({"grid_charge_pct": 0}, until=tomorrow + HOUR)
    home.write()
    with pytest.raises(HandWins):
        automatic({"grid_charge_pct": 70}, tomorrow)


def test_a_device_is_not_worn_out(home: Home) -> None:
    for number in range(setting_orders.MOST_AN_HOUR):
        home.place({"reserve_pct": 10 * (number % 2)})
        home.write()
    with pytest.raises(TooManyChanges):
        home.place({"reserve_pct": 50})
    assert home.place({"reserve_pct": 50}, now=NOW + HOUR)


def test_the_buyer_does_not_see_what_is_still_on_its_way_for_the_seller(home: Home) -> None:
    home.place({"reserve_pct": 30}, reason="旅行のあいだ")
    home.claim()
    with transaction():
        former = installation()
        installations.close(former, account(OWNER), network_address="", now=NOW)
        site = installations.Site("新居", "6008216", "京都府", "京都市", "1", "")
        buyer = account("stranger@example.org").id
        bought = installations.open_installation(
            former.gateway_id, buyer, site, sheet_id=None, network_address="", now=NOW
        )
    assert setting_orders.find_open(bought) is None
    with pytest.raises(StillWriting):
        home.place({"reserve_pct": 40}, by="stranger@example.org", seen={"reserve_pct": 20})


def test_an_automatism_waits_for_persons_and_supersedes_its_like(home: Home) -> None:
    home.place({"reserve_pct": 30})
    with pytest.raises(StillWriting):
        automatic({"grid_charge_pct": 70}, NOW)
    home.write()
    first = automatic({"grid_charge_pct": 70}, NOW)
    second = automatic({"grid_charge_pct": 80}, NOW)
    assert first
    assert second
    assert states(first.id)[0] == "superseded"
    assert states(second.id)[0] == "asked"
    home.place({"mode": "safe"})
    assert states(second.id)[0] == "superseded"


def test_an_automatism_that_overtakes_itself_loses_nothing_it_still_wants(home: Home) -> None:
    assert automatic({"grid_charge_pct": 70, "reserve_pct": 30}, NOW)
    again = automatic({"grid_charge_pct": 80, "reserve_pct": 30}, NOW)
    assert again
    assert home.claim().wanted == {"grid_charge_pct": 80, "reserve_pct": 30}


def test_an_automatism_that_changes_its_mind_writes_nothing(home: Home) -> None:
    first = automatic({"grid_charge_pct": 70}, NOW)
    assert first
    assert automatic({"grid_charge_pct": home.values["grid_charge_pct"]}, NOW) is None
    assert states(first.id)[0] == "superseded"


def test_an_automatism_of_a_closed_installation_is_none(home: Home) -> None:
    with transaction():
        db.session.execute(update(Installation).values(closed_at=NOW))
        known = db.session.scalars(select(Installation.id).order_by(Installation.id)).first()
    assert known
    with transaction(), pytest.raises(NotFound):
        setting_orders.place_automatic(
            known, {"reserve_pct": 30}, source="plan", reason="", now=NOW
        )


# ---- what is told and kept ------------------------------------------------------------------


def test_the_owner_is_mailed_once_of_what_others_changed_and_not_of_ones_own(home: Home) -> None:
    home.place({"reserve_pct": 30})
    home.write()
    assert mails() == []
    home.place({"reserve_pct": 40}, by=DEALER)
    home.write()
    home.place({"reserve_pct": 50}, by=OPERATOR)
    home.write(ignores=("reserve_pct",))
    assert mails() == [("setting_changed", OWNER), ("setting_failed", OWNER)]
    with transaction():
        rules.mail_owner(account(OWNER), ID, wanted=False, network_address="", now=NOW)
    home.place({"reserve_pct": 60}, by=DEALER)
    home.write()
    assert len(mails()) == 2


def test_only_owners_decide_about_their_mails(home: Home) -> None:
    for who in (DEALER, OPERATOR, "stranger@example.org"):
        with pytest.raises(NotFound):
            rules.mail_owner(account(who), ID, wanted=False, network_address="", now=NOW)


def test_the_audit_log_knows_who_asked_and_how_it_ended(home: Home) -> None:
    made = home.place({"reserve_pct": 30}, by=DEALER)
    home.write()
    rows = db.session.scalars(
        select(AuditEntry).filter_by(subject="setting_order").order_by(AuditEntry.id)
    )
    found = [(row.action, row.actor_id, row.subject_id) for row in rows]
    assert found == [
        ("setting.asked", account(DEALER).id, made),
        ("setting.settled", None, made),
    ]


def test_the_latest_reason_of_each_setting_is_the_one_that_reached_the_device(home: Home) -> None:
    home.place({"reserve_pct": 30, "mode": "safe"}, by=DEALER, reason="台風")
    home.write()
    home.place({"reserve_pct": 40}, reason="通りすぎた")
    home.write()
    home.place({"reserve_pct": 50}, reason="届かない")
    home.write(ignores=("reserve_pct",))
    found = setting_history.latest(installation())
    reasons = {key: change.order.reason for key, change in found.items()}
    assert reasons == {"reserve_pct": "通りすぎた", "mode": "台風"}


def test_what_a_dealer_changed_is_counted_for_its_link(home: Home) -> None:
    for reserve in (30, 40):
        home.place({"reserve_pct": reserve}, by=DEALER, now=NOW + reserve * MINUTE)
        home.write(NOW + HOUR)
    home.place({"reserve_pct": 50}, by=DEALER, now=NOW + HOUR)
    home.write(NOW + HOUR, ignores=("reserve_pct",))
    home.place({"reserve_pct": 60})
    home.write()
    [made] = setting_history.made_through([link()]).values()
    assert (made.number, made.last_at) == (2, NOW + 40 * MINUTE)


def test_the_buyer_of_a_home_sees_none_of_the_sellers_changes(home: Home) -> None:
    made = home.place({"reserve_pct": 30}, reason="旅行のあいだ")
    home.write()
    with transaction():
        former = installation()
        installations.close(former, account(OWNER), network_address="", now=NOW)
        site = installations.Site("新居", "6008216", "京都府", "京都市", "1", "")
        buyer = account("stranger@example.org").id
        bought = installations.open_installation(
            former.gateway_id, buyer, site, sheet_id=None, network_address="", now=NOW
        )
    assert setting_history.search(bought, 1).found == 0
    assert setting_history.latest(bought) == {}
    with pytest.raises(NotFound):
        setting_history.get(bought, made)


def test_reasons_of_installations_that_ended_long_ago_are_erased(home: Home) -> None:
    made = home.place({"reserve_pct": 30}, reason="旅行のあいだ")
    home.write()
    with transaction():
        assert setting_history.erase_reasons(NOW, keep_days=30) == 0
        installations.remove(account(OWNER), ID, network_address="", now=NOW)
    later = NOW + timedelta(days=31)
    with transaction():
        assert setting_history.erase_reasons(later, keep_days=30) == 1
        assert setting_history.erase_reasons(later, keep_days=30) == 0
    assert order(made).reason == ""
    assert states(made)[0] == "confirmed"


# ---- reading anew ---------------------------------------------------------------------------


def test_a_reading_is_asked_once_and_read_by_one(home: Home) -> None:
    now = NOW + HOUR
    with transaction():
        rules.ask_reading(installation(), now)
        rules.ask_reading(installation(), now + MINUTE)
    assert rules.show(installation().gateway_id).is_reading
    results = at_once(
        home.app,
        lambda: rules.claim_readings(now, lease=LEASE, limit=5),
        lambda: rules.claim_readings(now, lease=LEASE, limit=5),
    )
    assert sorted(len(result) for result in results if isinstance(result, list)) == [0, 1]
    # the one who read died: somebody else does it
    with transaction():
        [claimed] = rules.claim_readings(now + LEASE, lease=LEASE, limit=5)
    home.values["reserve_pct"] = 70
    with transaction():
        rules.settle_reading(claimed, "ok", "", home.told(), now + LEASE)
    shown = rules.show(installation().gateway_id)
    assert (shown.is_reading, shown.read_at) == (False, now + LEASE)
    assert shown.values["reserve_pct"] == 70


def test_what_could_not_be_read_stays_as_it_was_read_before(home: Home) -> None:
    with transaction():
        rules.ask_reading(installation(), NOW + HOUR)
        [claimed] = rules.claim_readings(NOW + HOUR, lease=LEASE, limit=5)
    with transaction():
        rules.settle_reading(claimed, "unreachable", "no connection", None, NOW + HOUR)
    shown = rules.show(installation().gateway_id)
    assert (shown.outcome, shown.is_reading, shown.read_at) == ("unreachable", False, NOW)
    assert shown.values["reserve_pct"] == 20


def test_who_asks_for_what_was_just_read_does_not_have_it_read_again(home: Home) -> None:
    with transaction():
        rules.ask_reading(installation(), NOW + timedelta(seconds=5))
    assert not rules.show(installation().gateway_id).is_reading
