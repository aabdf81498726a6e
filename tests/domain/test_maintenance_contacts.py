"""保守担当者: on the list when a dealer says so, told of failures when their reader agrees."""

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import maintenance_contacts as contacts
from app.domain import tokens
from app.domain.errors import NotFound
from app.domain.maintenance_contacts import Contact, ContactKnown, ContactUrlDead, TooManyContacts
from app.extensions import db
from app.models import Account, Dealer, MaintenanceContact, OutboxMail
from app.transaction import transaction
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    MaintenanceContactFactory,
    OperatorFactory,
)
from tests.racing import race

NOW = LONG_AGO + timedelta(days=1)
SECRET = "a secret for tests"


@pytest.fixture
def hanako_id(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(DealerPersonFactory().id)


def add(actor_id: int, email: str = "night@example.org") -> int:
    with transaction():
        contacts.add(
            db.session.get_one(Account, actor_id),
            Contact("保守センター", email),
            language="ja",
            url_days=7,
            network_address="192.0.2.1",
            now=NOW,
        )
        return db.session.scalar(select(func.max(MaintenanceContact.id))) or 0


def found(contact_id: int, now: datetime = NOW) -> MaintenanceContact:
    row = db.session.get_one(MaintenanceContact, contact_id)
    signed = tokens.sign(SECRET, "maintenance-contact", row.id, row.url_nonce)
    return contacts.find(SECRET, signed, now)


def test_a_contact_counts_once_its_reader_has_confirmed(app: Flask, hanako_id: int) -> None:
    with app.app_context():
        contact_id = add(hanako_id)
        assert found(contact_id).confirmed_at is None
        mail = db.session.scalars(select(OutboxMail)).one()
        assert (mail.template, mail.to) == ("maintenance_contact", "night@example.org")
        for _twice in range(2):
            with transaction():
                contacts.confirm(found(contact_id), network_address="", now=NOW)
        # the URL stays good for saying no later
        assert found(contact_id, NOW + timedelta(days=400)).confirmed_at == NOW


def test_who_declines_is_on_no_list(app: Flask, hanako_id: int) -> None:
    with app.app_context():
        contact_id = add(hanako_id)
        with transaction():
            contacts.decline(found(contact_id), network_address="", now=NOW)
        assert contacts.list_contacts(db.session.get_one(Account, hanako_id)) == []


def test_a_url_dies_with_time_with_a_newer_mail_with_the_contact_and_with_the_dealer(
    app: Flask, hanako_id: int
) -> None:
    with app.app_context():
        contact_id = add(hanako_id)
        with pytest.raises(ContactUrlDead):
            found(contact_id, NOW + timedelta(days=8))
        old = tokens.sign(SECRET, "maintenance-contact", contact_id, found(contact_id).url_nonce)
        hanako = db.session.get_one(Account, hanako_id)
        with transaction():
            contacts.send_again(hanako, contact_id, url_days=7, network_address="", now=NOW)
        for signed in (old, "rubbish"):
            with pytest.raises(ContactUrlDead):
                contacts.find(SECRET, signed, NOW)
        assert found(contact_id)
        with transaction():
            db.session.get_one(Dealer, hanako.dealer_id).closed_at = NOW
        with pytest.raises(ContactUrlDead):
            found(contact_id)
        with transaction():
            contacts.remove(hanako, contact_id, network_address="", now=NOW)
        with pytest.raises(NotFound):
            contacts.get(hanako, contact_id)


def test_a_contact_that_was_taken_off_meanwhile_is_not_confirmed(
    app: Flask, hanako_id: int
) -> None:
    with app.app_context():
        contact_id = add(hanako_id)
        contact = found(contact_id)
        db.session.expunge(contact)
        with transaction():
            contacts.remove(
                db.session.get_one(Account, hanako_id), contact_id, network_address="", now=NOW
            )
        with pytest.raises(ContactUrlDead), transaction():
            contacts.confirm(contact, network_address="", now=NOW)


def test_an_address_stands_on_a_list_once_and_a_list_ends(app: Flask, hanako_id: int) -> None:
    with app.app_context():
        add(hanako_id)
        with pytest.raises(ContactKnown):
            add(hanako_id)
        with transaction():
            dealer = db.session.get_one(Account, hanako_id).dealer
            MaintenanceContactFactory.create_batch(contacts.MOST - 2, dealer=dealer)
    outcomes = race(
        app,
        lambda: add(hanako_id, "one@example.org"),
        lambda: add(hanako_id, "two@example.org"),
    )
    assert outcomes.count(TooManyContacts) == 1


def test_strangers_find_no_contact(app: Flask, hanako_id: int) -> None:
    with app.app_context():
        contact_id = add(hanako_id)
        with transaction():
            strangers = [CustomerFactory(), OperatorFactory(), DealerPersonFactory()]
        for actor in strangers:
            with pytest.raises(NotFound):
                contacts.get(actor, contact_id)
            with pytest.raises(NotFound), transaction():
                contacts.remove(actor, contact_id, network_address="", now=NOW)
            with pytest.raises(NotFound), transaction():
                contacts.send_again(actor, contact_id, url_days=7, network_address="", now=NOW)
        for actor in strangers[:2]:
            with pytest.raises(NotFound):
                contacts.list_contacts(actor)
            with pytest.raises(NotFound):
                add(actor.id, "other@example.org")


def test_who_never_answered_is_forgotten(app: Flask, hanako_id: int) -> None:
    with app.app_context():
        add(hanako_id)
        confirmed = add(hanako_id, "day@example.org")
        with transaction():
            contacts.confirm(found(confirmed), network_address="", now=NOW)
        for days, erased in ((36, 0), (38, 1), (38, 0)):
            with transaction():
                assert contacts.clear_old(NOW + timedelta(days=days)) == erased


def test_contacts_of_a_dealer_that_closed_are_erased_in_time(app: Flask) -> None:
    with app.app_context(), transaction():
        closed = DealerFactory(closed_at=NOW)
        for dealer in (closed, DealerFactory()):
            MaintenanceContactFactory(dealer=dealer, confirmed_at=LONG_AGO)
        closed_id = closed.id
    with app.app_context(), transaction():
        assert contacts.clear_closed(NOW + timedelta(days=29), keep_days=30) == 0
        assert contacts.clear_closed(NOW + timedelta(days=30), keep_days=30) == 1
    with app.app_context():
        left = db.session.scalars(select(MaintenanceContact.dealer_id)).all()
        assert len(left) == 1
        assert closed_id not in left
