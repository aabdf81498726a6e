"""Who is signed in, for how long, and how that ends."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from flask import Flask

from app.domain import accounts, passwords, sessions, tokens
from app.domain.accounts import WrongCredentials
from app.domain.sessions import Lifetime, Lifetimes
from app.extensions import db, hasher
from app.models import Account, AuditEntry, Session
from app.transaction import transaction
from tests.factories import PASSWORD, CustomerFactory, DealerPersonFactory, OperatorFactory
from tests.signing_in import open_session

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
LIFETIMES = Lifetimes(
    customer=Lifetime(timedelta(days=30), timedelta(days=90)),
    staff=Lifetime(timedelta(hours=12), timedelta(days=7)),
)


def begin(app: Flask, email: str, password: str = PASSWORD, at: datetime = NOW) -> str:
    with app.app_context(), transaction():
        session = open_session(email, password, browser="Firefox\0 150", now=at)
        return session.account.session_token


def found(app: Flask, token: str, at: datetime) -> int | None:
    with app.app_context():
        session = sessions.find(token, now=at, lifetimes=LIFETIMES)
        return session.account_id if session else None


@pytest.fixture
def taro(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(CustomerFactory(email="taro@example.org").id)


def test_a_session_is_a_row_that_does_not_hold_its_token(app: Flask, taro: int) -> None:
    token = begin(app, "taro@example.org")
    with app.app_context():
        row = db.session.query(Session).one()
        assert (row.account_id, row.token_hash) == (taro, tokens.digest(token))
        assert (row.network_address, row.browser) == ("192.0.2.1", "Firefox 150")
        assert db.session.query(AuditEntry).one().action == "signed_in"
    assert found(app, token, NOW) == taro
    assert found(app, "another", NOW) is None


@pytest.mark.parametrize("typed", ["Taro@Example.ORG", "　ｔａｒｏ＠example.org "])
def test_a_user_id_is_known_however_it_is_typed(app: Flask, taro: int, typed: str) -> None:
    assert found(app, begin(app, typed), NOW) == taro


@pytest.mark.parametrize("password", ["", "hinata88", "Hinata88 ", "x" * 100_000, "Ｈinata8"])
def test_a_wrong_password_is_refused(app: Flask, taro: int, password: str) -> None:
    with pytest.raises(WrongCredentials):
        begin(app, "taro@example.org", password)


def test_a_password_in_full_width_is_the_same(app: Flask, taro: int) -> None:
    assert begin(app, "taro@example.org", "Ｈｉｎａｔａ８８")


@pytest.mark.parametrize("typed", ["", "hanako@example.org", "\0", "taro@example.org\0x", "%"])
def test_an_unknown_id_is_refused(app: Flask, taro: int, typed: str) -> None:
    with pytest.raises(WrongCredentials):
        begin(app, typed)


@pytest.mark.parametrize("ended", ["locked_at", "closed_at"])
def test_locked_and_closed_accounts_are_refused_in_the_same_words(app: Flask, ended: str) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org", **{ended: NOW})
    with pytest.raises(WrongCredentials):
        begin(app, "taro@example.org")


def test_the_next_request_of_a_locked_account_finds_no_session(app: Flask, taro: int) -> None:
    token = begin(app, "taro@example.org")
    with app.app_context(), transaction():
        account = db.session.get_one(Account, taro)
        account.locked_at = NOW
    assert found(app, token, NOW) is None


def test_customers_stay_30_days_idle_and_90_at_most(app: Flask, taro: int) -> None:
    token = begin(app, "taro@example.org")
    assert found(app, token, NOW + timedelta(days=30, seconds=-1)) == taro
    assert found(app, token, NOW + timedelta(days=30)) is None
    for day in (29, 58, 87):
        see(app, token, NOW + timedelta(days=day))
    assert found(app, token, NOW + timedelta(days=90, seconds=-1)) == taro
    assert found(app, token, NOW + timedelta(days=90)) is None


@pytest.mark.parametrize("make", [DealerPersonFactory, OperatorFactory])
def test_staff_stay_12_hours_idle_and_7_days_at_most(
    app: Flask, make: type[DealerPersonFactory] | type[OperatorFactory]
) -> None:
    with app.app_context(), transaction():
        make(email="staff@example.org", factor=None)
    token = begin(app, "staff@example.org")
    assert found(app, token, NOW + timedelta(hours=12)) is None
    for quarter in range(1, 28):
        see(app, token, NOW + timedelta(hours=6 * quarter))
    assert found(app, token, NOW + timedelta(days=7, seconds=-1))
    assert found(app, token, NOW + timedelta(days=7)) is None


def see(app: Flask, token: str, at: datetime) -> None:
    with app.app_context():
        session = sessions.find(token, now=at, lifetimes=LIFETIMES)
        assert session
        with transaction():
            sessions.touch(session, at)


def test_a_touch_is_written_at_most_once_a_minute(app: Flask, taro: int) -> None:
    token = begin(app, "taro@example.org")
    for second in (30, 59, 60, 100, 119):
        see(app, token, NOW + timedelta(seconds=second))
    with app.app_context():
        seen = db.session.query(Session).one()
        assert seen.last_seen_at == NOW + timedelta(seconds=60)
        assert not sessions.needs_touch(seen, NOW + timedelta(seconds=119))
        assert sessions.needs_touch(seen, NOW + timedelta(seconds=120))


def test_an_outdated_hash_is_renewed_by_signing_in(app: Flask, taro: int) -> None:
    hasher.init(time_cost=2, memory_kib=8)
    begin(app, "taro@example.org")
    with app.app_context():
        assert not hasher.is_outdated(db.session.get_one(Account, taro).password_hash)
    begin(app, "taro@example.org")


def test_ending_one_session_leaves_the_others(app: Flask, taro: int) -> None:
    phone, pc = begin(app, "taro@example.org"), begin(app, "taro@example.org")
    with app.app_context(), transaction():
        session = sessions.find(phone, now=NOW, lifetimes=LIFETIMES)
        assert session
        sessions.end(session, NOW)
    assert found(app, phone, NOW) is None
    assert found(app, pc, NOW) == taro
    with app.app_context():
        assert sessions.owner_id(phone) == taro
        assert sessions.owner_id("another") is None


def test_ending_all_can_spare_the_one_at_hand_and_strangers(app: Flask, taro: int) -> None:
    with app.app_context(), transaction():
        hanako = CustomerFactory(email="hanako@example.org").id
    phone, pc = begin(app, "taro@example.org"), begin(app, "taro@example.org")
    stranger = begin(app, "hanako@example.org")
    with app.app_context(), transaction():
        session = sessions.find(phone, now=NOW, lifetimes=LIFETIMES)
        assert session
        sessions.end_all(session.account, NOW, but=session)
    assert found(app, phone, NOW) == taro
    assert found(app, pc, NOW) is None
    assert found(app, stranger, NOW) == hanako


def test_a_sign_in_under_way_while_the_password_changes_leaves_no_session(
    app: Flask, taro: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old password is verified, then changed by another, then the sign-in goes on."""
    verified, changed = Event(), Event()
    authenticate = accounts.authenticate

    def slowly(email: str, password: str) -> Account:
        account = authenticate(email, password)
        verified.set()
        assert changed.wait(10)
        return account

    token = begin(app, "taro@example.org")
    with ThreadPoolExecutor(1) as threads:
        with monkeypatch.context() as patched:
            patched.setattr(accounts, "authenticate", slowly)
            late = threads.submit(begin, app, "taro@example.org")
            assert verified.wait(10)
        with app.app_context(), transaction():
            session = sessions.find(token, now=NOW, lifetimes=LIFETIMES)
            assert session
            passwords.change(
                session, PASSWORD, "Komorebi7", rule="manual", network_address="x", now=NOW
            )
        changed.set()
        with pytest.raises(WrongCredentials):
            late.result()


def test_a_kept_form_belongs_to_its_page_and_goes_with_the_session(app: Flask, taro: int) -> None:
    token = begin(app, "taro@example.org")

    def session() -> Session:
        one = sessions.find(token, now=NOW, lifetimes=LIFETIMES)
        assert one
        return one

    with app.app_context(), transaction():
        sessions.keep_form(session(), "/account/", [("city", "京都市"), ("city", "宇治市")])
    with app.app_context(), transaction():
        assert sessions.kept_form(session(), "/account/") == [
            ("city", "京都市"),
            ("city", "宇治市"),
        ]
        assert sessions.kept_form(session(), "/manage") == []
        sessions.drop_kept_form(session())
    with app.app_context(), transaction():
        assert sessions.kept_form(session(), "/account/") == []
        sessions.keep_form(session(), "/account/", [("city", "京都市")])
        sessions.end(session(), NOW)
    with app.app_context():
        assert db.session.query(Session).one().kept_form is None


def test_sessions_of_long_ago_are_deleted(app: Flask, taro: int) -> None:
    begin(app, "taro@example.org")
    late = begin(app, "taro@example.org", at=NOW + timedelta(days=1))
    with app.app_context(), transaction():
        sessions.clear_old(NOW + timedelta(days=90), longest=timedelta(days=90))
    with app.app_context():
        assert db.session.query(Session).one().token_hash == tokens.digest(late)
