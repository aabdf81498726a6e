"""A dealer changes the settings of its systems in steps, and takes it all back, on both screens."""

import re

from playwright.sync_api import expect
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Gateway
from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.staff import pass_second_step
from tests.browser.test_journey import press
from tests.factories import (
    PASSWORD,
    TOTP_SECRET,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    InstallationFactory,
    LinkFactory,
)


def settle(demo: Demo, size: str) -> list[str]:
    """Give a dealer two homes to look after."""
    ids = [demo.take_sample()["id"] for _home in range(2)]
    with demo.inside():
        dealer = DealerFactory(
            dealer_no={"phone": 7301, "pc": 7302}[size], email=f"{size}@rollout.example.org"
        )
        DealerPersonFactory(email=f"rollout-dealer-{size}@example.org", dealer=dealer)
        for number, id_ in enumerate(ids, start=1):
            home = InstallationFactory(
                account=CustomerFactory(email=f"rollout-{number}-{size}@example.org"),
                gateway=db.session.scalars(select(Gateway).filter_by(public_id=id_)).one(),
                site_name=f"一斉の家{number}",
                claimed_sheet_id=None,
                opened_at=clock.now(),
            )
            LinkFactory(installation=home, dealer=dealer)
    return ids


def test_a_dealer_changes_many_systems_in_steps_and_takes_it_back(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    settle(demo, size)
    dealer = visit()
    page = dealer.page
    dealer.open("/sign-in")
    page.locator('[name="email"]').fill(f"rollout-dealer-{size}@example.org")
    page.locator('[name="password"]').fill(PASSWORD)
    press(dealer, "ログイン")
    pass_second_step(dealer, TOTP_SECRET)
    page.locator(".menu-card", has_text="一斉変更").click()
    expect(page.get_by_text("一斉変更は、まだありません。")).to_be_visible()
    dealer.check_page()
    page.get_by_role("link", name="新しい一斉変更").click()
    page.get_by_label("印を付けたシステムだけ").check()
    page.get_by_text("システムに印を付ける").click()
    page.get_by_label(re.compile("一斉の家1")).check()
    page.get_by_label(re.compile("一斉の家2")).check()
    dealer.check_page()
    press(dealer, "次に進む")
    dealer.provoked.append("status of 422")
    expect(page.locator("#field-reason .field__error")).to_contain_text("理由を入力")
    page.locator('[name="reason"]').fill("台風の季節に備えて")
    page.locator('[name="reserve_pct"]').select_option("50")
    press(dealer, "次に進む")
    expect(page.get_by_text("2 件を、次の順に変更します")).to_be_visible()
    dealer.check_page()
    press(dealer, "一斉変更を始める")
    expect(page.get_by_text("第1段階の変更が終わりました。")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("2 / 2 件")).to_be_visible()
    dealer.check_page()
    demo.wait_for_mail(f"rollout-1-{size}@example.org", "設定", within_s=40)
    press(dealer, "止めて、すべて元に戻す")
    expect(page.locator(".rollout__state", has_text="元に戻しました")).to_be_visible(timeout=60_000)
    dealer.check_page()
    household = visit()
    sign_in(household, f"rollout-1-{size}@example.org")
    household.open("/monitor")
    household.page.get_by_role("link", name="設定").first.click()
    household.page.get_by_role("link", name="変更の記録").first.click()
    expect(household.page.get_by_text("台風の季節に備えて").first).to_be_visible()
    household.check_page()


def sign_in(visitor: Visitor, email: str) -> None:
    visitor.open("/sign-in")
    visitor.page.locator('[name="email"]').fill(email)
    visitor.page.locator('[name="password"]').fill(PASSWORD)
    press(visitor, "ログイン")
