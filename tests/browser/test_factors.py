"""Second factors and passkeys in a real browser, with Chromium's virtual authenticator."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.staff import pass_second_step
from tests.browser.test_journey import press

# a phone's own: finds passkeys by itself, and knows its owner's finger
PHONE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def fill_sign_in(visitor: Visitor, who: dict[str, str], page: str = "/sign-in") -> None:
    visitor.open(page)
    visitor.page.locator('[name="email"]').fill(who["id"])
    visitor.page.locator('[name="password"]').fill(who["password"])
    press(visitor, "ログイン")


@pytest.fixture
def customer(demo: Demo) -> dict[str, str]:
    """Give the demo's customer."""
    [found] = json.loads((demo.data_dir / "demo" / "sign-ins.json").read_text())
    return dict(found)


@pytest.fixture
def visitor(visit: OpenVisitor) -> Iterator[Visitor]:
    """Give somebody whose device makes passkeys."""
    visitor = visit()
    wire = visitor.page.context.new_cdp_session(visitor.page)
    wire.send("WebAuthn.enable")
    device = wire.send("WebAuthn.addVirtualAuthenticator", {"options": PHONE})
    yield visitor
    wire.send("WebAuthn.removeVirtualAuthenticator", device)


def test_a_passkey_is_added_opens_confirms_and_goes(
    visitor: Visitor, demo: Demo, customer: dict[str, str], size: str
) -> None:
    page, name = visitor.page, f"わたしの{size}"
    fill_sign_in(visitor, customer)
    page.locator(".menu-card", has_text="お客様情報").click()
    press(visitor, "確認・追加する パスキー")
    visitor.check_page()
    press(visitor, "パスキーを追加する")
    page.locator('[name="name"]').fill(name)
    visitor.check_page()
    press(visitor, "追加する")
    # the first passkey has the portal load what checks it
    expect(page.get_by_text("パスキーを追加しました")).to_be_visible(timeout=20_000)
    expect(page.get_by_text(name).first).to_be_visible()
    visitor.check_page()
    press(visitor, "パスキーを追加する")
    page.locator('[name="name"]').fill("もう1つ")
    press(visitor, "追加する")
    expect(page.get_by_text("すでに登録されています")).to_be_visible()
    demo.wait_for_mail(customer["id"], "【パスキー追加のお知らせ】")

    page.context.clear_cookies()
    visitor.open("/sign-in?next=/account/confirm%3Fnext%3D/account/passkeys")
    visitor.check_page()
    press(visitor, "パスキーでログイン")
    expect(page.get_by_role("heading", name="ご本人の確認")).to_be_visible()
    visitor.check_page()
    press(visitor, "パスキーで確認する")
    expect(page.get_by_role("heading", name="パスキー", exact=True)).to_be_visible()
    press(visitor, f"削除 {name}")
    visitor.check_page()
    press(visitor, "削除する")
    expect(page.get_by_text("パスキーを削除しました")).to_be_visible()
    expect(page.get_by_text(name)).to_have_count(0)

    # the device still has it, the portal does not
    visitor.provoked.append("status of 422")
    page.context.clear_cookies()
    visitor.open("/sign-in")
    press(visitor, "パスキーでログイン")
    expect(page.get_by_text("このパスキーではログインできませんでした").first).to_be_visible()


def test_the_demo_shows_the_code_that_opens(visit: OpenVisitor, demo: Demo, size: str) -> None:
    dealer, operator = json.loads((demo.data_dir / "demo" / "staff.json").read_text())
    who = dealer if size == "phone" else operator
    visitor = visit(javascript=size == "phone")
    page = visitor.page
    visitor.open("/dev/sign-ins")
    expect(page.get_by_text(who["id"])).to_be_visible()
    if size == "phone":
        visitor.check_page()
    fill_sign_in(visitor, who, "/sign-in?next=/account/second-factor")
    expect(page.get_by_role("heading", name="ご本人の確認")).to_be_visible()
    # a button that needs JavaScript, and a passkey, is not there without
    expect(page.locator("[data-passkey]")).to_have_count(0)
    if size == "phone":
        visitor.check_page()
    pass_second_step(visitor, who["secret"], to="二段階認証")
    expect(page.get_by_text("設定済み")).to_be_visible()
    if size == "phone":
        visitor.check_page()


def test_without_javascript_nothing_speaks_of_passkeys_at_the_sign_in(
    visit: OpenVisitor,
) -> None:
    visitor = visit(javascript=False)
    visitor.open("/sign-in")
    expect(visitor.page.get_by_text("パスキーでログイン")).to_be_hidden()
