"""Passkeys: what is taken from a device, and what is not."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.domain import passkeys
from app.domain.errors import NotFound
from app.domain.passkeys import (
    ADD,
    CONFIRM,
    SIGN_IN,
    AlreadyThere,
    NoName,
    NotMade,
    PasskeyCloned,
    PasskeyRefused,
    Site,
    TooMany,
)
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, Passkey, PasskeyChallenge
from app.transaction import transaction
from tests.authenticator import Authenticator, bytes_of, text_of
from tests.factories import CustomerFactory, PasskeyFactory
from tests.racing import at_once

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
SITE = Site("localhost", "遠隔モニタリングサービス", ("http://localhost",))


def get(account_id: int) -> Account:
    return db.session.get_one(Account, account_id)


def add(app: Flask, account_id: int, device: Authenticator, name: str = "電話") -> int:
    with app.app_context(), transaction():
        challenge, options = passkeys.ask_to_make(SITE, get(account_id), NOW)
        return passkeys.add(
            SITE,
            get(account_id),
            challenge,
            device.make(options),
            user_handle=bytes_of(options["user"]["id"]),
            name=name,
            network_address="192.0.2.1",
            now=NOW,
        ).id


def prove(app: Flask, device: Authenticator, only: int | None = None) -> int:
    with app.app_context(), transaction():
        owner = get(only) if only else None
        challenge, options = passkeys.ask_to_sign(SITE, SIGN_IN, owner, NOW)
        return passkeys.prove(
            SITE,
            challenge,
            device.sign(options),
            network_address="192.0.2.1",
            now=NOW,
            only=owner,
        ).id


@pytest.fixture
def taro(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(CustomerFactory().id)


@pytest.fixture
def device(app: Flask, taro: int) -> Authenticator:
    """Give Taro's phone, with a passkey."""
    device = Authenticator()
    add(app, taro, device)
    return device


def test_a_device_that_made_a_passkey_shows_whose_it_is(
    app: Flask, taro: int, device: Authenticator
) -> None:
    assert prove(app, device) == taro
    assert prove(app, device, only=taro) == taro
    with app.app_context():
        row = db.session.scalars(select(Passkey)).one()
        assert (row.sign_count, row.last_used_at, row.transports) == (2, NOW, ["internal"])
        assert row.name == "電話"


def test_a_device_that_does_not_count_is_taken_again_and_again(app: Flask, taro: int) -> None:
    device = Authenticator(counts=False)
    add(app, taro, device)
    assert [prove(app, device) for _ in range(3)] == [taro] * 3


def test_what_the_page_asks_of_a_device(app: Flask, taro: int, device: Authenticator) -> None:
    with app.app_context(), transaction():
        _challenge, making = passkeys.ask_to_make(SITE, get(taro), NOW)
        _challenge, signing = passkeys.ask_to_sign(SITE, SIGN_IN, None, NOW)
        _challenge, confirming = passkeys.ask_to_sign(SITE, CONFIRM, get(taro), NOW)
    chosen = making["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    # known by the same handle, which tells nothing of the account
    assert bytes_of(making["user"]["id"]) == device.user_handle
    assert len(device.user_handle) == 32
    assert [bytes_of(one["id"]) for one in making["excludeCredentials"]] == [device.credential_id]
    assert signing["userVerification"] == "required"
    assert not signing.get("allowCredentials")
    assert len(confirming["allowCredentials"]) == 1


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "http://evil.example.net"},
        {"origin": "http://localhost:8001"},
        {"origin": "https://localhost"},
        {"rp_id": "example.net"},
        {"verifies": False},
        {"user_handle": b"somebody else"},
        {"user_handle": b""},
    ],
    ids="-".join,
)
def test_a_forged_answer_opens_nothing(
    app: Flask, device: Authenticator, lie: dict[str, object]
) -> None:
    for name, value in lie.items():
        setattr(device, name, value)
    with pytest.raises(PasskeyRefused):
        prove(app, device)


@pytest.mark.parametrize(
    "lie",
    [{"origin": "http://evil.example.net"}, {"rp_id": "example.net"}, {"verifies": False}],
)
def test_a_forged_passkey_is_not_kept(app: Flask, taro: int, lie: dict[str, str]) -> None:
    with pytest.raises(NotMade):
        add(app, taro, Authenticator(**lie))  # type: ignore[arg-type]
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Passkey)) == 0


def test_another_challenge_another_key_or_a_changed_sign_opens_nothing(
    app: Flask, taro: int, device: Authenticator
) -> None:
    stranger = Authenticator(credential_id=device.credential_id, user_handle=device.user_handle)
    with pytest.raises(PasskeyRefused):
        prove(app, stranger)
    with app.app_context(), transaction():
        challenge, options = passkeys.ask_to_sign(SITE, SIGN_IN, None, NOW)
        answer = device.sign(options)
        changed = json.loads(answer)
        signature = bytearray(bytes_of(changed["response"]["signature"]))
        signature[-1] ^= 1
        changed["response"]["signature"] = text_of(bytes(signature))
        for forged, asked in ((answer, b"x" * 32), (json.dumps(changed), challenge)):
            with pytest.raises(PasskeyRefused):
                passkeys.prove(SITE, asked, forged, network_address="", now=NOW)


@given(
    st.one_of(
        st.text(max_size=300),
        st.recursive(
            st.one_of(st.none(), st.text(max_size=20), st.integers()),
            lambda inner: st.dictionaries(
                st.sampled_from(
                    [
                        "id",
                        "rawId",
                        "response",
                        "type",
                        "clientDataJSON",
                        "signature",
                        "authenticatorData",
                        "attestationObject",
                        "userHandle",
                    ]
                ),
                inner,
            ),
            max_leaves=12,
        ).map(json.dumps),
    )
)
def test_rubbish_is_refused_and_breaks_nothing(app: Flask, rubbish: str) -> None:
    with app.app_context(), pytest.raises(PasskeyRefused):
        passkeys.prove(SITE, b"x" * 32, rubbish, network_address="", now=NOW)
    with app.app_context(), pytest.raises(NotMade):
        passkeys.add(
            SITE,
            Account(),
            b"x" * 32,
            rubbish,
            user_handle=b"x",
            name="x",
            network_address="",
            now=NOW,
        )


def test_a_very_long_answer_is_not_even_read(app: Flask, taro: int) -> None:
    with app.app_context(), pytest.raises(PasskeyRefused):
        passkeys.prove(SITE, b"", "[" * 100_000, network_address="", now=NOW)


@pytest.mark.parametrize("ended", ["locked_at", "closed_at"])
def test_a_locked_or_closed_account_has_no_way_in(
    app: Flask, taro: int, device: Authenticator, ended: str
) -> None:
    with app.app_context(), transaction():
        setattr(get(taro), ended, NOW)
    with pytest.raises(PasskeyRefused):
        prove(app, device)


def test_somebody_elses_passkey_confirms_nothing(
    app: Flask, taro: int, device: Authenticator
) -> None:
    with app.app_context(), transaction():
        hanako = CustomerFactory().id
    with pytest.raises(PasskeyRefused):
        prove(app, device, only=hanako)


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_a_count_that_goes_back_or_stands_still_is_a_copy(
    app: Flask, taro: int, device: Authenticator, count: int
) -> None:
    for _ in range(5):
        prove(app, device)
    device.counts, device.count = False, count
    with pytest.raises(PasskeyCloned) as refusal:
        prove(app, device)
    with app.app_context(), transaction():
        passkeys.record_clone(refusal.value, network_address="192.0.2.9", now=NOW)
    with app.app_context():
        entry = db.session.scalars(
            select(AuditEntry).where(AuditEntry.action == "passkey_cloned")
        ).one()
        assert (entry.actor_id, entry.detail) == (None, {"account_id": taro})
        assert "passkey_cloned" in db.session.scalars(select(OutboxMail.template)).all()


def test_of_two_with_the_same_answer_one_gets_in(
    app: Flask, taro: int, device: Authenticator
) -> None:
    with app.app_context(), transaction():
        challenge, options = passkeys.ask_to_sign(SITE, SIGN_IN, None, NOW)
    answer = device.sign(options)

    def show() -> int:
        return passkeys.prove(SITE, challenge, answer, network_address="", now=NOW).id

    assert sorted(at_once(app, show, show), key=str) == sorted([taro, PasskeyCloned], key=str)


def test_a_challenge_is_good_once_for_one_purpose_for_one_account_for_minutes(
    app: Flask, taro: int
) -> None:
    with app.app_context(), transaction():
        challenge, _options = passkeys.ask_to_make(SITE, get(taro), NOW)
        late, _options = passkeys.ask_to_sign(SITE, SIGN_IN, None, NOW)
        other = CustomerFactory()
        used = [
            passkeys.use_challenge(challenge, CONFIRM, get(taro), NOW),
            passkeys.use_challenge(challenge, ADD, other, NOW),
            passkeys.use_challenge(challenge, ADD, None, NOW),
            passkeys.use_challenge(challenge, ADD, get(taro), NOW),
            passkeys.use_challenge(challenge, ADD, get(taro), NOW),
            passkeys.use_challenge(b"never asked", SIGN_IN, None, NOW),
            passkeys.use_challenge(late, SIGN_IN, None, NOW + passkeys.CHALLENGE_GOOD_FOR),
        ]
    assert used == [False, False, False, True, False, False, False]


def test_of_two_who_use_a_challenge_one_may(app: Flask) -> None:
    with app.app_context(), transaction():
        challenge, _options = passkeys.ask_to_sign(SITE, SIGN_IN, None, NOW)

    def use() -> bool:
        return passkeys.use_challenge(challenge, SIGN_IN, None, NOW)

    assert sorted(map(bool, at_once(app, use, use))) == [False, True]


def test_challenges_that_nobody_answered_are_cleared(app: Flask) -> None:
    with app.app_context(), transaction():
        for minutes in (0, 6):
            passkeys.ask_to_sign(SITE, SIGN_IN, None, NOW + timedelta(minutes=minutes))
    with app.app_context(), transaction():
        assert passkeys.clear_old(NOW + timedelta(minutes=7)) == 1
        assert db.session.scalar(select(func.count()).select_from(PasskeyChallenge)) == 1


def test_one_passkey_is_nobody_elses_too(app: Flask, taro: int, device: Authenticator) -> None:
    with app.app_context(), transaction():
        hanako = CustomerFactory().id
    handle = device.user_handle
    for account_id in (taro, hanako):
        with pytest.raises(AlreadyThere):
            add(app, account_id, device)
    device.user_handle = handle
    assert prove(app, device) == taro


def test_nobody_needs_more_than_twenty(app: Flask, taro: int) -> None:
    with app.app_context(), transaction():
        for _ in range(passkeys.AT_MOST):
            PasskeyFactory(account=get(taro))
    with pytest.raises(TooMany):
        add(app, taro, Authenticator())


@pytest.mark.parametrize("name", ["", " \t ", "\u200b", "長" * 41])
def test_a_passkey_needs_a_name_that_can_be_read(app: Flask, taro: int, name: str) -> None:
    with pytest.raises(NoName):
        add(app, taro, Authenticator(), name)


def test_a_removed_passkey_opens_nothing_and_its_owner_is_told(
    app: Flask, taro: int, device: Authenticator
) -> None:
    with app.app_context():
        passkey_id = db.session.scalars(select(Passkey.id)).one()
    with app.app_context(), transaction():
        passkeys.remove(get(taro), passkey_id, network_address="192.0.2.1", now=NOW)
    with pytest.raises(PasskeyRefused):
        prove(app, device)
    with app.app_context():
        assert list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id))) == [
            "passkey_added",
            "passkey_removed",
        ]
        with pytest.raises(NotFound), transaction():
            passkeys.remove(get(taro), passkey_id, network_address="", now=NOW)


def test_a_strangers_passkey_is_not_found(app: Flask, taro: int, device: Authenticator) -> None:
    with app.app_context(), transaction():
        hanako = CustomerFactory().id
        passkey_id = db.session.scalars(select(Passkey.id)).one()
    with app.app_context():
        with pytest.raises(NotFound):
            passkeys.get_own(get(hanako), passkey_id)
        with pytest.raises(NotFound), transaction():
            passkeys.remove(get(hanako), passkey_id, network_address="", now=NOW)
        assert passkeys.list_of(get(hanako)) == []
        assert passkeys.get_own(get(taro), passkey_id)
