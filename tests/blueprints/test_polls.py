"""Polls answered before Flask looks at them say what Flask says."""

from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.blueprints.monitor.polls import Polls
from app.domain import live
from app.extensions import db
from app.models import Latest, PollState, Session
from app.transaction import transaction
from tests.blueprints.test_monitor import NOW, _still_clock, add_home  # noqa: F401
from tests.factories import CustomerFactory
from tests.signing_in import sign_in

TILES = "/monitor/HDM100000001/tiles"
SHOWN = ("Content-Type", "HX-PTag", "Cache-Control", "Content-Security-Policy", "Vary")


@pytest.fixture
def home(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser of somebody who watches a home."""
    add_home(app)
    return sign_in(client, "taro@example.org")


def by_flask(monkeypatch: pytest.MonkeyPatch, client: FlaskClient, **asked: object) -> TestResponse:
    """Return what Flask's own view answers."""
    with monkeypatch.context() as patch:
        patch.setattr(Polls, "answer", lambda *_asked: None)
        return client.get(TILES, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(
    "changes",
    [
        {"state": "running"},
        {"taken_at": NOW - timedelta(minutes=7), "alarms": ["0x01"]},
        {"taken_at": NOW - timedelta(days=2)},
        {"taken_at": None, "pv_now_w": None},
        {"soc_pct": None, "battery_now_w": None, "day": None},
    ],
    ids=["running", "fault", "lost", "new", "unknown"],
)
def test_both_say_the_same(
    app: Flask,
    home: FlaskClient,
    changes: dict[str, object],
    language: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.post("/language/", data={"language": language})
    with app.app_context(), transaction():
        db.session.execute(db.update(Latest).values(**changes))
    quick, slow = home.get(TILES), by_flask(monkeypatch, home)
    assert quick.status_code == slow.status_code == 200
    assert quick.data == slow.data
    assert "<title>" in quick.text
    assert {name: quick.headers.get(name) for name in SHOWN} == {
        name: slow.headers.get(name) for name in SHOWN
    }
    tag = {"HX-PTag": quick.headers["HX-PTag"]}
    for answer in (home.get(TILES, headers=tag), by_flask(monkeypatch, home, headers=tag)):
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["HX-PTag"] == tag["HX-PTag"]


def test_a_poll_never_reaches_flask(home: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flask, "full_dispatch_request", None)
    assert home.get(TILES).status_code == 200


def test_a_poll_notes_the_sign_of_life_and_that_somebody_watches(
    app: Flask, home: FlaskClient
) -> None:
    with app.app_context(), transaction():
        db.session.execute(db.update(Session).values(last_seen_at=NOW - timedelta(hours=1)))
    home.get(TILES)
    with app.app_context():
        assert db.session.scalar(db.select(Session.last_seen_at)) == NOW
        watched_until = db.session.scalar(db.select(PollState.watched_until))
        assert isinstance(watched_until, datetime)
        assert watched_until > NOW


def test_what_is_not_theirs_is_refused_as_ever(app: Flask, client: FlaskClient) -> None:
    add_home(app)
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
    anonymous = client.get(TILES, headers={"HX-Request": "true"})
    assert "sign-in" in anonymous.headers["HX-Redirect"]
    sign_in(client, "hanako@example.org")
    assert client.get(TILES).status_code == 404
    assert client.get(TILES, headers={"Host": "evil.example.net"}).status_code == 400


def test_a_cookie_that_nobody_signed_is_none(home: FlaskClient) -> None:
    cookie = home.get_cookie("hidamari")
    assert cookie
    home.set_cookie("hidamari", cookie.value[:-2] + "xx")
    assert home.get(TILES).status_code == 302


def test_a_database_that_does_not_answer_is_told_as_on_any_page(
    home: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_asked: object, **_named: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(live, "poll", fail)
    monkeypatch.setattr(live, "get_live", fail)
    assert home.get(TILES).status_code == 503
