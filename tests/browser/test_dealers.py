"""A dealer registers, and gets the number that customers are given, on a phone and on a PC."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor
from tests.browser.staff import sign_in_staff
from tests.browser.test_journey import PASSWORD, press, sign_in, url_in

DEALER = {
    "dealer_name": "ひだまり電設",
    "dealer_kana": "ひだまりでんせつ",
    "home_street": "千代田1-1",
    "phone": "０３－１２３４－５６７８",
    "family_name": "佐藤",
    "given_name": "花子",
    "family_kana": "さとう",
    "given_kana": "ﾊﾅｺ",
}
COLLEAGUE = {
    "family_name": "高橋",
    "given_name": "次郎",
    "family_kana": "たかはし",
    "given_kana": "ｼﾞﾛｳ",
}


def test_a_dealer_comes_from_the_entry_to_its_card(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    email = f"dealer-{size}@example.org"
    visitor = visit()
    page = visitor.page
    visitor.open("/register")
    press(visitor, "販売店様のご登録")
    visitor.check_page()
    press(visitor, "同意する")
    visitor.check_page()
    page.locator('[name="home_postal_code"]').fill("100ー0001")
    page.locator('[name="home_postal_code"]').blur()
    expect(page.locator('[name="home_city"]')).to_have_value("千代田区")
    for name, value in DEALER.items():
        page.locator(f'[name="{name}"]').fill(value)
    page.locator('[name="email"]').fill(email)
    page.locator('[name="email_again"]').fill(email)
    press(visitor, "次に進む")
    expect(page.get_by_text("ヒダマリデンセツ")).to_be_visible()
    visitor.check_page()
    press(visitor, "登録")
    expect(page.get_by_text(email)).to_be_visible()
    visitor.check_page()

    visitor.open(url_in(demo.wait_for_mail(email, "販売店アカウント仮登録のお知らせ")))
    press(visitor, "同意する")
    page.locator('[name="password"]').fill(PASSWORD)
    page.locator('[name="password_again"]').fill(PASSWORD)
    page.locator('[name="phone"]').fill("03-1234-5678")
    visitor.check_page()
    press(visitor, "登録")
    expect(page.get_by_role("heading", name="販売店アカウント本登録完了")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^4\d{3}$")).first).to_be_visible()
    visitor.check_page()

    sign_in(visitor, email, face="/sign-in")
    page.locator(".menu-card", has_text="販売店情報").click()
    expect(page.get_by_text("ひだまり電設").first).to_be_visible()
    visitor.check_page()
    visitor.open("/dealer/card")
    visitor.check_page()


def test_a_dealer_invites_a_colleague_and_lists_who_is_told_of_failures(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    visitor = visit()
    page = visitor.page
    sign_in_staff(visitor, "dealer")
    page.locator(".menu-card", has_text="利用者の管理").click()
    visitor.check_page()
    press(visitor, "利用者を招待する")
    email = f"colleague-{size}@example.org"
    for name, value in COLLEAGUE.items():
        page.locator(f'[name="{name}"]').fill(value)
    page.locator('[name="email"]').fill(email)
    visitor.check_page()
    press(visitor, "招待のメールを送る")
    expect(page.get_by_text("招待のメールをお送りしました")).to_be_visible()
    visitor.check_page()

    visitor.open("/dealer/contacts")
    page.locator('[name="name"]').fill("保守センター 当番")
    page.locator('[name="email"]').fill(f"night-{size}@example.org")
    press(visitor, "追加する")
    expect(page.get_by_text("確認待ち").first).to_be_visible()
    visitor.check_page()

    # each in a browser of their own
    reader = visit()
    mail = demo.wait_for_mail(f"night-{size}@example.org", "保守担当者のメールアドレスの確認")
    reader.open(url_in(mail))
    reader.check_page()
    press(reader, "お知らせを受け取る")
    expect(reader.page.get_by_role("heading", name="メールアドレスを確認しました")).to_be_visible()

    colleague = visit()
    colleague.open(url_in(demo.wait_for_mail(email, "ご利用への招待")))
    colleague.check_page()
    press(colleague, "同意する")
    colleague.page.locator('[name="password"]').fill(PASSWORD)
    colleague.page.locator('[name="password_again"]').fill(PASSWORD)
    colleague.page.locator('[name="phone"]').fill("075-200-1234")
    colleague.check_page()
    press(colleague, "登録")
    expect(colleague.page.get_by_role("heading", name="登録が完了しました")).to_be_visible()
    visitor.open("/dealer/people")
    expect(page.get_by_text(email)).to_be_visible()
