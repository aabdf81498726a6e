"""A member reads how points came about and exchanges them; the operator hands the gift out."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app import clock
from app.domain import point_credits, point_runs
from tests.browser.conftest import OpenVisitor
from tests.browser.portals import Portal, portal_with, sign_in
from tests.browser.staff import pass_second_step
from tests.browser.test_journey import press
from tests.databases import Databases
from tests.factories import (
    TOTP_SECRET,
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.histories import write_history
from tests.members import DECEMBER, PROGRAMME, give, join

ID = "HDM100000001"
EMAIL = "taro@example.org"


@pytest.fixture
def portal(databases: Databases, tmp_path: Path) -> Iterator[Portal]:
    """Serve a portal with a member whose summer was credited, but for some days of August."""

    def write() -> None:
        TermsVersionFactory()
        OperatorFactory(email="operator@example.org")
        home = InstallationFactory(
            account=CustomerFactory(email=EMAIL), gateway=GatewayFactory(public_id=ID)
        )
        join(home)
        write_history(home, date(2026, 6, 1), date(2026, 8, 9))
        write_history(home, date(2026, 8, 13), (clock.now() - timedelta(days=1)).date())
        give(home.account_id, 1500)

    def open_run() -> None:
        point_runs.open_due(PROGRAMME, DECEMBER, zone="Asia/Tokyo")

    def credit() -> None:
        for shard in point_runs.claim(DECEMBER, limit=9):
            point_credits.credit(shard, PROGRAMME, DECEMBER)

    with portal_with(databases, tmp_path, write, open_run, credit) as made:
        yield made


def test_points_are_understood_exchanged_and_handed_out(visit: OpenVisitor, portal: Portal) -> None:
    member = sign_in(visit(), EMAIL, portal)
    page = member.page
    page.locator(".menu-card", has_text="ポイントの明細と交換").click()
    expect(page.locator("canvas")).to_be_visible()
    member.check_page()
    page.get_by_role("link", name=re.compile("までの分の付与")).click()
    expect(page.locator("#missing")).to_contain_text("2026/08/10")
    member.check_page()
    page.locator('[name="words"]').fill("お盆のあいだ、ルーターが故障していました。")
    press(member, "知らせる")
    expect(page.get_by_text("お知らせを受け付けています")).to_be_visible()

    member.open("/points/gifts")
    member.check_page()
    page.get_by_role("link", name="交換する 電子ギフト 500円分").click()
    page.locator('[name="quantity"]').fill("９９")
    member.provoked.append("status of 422")
    press(member, "次に進む")
    expect(page.locator("#field-quantity .field__error")).to_contain_text("10個まで")
    member.check_page()
    page.locator('[name="quantity"]').fill("2")
    press(member, "次に進む")
    expect(page.get_by_role("heading", name="ポイントの交換の確認")).to_be_visible()
    member.check_page()
    press(member, "交換を申し込む")
    expect(page.get_by_text("受付済み")).to_be_visible()
    order = page.url

    operator = sign_in(visit(), "operator@example.org", portal)
    pass_second_step(operator, TOTP_SECRET)
    theirs = operator.page
    theirs.locator(".menu-card", has_text="ポイントの交換").click()
    operator.check_page()
    press(operator, "ファイルを作る")
    theirs.locator('[name="file"]').set_input_files(
        {
            "name": "done.csv",
            "mimeType": "text/csv",
            "buffer": f"id,state,code\n{order.rpartition('/')[2]},done,ABCD-1234\n".encode(),
        }
    )
    press(operator, "内容を確認する")
    expect(theirs.get_by_text("完了 1 件、返却 0 件を反映します")).to_be_visible()
    operator.check_page()
    press(operator, "反映する")
    expect(theirs.get_by_text("結果を反映し")).to_be_visible()
    operator.open("/operator/points")
    operator.check_page()
    theirs.get_by_role("link", name=re.compile("^報告")).click()
    operator.check_page()
    operator.open("/operator/points/reports")
    expect(theirs.get_by_text("お盆のあいだ")).to_be_visible()
    operator.check_page()

    page.reload()
    expect(page.get_by_text("ABCD-1234")).to_be_visible()
    member.check_page()
