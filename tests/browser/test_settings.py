"""Settings are changed and undone by a household, and changed by its dealer for a reason."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.homes import settle
from tests.browser.portals import press_link, sign_in
from tests.browser.staff import pass_second_step
from tests.browser.test_journey import press
from tests.factories import TOTP_SECRET

# what reading or writing may take, with the machine busy
DONE_MS = 40_000


def open_settings(visitor: Visitor, id_: str) -> None:
    """Read the settings anew; go on to change them."""
    page = visitor.page
    visitor.open(f"/monitor/{id_}")
    expect(page.get_by_text("正常動作中")).to_be_visible(timeout=DONE_MS)
    press_link(visitor, "設定")
    visitor.check_page()
    press(visitor, "機器から読み込む")
    expect(page.get_by_text("に機器から読み込みました")).to_be_visible(timeout=DONE_MS)
    visitor.check_page()
    press_link(visitor, "設定を変更する")
    visitor.check_page()


def set_and_wait(visitor: Visitor) -> None:
    """Confirm, and wait until the device was read back."""
    visitor.check_page()
    press(visitor, "この内容で設定する")
    expect(visitor.page.get_by_text("設定しました", exact=True)).to_be_visible(timeout=DONE_MS)
    visitor.check_page()


def test_a_household_changes_the_reserve_and_undoes_it_and_its_dealer_changes_the_mode(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    [id_] = settle(demo, "set", size, "設定の家", dealer_no=7201, dialects=["huawei-sun2000"])
    household = visit()
    page = household.page
    sign_in(household, f"set-{size}@example.org")
    open_settings(household, id_)
    page.get_by_role("radio", name=re.compile("経済モード")).check()
    expect(page.locator('[name="reserve_pct"]')).not_to_have_value("")
    page.get_by_role("radio", name=re.compile("グリーンモード")).check()
    page.locator('[name="reserve_pct"]').fill("70")
    press(household, "確認に進む")
    expect(page.get_by_role("cell", name="70 %")).to_be_visible()
    page.locator('[name="reason"]').fill("台風に備えて")
    set_and_wait(household)
    press_link(household, "設定に戻る")
    expect(page.get_by_text("台風に備えて")).to_be_visible()
    press_link(household, "変更の記録")
    household.check_page()
    page.get_by_role("link", name=re.compile("元に戻す")).click()
    set_and_wait(household)
    press_link(household, "設定に戻る")
    press_link(household, "契約電流を変更する")
    household.check_page()
    page.get_by_role("radio", name="40 A").check()
    press(household, "確認に進む")
    expect(page.get_by_role("cell", name="40 A")).to_be_visible()
    set_and_wait(household)
    press_link(household, "設定に戻る")
    expect(page.get_by_text("40 A")).to_be_visible()

    dealer = visit()
    page = dealer.page
    sign_in(dealer, f"set-dealer-{size}@example.org")
    pass_second_step(dealer, TOTP_SECRET)
    open_settings(dealer, id_)
    page.get_by_role("radio", name=re.compile("経済モード")).check()
    press(dealer, "確認に進む")
    expect(page.get_by_text("の1日")).to_be_visible()
    page.locator('[name="reason"]').fill("お電話でご相談のとおり")
    set_and_wait(dealer)
    mail = demo.wait_for_mail(f"set-{size}@example.org", "設定変更のお知らせ")
    body = mail.get_body(("plain",))
    assert body
    assert "お電話でご相談のとおり" in body.get_content()
    link = re.search(r"http\S+/settings/changes/\d+", body.get_content())
    assert link
    household.open(link[0])
    expect(household.page.get_by_text("販売店 ひだまり電設")).to_be_visible()
    household.check_page()
    press_link(household, "変更の記録")
    expect(household.page.get_by_text("お電話でご相談のとおり")).to_be_visible()
