"""A household reads how a power cut went, on a phone and on a PC."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app import clock
from app.domain import outage_reports
from app.extensions import db
from app.models import Outage, Reading
from tests.browser.conftest import OpenVisitor
from tests.browser.homes import with_some_weeks
from tests.browser.portals import Portal, portal_with, press_link, sign_in
from tests.browser.test_journey import press
from tests.databases import Databases
from tests.factories import (
    TermsVersionFactory,
)

ID = "HDM100000001"
EMAIL = "taro@example.org"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def portal(databases: Databases, tmp_path: Path) -> Iterator[Portal]:
    """Serve a portal whose household was without the grid for four hours; no worker runs."""

    def write() -> None:
        TermsVersionFactory()
        now = clock.now()
        home = with_some_weeks(EMAIL, ID, now)
        began = now - timedelta(hours=6)
        for minute in range(250):
            db.session.add(
                Reading(
                    gateway_id=home.gateway_id,
                    taken_at=began + minute * MINUTE,
                    pv_w=max(0, 900 - 6 * minute),
                    load_w=450 + 250 * (minute // 40 % 2),
                    battery_w=100,
                    soc_pct=82 - minute / 7,
                    counters={},
                )
            )
        outage = Outage(
            installation_id=home.id,
            gateway_id=home.gateway_id,
            before_at=began - MINUTE,
            began_at=began,
            away_at=began + 249 * MINUTE,
            ended_at=began + 250 * MINUTE,
            soc_began=82,
            soc_ended=46,
        )
        db.session.add(outage)
        db.session.flush()
        outage.report = outage_reports.make(outage, zone="Asia/Tokyo").to_json()

    with portal_with(databases, tmp_path, write) as made:
        yield made


def test_a_household_reads_how_a_power_cut_went(visit: OpenVisitor, portal: Portal) -> None:
    visitor = sign_in(visit(), EMAIL, portal, face="/monitor/sign-in")
    page = visitor.page
    press_link(visitor, "停電リハーサル")
    press_link(visitor, "停電の記録")
    expect(page.get_by_text("4時間10分")).to_be_visible()
    visitor.check_page()
    press(visitor, "メールを止める")
    expect(page.get_by_text("停電のメールを止めました")).to_be_visible()
    page.locator(f'a[href*="/monitor/{ID}/outages/"]').click()
    expect(page.get_by_text("蓄電残量は 82 % から 46 % になりました。")).to_be_visible()
    expect(page.get_by_text(re.compile("もつ見込みでした"))).to_be_visible()
    expect(page.locator("[data-chart]")).to_be_visible()
    # the values one by one, by keyboard
    page.get_by_label("グラフの値をたどる").press("Home")
    expect(page.locator(".chart__now")).to_contain_text("蓄電残量 8")
    page.get_by_text("値を表で見る").press("Enter")
    expect(page.get_by_role("region", name="停電のあいだの値")).to_be_visible()
    visitor.check_page()
