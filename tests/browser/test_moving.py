"""Moving house: another mail address, a gateway that is handed over, an account that is closed."""

import json
import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.test_journey import PASSWORD, activate, press, register, sign_in, url_in

SEATED = "アカウント仮登録のお知らせ"


@pytest.fixture
def email() -> str:
    """Give a journey's household a mail address of its own."""
    return f"moving-{uuid4().hex[:8]}@example.org"


@pytest.fixture
def visitor(visit: OpenVisitor, demo: Demo, email: str) -> Visitor:
    """A household that has just registered, signed in at the main menu."""
    visitor = visit()
    register(visitor, demo.take_sample(), email, look=False)
    activate(visitor, url_in(demo.wait_for_mail(email, SEATED)), look=False)
    sign_in(visitor, email, face="/sign-in")
    return visitor


def test_a_mail_address_changes_and_the_account_is_closed(
    visitor: Visitor, demo: Demo, email: str
) -> None:
    page, new = visitor.page, f"new-{email}"
    visitor.open("/account/")
    page.get_by_role("link", name="メールアドレスを変更する").click()
    visitor.check_page()
    for name, value in (("email", new), ("email_again", new), ("current_password", PASSWORD)):
        page.locator(f'[name="{name}"]').fill(value)
    press(visitor, "メールを送る")
    expect(page.get_by_text(new)).to_be_visible()
    visitor.check_page()
    visitor.open(url_in(demo.wait_for_mail(new, "【メールアドレス変更のご確認】")))
    visitor.check_page()
    press(visitor, "変更する")
    expect(page.get_by_text("メールアドレスを変更しました。")).to_be_visible()
    expect(page.get_by_text(new)).to_be_visible()
    demo.wait_for_mail(email, "【メールアドレス変更のお知らせ】")

    page.get_by_role("link", name="退会する").click()
    visitor.check_page()
    page.locator('[name="current_password"]').fill(PASSWORD)
    press(visitor, "退会する")
    # the tick is missing: said at its field
    visitor.provoked.append("status of 422")
    expect(page.locator("#field-understood .field__error")).to_contain_text("チェックを入れて")
    visitor.check_page()
    page.locator('[name="understood"]').check()
    page.locator('[name="current_password"]').fill(PASSWORD)
    press(visitor, "退会する")
    expect(page.get_by_text("退会の手続きが終わりました")).to_be_visible()
    visitor.check_page()
    demo.wait_for_mail(new, "【退会完了のお知らせ】")
    visitor.open("/account/")
    expect(page.get_by_role("button", name="ログイン", exact=True)).to_be_visible()


def test_a_gateway_goes_from_the_seller_to_the_buyer(
    visitor: Visitor, visit: OpenVisitor, demo: Demo, email: str, size: str
) -> None:
    page, name = visitor.page, f"中古の家 {size}"
    visitor.open("/gateways")
    page.locator("#gateways a").click()
    page.get_by_role("link", name="このゲートウェイを譲る").click()
    visitor.check_page()
    page.locator('[name="shares_summary"]').check()
    press(visitor, "譲渡証明書を発行する")
    expect(page.get_by_role("heading", name="ゲートウェイ譲渡証明書")).to_be_visible()
    visitor.check_page()
    code = re.search(r"(?:\w{4}-){4}\w{4}", page.locator(".certificate").inner_text())
    assert code
    press(visitor, "前に戻る")
    visitor.check_page()

    # the buyer scans the QR code, and has to sign in first: the code is not lost
    [customer] = json.loads((demo.data_dir / "demo" / "sign-ins.json").read_text())
    buyer = visit()
    page = buyer.page
    buyer.open(f"/transfer#{code[0]}")
    expect(page.locator('[name="code"]')).to_have_value(code[0])
    assert "#" not in page.url
    buyer.check_page()
    page.get_by_role("link", name="ログインしてから、コードを入力してください").click()
    page.locator('[name="email"]').fill(customer["id"])
    page.locator('[name="password"]').fill(customer["password"])
    press(buyer, "ログイン")
    expect(page.get_by_role("heading", name="ゲートウェイを引き継ぐ")).to_be_visible()
    expect(page.locator('[name="code"]')).to_have_value(code[0])
    buyer.check_page()
    press(buyer, "次に進む")
    page.locator('[name="site_name"]').fill(name)
    page.locator('[name="site_postal_code"]').fill("1000001")
    page.locator('[name="site_postal_code"]').blur()
    expect(page.locator('[name="site_city"]')).to_have_value("千代田区")
    page.locator('[name="site_street"]').fill("千代田1-1")
    press(buyer, "次に進む")
    expect(page.get_by_role("heading", name="ゲートウェイ情報の登録確認")).to_be_visible()
    press(buyer, "登録")
    expect(page.get_by_text("前の所有者さまからのまとめ")).to_be_visible()
    buyer.check_page()
    demo.wait_for_mail(customer["id"], f"【ゲートウェイ引き継ぎのお知らせ】{name}")
    demo.wait_for_mail(email, "【ゲートウェイ譲渡完了のお知らせ】")

    visitor.open("/gateways")
    expect(visitor.page.get_by_role("heading", name="取り外したゲートウェイ")).to_be_visible()
    visitor.check_page()
