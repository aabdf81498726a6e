"""The summary of twelve months: from counters, within one ownership, honest about gaps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import summaries, transfers
from app.extensions import db
from app.models import Account, Installation, Reading, Transfer
from app.profiles.base import QUANTITIES
from app.transaction import transaction
from tests.counting import counted
from tests.domain.test_transfers import NOW, claim, draft_of
from tests.transferring import for_sale, issue

# 00:00 on the first of the month in Tokyo
OCTOBER = datetime(2026, 9, 30, 15, 0, tzinfo=UTC)
NOVEMBER = datetime(2026, 10, 31, 15, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def read(gateway_id: int, at: datetime, **counters: float | None) -> None:
    db.session.add(Reading(gateway_id=gateway_id, taken_at=at, counters=counters))


def summary(app: Flask, installation_id: int) -> dict[str, dict[str, Any]]:
    with app.app_context():
        home = db.session.get_one(Installation, installation_id)
        return {month["month"]: month for month in summaries.last_year(home, NOW)}


def test_a_month_is_the_difference_of_its_first_and_last_reading(app: Flask) -> None:
    sale = for_sale(app)
    with app.app_context(), transaction():
        for day in range(31):
            read(sale.gateway_id, OCTOBER + timedelta(days=day), pv_wh=1e6 + day * 1e4, load_wh=day)
        read(sale.gateway_id, NOVEMBER - MINUTE, pv_wh=1.35e6, load_wh=40)
        # the next month's
        read(sale.gateway_id, NOVEMBER, pv_wh=9e9, load_wh=9e9)
    told = summary(app, sale.installation_id)
    assert list(told) == sorted(told)
    assert (len(told), next(iter(told)), list(told)[-1]) == (12, "2025-12", "2026-11")
    assert told["2026-10"] == {"month": "2026-10", "pv_wh": 350000, "load_wh": 40, "whole": True}
    for month in ("2025-12", "2026-09", "2026-11"):
        assert (told[month]["pv_wh"], told[month]["load_wh"]) == (None, None)
        assert not told[month]["whole"]


def test_consumption_without_a_counter_is_the_balance_of_the_others(app: Flask) -> None:
    sale = for_sale(app)
    with app.app_context(), transaction():
        names = ("pv_wh", "import_wh", "export_wh", "charge_wh", "discharge_wh")
        read(sale.gateway_id, OCTOBER, **dict.fromkeys(names, 0.0))
        amounts = dict(zip(names, (500.0, 300.0, 100.0, 80.0, 60.0), strict=True))
        read(sale.gateway_id, OCTOBER + timedelta(days=9), **amounts)
    october = summary(app, sale.installation_id)["2026-10"]
    assert (october["load_wh"], october["whole"]) == (500 + 300 - 100 - 80 + 60, False)


@pytest.mark.parametrize(
    ("energy", "has_battery", "wh"),
    [
        ({"pv_wh": 5.0, "import_wh": 3.0, "export_wh": 1.0}, False, 7.0),
        ({"pv_wh": 5.0, "import_wh": 3.0, "export_wh": 1.0}, True, None),
        ({"pv_wh": 5.0, "import_wh": None, "export_wh": 1.0}, False, None),
        ({"pv_wh": 0.0, "import_wh": 0.0, "export_wh": 1.0}, False, 0.0),
        ({"load_wh": 4.0}, True, 4.0),
    ],
)
def test_a_balance_with_an_unknown_term_is_unknown(
    energy: dict[str, float | None], has_battery: bool, wh: float | None
) -> None:
    known = dict.fromkeys(QUANTITIES) | energy
    assert summaries.consumption(known, has_battery=has_battery) == wh


def test_what_fell_or_stood_alone_is_unknown_and_gaps_at_the_ends_are_passed_over(
    app: Flask,
) -> None:
    sale = for_sale(app)
    with app.app_context(), transaction():
        read(sale.gateway_id, OCTOBER, pv_wh=None, load_wh=900.0)
        read(sale.gateway_id, OCTOBER + MINUTE, pv_wh=100.0)
        read(sale.gateway_id, NOVEMBER - 2 * MINUTE, pv_wh=170.0)
        read(sale.gateway_id, NOVEMBER - MINUTE, pv_wh=None, load_wh=20.0)
        read(sale.gateway_id, NOVEMBER, pv_wh=170.0)
    told = summary(app, sale.installation_id)
    assert (told["2026-10"]["pv_wh"], told["2026-10"]["load_wh"]) == (70, None)
    assert told["2026-11"]["pv_wh"] is None


def test_a_counter_that_came_in_the_middle_tells_nothing_of_the_month(app: Flask) -> None:
    sale = for_sale(app)
    with app.app_context(), transaction():
        for minute in range(300):
            known = {"pv_wh": minute} if minute > 200 else {}
            read(sale.gateway_id, OCTOBER + minute * MINUTE, **known)
    assert summary(app, sale.installation_id)["2026-10"]["pv_wh"] is None


def test_nothing_from_before_the_sellers_own_time_is_told(app: Flask) -> None:
    opened_at = OCTOBER + timedelta(days=10)
    sale = for_sale(app, opened_at=opened_at)
    with app.app_context(), transaction():
        for at, wh in ((OCTOBER, 0), (opened_at, 1000), (NOVEMBER - MINUTE, 1500)):
            read(sale.gateway_id, at, pv_wh=wh)
        read(sale.gateway_id, OCTOBER - timedelta(days=9), pv_wh=0)
    told = summary(app, sale.installation_id)
    assert (told["2026-10"]["pv_wh"], told["2026-10"]["whole"]) == (500, False)
    assert told["2026-09"]["pv_wh"] is None


@pytest.mark.parametrize("shares", [True, False])
def test_it_is_frozen_at_the_claim_if_the_seller_agreed(app: Flask, shares: bool) -> None:
    sale = for_sale(app)
    with app.app_context(), transaction():
        read(sale.gateway_id, NOVEMBER, pv_wh=0.0)
        read(sale.gateway_id, NOW - MINUTE, pv_wh=2500.0)
    code = issue(app, sale, NOW, shares_summary=shares)
    claim(app, sale.buyer_id, draft_of(app, sale.buyer_id, code))
    with app.app_context():
        [new] = db.session.scalars(select(Installation).filter_by(account_id=sale.buyer_id))
        told = transfers.summary_for(new)
        before = db.session.get_one(Installation, sale.installation_id)
        assert transfers.summary_for(before) is None
        if not shares:
            assert told is None
            return
        assert told is not None
        assert told[-1]["pv_wh"] == 2500
        kept = repr(db.session.scalars(select(Transfer.summary)).one())
        seller = db.session.get_one(Account, sale.seller_id)
        for word in (seller.family_name, seller.email, seller.street, "売田邸"):
            assert word not in kept


def test_each_month_is_one_query(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = for_sale(app, opened_at=NOW - timedelta(days=999))
    with app.app_context(), transaction():
        for hour in range(500):
            read(sale.gateway_id, NOW - timedelta(hours=hour + 1), pv_wh=-hour)
    with app.app_context():
        home = db.session.get_one(Installation, sale.installation_id)
        with counted(monkeypatch) as work:
            summaries.last_year(home, NOW)
    assert len(work.statements) == summaries.MONTHS
