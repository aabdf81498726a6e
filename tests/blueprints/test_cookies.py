"""Session cookies: Flask's own, checked by what is made once."""

from datetime import timedelta

import pytest
from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface, SessionInterface

from app.blueprints.cookies import Cookies


def cookie(app: Flask, interface: SessionInterface) -> str:
    """Return a cookie that says who is signed in."""
    app.session_interface = interface
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["_user_id"] = "taro"
    app.session_interface = Cookies()
    found = client.get_cookie("hidamari")
    assert found
    return found.value


def read(app: Flask, value: str) -> str | None:
    """Return who is signed in by a cookie."""
    with app.test_request_context(headers={"Cookie": f"hidamari={value}"}):
        return session.get("_user_id")


@pytest.mark.parametrize("interface", [SecureCookieSessionInterface(), Cookies()])
def test_a_cookie_is_read_whoever_of_both_signed_it(
    app: Flask, interface: SessionInterface
) -> None:
    value = cookie(app, interface)
    assert [read(app, value) for _ in range(2)] == ["taro", "taro"]


def test_a_cookie_that_was_changed_is_no_cookie(app: Flask) -> None:
    value = cookie(app, Cookies())
    payload, moment, signature = value.rsplit(".", 2)
    for changed in (
        f"{payload[:-2]}AA.{moment}.{signature}",
        f"{payload}.{moment}A.{signature}",
        f"{payload}.{moment}.{signature[::-1]}",
        payload,
        "",
    ):
        assert read(app, changed) is None


def test_a_cookie_is_good_for_as_long_as_a_session_at_most(app: Flask) -> None:
    value = cookie(app, Cookies())
    app.permanent_session_lifetime = timedelta(seconds=-1)
    assert read(app, value) is None


def test_after_a_change_of_the_secret_the_one_before_is_read_if_it_is_named(app: Flask) -> None:
    value, before = cookie(app, Cookies()), app.secret_key
    app.secret_key = "another secret that nobody knows"
    assert read(app, value) is None
    app.config["SECRET_KEY_FALLBACKS"] = [before]
    assert read(app, value) == "taro"
    newer = cookie(app, Cookies())
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert read(app, newer) == "taro"
