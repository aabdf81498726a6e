"""The way of a household: from the printed sheet to live tiles, on a phone and on a PC."""

import re
import time

import pyotp
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor, Visitor

PASSWORD = "Engawa-no-41"
PHONE = "０３－１２３４－５６７８"

# what stays Japanese on an English page: the title of the sheet, which is printed so
NAMES = {"ご登録にあたって"}

HOUSEHOLD = {
    "family_name": "山田",
    "given_name": "太郎",
    # as people type: hiragana and half width become katakana
    "family_kana": "やまだ",
    "given_kana": "ﾀﾛｳ",
    "home_street": "千代田1-1",
    "phone": PHONE,
    "site_name": "山田邸",
}


@pytest.fixture
def sample(demo: Demo) -> dict[str, str]:
    """Give a gateway of its own to a journey, with the password of its sheet."""
    return demo.take_sample()


def press(visitor: Visitor, name: str) -> None:
    """Press a button, or follow a link that looks like one."""
    page = visitor.page
    page.get_by_role("button", name=name, exact=True).or_(
        page.get_by_role("link", name=name, exact=True)
    ).first.click()


def fill_form(visitor: Visitor, email: str, sample: dict[str, str], *, javascript: bool) -> None:
    """Fill in the form of the wizard as a household would."""
    page = visitor.page
    for name, value in HOUSEHOLD.items():
        page.locator(f'[name="{name}"]').fill(value)
    page.locator('[name="email"]').fill(email)
    page.locator('[name="email_again"]').fill(email)
    page.locator('[name="home_postal_code"]').fill("100ー0001")
    if javascript:
        page.locator('[name="home_postal_code"]').blur()
    else:
        page.locator('button[name="lookup"][value="home"]').click()
    expect(page.locator('[name="home_prefecture"]')).to_have_value("東京都")
    expect(page.locator('[name="home_city"]')).to_have_value("千代田区")
    page.locator('[name="home_street"]').fill("千代田1-1")
    page.locator('[name="gateway_id"]').fill(sample["id"].lower())
    page.locator('[name="gateway_password"]').fill(sample["password"])
    page.locator('button[name="copy"]').click()
    expect(page.locator('[name="site_city"]')).to_have_value("千代田区")
    if not page.locator('[name="gateway_password"]').input_value():
        # without JavaScript the form came back from the server: it never shows a password again
        page.locator('[name="gateway_password"]').fill(sample["password"])


def url_in(message: object) -> str:
    """Return the single-use URL of a mail's text part."""
    text = message.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    found = re.search(r"https?://\S+/(?:activate|account/email|contact|new-password)/\S+", text)
    assert found, text
    return found[0]


def register(
    visitor: Visitor,
    sample: dict[str, str],
    email: str,
    *,
    javascript: bool = True,
    look: bool = True,
) -> None:
    """Walk the wizard from the QR code's address to the completion page."""
    page = visitor.page

    def seen() -> None:
        if look and javascript:
            visitor.check_page()

    visitor.open(f"/?gateway={sample['id']}")
    seen()
    press(visitor, "次へ進む")
    seen()
    press(visitor, "お客様情報のご登録")
    seen()
    press(visitor, "同意する")
    expect(page.locator('[name="gateway_id"]')).to_have_value(sample["id"])
    expect(page.locator('[name="gateway_password"]')).to_have_value("")
    seen()
    fill_form(visitor, email, sample, javascript=javascript)
    press(visitor, "次に進む")
    expect(page.get_by_text("ヤマダ")).to_be_visible()
    expect(page.get_by_text("タロウ")).to_be_visible()
    seen()
    press(visitor, "登録")
    expect(page.get_by_text(email)).to_be_visible()
    seen()


def activate(visitor: Visitor, url: str, *, look: bool = True) -> None:
    """Open the mail's URL, agree, and set the password; check each page if `look`."""
    page = visitor.page
    visitor.open(url)
    if look:
        visitor.check_page()
    press(visitor, "同意する")
    if look:
        visitor.check_page()
    page.locator('[name="password"]').fill(PASSWORD)
    page.locator('[name="password_again"]').fill(PASSWORD)
    page.locator('[name="phone"]').fill("03-1234-5678")
    press(visitor, "登録")
    expect(page.get_by_role("heading", name=re.compile("本登録完了"))).to_be_visible()
    if look:
        visitor.check_page()


# the authenticator apps of dealers' people, as they were set up: key, and the step used last
APPS: dict[str, tuple[str, int]] = {}


def sign_in(visitor: Visitor, email: str, *, face: str = "/monitor/sign-in") -> None:
    """Sign in on a face of the portal; whoever needs an authenticator app has one."""
    page = visitor.page
    visitor.open(face)
    page.locator('[name="email"]').fill(email)
    page.locator('[name="password"]').fill(PASSWORD)
    press(visitor, "ログイン")
    heading = page.get_by_role("heading", level=1)
    expect(heading).not_to_have_text("ログイン")
    if heading.inner_text() == "二段階認証の設定":
        visitor.check_page()
        key = page.locator("[data-secret]").inner_text().replace(" ", "")
        APPS[email] = (key, 0)
        type_code(visitor, email)
        press(visitor, "設定する")
        expect(page.locator(".codes li")).to_have_count(10)
        visitor.check_page()
        press(visitor, "保管したので次へ進む")
    elif heading.inner_text() == "ご本人の確認":
        type_code(visitor, email)
        press(visitor, "ログイン")


def type_code(visitor: Visitor, email: str) -> None:
    """Type what somebody's authenticator app shows, and never the same code twice."""
    key, last = APPS[email]
    app = pyotp.TOTP(key)
    step = max(app.timecode(time.time()), last + 1)
    APPS[email] = (key, step)
    visitor.page.locator('[name="code"]').fill(app.generate_otp(step))


@pytest.mark.parametrize("javascript", [True, False], ids=["with-js", "without-js"])
def test_a_household_comes_from_the_sheet_to_live_tiles(
    visit: OpenVisitor, demo: Demo, sample: dict[str, str], size: str, javascript: bool
) -> None:
    email = f"{size}-{'js' if javascript else 'plain'}@example.org"
    visitor = visit(javascript=javascript)
    register(visitor, sample, email, javascript=javascript)
    message = demo.wait_for_mail(email, "アカウント仮登録のお知らせ")
    assert sample["password"] not in message.as_string()
    activate(visitor, url_in(message), look=javascript)
    demo.wait_for_mail(email, "アカウント本登録完了のお知らせ")

    sign_in(visitor, email)
    page = visitor.page
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    live = page.locator("#live")
    for _ in range(15):
        # without JavaScript a household presses reload; a watched gateway is polled within 10 s
        if live.locator("time").count():
            break
        page.wait_for_timeout(1000)
        if not javascript:
            page.reload()
    expect(live.get_by_text("正常動作中")).to_be_visible()
    for label in ("発電", "消費", "蓄電池", "売電", "買電"):
        expect(live.get_by_role("heading", name=label, exact=True)).to_be_visible()
    expect(live.get_by_text(re.compile(r"^\d+ %$|^\d+%$")).first).to_be_visible()
    if javascript:
        visitor.check_page()
        # figures may stand still at one decimal for a while, the time of the sample may not
        page.wait_for_function(
            "before => document.querySelector('#live time').dateTime !== before",
            arg=live.locator("time").get_attribute("datetime"),
            timeout=30_000,
        )
    visitor.open("/manage")
    if size == "phone":
        page.locator("summary", has_text="メニュー").click()
    expect(page.locator(":visible", has_text="山田 太郎 様").last).to_be_visible()
    if javascript:
        visitor.check_page()


def test_a_used_url_leads_to_sign_in(
    visit: OpenVisitor, demo: Demo, sample: dict[str, str], size: str
) -> None:
    email = f"used-{size}@example.org"
    visitor = visit()
    register(visitor, sample, email, look=False)
    url = url_in(demo.wait_for_mail(email, "アカウント仮登録のお知らせ"))
    activate(visitor, url, look=False)
    visitor.provoked.append("410")
    visitor.open(url)
    visitor.check_page()
    press(visitor, "モニタリングサイトへ")
    expect(visitor.page.get_by_role("button", name="ログイン", exact=True)).to_be_visible()


def test_an_error_stands_at_its_field_and_nothing_typed_is_lost(
    visit: OpenVisitor, size: str
) -> None:
    visitor = visit()
    # nobody registers it: any ID will do
    sample = {"id": "HDM000000000", "password": "WRONG-WRONG-WRONG"}
    # Chromium writes a line of its own about the 422 this test provokes
    visitor.provoked.append("422")
    page = visitor.page
    visitor.open("/register/terms")
    press(visitor, "同意する")
    fill_form(visitor, f"wrong-{size}@example.org", sample, javascript=True)
    press(visitor, "次に進む")
    expect(page.locator("#field-gateway_id [class*=error]").first).to_be_visible()
    expect(page.locator('[name="given_name"]')).to_have_value("太郎")
    visitor.check_page()


def test_the_manual_and_the_sign_in_pages_are_sound(visit: OpenVisitor) -> None:
    for locale in ("ja-JP", "en-GB"):
        visitor = visit(locale=locale)
        for path in ("/manual", "/sign-in", "/monitor/sign-in", "/register", "/dev/mail"):
            visitor.open(path)
            visitor.check_page()


def test_an_english_page_has_no_japanese_but_names(visit: OpenVisitor) -> None:
    visitor = visit(locale="en-GB")
    for path in ("/register", "/register/terms", "/sign-in", "/monitor/sign-in"):
        visitor.open(path)
        text = visitor.page.locator("main").inner_text()
        left = set(re.findall(r"[\u3041-\u30ff\u4e00-\u9fff]+", text)) - NAMES
        assert not left, f"{path}: {left}"


def test_samples_are_in_plain_text_in_the_demo_folder_only(demo: Demo) -> None:
    kept = [path for path in (demo.data_dir / "demo").rglob("*") if path.is_file()]
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
