"""Tokens of the API: who makes them, and when they are good."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.domain import api_tokens, closing, desk, passwords, tokens
from app.domain.api_tokens import NoLifetime, NoName, NoScope, TooMany
from app.domain.errors import NotFound
from app.extensions import db
from app.models import Account, ApiToken, AuditEntry, OutboxMail, PasswordReset
from app.transaction import transaction
from tests.factories import (
    PASSWORD,
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
)
from tests.racing import at_once

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def taro(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(CustomerFactory(email="taro@example.org", language="en").id)


def get(account_id: int) -> Account:
    return db.session.get_one(Account, account_id)


def create(
    account_id: int,
    *,
    name: str = "表計算",
    scopes: tuple[str, ...] = ("latest",),
    days: int = 30,
    now: datetime = NOW,
) -> tuple[int, str]:
    token, text = api_tokens.create(
        get(account_id), name, scopes, days, network_address="192.0.2.1", now=now
    )
    return token.id, text


def make(app: Flask, account_id: int, **how: object) -> tuple[int, str]:
    with app.app_context(), transaction():
        return create(account_id, **how)  # type: ignore[arg-type]


def is_good(app: Flask, text: str, now: datetime = NOW) -> bool:
    with app.app_context():
        return api_tokens.find(text, now) is not None


def test_a_token_tells_whose_it_is_and_what_it_may_read(app: Flask, taro: int) -> None:
    _, text = make(app, taro, scopes=("history", "latest"))
    with app.app_context():
        bearer = api_tokens.find(text, NOW)
        assert bearer
        assert bearer.account.id == taro
        assert bearer.scopes == {"latest", "history"}


def test_what_is_kept_of_a_token_does_not_open_anything(app: Flask, taro: int) -> None:
    token_id, text = make(app, taro)
    with app.app_context():
        row = db.session.get_one(ApiToken, token_id)
        kept = {str(getattr(row, column.key)) for column in ApiToken.__table__.columns}
        logged = db.session.scalars(select(AuditEntry)).all()
        mails = db.session.scalars(select(OutboxMail)).all()
    assert text.startswith("hdm_")
    assert len(text) == 47
    assert row.begins == text[:10]
    told = [*kept, *(str(vars(one)) for one in (*logged, *mails))]
    assert not [words for words in told if text in words]
    assert not [words for words in kept if is_good(app, words)]


def test_making_and_revoking_are_logged_and_making_is_mailed(app: Flask, taro: int) -> None:
    token_id, _ = make(app, taro)
    with app.app_context(), transaction():
        api_tokens.revoke(get(taro), token_id, network_address="192.0.2.1", now=NOW)
    with app.app_context():
        logged = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        told = [(one.action, one.actor_id, one.subject, one.subject_id) for one in logged]
        mail = db.session.scalars(select(OutboxMail)).one()
    assert told == [
        ("api_token.created", taro, "api_token", token_id),
        ("api_token.revoked", taro, "api_token", token_id),
    ]
    assert (mail.template, mail.to, mail.language) == (
        "api_token_created",
        "taro@example.org",
        "en",
    )


def test_a_token_is_good_until_its_day_or_until_it_is_revoked(app: Flask, taro: int) -> None:
    token_id, text = make(app, taro, days=30)
    assert is_good(app, text, NOW + 30 * DAY - timedelta(seconds=1))
    assert not is_good(app, text, NOW + 30 * DAY)
    with app.app_context(), transaction():
        api_tokens.revoke(get(taro), token_id, network_address="", now=NOW)
    assert not is_good(app, text)


@pytest.mark.parametrize("column", ["locked_at", "closed_at"])
def test_a_locked_or_closed_account_ends_its_tokens_at_once(
    app: Flask, taro: int, column: str
) -> None:
    _, text = make(app, taro)
    with app.app_context(), transaction():
        setattr(get(taro), column, NOW)
    assert not is_good(app, text)


def test_a_password_set_by_mail_and_a_lock_by_the_desk_revoke_all_tokens(
    app: Flask, taro: int
) -> None:
    for act in ("mail", "desk"):
        _, text = make(app, taro)
        with app.app_context(), transaction():
            if act == "desk":
                call = desk.Call(OperatorFactory(), "電話で", "192.0.2.1", NOW)
                desk.lock(call, taro)
                desk.unlock(call, taro)
            else:
                passwords.request_reset(get(taro).email, hours=2, now=NOW)
                row = db.session.scalars(select(PasswordReset)).one()
                signed = tokens.sign("secret", passwords.PURPOSE, row.id, row.url_nonce)
                passwords.reset(
                    "secret", signed, "Komorebi7", rule="manual", network_address="", now=NOW
                )
        assert not is_good(app, text), act


def test_dealers_people_may_have_tokens_and_operators_none(app: Flask) -> None:
    with app.app_context(), transaction():
        hanako, ichiro = DealerPersonFactory().id, OperatorFactory().id
    _, text = make(app, hanako)
    assert is_good(app, text)
    with app.app_context():
        for refused in (api_tokens.check_role, api_tokens.list_of):
            with pytest.raises(NotFound):
                refused(get(ichiro))
    with pytest.raises(NotFound):
        make(app, ichiro)
    # nor does the token of somebody who became one open anything
    with app.app_context(), transaction():
        get(hanako).dealer_id, get(hanako).role = None, "operator"
    assert not is_good(app, text)


def test_a_strangers_token_can_be_neither_shown_nor_revoked(app: Flask, taro: int) -> None:
    token_id, text = make(app, taro)
    with app.app_context(), transaction():
        stranger = CustomerFactory().id
    with app.app_context():
        with pytest.raises(NotFound):
            api_tokens.get_own(get(stranger), token_id)
        with pytest.raises(NotFound):
            api_tokens.revoke(get(stranger), token_id, network_address="", now=NOW)
        assert api_tokens.list_of(get(stranger)) == []
        assert api_tokens.get_own(get(taro), token_id).id == token_id
    assert is_good(app, text)


def test_a_token_is_revoked_once(app: Flask, taro: int) -> None:
    token_id, _ = make(app, taro)

    def revoke() -> object:
        api_tokens.revoke(get(taro), token_id, network_address="", now=NOW)
        return "revoked"

    told = at_once(app, revoke, revoke)
    assert sorted(map(str, told)) == sorted([str(NotFound), "revoked"])


def test_ten_good_tokens_are_enough_whoever_comes_first(app: Flask, taro: int) -> None:
    first, _ = make(app, taro)
    for _number in range(8):
        make(app, taro)
    told = at_once(app, lambda: create(taro), lambda: create(taro))
    assert TooMany in told
    assert len([one for one in told if one is not TooMany]) == 1
    with app.app_context(), transaction():
        api_tokens.revoke(get(taro), first, network_address="", now=NOW)
    make(app, taro)
    # those that are over count no more
    make(app, taro, now=NOW + 31 * DAY)


def test_what_a_token_is_asked_to_be_is_judged(app: Flask, taro: int) -> None:
    for wrong in ("", " ", "\u200b", "a" * 41):
        with pytest.raises(NoName):
            make(app, taro, name=wrong)
    for scopes in ((), ("everything",), ("latest", "write")):
        with pytest.raises(NoScope):
            make(app, taro, scopes=scopes)
    for days in (0, -1, 31, 3650):
        with pytest.raises(NoLifetime):
            make(app, taro, days=days)


@given(st.text() | st.text(max_size=60).map("hdm_".__add__))
def test_rubbish_is_no_token(app: Flask, text: str) -> None:
    assert not is_good(app, text)


def test_the_last_use_is_written_once_an_hour(app: Flask, taro: int) -> None:
    token_id, text = make(app, taro)
    written = []
    for minutes in (0, 59, 60, 61):
        now = NOW + timedelta(minutes=minutes)
        with app.app_context(), transaction():
            bearer = api_tokens.find(text, now)
            assert bearer
            if api_tokens.needs_note(bearer, now):
                # a second request that saw the same writes nothing
                api_tokens.note_use(bearer, now)
                api_tokens.note_use(bearer, now + timedelta(seconds=1))
        with app.app_context():
            written.append(db.session.get_one(ApiToken, token_id).last_used_at)
    assert written == [NOW, NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=1)]


def test_tokens_that_are_long_over_go(app: Flask, taro: int) -> None:
    revoked, _ = make(app, taro, days=365)
    make(app, taro, days=30)
    kept, _ = make(app, taro, days=365)
    with app.app_context(), transaction():
        api_tokens.revoke(get(taro), revoked, network_address="", now=NOW + 30 * DAY)
    with app.app_context(), transaction():
        assert api_tokens.clear_old(NOW + 59 * DAY) == 0
    with app.app_context(), transaction():
        assert api_tokens.clear_old(NOW + 60 * DAY) == 2
        assert db.session.scalars(select(ApiToken.id)).all() == [kept]


def test_erasing_an_account_deletes_its_tokens(app: Flask, taro: int) -> None:
    _, text = make(app, taro, days=365)
    with app.app_context(), transaction():
        closing.close(get(taro), PASSWORD, network_address="192.0.2.1", now=NOW)
    assert not is_good(app, text)
    with app.app_context(), transaction():
        closing.erase_some(NOW + 31 * DAY, keep_days=30)
        assert db.session.scalar(select(func.count()).select_from(ApiToken)) == 0
