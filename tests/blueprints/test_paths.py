"""Where a browser may be sent."""

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.blueprints import paths
from app.blueprints.paths import local_path


@pytest.mark.parametrize("target", ["/", "/manage", "/account/?a=1&b=2#c", "/設置先", "/a//b"])
def test_a_path_of_ours_stays(target: str) -> None:
    assert local_path(target) == target


@pytest.mark.parametrize("target", [None, "", "//x", "/\\x", "x", "/" + "a" * 2001, "/\u202e"])
def test_all_else_becomes_the_way_home(target: str | None) -> None:
    assert local_path(target) == "/"
    assert local_path(target, "/manage") == "/manage"


@given(st.text(alphabet="/\\:@.?#[]% \t\r\n\0ahtps", max_size=20))
def test_whatever_is_asked_for_has_no_host(target: str) -> None:
    led = local_path(target)
    assert led.startswith("/")
    assert led[1:2] not in ("/", "\\")
    assert led.isprintable()


SENDERS: list[tuple[dict[str, str], bool]] = [
    ({}, False),
    ({"Origin": "http://localhost"}, True),
    ({"Origin": "null", "Referer": "http://localhost/x"}, False),
    ({"Origin": "https://localhost"}, False),
    ({"Origin": "http://localhost:81"}, False),
    ({"Referer": "http://localhost/account/"}, True),
    ({"Referer": "http://localhost.evil.example.net/"}, False),
    ({"Referer": "http://[localhost"}, False),
]


def test_a_request_is_ours_if_the_browser_says_so(app: Flask) -> None:
    for headers, ours in SENDERS:
        with app.test_request_context(headers=headers):
            assert paths.is_ours() is ours, headers


def test_a_page_is_what_can_be_opened(app: Flask) -> None:
    with app.test_request_context():
        assert paths.is_page("/account/?a=1")
        assert paths.is_page("/account")
        assert not paths.is_page("/sign-out")
        assert not paths.is_page("/nowhere")


def test_the_page_a_request_came_from_keeps_its_query(app: Flask) -> None:
    with app.test_request_context(headers={"Referer": "http://localhost/account/?a=1#x"}):
        assert paths.referring_path() == "/account/?a=1"
    with app.test_request_context(headers={"Referer": "http://evil.example.net/account/"}):
        assert paths.referring_path() == ""
    with app.test_request_context():
        assert paths.referring_path() == ""
