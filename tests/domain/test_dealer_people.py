"""A dealer's people: invited, made administrators and removed by administrators only."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import dealer_people, passwords, provisional, terms, tokens
from app.domain.dealer_people import (
    AddressNotProved,
    DealerDetails,
    Invited,
    Oneself,
)
from app.domain.errors import NotFound
from app.domain.provisional import Standing
from app.extensions import db
from app.models import Account, AuditEntry, Consent, Dealer, DealerInvitation, OutboxMail
from app.transaction import transaction
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerFactory,
    DealerInvitationFactory,
    DealerPersonFactory,
    MaintenanceContactFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.racing import race

NOW = LONG_AGO + timedelta(days=1)
SECRET = "a secret for tests"
WHO = Invited("鈴木", "一郎", "スズキ", "イチロウ", "ichiro@example.org")


@pytest.fixture
def dealer_id(app: Flask) -> int:
    with app.app_context(), transaction():
        TermsVersionFactory(kind="dealer")
        return int(DealerFactory(dealer_no=4001).id)


def person(dealer_id: int, **changes: Any) -> int:
    with transaction():
        dealer = db.session.get(Dealer, dealer_id)
        return int(DealerPersonFactory(dealer=dealer, **changes).id)


@pytest.fixture
def admin_id(app: Flask, dealer_id: int) -> int:
    with app.app_context():
        return person(dealer_id, email="hanako@example.org", is_dealer_admin=True)


def account(account_id: int) -> Account:
    return db.session.get_one(Account, account_id)


def invite(actor_id: int, who: Invited = WHO) -> None:
    with transaction():
        dealer_people.invite(
            account(actor_id),
            who,
            language="ja",
            network_address="192.0.2.1",
            now=NOW,
            url_days=7,
        )


def latest() -> DealerInvitation:
    newest_first = select(DealerInvitation).order_by(DealerInvitation.id.desc())
    found = db.session.scalars(newest_first).first()
    assert found
    return found


def standing(invitation: DealerInvitation, now: Any = NOW) -> Standing:
    signed = tokens.sign(SECRET, "dealer-invitation", invitation.id, invitation.url_nonce)
    return dealer_people.load(SECRET, signed, now).standing


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
        return dealer_people.complete(invitation, **{**given, **changes}).id


def remove(actor_id: int, account_id: int) -> None:
    with transaction():
        dealer_people.remove(account(actor_id), account_id, network_address="", now=NOW)


def let_administer(actor_id: int, account_id: int, allowed: bool) -> None:
    with transaction():
        dealer_people.let_administer(
            account(actor_id), account_id, allowed, network_address="", now=NOW
        )


def mails() -> list[str]:
    return list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))


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
        assert dealer_people.list_invitations(account(admin_id)) == []


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
        assert [one.email for one in dealer_people.list_invitations(account(admin_id))] == [
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
            dealer_people.withdraw(account(admin_id), second.id, network_address="", now=NOW)
        assert standing(second) is Standing.SUPERSEDED
        with pytest.raises(provisional.NotOpen):
            complete(second.id)
        assert dealer_people.list_invitations(account(admin_id)) == []


def test_a_url_that_ran_out_is_renewed_once(app: Flask, admin_id: int) -> None:
    late = NOW + timedelta(days=8)
    with app.app_context():
        invite(admin_id)
        assert standing(latest(), late) is Standing.EXPIRED
        with transaction():
            dealer_people.resend(latest(), now=late, url_days=7)
        assert mails() == ["dealer_invitation"] * 2
        assert standing(latest(), late) is Standing.OPEN
        with pytest.raises(provisional.NotOpen), transaction():
            dealer_people.resend(latest(), now=late, url_days=7)


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


def test_only_administrators_invite_remove_and_promote(
    app: Flask, dealer_id: int, admin_id: int
) -> None:
    with app.app_context():
        plain = person(dealer_id)
        with transaction():
            strangers = [
                CustomerFactory().id,
                OperatorFactory().id,
                DealerPersonFactory(is_dealer_admin=True).id,
            ]
        invite(admin_id)
        for actor_id in (plain, *strangers):
            actor = account(actor_id)
            with pytest.raises(NotFound):
                remove(actor_id, admin_id)
            with pytest.raises(NotFound):
                let_administer(actor_id, admin_id, False)
            with pytest.raises(NotFound), transaction():
                dealer_people.withdraw(actor, latest().id, network_address="", now=NOW)
        for actor_id in (plain, *strangers[:2]):
            with pytest.raises(NotFound):
                invite(actor_id)
            with pytest.raises(NotFound):
                dealer_people.list_invitations(account(actor_id))
            with pytest.raises(NotFound):
                dealer_people.proved_addresses(account(actor_id))
        assert account(admin_id).closed_at is None
        assert standing(latest()) is Standing.OPEN


def test_who_is_removed_signs_in_no_more_and_is_told(
    app: Flask, dealer_id: int, admin_id: int
) -> None:
    with app.app_context():
        plain = person(dealer_id, email="jiro@example.org")
        remove(admin_id, plain)
        assert not account(plain).may_sign_in
        told = db.session.scalars(select(OutboxMail)).one()
        assert (told.template, told.to) == ("dealer_person_removed", "jiro@example.org")
        entry = db.session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.actor_id, entry.subject_id) == (
            "account.closed",
            admin_id,
            plain,
        )
        assert [one.id for one in dealer_people.list_people(account(admin_id)).rows] == [admin_id]
        with pytest.raises(NotFound):
            remove(admin_id, plain)


def test_nobody_takes_oneself_away(app: Flask, admin_id: int) -> None:
    with app.app_context():
        with pytest.raises(Oneself):
            remove(admin_id, admin_id)
        with pytest.raises(Oneself):
            let_administer(admin_id, admin_id, False)


@pytest.mark.parametrize("_again", range(3))
def test_of_two_administrators_who_remove_each_other_one_stays(
    app: Flask, dealer_id: int, admin_id: int, _again: int
) -> None:
    with app.app_context():
        other = person(dealer_id, is_dealer_admin=True)
    race(app, lambda: remove(admin_id, other), lambda: remove(other, admin_id))
    with app.app_context():
        assert sum(account(one).may_sign_in for one in (admin_id, other)) == 1


def test_an_administrator_makes_another_and_takes_it_back(
    app: Flask, dealer_id: int, admin_id: int
) -> None:
    with app.app_context():
        plain = person(dealer_id)
        let_administer(admin_id, plain, True)
        assert account(plain).is_dealer_admin
        let_administer(admin_id, plain, False)
        let_administer(admin_id, plain, False)
        assert not account(plain).is_dealer_admin
        assert len(db.session.scalars(select(AuditEntry)).all()) == 2


DETAILS = DealerDetails(
    name="ひなた電設",
    name_kana="ヒナタデンセツ",
    phone="+81398765432",
    email="hanako@example.org",
    postal_code="1000001",
    prefecture="東京都",
    city="千代田区",
    street="千代田1-1",
    building="",
)


def edit(actor_id: int, details: DealerDetails = DETAILS) -> None:
    with transaction():
        dealer_people.edit(account(actor_id), details, network_address="", now=NOW)


def test_a_dealers_data_change_with_a_line_in_the_log(
    app: Flask, dealer_id: int, admin_id: int
) -> None:
    with app.app_context():
        edit(admin_id)
        edit(admin_id)
        dealer = db.session.get_one(Dealer, dealer_id)
        assert (dealer.name, dealer.phone, dealer.email) == (
            "ひなた電設",
            "+81398765432",
            "hanako@example.org",
        )
        entry = db.session.scalars(select(AuditEntry)).one()
        assert "phone" in entry.detail["changed"]
        assert "+81398765432" not in str(entry.detail)


def test_mails_for_the_dealer_go_to_proved_addresses_only(
    app: Flask, dealer_id: int, admin_id: int
) -> None:
    with app.app_context():
        dealer = db.session.get_one(Dealer, dealer_id)
        with transaction():
            for email, confirmed_at in (("a@example.org", NOW), ("b@example.org", None)):
                MaintenanceContactFactory(dealer=dealer, email=email, confirmed_at=confirmed_at)
        edit(admin_id, replace(DETAILS, email="a@example.org"))
        for email in ("b@example.org", "stranger@example.org"):
            with pytest.raises(AddressNotProved):
                edit(admin_id, replace(DETAILS, email=email))


def test_old_invitations_are_erased(app: Flask, admin_id: int) -> None:
    with app.app_context():
        invite(admin_id)
        for days, erased in ((36, 0), (38, 1), (38, 0)):
            with transaction():
                assert dealer_people.clear_old(NOW + timedelta(days=days), keep_days=30) == erased


def test_an_invitation_to_somebodys_address_is_erased_no_earlier_than_others(
    app: Flask, admin_id: int
) -> None:
    with app.app_context(), transaction():
        known = CustomerFactory().email
    with app.app_context():
        invite(admin_id, replace(WHO, email=known))
        for days, erased in ((36, 0), (38, 1)):
            with transaction():
                assert dealer_people.clear_old(NOW + timedelta(days=days), keep_days=30) == erased
