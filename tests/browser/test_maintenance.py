"""A household lets a dealer look after its home, and ends that, on a phone and on a PC."""

import json

import pytest
from playwright.sync_api import expect

from app.extensions import db
from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.staff import pass_second_step
from tests.browser.test_journey import press
from tests.factories import PASSWORD, TOTP_SECRET, DealerFactory, DealerPersonFactory

HOME = "自宅"


@pytest.fixture
def dealer_no(demo: Demo, size: str) -> int:
    """A dealer with a person who signs in as `size`@dealer.example.org."""
    number = {"phone": 7001, "pc": 7002}[size]
    with demo.inside():
        dealer = DealerFactory(
            dealer_no=number,
            name=f"さくら電設 {size}",
            email=f"{size}@sakura.example.org",
        )
        DealerPersonFactory(email=f"{size}@dealer.example.org", dealer=dealer)
        db.session.flush()
    return number


@pytest.fixture
def household(visit: OpenVisitor, demo: Demo) -> Visitor:
    """The demo's customer, signed in at the main menu."""
    sign_ins = json.loads((demo.data_dir / "demo" / "sign-ins.json").read_text())
    [customer] = [one for one in sign_ins if one["who"] == "customer"]
    return signed_in(visit, customer["id"], customer["password"])


def signed_in(visit: OpenVisitor, email: str, password: str) -> Visitor:
    visitor = visit()
    visitor.open("/sign-in")
    visitor.page.locator('[name="email"]').fill(email)
    visitor.page.locator('[name="password"]').fill(password)
    press(visitor, "ログイン")
    return visitor


def test_a_dealer_is_linked_sees_the_home_live_and_is_unlinked(
    visit: OpenVisitor, household: Visitor, demo: Demo, dealer_no: int, size: str
) -> None:
    page = household.page
    page.locator(".menu-card", has_text="保守を任せる販売店様の管理").click()
    household.check_page()
    page.locator(".menu-card", has_text="保守を任せる販売店様登録").click()
    page.locator("#q").press_sequentially(HOME, delay=20)
    expect(page.locator("#gateways")).to_contain_text("1 件")
    household.check_page()
    page.locator("#gateways a").first.click()
    household.check_page()
    page.locator('[name="dealer_no"]').fill(str(dealer_no))
    page.locator('[name="phone"]').fill("０３ー１２３４ー９９９９")
    page.get_by_text("見るだけ", exact=True).click()
    household.provoked.append("status of 422")
    press(household, "次に進む")
    expect(page.locator("#field-dealer_no .field__error")).to_contain_text("正しくありません")
    page.locator('[name="phone"]').fill("０３ー１２３４ー５６７８")
    press(household, "次に進む")
    expect(page.get_by_text(f"さくら電設 {size}").first).to_be_visible()
    household.check_page()
    press(household, "登録")
    expect(page.get_by_role("heading", name="保守を任せる販売店様登録完了")).to_be_visible()
    household.check_page()
    demo.wait_for_mail(f"{size}@sakura.example.org", "【保守を任せる販売店様登録のお知らせ】")
    demo.wait_for_mail("hinata@example.org", f"【保守を任せる販売店様登録のお知らせ】{HOME}")

    dealer = signed_in(visit, f"{size}@dealer.example.org", PASSWORD)
    pass_second_step(dealer, TOTP_SECRET)
    theirs = dealer.page
    theirs.locator(".menu-card", has_text="保守しているシステム").click()
    dealer.check_page()
    theirs.locator("#q").press_sequentially("ひなた", delay=20)
    expect(theirs.locator("#systems")).to_contain_text("1 件")
    theirs.get_by_role("link", name=HOME).click()
    expect(theirs.get_by_text("hinata@example.org")).to_be_visible()
    dealer.check_page()
    theirs.get_by_role("link", name="いまのようすを見る").click()
    expect(theirs.locator("#live").get_by_text("正常動作中")).to_be_visible()
    dealer.check_page()

    page.get_by_role("link", name="ゲートウェイの情報を見る").click()
    expect(page.get_by_text(f"さくら電設 {size}").first).to_be_visible()
    household.check_page()
    page.get_by_role("link", name="変更する").last.click()
    household.check_page()
    household.open("/maintenance/unlink")
    page.locator("#gateways tr", has_text=HOME).locator("a").first.click()
    page.locator("#q").press_sequentially("さくら", delay=20)
    page.get_by_role("link", name=str(dealer_no)).click()
    household.check_page()
    press(household, "解除")
    expect(page.get_by_role("heading", name="保守を任せている販売店様の解除完了")).to_be_visible()
    household.check_page()
    demo.wait_for_mail(f"{size}@sakura.example.org", "【保守を任せている販売店様解除のお知らせ】")

    dealer.provoked.append("404")
    theirs.reload()
    expect(theirs.get_by_text(HOME)).to_have_count(0)
    expect(theirs.get_by_role("heading", level=1)).to_contain_text("見つかりません")
