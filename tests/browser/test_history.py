"""A household looks back: day, month, year, and the files to keep, on a phone and on a PC."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from app import clock
from app.jobs.history import make_due
from tests.browser.conftest import OpenVisitor
from tests.browser.portals import Portal, portal_with, sign_in
from tests.browser.test_journey import press
from tests.databases import Databases
from tests.factories import (
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
    TermsVersionFactory,
)
from tests.histories import write_history

ID = "HDM100000001"
EMAIL = "taro@example.org"


@pytest.fixture
def portal(databases: Databases, tmp_path: Path) -> Iterator[Portal]:
    """Serve a portal whose household has history up to yesterday; no worker runs."""

    def write() -> None:
        TermsVersionFactory()
        begins = clock.now() - timedelta(days=70)
        today = clock.now().astimezone(ZoneInfo("Asia/Tokyo")).date()
        home = InstallationFactory(
            account=CustomerFactory(email=EMAIL),
            gateway=GatewayFactory(public_id=ID),
            opened_at=begins,
        )
        write_history(home, begins.date(), today - timedelta(days=1))

    with portal_with(databases, tmp_path, write) as made:
        yield made


def test_a_household_looks_back_and_takes_its_figures_home(
    visit: OpenVisitor, portal: Portal, tmp_path: Path
) -> None:
    visitor = sign_in(visit(), EMAIL, portal, face="/monitor/sign-in")
    page = visitor.page
    chart = page.locator("[data-chart]")
    page.get_by_role("link", name="履歴を見る").click()
    page.get_by_role("link", name="前の日").click()
    expect(page).to_have_url(re.compile(r"/history/day\?on=\d{4}-\d\d-\d\d$"))
    expect(page.get_by_role("heading", level=2).first).to_contain_text("（")
    expect(chart).to_be_visible()
    visitor.check_page()
    # the points of the chart are walked through by keyboard, and said
    page.locator("#chart-point").focus()
    for _ in range(24):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".chart__now")).to_contain_text("11:30 · 発電 1.0 kW · 消費 0.4 kW")

    page.get_by_role("link", name="月", exact=True).click()
    expect(page).to_have_url(re.compile(r"/history/month\?on=\d{4}-\d\d$"))
    expect(page.locator("#history")).to_contain_text("日ごとの電力量")
    # nothing of nine columns lies beyond the edge, and it is a table to whoever hears it
    assert page.locator("#history-table").evaluate("one => one.scrollWidth <= one.clientWidth")
    expect(page.locator("#history-table").get_by_role("columnheader")).to_have_count(9)
    page.get_by_role("link", name="前の月").click()
    expect(page.get_by_role("link", name="次の月")).to_be_visible()
    page.get_by_label("前の月と比べる").check()
    expect(page).to_have_url(re.compile(r"&compare=1$"))
    expect(page.locator(".sums")).to_contain_text("前の月")
    expect(chart).to_be_visible()
    visitor.check_page()
    # an address that can be shared, and the way back
    shared = page.url
    page.get_by_role("link", name="次の月").click()
    expect(page).not_to_have_url(shared)
    page.go_back()
    expect(page).to_have_url(shared)
    expect(chart).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("CSVをダウンロード")).click()
    assert re.fullmatch(rf"{ID}-\d{{4}}-\d\d\.csv", download.value.suggested_filename)
    assert download.value.path().read_bytes().startswith("\ufeff年月日,時刻,".encode())

    page.get_by_role("link", name="年", exact=True).click()
    expect(page.locator("#history")).to_contain_text("月ごとの電力量")
    visitor.check_page()
    press(visitor, re.search(r"\d{4}年のCSVを[^<]*", page.content())[0])  # type: ignore[index]
    expect(page.get_by_role("heading", name="ファイルを作っています")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    visitor.check_page()
    # a worker comes by, and the page says so by itself
    with portal.app.app_context():
        make_due()
    expect(page.get_by_role("heading", name="ファイルができました")).to_be_visible()
    visitor.check_page()
    with page.expect_download() as download:
        page.get_by_role("link", name="ダウンロード").click()
    download.value.save_as(tmp_path / "year.zip")
    with ZipFile(tmp_path / "year.zip") as files:
        assert files.testzip() is None
        assert all(re.fullmatch(rf"{ID}-\d{{4}}-\d\d\.csv", name) for name in files.namelist())


def test_history_is_read_without_javascript(visit: OpenVisitor, portal: Portal) -> None:
    visitor = sign_in(visit(javascript=False), EMAIL, portal, face="/monitor/sign-in")
    page = visitor.page
    page.get_by_role("link", name="履歴を見る").click()
    page.get_by_role("link", name="前の日").click()
    expect(page.locator(".figures")).to_contain_text("12:00")
    expect(page.locator("[data-chart]")).to_be_hidden()
    page.get_by_role("link", name="月", exact=True).click()
    page.get_by_label("前の月と比べる").check()
    page.get_by_role("button", name="表示する").click()
    expect(page).to_have_url(re.compile(r"/history/month\?on=\d{4}-\d\d&compare=1$"))
    expect(page.locator(".sums")).to_contain_text("前の月")
