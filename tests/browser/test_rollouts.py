"""A dealer changes the settings of its systems in steps, and takes it all back, on both screens."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor
from tests.browser.homes import settle
from tests.browser.portals import sign_in
from tests.browser.staff import pass_second_step
from tests.browser.test_journey import press
from tests.factories import TOTP_SECRET


def test_a_dealer_changes_many_systems_in_steps_and_takes_it_back(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    settle(demo, "rollout", size, "一斉の家", dealer_no=7301, dialects=["7xx", "10x"])
    dealer = visit()
    page = dealer.page
    sign_in(dealer, f"rollout-dealer-{size}@example.org")
    pass_second_step(dealer, TOTP_SECRET)
    page.locator(".menu-card", has_text="一斉変更").click()
    expect(page.get_by_text("一斉変更は、まだありません。")).to_be_visible()
    dealer.check_page()
    page.get_by_role("link", name="新しい一斉変更").click()
    page.get_by_label("印を付けたシステムだけ").check()
    page.get_by_text("システムに印を付ける").click()
    page.get_by_label(re.compile("一斉の家1")).check()
    page.get_by_label(re.compile("一斉の家2")).check()
    dealer.check_page()
    press(dealer, "次に進む")
    dealer.provoked.append("status of 422")
    expect(page.locator("#field-reason .field__error")).to_contain_text("理由を入力")
    page.locator('[name="reason"]').fill("台風の季節に備えて")
    page.locator('[name="reserve_pct"]').select_option("50")
    press(dealer, "次に進む")
    expect(page.get_by_text("2 件を、次の順に変更します")).to_be_visible()
    dealer.check_page()
    press(dealer, "一斉変更を始める")
    expect(page.get_by_text("第1段階の変更が終わりました。")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("2 / 2 件")).to_be_visible()
    dealer.check_page()
    demo.wait_for_mail(f"rollout-{size}@example.org", "設定", within_s=40)
    press(dealer, "止めて、すべて元に戻す")
    expect(page.locator(".rollout__state", has_text="元に戻しました")).to_be_visible(timeout=60_000)
    dealer.check_page()
    household = visit()
    sign_in(household, f"rollout-{size}@example.org")
    household.open("/monitor")
    household.page.get_by_role("link", name="設定").first.click()
    household.page.get_by_role("link", name="変更の記録").first.click()
    expect(household.page.get_by_text("台風の季節に備えて").first).to_be_visible()
    household.check_page()
