"""What operators find: customers, dealers, gateways and unfinished registrations.

Each search asks an index first (how an ID, a mail address or a serial number begins, a phone
number, a 販売店ID); only where that finds nothing, and the words could be a name, it reads names
and addresses for the words anywhere in them. Both are counted and paged.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, contains_eager, joinedload

from ..extensions import db
from ..models import (
    Account,
    Dealer,
    DealerRegistration,
    Gateway,
    Installation,
    Registration,
)
from . import normalise
from .paging import Page, paged

T = TypeVar("T")
Conditions = list[ColumnElement[bool]]

# how lists may be ordered, by what the page's address says; the first one is the usual
CUSTOMER_ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "new": (Account.id.desc(),),
    "name": (Account.family_kana.asc(), Account.given_kana.asc(), Account.id.asc()),
    "email": (Account.email.asc(),),
}
DEALER_ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    # those that wait for approval come first
    "new": (Dealer.approved_at.is_not(None).asc(), Dealer.id.desc()),
    "name": (Dealer.name_kana.asc(), Dealer.id.asc()),
    "number": (Dealer.dealer_no.asc(), Dealer.id.asc()),
}
GATEWAY_ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "new": (Gateway.id.desc(),),
    "gateway": (Gateway.public_id.asc(),),
    "contact": (Gateway.first_contact_at.desc(), Gateway.id.desc()),
}
LONGEST = 100


def search_customers(words: str, *, order: str = "new", page: int = 1) -> Page[Account]:
    """Return a page of customers by mail address, phone number, else by name or address."""
    statement = (
        select(Account)
        .where(Account.role == "customer")
        .order_by(*CUSTOMER_ORDERS.get(order, CUSTOMER_ORDERS["new"]))
    )
    return _found(statement, words, page, _by_contact(Account), _by_person(Account))


def search_dealers(words: str, *, order: str = "new", page: int = 1) -> Page[Dealer]:
    """Return a page of dealers by 販売店ID, mail address, phone number, else by name or address."""
    statement = select(Dealer).order_by(*DEALER_ORDERS.get(order, DEALER_ORDERS["new"]))

    def by_number(text: str) -> Conditions:
        found = _by_contact(Dealer)(text)
        if text.isascii() and text.isdigit() and len(text) < 9:
            found.append(Dealer.dealer_no == int(text))
        return found

    return _found(statement, words, page, by_number, _by_dealer)


def search_registrations(words: str, *, page: int = 1) -> Page[Registration]:
    """Return a page of customers' registrations that nobody completed or took the place of."""
    statement = (
        select(Registration)
        .join(Registration.gateway)
        .options(contains_eager(Registration.gateway))
        .where(Registration.completed_at.is_(None), Registration.superseded_at.is_(None))
        .order_by(Registration.id.desc())
    )
    return _found(statement, words, page, _by_contact(Registration), _by_person(Registration))


def search_dealer_registrations(words: str, *, page: int = 1) -> Page[DealerRegistration]:
    """Return a page of dealers' registrations that nobody completed or took the place of."""
    waiting = (
        DealerRegistration.completed_at.is_(None),
        DealerRegistration.superseded_at.is_(None),
    )
    statement = select(DealerRegistration).where(*waiting).order_by(DealerRegistration.id.desc())

    def by_name(word: str) -> ColumnElement[bool]:
        return or_(
            _holds(DealerRegistration.name, word),
            _holds(DealerRegistration.name_kana, word),
        )

    return _found(statement, words, page, _by_contact(DealerRegistration), by_name)


def search_gateways(words: str, *, order: str = "new", page: int = 1) -> Page[Gateway]:
    """Return a page of gateways by ID, serial number, their owner's contact, else by site."""
    statement = select(Gateway).order_by(*GATEWAY_ORDERS.get(order, GATEWAY_ORDERS["new"]))
    return _found(statement, words, page, _by_id, _by_site)


def present_owners(gateways: Sequence[Gateway]) -> dict[int, Installation]:
    """Return the open installation of each of these gateways, with its owner, by one query."""
    found = db.session.scalars(
        select(Installation)
        .options(joinedload(Installation.account))
        .where(
            Installation.gateway_id.in_([one.id for one in gateways]),
            Installation.closed_at.is_(None),
        )
    )
    return {one.gateway_id: one for one in found}


def count_gateways(accounts: Sequence[Account]) -> dict[int, int]:
    """Return how many gateways each of these accounts has, by one query."""
    counted = db.session.execute(
        select(Installation.account_id, func.count())
        .where(
            Installation.account_id.in_([one.id for one in accounts]),
            Installation.closed_at.is_(None),
        )
        .group_by(Installation.account_id)
    )
    return {row[0]: row[1] for row in counted}


def _found(
    statement: Select[T],
    words: str,
    page: int,
    by_index: Callable[[str], Conditions],
    by_word: Callable[[str], ColumnElement[bool]],
) -> Page[T]:
    """Return a page of what an index finds, else of what holds every word somewhere."""
    words = words[:LONGEST]
    if not words:
        return paged(statement, page)
    exact = by_index(words)
    if exact:
        found = paged(statement.where(or_(*exact)), page)
        if found.found or _is_code(words):
            return found
    return paged(statement.where(and_(*map(by_word, words.split()[:5]))), page)


def _by_contact(model: Any) -> Callable[[str], Conditions]:
    """Return what finds rows by their mail address or phone number."""

    def conditions(text: str) -> Conditions:
        found = []
        if text.isascii() and " " not in text:
            found.append(_begins(model.email, normalise.email(text)))
        phone = normalise.phone_e164(text)
        if phone:
            found.append(model.phone == phone)
        return found

    return conditions


def _by_id(text: str) -> Conditions:
    """Find gateways by ID or serial number, or by who has them."""
    found = []
    public_id = normalise.gateway_id(text)
    if public_id.isascii() and public_id.isalnum():
        found += [_begins(Gateway.public_id, public_id), _begins(Gateway.serial, text)]
    phone = normalise.phone_e164(text)
    if "@" in text or phone:
        owner = Account.phone == phone if phone else Account.email == normalise.email(text)
        found.append(
            Gateway.id.in_(
                select(Installation.gateway_id)
                .join(Installation.account)
                .where(Installation.closed_at.is_(None), owner)
            )
        )
    return found


def _by_site(word: str) -> ColumnElement[bool]:
    address = Installation.prefecture + Installation.city + Installation.street
    return Gateway.id.in_(
        select(Installation.gateway_id)
        .join(Installation.account)
        .where(
            Installation.closed_at.is_(None),
            or_(
                _holds(Installation.site_name, word),
                _holds(address, word),
                _by_person(Account)(word),
            ),
        )
    )


def _by_person(model: Any) -> Callable[[str], ColumnElement[bool]]:
    """Return what finds rows by a person's name, reading, company or address."""
    name = model.family_name + model.given_name
    kana = model.family_kana + model.given_kana
    address = model.prefecture + model.city + model.street

    def condition(word: str) -> ColumnElement[bool]:
        return or_(
            *(_holds(text, word) for text in (name, model.company_name, address)),
            _holds(kana, normalise.kana(word)),
        )

    return condition


def _by_dealer(word: str) -> ColumnElement[bool]:
    address = Dealer.prefecture + Dealer.city + Dealer.street
    return or_(
        _holds(Dealer.name, word),
        _holds(Dealer.name_kana, normalise.kana(word)),
        _holds(address, word),
    )


def _is_code(text: str) -> bool:
    """Tell whether a text is no name: reading all names for a mistyped ID would take a second."""
    return text.isascii() and " " not in text and ("@" in text or any(map(str.isdigit, text)))


def _holds(column: SQLColumnExpression[str], word: str) -> ColumnElement[bool]:
    """Return the condition: a text holds the word, in capitals or not.

    To fold both sides takes several times as long: SQLite's LIKE heeds no case by itself, and most
    words here have none.
    """
    has_case = word.upper() != word.lower()
    if has_case and db.session.get_bind().dialect.name == "postgresql":
        return column.icontains(word, autoescape=True)
    return column.contains(word, autoescape=True)


def _begins(column: InstrumentedAttribute[str], text: str) -> ColumnElement[bool]:
    """Return the condition: a text begins so, in a form that the database's index serves.

    PostgreSQL's serves LIKE; SQLite's LIKE heeds no case and uses none, but its order is that of
    characters: what begins so lies between the text and the text with the last character behind it.
    """
    if db.session.get_bind().dialect.name == "postgresql":
        return column.startswith(text, autoescape=True)
    return and_(column >= text, column < text + "\U0010ffff")
