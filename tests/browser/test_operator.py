"""The help desk finds and mails, gateways come by a file: on a phone and on a PC."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.staff import sign_in_staff
from tests.browser.test_journey import press, url_in
from tests.factories import SheetFactory

CUSTOMER = "hinata@example.org"
HEADINGS = "id,model,serial,endpoint,profile"


def tell(demo: Demo, statement: str, values: tuple[object, ...]) -> None:
    """Change the demo's database behind its back."""
    database = sqlite3.connect(demo.data_dir / "portal.db", timeout=20)
    with database:
        database.execute(statement, values)
    database.close()


def register(demo: Demo, email: str, gateway_id: str) -> None:
    """Let somebody be registered whose mail went astray."""
    shared = (
        "family_name, given_name, family_kana, given_kana, phone, company_name, department,"
        " postal_code, prefecture, city, street, building"
    )
    now = datetime.now(UTC)
    moments = [f"{moment:%Y-%m-%d %H:%M:%S.%f}" for moment in (now, now + timedelta(days=7))]
    tell(
        demo,
        f"INSERT INTO registrations (email, language, network_address, created_at, expires_at,"
        f" url_nonce, gateway_id, sheet_id, site_name, site_postal_code, site_prefecture,"
        f" site_city, site_street, site_building, {shared})"
        f" SELECT ?, 'ja', '127.0.0.1', ?, ?, 'x', gateways.id, sheets.id, '自宅', postal_code,"
        f" prefecture, city, street, building, {shared} FROM accounts, gateways, sheets"
        f" WHERE accounts.email = ? AND gateways.public_id = ?"
        f" AND sheets.gateway_id = gateways.id",
        (email, *moments, CUSTOMER, gateway_id),
    )


@pytest.fixture
def visitor(visit: OpenVisitor) -> Visitor:
    """An operator at the main menu."""
    visitor = visit()
    sign_in_staff(visitor, "operator")
    return visitor


def test_the_desk_finds_a_newcomer_and_mails_again(visitor: Visitor, demo: Demo, size: str) -> None:
    page, email = visitor.page, f"astray-{size}@example.org"
    with demo.inside():
        # not one of the demo's samples: nobody will ever claim it
        gateway_id = SheetFactory(gateway__public_id=f"ASTRAY{size.upper():0>6}").gateway.public_id
    register(demo, email, gateway_id)
    visitor.check_page()
    page.locator("#q").fill("hinata@")
    press(visitor, "探す")
    expect(page.get_by_role("link", name="日向 はるか")).to_be_visible()
    page.locator("#q").fill("")
    page.locator("#q").press_sequentially(email[:9], delay=20)
    expect(page.get_by_role("heading", name="仮登録のお客様")).to_be_visible()
    visitor.check_page()
    page.locator("#found tbody tr", has_text=email).get_by_role("link").click()
    expect(page.get_by_text("メールのURLを開くのを待っています")).to_be_visible()
    visitor.check_page()
    press(visitor, "登録のメールをもう一度送る")
    press(visitor, "メールを送る")
    visitor.provoked.append("status of 422")
    expect(page.locator("#field-reason .field__error")).to_contain_text("理由を入力")
    visitor.check_page()
    page.locator('[name="reason"]').fill("メールが届かないとのお電話")
    press(visitor, "メールを送る")
    expect(page.get_by_text("登録のメールをお送りしました。")).to_be_visible()
    visitor.open(url_in(demo.wait_for_mail(email, "アカウント仮登録のお知らせ")))
    expect(page.get_by_role("button", name="同意する")).to_be_visible()


def test_a_customers_gateway_is_found_and_its_sheet_reissued(visitor: Visitor, size: str) -> None:
    # both sizes may be at it at once, and only one of them could issue a gateway's next sheet
    page, home = visitor.page, {"phone": "実家", "pc": "自宅"}[size]
    page.locator(".menu-card", has_text="お客様の一覧").click()
    visitor.check_page()
    page.locator("#q").fill("ひなた")
    expect(page.locator("#found")).to_contain_text("1 件")
    page.get_by_role("link", name="日向 はるか").click()
    expect(page.get_by_role("heading", level=1, name="日向 はるか 様")).to_be_visible()
    visitor.check_page()
    page.get_by_role("row").filter(has_text=home).get_by_role("link").first.click()
    visitor.check_page()
    press(visitor, "用紙を再発行する")
    page.locator('[name="reason"]').fill("用紙をなくしたとのお電話")
    press(visitor, "再発行する")
    with page.context.expect_page() as opened:
        press(visitor, "用紙を開く")
    sheet = opened.value
    expect(sheet.get_by_text(re.compile(r"^([0-9A-Z]{4}-){3}[0-9A-Z]$"))).to_be_visible()
    sheet.close()
    press(visitor, "印刷を確認しました")
    expect(page.get_by_text("パスワードは消去されました。")).to_be_visible()
    visitor.demo.wait_for_mail("hinata@example.org", f"【用紙再発行のお知らせ】{home}")


def test_gateways_come_by_a_file_and_go_on_paper(visitor: Visitor, size: str) -> None:
    page, mark = visitor.page, size.upper()[:2]
    rows = [
        f"IMPORT{mark}{number:04d},HDM-G2,I{mark}{number},tcp://127.0.0.1:9/1,sunspec"
        for number in range(25)
    ]
    page.locator(".menu-card", has_text="ゲートウェイの取り込み").click()
    visitor.check_page()
    for lines in ([*rows, "WRONG,HDM-G2,,tcp://127.0.0.1:9/1,sunspec"], rows):
        content = "\r\n".join([HEADINGS, *lines]).encode()
        file = {"name": f"{size}.csv", "mimeType": "text/csv", "buffer": content}
        page.locator('[name="file"]').set_input_files(file)  # type: ignore[arg-type]
        press(visitor, "内容を確認する")
        visitor.check_page()
        if "WRONG" in lines[-1]:
            expect(page.get_by_text("このままでは取り込めません")).to_be_visible()
            press(visitor, "やめる")
    expect(page.get_by_text("25 件を新しく取り込みます")).to_be_visible()
    press(visitor, "取り込む")
    # a short file may be done before one looks
    done = page.get_by_text("取り込みが終わりました")
    expect(page.locator("#progress progress").or_(done).first).to_be_visible()
    visitor.check_page()
    expect(done).to_be_visible(timeout=30_000)
    expect(page.get_by_role("link", name=rows[0][:12])).to_be_visible()
    visitor.check_page()
    with page.context.expect_page() as opened:
        press(visitor, "用紙を開く")
    expect(opened.value.locator(".side.front")).to_have_count(25)
    opened.value.close()
    press(visitor, "印刷を確認しました")
    expect(
        page.get_by_text("用紙が必要なときは、ゲートウェイごとに再発行してください")
    ).to_be_visible()
    visitor.check_page()
    for path in ("/operator/attempts", "/operator/dealers", "/operator/gateways"):
        visitor.open(path)
        visitor.check_page()
