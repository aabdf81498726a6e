"""Invitations of a dealer: mailed by administrators, completed once, ended by newer ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import (
    dealer_invitations,
    passwords,
    provisional,
    terms,
)
from app.domain.provisional import Standing
from app.extensions import db
from app.models import Account, Consent, Dealer, DealerInvitation
from app.transaction import transaction
from tests.factories import (
    CustomerFactory,
    DealerInvitationFactory,
)
from tests.inviting import (
    NOW,
    WHO,
    account,
    add_dealer,
    invite,
    latest,
    mails,
    person,
    standing,
)
from tests.racing import race


@pytest.fixture
def dealer_id(app: Flask) -> int:
    with app.app_context():
        return add_dealer()


@pytest.fixture
def admin_id(app: Flask, dealer_id: int) -> int:
    with app.app_context():
        return person(dealer_id, email="hanako@example.org", is_dealer_admin=True)


def complete(invitation_id: int, **changes: Any) -> int:
    with transaction():
        given: dict[str, Any] = {
            "password": "Komorebi7",
            "phone": "03-1234-5678",
            "agreed_version_id": terms.current("dealer", NOW).id,
            "agreed_at": NOW,
            "agreed_from": "198.51.100.6",
            "language": "ja",
            "rule": "manual",
            "network_address": "198.51.100.7",
            "now": NOW,
        }
        invitation = db.session.get_one(DealerInvitation, invitation_id)
        return dealer_invitations.complete(invitation, **{**given, **changes}).id


def test_who_is_invited_becomes_a_person_of_the_dealer(app: Flask, admin_id: int) -> None:
    with app.app_context():
        invite(admin_id)
        assert mails() == ["dealer_invitation"]
        assert standing(latest()) is Standing.OPEN
        ichiro = account(complete(latest().id))
        assert (ichiro.role, ichiro.dealer_id) == ("dealer", account(admin_id).dealer_id)
        assert not ichiro.is_dealer_admin
        assert ichiro.city == "京都市下京区"
        assert [one.account_id for one in db.session.scalars(select(Consent))] == [ichiro.id]
        assert standing(latest()) is Standing.USED
        assert dealer_invitations.list_invitations(account(admin_id)) == []


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"phone": "03-9999-9999"}, provisional.PhoneMismatch),
        ({"password": "short"}, passwords.WeakPassword),
        ({"password": "Password1"}, passwords.CommonPassword),
        ({"agreed_version_id": 99}, terms.TermsChanged),
        ({"now": NOW + timedelta(days=8)}, provisional.NotOpen),
    ],
)
def test_what_will_not_do_makes_no_account(
    app: Flask, admin_id: int, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    with app.app_context():
        invite(admin_id)
        with pytest.raises(refusal):
            complete(latest().id, **changes)
        assert db.session.scalar(select(Account.id).where(Account.email == WHO.email)) is None


def test_a_known_address_shows_nothing_to_who_invites(app: Flask, admin_id: int) -> None:
    with app.app_context():
        with transaction():
            CustomerFactory(email=WHO.email)
        invite(admin_id)
        assert mails() == ["dealer_known_address"]
        # the list shows it like any other
        assert [one.email for one in dealer_invitations.list_invitations(account(admin_id))] == [
            WHO.email
        ]
        assert standing(latest()) is Standing.SUPERSEDED


def test_a_second_invitation_ends_the_first_and_withdrawing_ends_the_second(
    app: Flask, admin_id: int
) -> None:
    with app.app_context():
        invite(admin_id)
        first = latest()
        invite(admin_id)
        assert standing(first) is Standing.SUPERSEDED
        second = latest()
        with transaction():
            dealer_invitations.withdraw(account(admin_id), second.id, network_address="", now=NOW)
        assert standing(second) is Standing.SUPERSEDED
        with pytest.raises(provisional.NotOpen):
            complete(second.id)
        assert dealer_invitations.list_invitations(account(admin_id)) == []


def test_a_url_that_ran_out_is_renewed_once(app: Flask, admin_id: int) -> None:
    late = NOW + timedelta(days=8)
    with app.app_context():
        invite(admin_id)
        assert standing(latest(), late) is Standing.EXPIRED
        with transaction():
            dealer_invitations.resend(latest(), now=late, url_days=7)
        assert mails() == ["dealer_invitation"] * 2
        assert standing(latest(), late) is Standing.OPEN
        with pytest.raises(provisional.NotOpen), transaction():
            dealer_invitations.resend(latest(), now=late, url_days=7)


def test_a_closed_dealer_takes_nobody_in(app: Flask, admin_id: int, dealer_id: int) -> None:
    with app.app_context():
        invite(admin_id)
        with transaction():
            db.session.get_one(Dealer, dealer_id).closed_at = NOW
        assert standing(latest()) is Standing.SUPERSEDED
        with pytest.raises(provisional.NotOpen):
            complete(latest().id)


def test_of_two_who_take_the_same_address_one_wins(app: Flask, admin_id: int) -> None:
    with app.app_context(), transaction():
        first, second = (DealerInvitationFactory(email=WHO.email, created_at=NOW).id for _ in "12")
    outcomes = race(app, lambda: complete(first), lambda: complete(second))
    assert outcomes.count(provisional.AddressTaken) == 1


def test_old_invitations_are_erased(app: Flask, admin_id: int) -> None:
    with app.app_context():
        invite(admin_id)
        for days, erased in ((36, 0), (38, 1), (38, 0)):
            with transaction():
                assert (
                    dealer_invitations.clear_old(NOW + timedelta(days=days), keep_days=30) == erased
                )


def test_an_invitation_to_somebodys_address_is_erased_no_earlier_than_others(
    app: Flask, admin_id: int
) -> None:
    with app.app_context(), transaction():
        known = CustomerFactory().email
    with app.app_context():
        invite(admin_id, replace(WHO, email=known))
        for days, erased in ((36, 0), (38, 1)):
            with transaction():
                assert (
                    dealer_invitations.clear_old(NOW + timedelta(days=days), keep_days=30) == erased
                )
