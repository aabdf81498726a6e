"""A dealer's people: made administrators and removed by administrators only; its own data."""

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import (
    dealer_invitations,
    dealer_people,
    dealers,
)
from app.domain.dealer_people import Oneself
from app.domain.dealers import AddressNotProved, DealerDetails
from app.domain.errors import NotFound
from app.domain.provisional import Standing
from app.extensions import db
from app.models import AuditEntry, Dealer, OutboxMail
from app.transaction import transaction
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    MaintenanceContactFactory,
    OperatorFactory,
)
from tests.inviting import (
    NOW,
    account,
    add_dealer,
    invite,
    latest,
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


def remove(actor_id: int, account_id: int) -> None:
    with transaction():
        dealer_people.remove(account(actor_id), account_id, network_address="", now=NOW)


def let_administer(actor_id: int, account_id: int, allowed: bool) -> None:
    with transaction():
        dealer_people.let_administer(
            account(actor_id), account_id, allowed, network_address="", now=NOW
        )


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
                dealer_invitations.withdraw(actor, latest().id, network_address="", now=NOW)
        for actor_id in (plain, *strangers[:2]):
            with pytest.raises(NotFound):
                invite(actor_id)
            with pytest.raises(NotFound):
                dealer_invitations.list_invitations(account(actor_id))
            with pytest.raises(NotFound):
                dealers.proved_addresses(account(actor_id))
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
        dealers.edit(account(actor_id), details, network_address="", now=NOW)


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
