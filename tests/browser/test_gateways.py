"""One more gateway: added, found, described and removed, on a phone and on a PC."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.test_journey import press


@pytest.fixture
def visitor(visit: OpenVisitor, demo: Demo) -> Visitor:
    """The demo's customer, signed in at the main menu."""
    [customer] = json.loads((demo.data_dir / "demo" / "sign-ins.json").read_text())
    visitor = visit()
    visitor.open("/sign-in")
    visitor.page.locator('[name="email"]').fill(customer["id"])
    visitor.page.locator('[name="password"]').fill(customer["password"])
    press(visitor, "ログイン")
    return visitor


def test_a_gateway_comes_and_goes(visitor: Visitor, demo: Demo, size: str) -> None:
    page, sample, name = visitor.page, demo.take_sample(), f"離れ {size}"
    page.locator(".menu-card", has_text="ゲートウェイの登録").click()
    visitor.check_page()
    page.locator('[name="gateway_id"]').fill(sample["id"].lower())
    page.locator('[name="gateway_password"]').fill(sample["password"])
    press(visitor, "次に進む")

    expect(page.get_by_role("heading", name="ゲートウェイ情報の登録")).to_be_visible()
    visitor.check_page()
    page.locator('[name="site_postal_code"]').fill("100ー0001")
    page.locator('[name="site_postal_code"]').blur()
    expect(page.locator('[name="site_city"]')).to_have_value("千代田区")
    page.locator('[name="site_street"]').fill("千代田1-1")
    press(visitor, "次に進む")
    # what is missing stands at its field, what was typed stays
    visitor.provoked.append("status of 422")
    expect(page.locator("#field-site_name .field__error")).to_contain_text("名前を入力")
    expect(page.locator('[name="site_street"]')).to_have_value("千代田1-1")
    page.locator('[name="site_name"]').fill(name)
    press(visitor, "次に進む")

    expect(page.get_by_role("heading", name="ゲートウェイ情報の登録確認")).to_be_visible()
    visitor.check_page()
    press(visitor, "登録")
    expect(page.get_by_text(f"ゲートウェイ {sample['id']} を登録しました")).to_be_visible()
    visitor.check_page()
    demo.wait_for_mail("hinata@example.org", f"【ゲートウェイ登録のお知らせ】{name}")

    visitor.open("/gateways")
    expect(page.get_by_role("link", name=sample["id"])).to_be_visible()
    visitor.check_page()
    page.locator("#q").press_sequentially("そんな名前はない", delay=20)
    expect(page.get_by_text("見つかりませんでした")).to_be_visible()
    page.locator("#q").fill(name)
    expect(page.locator("#gateways")).to_contain_text("1 件")
    expect(page.get_by_role("link", name=sample["id"])).to_be_visible()
    # a reload shows the same: the address of the page follows the search
    page.reload()
    expect(page.locator("#gateways")).to_contain_text("1 件")

    page.get_by_role("link", name=sample["id"]).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    visitor.check_page()
    page.get_by_role("link", name="変更する").click()
    page.locator('[name="site_building"]').fill("２階")
    visitor.check_page()
    press(visitor, "保存する")
    expect(page.get_by_text("設置先の情報を保存しました。")).to_be_visible()
    expect(page.get_by_text("千代田1-1 2階")).to_be_visible()

    page.get_by_role("link", name="このゲートウェイを取り外す").click()
    visitor.check_page()
    press(visitor, "取り外す")
    expect(page.get_by_role("heading", name="取り外したゲートウェイ")).to_be_visible()
    visitor.check_page()
    demo.wait_for_mail("hinata@example.org", f"【ゲートウェイ取り外しのお知らせ】{name}")


def test_the_pages_about_oneself_are_sound(visitor: Visitor) -> None:
    for path in ("/account/", "/account/edit", "/account/devices"):
        visitor.open(path)
        visitor.check_page()
