"""The summary of twelve months: the days of one ownership, honest about gaps."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.domain import summaries, transfers
from app.domain.half_hours import HalfHour
from app.extensions import db
from app.models import Account, EnergyTotal, Installation, Transfer
from app.transaction import transaction
from tests.counting import counted
from tests.domain.test_transfers import NOW, claim, draft_of
from tests.histories import Change, repeat_day, without, write_history
from tests.transferring import Sale, for_sale, issue

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
TODAY = NOW.date()
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
# a sunny day of tests/histories.py
PV_WH, LOAD_WH = 12_000, 9_600
# of it, by 18:00
SOFAR_WH = 10_500


def live(
    sale: Sale,
    first: date,
    last: date,
    *,
    change: Change | None = None,
    until: datetime | None = None,
) -> None:
    home = db.session.get_one(Installation, sale.installation_id)
    ends = until.timestamp() if until else float("inf")
    write_history(home, first, last, change=change, until=ends)


def summary(app: Flask, installation_id: int) -> dict[str, dict[str, Any]]:
    with app.app_context():
        home = db.session.get_one(Installation, installation_id)
        return {month["month"]: month for month in summaries.last_year(home, NOW)}


def test_a_month_is_the_sum_of_its_days(app: Flask) -> None:
    sale = for_sale(app, opened_at=LONG_AGO)
    with app.app_context(), transaction():
        live(sale, FIRST, LAST)
        # of the month before and after, a day each
        live(sale, FIRST - timedelta(days=1), FIRST - timedelta(days=1))
        live(sale, LAST + timedelta(days=1), LAST + timedelta(days=1))
    told = summary(app, sale.installation_id)
    assert list(told) == sorted(told)
    assert (len(told), next(iter(told)), list(told)[-1]) == (12, "2025-12", "2026-11")
    assert told["2026-10"] == {
        "month": "2026-10",
        "pv_wh": 31 * PV_WH,
        "load_wh": 31 * LOAD_WH,
        "whole": True,
    }
    assert (told["2026-09"]["pv_wh"], told["2026-09"]["whole"]) == (PV_WH, False)
    assert (told["2026-11"]["pv_wh"], told["2026-11"]["whole"]) == (PV_WH, False)
    assert (told["2025-12"]["pv_wh"], told["2025-12"]["load_wh"]) == (None, None)
    assert not told["2025-12"]["whole"]


@pytest.mark.parametrize(("days", "whole"), [(30, True), (29, False)])
def test_a_month_of_which_more_than_a_day_is_unknown_is_not_whole(
    app: Flask, days: int, whole: bool
) -> None:
    sale = for_sale(app, opened_at=LONG_AGO)
    with app.app_context(), transaction():
        live(sale, FIRST, FIRST + timedelta(days=days - 1))
    october = summary(app, sale.installation_id)["2026-10"]
    assert (october["pv_wh"], october["whole"]) == (days * PV_WH, whole)


def test_a_quantity_that_nobody_knows_is_unknown_and_not_nothing(app: Flask) -> None:
    sale = for_sale(app, opened_at=LONG_AGO)

    def change(_place: int, one: HalfHour) -> HalfHour:
        return without(one, "load_wh")

    with app.app_context(), transaction():
        live(sale, FIRST, LAST, change=change)
    october = summary(app, sale.installation_id)["2026-10"]
    assert (october["pv_wh"], october["load_wh"]) == (31 * PV_WH, None)


def test_nothing_from_before_the_sellers_own_time_is_told(app: Flask) -> None:
    sale = for_sale(app, opened_at=LONG_AGO)
    with app.app_context(), transaction():
        live(sale, FIRST, LAST)
        home = db.session.get_one(Installation, sale.installation_id)
        # somebody else's days of the same gateway
        db.session.execute(
            insert(EnergyTotal),
            [
                row._asdict() | {"installation_id": 0}
                for row in db.session.execute(select(*EnergyTotal.__table__.columns))
            ],
        )
        assert home.gateway_id == sale.gateway_id
    assert summary(app, sale.installation_id)["2026-10"]["pv_wh"] == 31 * PV_WH


@pytest.mark.parametrize("shares", [True, False])
def test_it_is_frozen_at_the_claim_if_the_seller_agreed(app: Flask, shares: bool) -> None:
    sale = for_sale(app)
    with app.app_context(), transaction():
        live(sale, TODAY, TODAY, until=NOW)
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
        assert told[-1]["pv_wh"] == SOFAR_WH
        kept = repr(db.session.scalars(select(Transfer.summary)).one())
        seller = db.session.get_one(Account, sale.seller_id)
        for word in (seller.family_name, seller.email, seller.street, "売田邸"):
            assert word not in kept


def test_a_year_takes_two_queries(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = for_sale(app, opened_at=LONG_AGO)
    with app.app_context(), transaction():
        live(sale, FIRST, FIRST)
        home = db.session.get_one(Installation, sale.installation_id)
        repeat_day(home, FIRST, LONG_AGO.date(), TODAY)
    with app.app_context():
        home = db.session.get_one(Installation, sale.installation_id)
        with counted(monkeypatch) as work:
            summaries.last_year(home, NOW)
    assert len(work.statements) == 2
