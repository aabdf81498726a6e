"""Operators run the service: terms, campaign, mail log, on a phone and on a PC."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenVisitor, Visitor
from tests.browser.portals import Portal, portal_with, sign_in
from tests.browser.staff import sign_in_staff
from tests.browser.test_journey import press
from tests.databases import Databases
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.signing_in import code

OPERATOR, DEALER = "operator@service.example.org", "dealer@service.example.org"


@pytest.fixture
def portal(databases: Databases, tmp_path: Path) -> Iterator[Portal]:
    """Serve a portal of the journey's own: its terms and campaign are nobody else's."""

    def write() -> None:
        for kind in ("service", "dealer"):
            TermsVersionFactory(kind=kind)
        OperatorFactory(email=OPERATOR)
        DealerPersonFactory(email=DEALER)

    with portal_with(databases, tmp_path, write) as made:
        yield made


def seat(visitor: Visitor, portal: Portal, email: str) -> Visitor:
    """Sign one of the portal's staff in."""
    sign_in(visitor, email, portal)
    visitor.page.locator('[name="code"]').fill(code())
    press(visitor, "ログイン")
    expect(visitor.page.get_by_role("heading", name="メインメニュー")).to_be_visible()
    return visitor


def publish_terms(operator: Visitor, version: str, effective_at: str) -> None:
    """Publish a version of the dealers' terms, by way of its preview."""
    page = operator.page
    operator.open("/operator/terms")
    operator.check_page()
    press(operator, "新しい版を用意する")
    page.locator('[name="kind"]').select_option("dealer")
    page.locator('[name="version"]').fill(version)
    page.locator('[name="effective_at"]').fill(effective_at)
    page.locator('[name="body_ja"]').fill(f"# 第{version}版\n\n{{SERVICE_NAME}}の新しい規約です。")
    page.locator('[name="body_en"]').fill(f"# Version {version}\n\nNew terms.")
    operator.check_page()
    press(operator, "プレビューする")
    expect(page.get_by_text("遠隔モニタリングサービスの新しい規約です。")).to_be_visible()
    operator.check_page()
    press(operator, "公開する")
    expect(page.get_by_text("規約を公開しました。")).to_be_visible()


def test_new_terms_are_announced_and_agreed_to(visit: OpenVisitor, portal: Portal) -> None:
    operator, dealer = seat(visit(), portal, OPERATOR), seat(visit(), portal, DEALER)
    page = dealer.page
    publish_terms(operator, "9.1", "2100-12-01T00:00")
    operator.check_page()

    announced = page.get_by_text("利用規約が2100/12/01から新しくなります。")
    reload_until(dealer, announced)
    dealer.check_page()
    page.get_by_role("link", name="新しい利用規約を読む").click()
    expect(page.get_by_role("heading", name="新しい利用規約（第9.1版）")).to_be_visible()
    dealer.check_page()

    press(operator, "取り下げる")
    operator.page.locator('[name="reason"]').fill("日付の誤り")
    operator.check_page()
    press(operator, "取り下げる")
    expect(operator.page.get_by_text("公開前の規約を取り下げました。")).to_be_visible()
    publish_terms(operator, "9.2", "")

    dealer.open("/dealer")
    reload_until(dealer, page.get_by_role("heading", name="利用規約が新しくなりました"))
    dealer.check_page()
    press(dealer, "同意する")
    expect(page.get_by_text("新しい利用規約に同意いただき")).to_be_visible()
    assert page.url.endswith("/dealer")
    operator.open("/operator/terms")
    expect(operator.page.locator("tr", has_text="第9.2版")).to_contain_text("1 人")


def reload_until(visitor: Visitor, found: object) -> None:
    """Open the page anew until it shows something: processes look for terms now and then."""
    for _try in range(40):
        if found.is_visible():  # type: ignore[attr-defined]
            return
        visitor.page.wait_for_timeout(250)
        visitor.page.reload()
    expect(found).to_be_visible()  # type: ignore[call-overload]


def test_a_campaign_is_shown_while_it_is_published(visit: OpenVisitor, portal: Portal) -> None:
    operator, newcomer = seat(visit(), portal, OPERATOR), visit()
    newcomer.demo = portal  # type: ignore[assignment]
    page = operator.page
    operator.open("/operator/campaigns")
    press(operator, "キャンペーンを作る")
    expect(page.locator('[name="body_ja"]')).to_have_value(re.compile("ご自宅の太陽光発電"))
    operator.check_page()
    page.locator('[name="body_ja"]').fill("# 春の応援\n\nただいま受付中です。")
    page.locator('[name="body_en"]').fill("")
    press(operator, "プレビューする")
    expect(page.get_by_role("heading", name="春の応援")).to_be_visible()
    press(operator, "保存する")
    expect(page.get_by_text("公開するまで、お客様には表示されません。")).to_be_visible()
    press(operator, "公開する")
    expect(page.get_by_text("キャンペーンを公開しました。")).to_be_visible()
    operator.check_page()

    newcomer.open("/")
    expect(newcomer.page.get_by_role("heading", name="春の応援")).to_be_visible()
    newcomer.check_page()
    press(operator, "取り下げる")
    expect(page.get_by_text("キャンペーンを取り下げました。")).to_be_visible()
    newcomer.open("/")
    expect(newcomer.page.get_by_role("heading", name="春の応援")).to_be_hidden()
    operator.open("/operator/campaigns")
    operator.check_page()


@pytest.fixture
def forgetful(demo: Demo, size: str) -> str:
    """A customer of the demo, by the mail address."""
    email = f"forgetful-{size}@example.org"
    with demo.inside():
        CustomerFactory(email=email)
    return email


def test_a_mail_is_found_and_sent_again(visit: OpenVisitor, demo: Demo, forgetful: str) -> None:
    operator, customer = visit(), visit()
    sign_in_staff(operator, "operator")
    page = operator.page
    customer.open("/forgotten-password")
    customer.page.locator('[name="email"]').fill(forgetful)
    customer.page.locator("main button[type=submit]").first.click()
    first = nth_url(demo, forgetful, 0, customer)

    operator.open("/operator/mails")
    operator.check_page()
    page.locator("#to").press_sequentially(forgetful[:12], delay=20)
    expect(page.locator("#mails tbody tr")).not_to_have_count(0)
    expect(page.locator("#mails tbody tr", has_not_text=forgetful)).to_have_count(0)
    page.locator("#mails tbody a").first.click()
    expect(page.get_by_text("/new-password/***").first).to_be_visible()
    shut_in = page.frame_locator("iframe")
    expect(shut_in.get_by_role("link", name="新しいパスワードを設定する")).to_be_attached()
    operator.check_page()
    press(operator, "もう一度送る")
    page.locator('[name="reason"]').fill("届かないとのお電話")
    operator.check_page()
    press(operator, "もう一度送る")
    expect(page.get_by_text("まもなく送信されます")).to_be_visible()

    second = nth_url(demo, forgetful, 1, customer)
    assert first != second
    customer.provoked.append("status of 4")
    customer.open(first)
    expect(customer.page.get_by_text("すでに使われたか、有効期限が切れています")).to_be_visible()
    customer.open(second)
    expect(customer.page.locator('[name="password"]')).to_be_visible()

    for path in ("/operator/audit", "/operator/health", "/operator/health/jobs"):
        operator.open(path)
        operator.check_page()
    operator.open("/operator/audit?action=mail.sent_again")
    expect(page.locator("#entries")).to_contain_text("届かないとのお電話")


def nth_url(demo: Demo, email: str, number: int, visitor: Visitor) -> str:
    """Wait for a delivered mail to the customer, counted from 0; return its single-use URL."""
    for _try in range(80):
        mails = demo.mails_to(email)
        if len(mails) > number:
            body = mails[number].get_body(("plain",))
            assert body
            found = re.search(r"https?://\S+/new-password/\S+", body.get_content())
            assert found
            return found[0]
        visitor.page.wait_for_timeout(250)
    raise AssertionError("the mail did not come")
