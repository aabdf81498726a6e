"""A fault is told to the household and to its dealer, on a phone and on a PC."""

import re
import time

from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor
from tests.browser.homes import settle
from tests.browser.portals import press_link, sign_in
from tests.browser.staff import pass_second_step, sign_in_staff
from tests.browser.test_journey import press
from tests.factories import TOTP_SECRET


def test_a_fault_is_told_on_the_screen_by_mail_and_in_the_dealers_inbox(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    # of those whose alarm bits the simulator's commands name
    [id_] = settle(demo, "fault", size, "異常の家", dealer_no=7101, dialects=["7xx"])
    household = visit()
    page = household.page
    sign_in(household, f"fault-{size}@example.org")
    household.open(f"/alarms/{id_}")
    expect(page.get_by_text("いま続いている異常はありません")).to_be_visible()
    household.check_page()
    press_link(household, "いまのようすを見る")
    demo.simulator("alarm", id_, "OVER_TEMP")
    expect(page.get_by_text("機器が異常を知らせています")).to_be_visible(timeout=30_000)
    household.check_page()
    demo.wait_for_mail(f"fault-{size}@example.org", "異常のお知らせ", within_s=40)
    press_link(household, "内容と、していただくことを見る")
    expect(page.get_by_role("heading", name="温度が高すぎます")).to_be_visible()
    household.check_page()
    page.get_by_role("button", name="この異常を通知しない").click()
    expect(page.get_by_text("この異常のメールは止めています。")).to_be_visible()
    household.check_page()

    dealer = visit()
    page = dealer.page
    sign_in(dealer, f"fault-dealer-{size}@example.org")
    pass_second_step(dealer, TOTP_SECRET)
    dealer.check_page()
    page.locator(".menu-card", has_text="異常の一覧").click()
    page.locator("#q").press_sequentially("見つからない", delay=20)
    expect(page.get_by_text("見つかりませんでした")).to_be_visible()
    page.locator("#q").fill("異常の家")
    expect(page.get_by_role("link", name="温度が高すぎます")).to_be_visible()
    dealer.check_page()
    press_link(dealer, "温度が高すぎます")
    dealer.check_page()
    press(dealer, "確認済みにする")
    expect(page.get_by_text("確認済みにしました。")).to_be_visible()
    page.locator('[name="words"]').fill("部品を手配しました。明日お伺いします。")
    press(dealer, "コメントを書く")
    expect(page.get_by_text("部品を手配しました。")).to_be_visible()
    dealer.check_page()

    operator = visit()
    sign_in_staff(operator, "operator")
    operator.open(f"/operator/alarms?gateway={id_}")
    expect(operator.page.get_by_text("温度が高すぎます").first).to_be_visible()
    operator.check_page()
    operator.open("/operator/incidents")
    operator.check_page()

    demo.simulator("clear", id_)
    end = time.monotonic() + 90
    while time.monotonic() < end:
        page.goto(f"{demo.url}/dealer/alarms?state=cleared")
        if page.get_by_role("link", name="温度が高すぎます").is_visible():
            break
        # whoever watches has the gateway asked every second
        household.open(f"/monitor/{id_}")
        household.page.wait_for_timeout(1_000)
    expect(page.get_by_role("link", name=re.compile("温度が高すぎます"))).to_be_visible()
