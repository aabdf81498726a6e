"""The demo's dealer and operator sign in: password, then what their authenticator app shows."""

import json
import sqlite3

from playwright.sync_api import expect

from app import clock
from app.domain import totp
from tests.browser.conftest import Visitor
from tests.browser.test_journey import press


def sign_in_staff(visitor: Visitor, who: str) -> dict[str, str]:
    """Sign the demo's "dealer" or "operator" in at the main menu; return its sign-in."""
    [staff] = [
        one
        for one in json.loads((visitor.demo.data_dir / "demo" / "staff.json").read_text())
        if one["who"] == who
    ]
    visitor.open("/sign-in")
    visitor.page.locator('[name="email"]').fill(staff["id"])
    visitor.page.locator('[name="password"]').fill(staff["password"])
    press(visitor, "ログイン")
    pass_second_step(visitor, staff["secret"])
    return dict(staff)


def pass_second_step(visitor: Visitor, secret: str, *, to: str = "メインメニュー") -> None:
    """Type what the app with this key shows, until the page `to` is there."""
    page = visitor.page
    # a code opens once in its half minute, and other journeys sign the same person in
    visitor.provoked.append("status of 422")
    there = page.get_by_role("heading", level=1, name=to)
    for _try in range(5):
        expect(page.get_by_role("heading", name="ご本人の確認").or_(there)).to_be_visible()
        if there.is_visible():
            return
        forget_codes(visitor)
        page.locator('[name="code"]').fill(totp.code_at(secret, clock.now()))
        press(visitor, "ログイン")
    expect(there).to_be_visible()


def forget_codes(visitor: Visitor) -> None:
    """Let the codes of the last half minute open once more."""
    database = sqlite3.connect(visitor.demo.data_dir / "portal.db", timeout=20)
    with database:
        database.execute("UPDATE totp_factors SET last_step = 0")
    database.close()
