"""People of a dealer: its administrators remove the others, each signs in as oneself."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account
from . import audit, closing, dealers
from .errors import NotFound, Rejected
from .paging import Page, paged

BY_NAME = (Account.family_kana.asc(), Account.given_kana.asc(), Account.id.asc())
ADMINISTRATORS_FIRST = (Account.is_dealer_admin.desc(), *BY_NAME)
# how the list of people may be ordered, by what the page's address says
ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "name": BY_NAME,
    "new": (Account.created_at.desc(), Account.id.desc()),
}


class Oneself(Rejected):
    """Refuse to take oneself away: a dealer without administrator could invite nobody."""

    message = _("ご自分を外すことはできません。ほかの管理者の方にご依頼ください。")


def list_people(
    actor: Account, words: str = "", *, order: str = "", page: int = 1
) -> Page[Account]:
    """Return those who sign in for the actor's dealer, of whom every word is found.

    Name, reading and mail address are searched. `order` is one of `ORDERS`, else administrators
    come first.
    """
    name = Account.family_name + Account.given_name
    kana = Account.family_kana + Account.given_kana
    found = [
        or_(*[column.icontains(word, autoescape=True) for column in (name, kana, Account.email)])
        for word in words.split()[:5]
    ]
    statement = (
        select(Account)
        .where(Account.dealer_id == dealers.of(actor).id, Account.closed_at.is_(None), *found)
        .order_by(*ORDERS.get(order, ADMINISTRATORS_FIRST))
    )
    return paged(statement, page)


def get_colleague(actor: Account, account_id: int) -> Account:
    """Return one who signs in for the dealer that the actor administers.

    Raises:
        NotFound: The actor administers no dealer, or it is not one of that dealer's people.
    """
    found = db.session.scalar(
        select(Account).where(
            Account.id == account_id,
            Account.dealer_id == dealers.administered(actor).id,
            Account.closed_at.is_(None),
        )
    )
    if found is None:
        raise NotFound
    return found


def remove(actor: Account, account_id: int, *, network_address: str, now: datetime) -> None:
    """Let somebody sign in for the dealer no more, from the next request on, and mail it.

    Raises:
        NotFound: The actor is no administrator (any more), or it is not one of the people.
        Oneself: It is the actor.
    """
    colleague = _hold(actor, account_id)
    closing.end(
        colleague,
        actor=actor,
        network_address=network_address,
        now=now,
        letter="dealer_person_removed",
    )


def let_administer(
    actor: Account, account_id: int, allowed: bool, *, network_address: str, now: datetime
) -> None:
    """Let a colleague invite and remove people, or no more.

    Raises:
        NotFound: The actor is no administrator (any more), or it is not one of the people.
        Oneself: It is the actor.
    """
    colleague = _hold(actor, account_id)
    if colleague.is_dealer_admin == allowed:
        return
    colleague.is_dealer_admin = allowed
    audit.record(
        "dealer_person.made_administrator" if allowed else "dealer_person.administrator_no_more",
        actor_id=actor.id,
        subject="account",
        subject_id=colleague.id,
        network_address=network_address,
        now=now,
    )


def _hold(actor: Account, account_id: int) -> Account:
    """Return a colleague, with the dealer's row locked: of two who remove each other one stays.

    Raises:
        NotFound: The actor is no administrator (any more), or it is not one of the people.
        Oneself: It is the actor.
    """
    dealers.hold(dealers.administered(actor))
    db.session.refresh(actor)
    if not actor.may_sign_in:
        raise NotFound
    colleague = get_colleague(actor, account_id)
    if colleague.id == actor.id:
        raise Oneself
    db.session.refresh(colleague, with_for_update=True)
    return colleague
