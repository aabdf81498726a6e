"""A household lets a program read: a token is made, seen once, used, revoked."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor
from tests.browser.test_journey import press


def ask(demo: Demo, path: str, token: str) -> tuple[int, str]:
    """Ask the API as a program does, with nothing but its token; return status and body."""
    request = Request(f"{demo.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_a_token_is_made_seen_once_used_and_revoked(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    [customer] = json.loads((demo.data_dir / "demo" / "sign-ins.json").read_text())
    visitor, name = visit(), f"表計算 {size}"
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.open("/sign-in")
    page.locator('[name="email"]').fill(customer["id"])
    page.locator('[name="password"]').fill(customer["password"])
    press(visitor, "ログイン")
    page.locator(".menu-card", has_text="お客様情報").click()
    press(visitor, "確認・作成する APIトークン")
    press(visitor, "トークンを作成する")
    visitor.check_page()
    visitor.provoked.append("status of 422")
    page.locator('[name="name"]').fill(name)
    press(visitor, "作成する")
    expect(page.get_by_text("1つ以上選択してください").first).to_be_visible()
    expect(page.locator('[name="name"]')).to_have_value(name)
    visitor.check_page()
    page.get_by_label("いまのようす").check()
    press(visitor, "作成する")
    shown = page.locator("#token")
    expect(shown).to_be_visible()
    token = shown.inner_text().strip()
    visitor.check_page()
    press(visitor, "トークンをコピーする")
    expect(page.get_by_text("コピーしました")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    demo.wait_for_mail(customer["id"], "【APIトークン作成のお知らせ】")

    status, body = ask(demo, "/gateways", token)
    assert status == 200
    [first, *_others] = json.loads(body)["gateways"]
    status, body = ask(demo, f"/gateways/{first['id']}/latest", token)
    assert status == 200
    assert {"pv_w", "soc_pct", "today"} <= set(json.loads(body))
    day = "period=day&from=2026-11-01&to=2026-11-02"
    assert ask(demo, f"/gateways/{first['id']}/history?{day}", token)[0] == 403

    press(visitor, "APIの使い方")
    visitor.check_page()
    press(visitor, "APIトークンの一覧へ")
    row = page.get_by_role("row").filter(has_text=name)
    expect(row.get_by_text(f"{token[:10]}…")).to_be_visible()
    assert token not in page.content()
    visitor.check_page()
    press(visitor, f"取り消す {name}")
    visitor.check_page()
    press(visitor, "取り消す")
    expect(page.get_by_text("トークンを取り消しました")).to_be_visible()
    expect(row.get_by_text("取り消し済み")).to_be_visible()
    assert ask(demo, "/gateways", token)[0] == 401


@pytest.mark.parametrize("locale", ["en-GB"])
def test_the_guide_is_public_and_english_for_english_readers(
    visit: OpenVisitor, locale: str
) -> None:
    visitor = visit(javascript=False, locale=locale)
    visitor.open("/api/v1/")
    expect(visitor.page.get_by_role("heading", name="How to use the API")).to_be_visible()
