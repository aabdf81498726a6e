"""契約電流: kept by the portal, changed and recorded like a setting, and what it bounds."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import plans, setting_contracts, setting_history, setting_orders
from app.domain.answers import Defaults, limits_of
from app.domain.errors import NotFound
from app.domain.setting_checks import (
    ChangedMeanwhile,
    NothingWanted,
    NotOffered,
    ReasonNeeded,
    TooManyChanges,
)
from app.extensions import db
from app.models import AuditEntry, OutboxMail, PlanChoice, SettingOrder
from app.transaction import transaction
from tests.racing import race
from tests.setting import HOUR, ID, NOW, Home, account, add_home, installation, order, states

OWNER, DEALER, OPERATOR = "taro@example.org", "hanako@example.org", "op@example.org"
KEY = setting_contracts.KEY


@pytest.fixture
def home(app: Flask) -> Iterator[Home]:
    made = add_home(app)
    with app.app_context():
        yield made


def change(
    after: Any, before: Any = 0, *, by: str = OWNER, reason: str = "点検のため", **more: Any
) -> int:
    with transaction():
        made = setting_contracts.change(
            account(by),
            ID,
            {KEY: after},
            seen={KEY: before},
            reason=reason,
            network_address="192.0.2.1",
            now=more.pop("now", NOW),
            **more,
        )
        return int(made.id)


def present() -> int:
    db.session.rollback()
    db.session.expire_all()
    return setting_contracts.present(installation())


def test_owner_dealer_and_operator_change_it_and_it_stands_at_once(home: Home) -> None:
    before = 0
    for after, who in ((40, OWNER), (60, DEALER), (100, OPERATOR)):
        made = change(after, before, by=who)
        assert states(made) == ("confirmed", {KEY: ("confirmed", "")})
        assert present() == after
        before = after
    asked = db.session.scalars(select(AuditEntry.action).where(AuditEntry.action == "setting.kept"))
    assert len(list(asked)) == 3


@pytest.mark.parametrize("who", ["stranger@example.org", "jiro@example.org"])
def test_a_stranger_finds_no_contract(home: Home, who: str) -> None:
    with pytest.raises(NotFound):
        change(40, by=who)
    assert present() == 0


def test_a_dealer_that_only_watches_changes_none(app: Flask) -> None:
    add_home(app, scope="watch")
    with app.app_context(), pytest.raises(NotFound):
        change(40, by=DEALER)


@pytest.mark.parametrize("after", [-1, 1, 501, 10**30, True, "40", None, 40.0, [40]])
def test_no_contract_is_of_so_many_amperes(home: Home, after: Any) -> None:
    with pytest.raises(NotOffered):
        change(after)
    assert present() == 0


def test_nothing_new_and_no_reason_of_a_dealer_are_refused(home: Home) -> None:
    with pytest.raises(NothingWanted):
        change(0)
    with pytest.raises(ReasonNeeded):
        change(40, by=DEALER, reason="")
    assert change(40, reason="")


def test_who_saw_another_value_is_shown_it_first(home: Home) -> None:
    change(40, by=DEALER)
    with pytest.raises(ChangedMeanwhile):
        change(30)
    with pytest.raises(ChangedMeanwhile):
        change(30, "40")
    assert present() == 40


def test_of_two_at_once_one_comes_first(home: Home) -> None:
    told = race(home.app, lambda: change(40), lambda: change(50))
    assert ChangedMeanwhile in told
    assert sum(isinstance(one, int) for one in told) == 1
    assert db.session.scalar(select(func.count()).select_from(SettingOrder)) == 1


def test_it_goes_back_also_to_not_being_known(home: Home) -> None:
    made = change(40)
    assert setting_history.before_of(order(made)) == {KEY: 0}
    back = change(0, 40, undoes_id=made)
    assert order(back).undoes_id == made
    assert present() == 0


def test_the_owner_is_mailed_of_a_dealers_change_and_of_no_own(home: Home) -> None:
    change(40)
    assert not list(db.session.scalars(select(OutboxMail.template)))
    change(50, 40, by=DEALER)
    assert list(db.session.scalars(select(OutboxMail.template))) == ["setting_changed"]


def test_it_neither_waits_for_a_write_nor_holds_one_up(home: Home) -> None:
    home.place({"reserve_pct": 30})
    claimed = home.claim()
    change(40)
    home.values |= claimed.wanted
    home.settle(claimed)
    assert home.place({"reserve_pct": 40})
    assert present() == 40


def test_no_device_is_asked_to_take_it(home: Home) -> None:
    with pytest.raises(NotOffered):
        home.place({KEY: 40}, seen={KEY: 0})
    with pytest.raises(NotOffered):
        home.place({KEY: 40, "reserve_pct": 30}, seen={KEY: 0, "reserve_pct": 20})


def test_it_may_be_changed_so_often_only(home: Home) -> None:
    values = [40, 50]
    for turn in range(setting_orders.MOST_AN_HOUR):
        change(values[turn % 2], present())
    with pytest.raises(TooManyChanges):
        change(60, present())
    assert change(60, present(), now=NOW + HOUR + timedelta(seconds=1))


def test_it_bounds_what_is_bought_and_what_is_used_beside_the_homes_own_inverter() -> None:
    defaults = Defaults("Asia/Tokyo", 60)
    known = limits_of({"inverter_w": 5500.0}, None, 30, defaults)
    assert known["import_wh"] == 6000
    assert known["load_wh"] == 11_500
    unknown = limits_of({"inverter_w": 5500.0}, None, None, defaults)
    assert unknown["import_wh"] == 12_000


def test_a_small_contract_says_nothing_of_a_roof_whose_device_does_not_tell() -> None:
    limits = limits_of(None, None, 10, Defaults("Asia/Tokyo", 60))
    assert limits["import_wh"] == 2000
    others = [limits[name] for name in ("pv_wh", "load_wh", "export_wh", "charge_wh")]
    assert others == [12_000] * 4


def test_plans_buy_no_more_than_it(home: Home, tmp_path: Any) -> None:
    db.session.add(PlanChoice(installation_id=installation().id, cost=True, changed_at=NOW))
    db.session.commit()

    def bought() -> float | None:
        db.session.rollback()
        found = plans.known(installation().id, NOW, templates=tmp_path, zone="Asia/Tokyo")
        assert found
        return found.grid_w

    assert bought() is None
    change(40)
    assert bought() == 4000
