"""What a poll finds by one statement is what `sessions.find` and `get_live` find by two."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from app.domain import live, sessions
from app.domain.errors import NotFound
from app.domain.live import Live
from app.domain.sessions import Lifetime, Lifetimes
from app.extensions import db
from app.models import Account, Heartbeat, Installation, Latest, Session
from app.transaction import transaction
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LIFETIMES = Lifetimes(
    customer=Lifetime(timedelta(days=30), timedelta(days=90)),
    staff=Lifetime(timedelta(hours=12), timedelta(days=7)),
)


@pytest.fixture
def home(app: Flask) -> tuple[str, str]:
    """Give the session's token and the gateway's public ID of a household at home."""
    with app.app_context(), transaction():
        home = InstallationFactory(opened_at=NOW - timedelta(days=9))
        db.session.add(
            Latest(
                gateway_id=home.gateway_id,
                installation_id=home.id,
                day=date(2026, 11, 22),
                taken_at=NOW - timedelta(seconds=90),
                state="running",
                alarms=[],
                pv_now_w=3210.0,
                soc_pct=63.6,
                pv_today_wh=7654.0,
            )
        )
        db.session.add(Heartbeat(name="poller", at=NOW, back_at=NOW - timedelta(days=1)))
        # neighbours who are none of its business
        db.session.flush()
        for _ in range(2):
            other = InstallationFactory()
            sessions.begin(other.account, network_address="192.0.2.9", browser="", now=NOW)
        account = home.account
        sessions.begin(account, network_address="192.0.2.1", browser="", now=NOW)
        return account.session_token, home.gateway.public_id


def polled(app: Flask, token: str, public_id: str, at: datetime) -> tuple[int, str, Live] | None:
    with app.app_context():
        found = live.poll(token, public_id, at, zone="Asia/Tokyo", lifetimes=LIFETIMES)
    return (found[0].id, found[0].account.display_name, found[1]) if found else None


def paged(app: Flask, token: str, public_id: str, at: datetime) -> tuple[int, str, Live] | None:
    with app.app_context():
        session = sessions.find(token, now=at, lifetimes=LIFETIMES)
        if session is None:
            return None
        try:
            shown = live.get_live(session.account, public_id, at, zone="Asia/Tokyo")
        except NotFound:
            return None
        return session.id, session.account.display_name, shown


def test_a_poll_finds_what_a_page_finds(app: Flask, home: tuple[str, str]) -> None:
    found = polled(app, *home, NOW)
    assert found
    assert found == paged(app, *home, NOW)
    assert found[2].pv_w == 3210.0


def end() -> None:
    for session in db.session.query(Session):
        session.ended_at = NOW


def lock() -> None:
    for account in db.session.query(Account):
        account.locked_at = NOW


def close() -> None:
    for account in db.session.query(Account):
        account.closed_at = NOW


def remove() -> None:
    for installation in db.session.query(Installation):
        installation.closed_at = NOW


@pytest.mark.parametrize("happens", [end, lock, close, remove])
def test_what_ends_a_page_ends_a_poll(
    app: Flask, home: tuple[str, str], happens: Callable[[], None]
) -> None:
    with app.app_context(), transaction():
        happens()
    assert polled(app, *home, NOW) is None
    assert paged(app, *home, NOW) is None


@pytest.mark.parametrize("days", [29.9, 30, 90])
def test_a_session_lasts_as_long_for_a_poll_as_for_a_page(
    app: Flask, home: tuple[str, str], days: float
) -> None:
    at = NOW + timedelta(days=days)
    assert polled(app, *home, at) == paged(app, *home, at)
    assert (polled(app, *home, at) is None) == (days >= 30)


def test_a_poll_finds_no_strangers_gateway_and_nobody_by_a_wrong_token(
    app: Flask, home: tuple[str, str]
) -> None:
    token, public_id = home
    with app.app_context(), transaction():
        unowned = GatewayFactory().public_id
        strangers = InstallationFactory(account=CustomerFactory()).gateway.public_id
    for wrong in ((token, unowned), (token, strangers), ("x", public_id), ("", public_id)):
        assert polled(app, *wrong, NOW) is None
