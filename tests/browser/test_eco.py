"""The eco programme, from the offer in the menu to membership, and out again."""

import json
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app import clock
from app.domain import memberships, terms
from app.extensions import db
from app.models import Consent, EcoMembership, Installation
from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.staff import sign_in_staff
from tests.browser.test_journey import press
from tests.factories import (
    CustomerFactory,
    EcoMembershipFactory,
    GatewayFactory,
    InstallationFactory,
)

# each size has a home of its own: both may be visited at the same time
SITES = {"phone": "自宅", "pc": "実家"}


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


def test_a_household_joins_and_leaves(visitor: Visitor, demo: Demo, size: str) -> None:
    page, site = visitor.page, SITES[size]
    with demo.inside():
        # one of the demo's homes takes part from the first start on
        for one in db.session.scalars(
            select(EcoMembership).join(Installation).where(Installation.site_name == site)
        ):
            memberships.end(one, "withdrawn", actor_id=None, now=clock.now())
    expect(page.locator(".eco-offer")).to_be_visible()
    visitor.check_page()
    press(visitor, "くわしく見る")
    expect(page.get_by_role("heading", name="初期費用・利用料 永年無料")).to_be_visible()
    visitor.check_page()
    page.get_by_role("link", name="申込・ご参加の状況へ").first.click()
    visitor.check_page()
    home = page.locator(".eco-home", has=page.get_by_role("heading", name=site))
    home.get_by_role("link", name="条件を確認する").click()
    expect(page.get_by_text("本登録が済んでいます。")).to_be_visible()
    visitor.check_page()
    press(visitor, "申し込む")

    page.locator('[name="operation_began_on"]').fill("いつか")
    press(visitor, "次に進む")
    # what is missing stands at its field, what was typed stays
    visitor.provoked.append("status of 422")
    expect(page.locator("#field-no_other_scheme .field__error")).to_contain_text("ご申告ください")
    visitor.check_page()
    page.locator('[name="operation_began_on"]').fill(
        f"{clock.now() - timedelta(days=430):%Y/%m/%d}"
    )
    page.locator('[name="no_other_generator"]').check()
    page.locator('[name="no_other_scheme"]').check()
    press(visitor, "次に進む")
    expect(page.get_by_role("heading", name="会員規約", exact=True)).to_be_visible()
    visitor.check_page()
    press(visitor, "前に戻る")
    expect(page.locator('[name="no_other_scheme"]')).to_be_checked()
    press(visitor, "次に進む")
    press(visitor, "同意する")
    expect(page.get_by_text("今日からご参加いただけます。")).to_be_visible()
    visitor.check_page()
    press(visitor, "申込を確定する")
    expect(page.get_by_text("へようこそ")).to_be_visible()
    visitor.check_page()
    demo.wait_for_mail("hinata@example.org", f"【エコ活サークルご参加開始のお知らせ】{site}")

    press(visitor, "ご参加の内容を見る")
    expect(page.get_by_text("ご参加中")).to_be_visible()
    visitor.check_page()
    page.get_by_role("link", name="脱退する").click()
    visitor.check_page()
    press(visitor, "脱退する")
    expect(page.get_by_text("脱退の手続きが終わりました")).to_be_visible()
    visitor.check_page()
    demo.wait_for_mail("hinata@example.org", f"【エコ活サークル脱退のお知らせ】{site}")


def test_an_operator_ends_a_membership(visit: OpenVisitor, demo: Demo, size: str) -> None:
    name, email = f"別荘 {size}", f"eco-{size}@example.org"
    with demo.inside():
        account = CustomerFactory(email=email)
        EcoMembershipFactory(
            installation=InstallationFactory(
                account=account,
                site_name=name,
                # both sizes may be at it in processes of their own
                gateway=GatewayFactory(public_id=f"HDMEC0{size.upper():0>6}"),
            ),
            consent=Consent(
                terms_version=terms.current("eco", clock.now()),
                account_id=account.id,
                agreed_at=clock.now(),
                network_address="192.0.2.1",
            ),
        )
    operator = visit()
    page = operator.page
    sign_in_staff(operator, "operator")
    operator.open("/operator/eco")
    page.locator("#q").fill(name)
    expect(page.locator("#members")).to_contain_text("1 件")
    operator.check_page()
    page.locator("#members td a").first.click()
    operator.check_page()
    press(operator, "参加を終わりにする")
    operator.check_page()
    page.locator('[name="note"]').fill("ほかの発電設備があるため")
    page.locator('[name="reason"]').fill("受付 1234")
    press(operator, "終わりにする")
    expect(page.get_by_text("ほかの発電設備があるため")).to_be_visible()
    demo.wait_for_mail(email, f"【エコ活サークル終了のお知らせ】{name}")
