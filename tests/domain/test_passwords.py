"""What a good password is."""

from datetime import UTC, datetime, timedelta
from re import search

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.domain import passwords, tokens
from app.domain.passwords import (
    CommonPassword,
    PasswordLength,
    ResetUrlDead,
    WeakPassword,
    WrongPassword,
)
from app.extensions import db
from app.models import PasswordReset, Session
from app.transaction import transaction
from tests.factories import PASSWORD, CustomerFactory
from tests.signing_in import open_session

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize("password", ["Hinata88", "aB3-----", "Ab3" + "x" * 13, "Ａｂ３ｘｘｘｘｘ"])
def test_the_manuals_rule_takes(password: str) -> None:
    passwords.check(password, rule="manual")


@pytest.mark.parametrize(
    "password",
    ["", "Ab3xxxx", "Ab3" + "x" * 14, "ab3xxxxx", "AB3XXXXX", "Abcxxxxx", "ひなたぼっこ日和だよ"],
)
def test_the_manuals_rule_refuses(password: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        passwords.check(password, rule="manual")
    assert refusal.value.field == "password"


@pytest.mark.parametrize("password", ["ひなたぼっこ日和", "a rainy day in june", "x" * 128])
def test_the_modern_rule_takes_anything_of_its_length(password: str) -> None:
    passwords.check(password, rule="modern")


@pytest.mark.parametrize("password", ["", "1234567", "x" * 129, "ひなた"])
def test_the_modern_rule_refuses_for_length_alone(password: str) -> None:
    with pytest.raises(PasswordLength):
        passwords.check(password, rule="modern")


@pytest.mark.parametrize("rule", passwords.RULES)
def test_half_a_megabyte_is_refused_before_it_is_folded(
    rule: passwords.PasswordRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    # folding sorts marks by insertion: so many of them would keep a processor for minutes
    monkeypatch.setattr(passwords, "normalize", lambda *_: pytest.fail("it was folded"))
    with pytest.raises(WeakPassword):
        passwords.check("Ab3" + "\u0301\u0323" * 125_000, rule=rule)


@pytest.mark.parametrize(
    "password", ["Passw0rd", "PASSword123", "1Qaz2Wsx", "Ｐａｓｓｗ０ｒｄ", "Sakura2026"]
)
def test_a_common_password_is_refused_in_its_own_words(password: str) -> None:
    with pytest.raises(CommonPassword) as refusal:
        passwords.check(password, rule="manual")
    assert refusal.value.field == "password"


@pytest.mark.parametrize("password", ["Gateway-77", "Hidamari8", "2Solar!Battery"])
def test_the_portals_own_words_are_no_password(password: str) -> None:
    with pytest.raises(CommonPassword):
        passwords.check(password, rule="manual")


@pytest.mark.parametrize("password", ["Gateway7Uma", "Battering7", "8Hidamarimo"])
def test_they_may_be_part_of_one(password: str) -> None:
    passwords.check(password, rule="manual")


def test_half_a_character_is_refused() -> None:
    with pytest.raises(WeakPassword):
        passwords.check("abcdefgh\ud800", rule="modern")


def test_the_list_holds_only_what_the_rules_would_let_through() -> None:
    listed = passwords.common_passwords()
    assert all(8 <= len(entry) <= 16 and entry == entry.casefold() for entry in listed)
    # ASVS 6.2.4: 3,000 that the rule in force would take, if their case were mixed
    assert (
        sum(bool(search("[a-z].*[a-z]", each) and search("[0-9]", each)) for each in listed) > 3000
    )


@given(st.text(max_size=300))
def test_any_text_is_judged(password: str) -> None:
    for rule in passwords.RULES:
        try:
            passwords.check(password, rule=rule)
        except (WeakPassword, CommonPassword):
            continue


def session_of(app: Flask, email: str) -> Session:
    return open_session(email, now=NOW)


def test_changing_a_password_needs_the_present_one_and_a_good_new_one(app: Flask) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        session = session_of(app, "taro@example.org")
        for current, new, refusal in (
            ("Wrong-88", "Komorebi7", WrongPassword),
            (PASSWORD, "komorebi", WeakPassword),
            (PASSWORD, "Passw0rd", CommonPassword),
        ):
            with pytest.raises(refusal):
                passwords.change(
                    session, current, new, rule="manual", network_address="192.0.2.1", now=NOW
                )


def test_a_reset_url_is_judged_before_the_password(app: Flask) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        passwords.request_reset("taro@example.org", hours=2, now=NOW)
        row = db.session.query(PasswordReset).one()
        signed = tokens.sign("secret", passwords.PURPOSE, row.id, row.url_nonce)

        def reset(signed: str, new: str, now: datetime = NOW) -> None:
            passwords.reset(
                "secret", signed, new, rule="manual", network_address="192.0.2.1", now=now
            )

        with pytest.raises(WeakPassword):
            reset(signed, "komorebi")
        with pytest.raises(CommonPassword):
            reset(signed, "Passw0rd")
        with pytest.raises(ResetUrlDead):
            reset("forged", "komorebi")
        with pytest.raises(ResetUrlDead):
            reset(signed, "Komorebi7", NOW + timedelta(hours=2))
        reset(signed, "Komorebi7")
    with app.app_context(), pytest.raises(ResetUrlDead):
        passwords.find_reset("secret", signed, now=NOW)


def test_a_reset_url_of_an_account_that_was_locked_since_is_dead(app: Flask) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory(email="taro@example.org")
        passwords.request_reset("taro@example.org", hours=2, now=NOW)
        row = db.session.query(PasswordReset).one()
        taro.locked_at = NOW
        signed = tokens.sign("secret", passwords.PURPOSE, row.id, row.url_nonce)
        with pytest.raises(ResetUrlDead):
            passwords.find_reset("secret", signed, now=NOW)


def test_requests_of_a_week_ago_are_deleted(app: Flask) -> None:
    with app.app_context(), transaction():
        passwords.request_reset("taro@example.org", hours=2, now=NOW)
        passwords.request_reset("taro@example.org", hours=3, now=NOW)
        passwords.clear_old(NOW + timedelta(days=7, hours=2))
    with app.app_context():
        assert db.session.query(PasswordReset).one().expires_at == NOW + timedelta(hours=3)
