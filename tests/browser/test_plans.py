"""A household has tomorrow planned and rehearses a power cut, on a phone and on a PC."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.jobs.planning import plan_shard
from app.models import Latest, PlanChoice
from tests.browser.conftest import OpenVisitor
from tests.browser.homes import with_some_weeks
from tests.browser.portals import Portal, portal_with, sign_in
from tests.browser.test_journey import press
from tests.databases import Databases
from tests.factories import (
    TermsVersionFactory,
)

ID = "HDM100000001"
EMAIL = "taro@example.org"


@pytest.fixture
def portal(databases: Databases, tmp_path: Path) -> Iterator[Portal]:
    """Serve a portal whose household has some weeks of history; no worker runs."""

    def write() -> None:
        TermsVersionFactory()
        now = clock.now()
        home = with_some_weeks(EMAIL, ID, now)
        db.session.add(Latest(gateway_id=home.gateway_id, taken_at=now, soc_pct=55.0))

    with portal_with(databases, tmp_path, write) as made:
        yield made


def test_a_household_has_tomorrow_planned(visit: OpenVisitor, portal: Portal) -> None:
    visitor = sign_in(visit(), EMAIL, portal, face="/monitor/sign-in")
    page = visitor.page
    page.get_by_role("link", name="明日の計画").click()
    expect(page.get_by_text("計画は立てていません")).to_be_visible()
    page.get_by_role("link", name="計画の設定").click()
    page.get_by_label(re.compile("電気代が最も安くなる")).check()
    page.get_by_label("売電の単価").fill("abc")
    press(visitor, "保存する")
    visitor.provoked.append("422")
    expect(page.locator("#sell_yen-error")).to_contain_text("数字で")
    visitor.check_page()
    page.get_by_label("売電の単価").fill("８．５")
    page.get_by_label("料金プラン", exact=True).select_option("tepco-smart-life")
    press(visitor, "保存する")
    expect(page.get_by_text("計画を立てています")).to_be_visible()
    with portal.app.app_context():
        plan_shard(list(db.session.scalars(select(PlanChoice.installation_id))))
    page.reload()
    expect(page.get_by_text("明日は、発電")).to_be_visible()
    expect(page.locator("[data-chart]")).to_be_visible()
    expect(page.get_by_text("節約の見込み", exact=True)).to_be_visible()
    page.get_by_text("1時間ごとの見込みを表で見る").click()
    visitor.check_page()


def test_a_household_rehearses_a_power_cut(visit: OpenVisitor, portal: Portal) -> None:
    visitor = sign_in(visit(), EMAIL, portal, face="/monitor/sign-in")
    page = visitor.page
    page.get_by_role("link", name="停電リハーサル").click()
    expect(page.get_by_text("約11時間30分")).to_be_visible()
    visitor.check_page()
    # the slider by keyboard, to its end
    page.get_by_label("停電に備えて残しておく量").press("End")
    expect(page.get_by_text("停電に備えて 100 % を残しておくと")).to_be_visible()
    expect(page).to_have_url(re.compile(r"reserve=100$"))
    page.get_by_label(re.compile("昼間の太陽")).check()
    expect(page.get_by_text("太陽の電気は、少なめに")).to_be_visible()


def test_it_is_rehearsed_without_javascript(visit: OpenVisitor, portal: Portal) -> None:
    visitor = sign_in(visit(javascript=False), EMAIL, portal, face="/monitor/sign-in")
    page = visitor.page
    visitor.open(f"/monitor/{ID}/rehearsal")
    page.get_by_label(re.compile("昼間の太陽")).check()
    page.get_by_role("button", name="計算する").click()
    expect(page).to_have_url(re.compile(r"reserve=30&sun=1"))
    expect(page.get_by_text("太陽の電気は、少なめに")).to_be_visible()
