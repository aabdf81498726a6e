"""The style page in Chromium: every macro in every state, and each small script at its work."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask, Response, render_template_string, request
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import broken_rules
from tests.templates.style_page import PAGES, create_style_app, served

LIVE = """
{% from "macros/monitor.html" import poll_status %}
{% extends "layouts/monitor.html" %}
{% block heading %}京都の家{% endblock %}
{% block content %}
  {{ poll_status() }}
  {{ first | safe }}
{% endblock %}
"""


# an answer after the first one; a page that is slow to be looked at is several further
LATER = re.compile(r"^回([2-9]|\d{2,})$")


@dataclass
class Server:
    """What the live partial answers next, and how often it was asked."""

    url: str = ""
    asked: int = 0
    answers: list[Response] = field(default_factory=list)

    def partial(self) -> Response:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)
        return Response(tile_html(f"回{self.asked}"))


def tile_html(words: str, *, polls: bool = True) -> str:
    poll = 'data-poll-s="0.3" hx-get="/live-partial" hx-trigger="poll" hx-swap="outerMorph"'
    return f'<div id="live" {poll if polls else ""}>{words}</div>'


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    app: Flask = create_style_app()
    server = Server()
    app.add_url_rule("/live-partial", "partial", server.partial)

    def show_live() -> str:
        return render_template_string(LIVE, first=tile_html("はじめ"))

    app.add_url_rule("/live-poll", "live_poll", show_live)

    @app.post("/slow")
    def slow() -> str:
        server.asked += 1
        return f"<p>{request.form['choice']}</p>"

    with served(app) as url:
        server.url = url
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    server.asked = 0
    server.answers.clear()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(5000)
    page = context.new_page()
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', e =>"
        " console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


# the rules see no more at every width than at these two, one in each scheme
@pytest.mark.parametrize(
    ("width", "scheme", "query"), [(390, "light", ""), (1280, "dark", "?locale=en")]
)
def test_every_page_is_accessible(
    page: Page, server: Server, width: int, scheme: str, query: str
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    for name in PAGES:
        page.goto(f"{server.url}/{name}{query}")
        assert broken_rules(page) == [], name


def test_no_page_scrolls_sideways(page: Page, server: Server) -> None:
    for name in PAGES:
        for query in ("?long=1", "?locale=en"):
            page.goto(f"{server.url}/{name}{query}")
            for width in (320, 390, 1280):
                page.set_viewport_size({"width": width, "height": 844})
                wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert not wide, (name, query, width)


def test_every_target_is_large_enough_for_a_thumb(page: Page, server: Server) -> None:
    for name in PAGES:
        page.goto(f"{server.url}/{name}")
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, summary, .input, .button, .choice")]
                .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44)
                .map((e) => e.outerHTML.slice(0, 80))"""
        )
        assert small == [], name


def test_the_menu_opens_without_javascript(browser: Browser, server: Server) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{server.url}/live")
    logout = page.get_by_role("button", name="ログアウト")
    expect(logout).not_to_be_visible()
    page.locator("summary").click()
    expect(logout).to_be_visible()
    context.close()


def test_focus_goes_to_the_first_error(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/form-errors")
    expect(page.locator("#family_name")).to_be_focused()
    page.get_by_role("link", name=re.compile("^メールアドレス")).click()
    expect(page.locator("#email")).to_be_focused()


def test_a_link_of_the_summary_reaches_a_group_of_choices(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/form-errors")
    page.get_by_role("link", name=re.compile("^お住まい")).click()
    expect(page.locator("#kind-0")).to_be_focused()


def test_leaving_a_field_shows_its_error_and_typing_it_right_takes_it_away(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/form")
    page.fill("#new_password", "Geheim123")
    page.fill("#email", "a")
    with page.expect_response("**/check"):
        page.locator("#postal").focus()
    page.fill("#email", "")
    page.locator("#postal").focus()
    expect(page.locator("#email-error")).to_have_text("メールアドレスを入力してください。")
    expect(page.locator("#email")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#postal")).to_be_focused()
    page.fill("#email", "taro@example.org")
    page.locator("#postal").focus()
    expect(page.locator("#email-error")).to_be_empty()
    expect(page.locator("#email")).to_have_value("taro@example.org")
    expect(page.locator("#new_password")).to_have_value("Geheim123")


def test_rules_tick_as_the_password_meets_them(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/form")
    met = page.locator("[data-rule][data-met]")
    expect(met).to_have_count(0)
    page.fill("#new_password", "abc")
    expect(met).to_have_count(1)
    page.fill("#new_password", "Abcdefg1")
    expect(met).to_have_count(4)
    page.fill("#new_password", "Abcdefg1" + "x" * 9)
    expect(page.locator("[data-rule=length]")).not_to_have_attribute("data-met", "")


def test_a_password_can_be_looked_at_and_is_sent_as_a_password(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/form")
    toggle = page.locator("[data-password-toggle]")
    toggle.click()
    expect(page.locator("#new_password")).to_have_attribute("type", "text")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    toggle.click()
    expect(page.locator("#new_password")).to_have_attribute("type", "password")


def test_a_double_click_submits_once_with_the_buttons_value(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/form")
    page.evaluate(
        """() => {
          const form = document.querySelector("main form");
          form.action = "/slow";
          const button = form.querySelector(".button--primary");
          button.name = "choice"; button.value = "登録";
        }"""
    )
    page.locator("main .button--primary").dblclick()
    page.wait_for_url("**/slow")
    expect(page.locator("p")).to_have_text("登録")
    assert server.asked == 1


def test_a_live_part_refreshes_itself(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/live-poll")
    expect(page.locator("#live")).to_have_text(LATER)


def test_polling_stops_when_the_markup_says_so(page: Page, server: Server) -> None:
    server.answers.append(Response(tile_html("おわり", polls=False)))
    page.goto(f"{server.url}/live-poll")
    expect(page.locator("#live")).to_have_text("おわり")
    page.wait_for_timeout(900)  # three intervals in which nothing must be asked
    assert server.asked == 1


def test_a_502_leaves_the_tiles_says_so_and_recovers(page: Page, server: Server) -> None:
    server.answers.append(Response("<h1>Bad Gateway</h1>", status=502))
    page.goto(f"{server.url}/live-poll")
    expect(page.locator("[data-poll-status]")).to_have_text(
        "サーバーと通信できません。再接続しています…"
    )
    expect(page.locator("#live")).to_have_text("はじめ")
    expect(page.locator("#live")).to_have_text(LATER, timeout=8000)
    expect(page.locator("[data-poll-status]")).to_be_empty()


def test_a_429_leaves_the_tiles_too(page: Page, server: Server) -> None:
    server.answers.append(Response("too many", status=429))
    page.goto(f"{server.url}/live-poll")
    expect(page.locator("[data-poll-status]")).to_have_attribute("data-failing", "")
    expect(page.locator("#live")).to_have_text("はじめ")


def test_a_refused_connection_is_survived(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/live-poll")
    page.route("**/live-partial", lambda route: route.abort("connectionrefused"))
    expect(page.locator("[data-poll-status]")).to_have_attribute("data-failing", "")
    page.unroute("**/live-partial")
    expect(page.locator("[data-poll-status]")).to_be_empty(timeout=8000)


def test_silence_ends_after_the_time_limit_and_polling_goes_on(page: Page, server: Server) -> None:
    page.clock.install()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/live-partial", hold)
    page.goto(f"{server.url}/live-poll")
    with page.expect_request("**/live-partial"):
        page.clock.run_for(1000)
    page.clock.run_for(10_000)
    expect(page.locator("[data-poll-status]")).to_have_attribute("data-failing", "")
    page.unroute("**/live-partial")
    page.clock.run_for(3000)
    expect(page.locator("[data-poll-status]")).to_be_empty()


def test_nothing_polls_while_the_page_is_hidden_and_it_asks_at_once_when_seen(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/live-poll")
    show = """(state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    expect(page.locator("#live")).to_have_text(re.compile("^回"))
    page.evaluate(show, "hidden")
    page.wait_for_timeout(400)  # one that was under way may still arrive
    before = server.asked
    page.wait_for_timeout(900)  # three intervals in which nothing must be asked
    assert server.asked == before
    with page.expect_response("**/live-partial"):
        page.evaluate(show, "visible")


def test_a_sign_out_elsewhere_leads_to_the_sign_in_page(page: Page, server: Server) -> None:
    server.answers.append(Response("", status=401, headers={"HX-Redirect": "/signin"}))
    page.goto(f"{server.url}/live-poll")
    page.wait_for_url("**/signin")


def test_a_whole_page_prints_on_white(page: Page, server: Server) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"{server.url}/review")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    expect(page.locator(".actions")).not_to_be_visible()
