"""The live screen of the running demo: what it survives, and when it stops."""

import json
import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import TILE_REFRESH_S, Demo, OpenVisitor, Visitor

TILES = re.compile(r"/monitor/\w+/tiles")
AWAY = re.compile("再接続しています")
# how tiles are asked for has nothing to do with the size of the screen
ON_A_PHONE = pytest.mark.parametrize("size", ["phone"])


def watch_the_home(visit: OpenVisitor, demo: Demo) -> Visitor:
    """Sign in as the demo's customer and look at the first home."""
    visitor = visit()
    (who,) = json.loads((demo.data_dir / "demo" / "sign-ins.json").read_text())
    visitor.open("/monitor/sign-in")
    page = visitor.page
    page.locator('[name="email"]').fill(who["id"])
    page.locator('[name="password"]').fill(who["password"])
    page.get_by_role("button", name="ログイン", exact=True).click()
    page.get_by_role("link", name=re.compile("自宅")).first.click()
    expect(page.locator("#live time").first).to_be_visible(timeout=20_000)
    return visitor


@ON_A_PHONE
def test_tiles_survive_a_502_a_refused_connection_and_a_minute_of_silence(
    visit: OpenVisitor, demo: Demo
) -> None:
    visitor = watch_the_home(visit, demo)
    visitor.provoked += ["502", "ERR_CONNECTION_REFUSED"]
    page = visitor.page
    faults: list[Callable[[Route], None]] = [
        lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"),
        lambda route: route.abort("connectionrefused"),
    ]
    for fault in faults:
        page.route(TILES, fault, times=1)
        expect(page.get_by_text(AWAY)).to_be_visible(timeout=20_000)
        expect(page.locator("#live time").first).to_be_visible()
        assert "Bad gateway" not in page.content()
        expect(page.get_by_text(AWAY)).to_be_hidden(timeout=20_000)

    # a minute in which no answer comes: the page's own clock runs ahead, the network does not
    page.clock.install()
    page.reload()
    page.route(TILES, lambda _route: None)
    for _ in range(12):
        page.clock.run_for(5_000)
    expect(page.get_by_text(AWAY)).to_be_visible()
    expect(page.locator("#live time").first).to_be_visible()
    page.unroute(TILES)
    for _ in range(4):
        # what hung ends, or the next try is due; the answer takes real time, not the page's
        page.clock.fast_forward(31_000)
        with suppress(AssertionError):
            expect(page.get_by_text(AWAY)).to_be_hidden(timeout=5_000)
            break
    expect(page.get_by_text(AWAY)).to_be_hidden()


@ON_A_PHONE
def test_a_live_page_that_was_signed_out_elsewhere_leads_to_sign_in_and_polls_no_more(
    visit: OpenVisitor, demo: Demo
) -> None:
    visitor = watch_the_home(visit, demo)
    page = visitor.page
    other = page.context.new_page()
    other.goto(demo.url + "/monitor")
    if other.locator("summary", has_text="メニュー").is_visible():
        other.locator("summary", has_text="メニュー").click()
    other.get_by_role("button", name="ログアウト").locator("visible=true").first.click()
    # a page that is closed while it goes on to the next may never be: that wait has no limit
    expect(other.get_by_role("button", name="ログイン", exact=True)).to_be_visible()
    other.close()
    expect(page.get_by_role("button", name="ログイン", exact=True)).to_be_visible(timeout=20_000)
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    page.wait_for_timeout(3 * TILE_REFRESH_S * 1000)
    assert not [url for url in polls if TILES.search(url)]


@pytest.mark.drill  # it takes a minute of real silence
def test_a_home_that_goes_silent_says_how_old_its_values_are(
    visit: OpenVisitor, demo: Demo, size: str
) -> None:
    visitor = watch_the_home(visit, demo)
    page = visitor.page
    gateway_id = page.url.rstrip("/").rpartition("/")[2]
    demo.simulator("offline", gateway_id)
    try:
        # older than a minute: every value has its age
        expect(page.locator("#live .age")).to_be_visible(timeout=90_000)
        visitor.check_page()
    finally:
        demo.simulator("online", gateway_id)
    expect(page.locator("#live .age")).to_be_hidden(timeout=90_000)


def test_the_tab_tells_the_state(visit: OpenVisitor, demo: Demo) -> None:
    visitor = watch_the_home(visit, demo)
    expect(visitor.page).to_have_title(re.compile("^正常動作中 – 自宅"))
