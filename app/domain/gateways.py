"""Which gateways somebody may see, and which are one's own. A stranger's does not exist."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select, true
from sqlalchemy.orm import contains_eager

from ..extensions import db
from ..models import Account, Gateway, Installation
from . import people
from .errors import NotFound
from .open_links import Moment, is_maintained_by

Id = int | SQLColumnExpression[int]


def owned_by(actor_id: Id) -> ColumnElement[bool]:
    """Return the condition under which an installation is open, and the actor's own."""
    return and_(Installation.account_id == actor_id, Installation.closed_at.is_(None))


def visible_to(actor: Account, now: datetime) -> ColumnElement[bool]:
    """Return the condition under which an installation is the actor's to see.

    A customer's own, those that a dealer maintains, all for operators; open ones only.
    """
    return visible_as(actor.role, actor.id, actor.dealer_id, now)


def visible_as(
    role: str,
    actor_id: Id,
    dealer_id: Id | SQLColumnExpression[int | None] | None,
    now: Moment,
) -> ColumnElement[bool]:
    """Return the condition of `visible_to` for a role, of which it holds no more than it needs."""
    if role == "customer":
        return owned_by(actor_id)
    if role == "operator":
        return Installation.closed_at.is_(None)
    assert dealer_id is not None
    return and_(Installation.closed_at.is_(None), is_maintained_by(dealer_id, now))


def visible_to_joined(now: Moment) -> ColumnElement[bool]:
    """Return the condition of `visible_to` for the `Account` that a statement joins."""
    of_role = {
        "customer": Installation.account_id == Account.id,
        "dealer": is_maintained_by(Account.dealer_id, now),
        "operator": true(),
    }
    return and_(
        Installation.closed_at.is_(None),
        or_(*[and_(Account.role == role, theirs) for role, theirs in of_role.items()]),
    )


def matches(words: str) -> list[ColumnElement[bool]]:
    """Return the condition for each word: site name, gateway ID or address hold it."""
    address = Installation.prefecture + Installation.city + Installation.street
    return [
        or_(
            Installation.site_name.icontains(word, autoescape=True),
            Gateway.public_id.icontains(word, autoescape=True),
            address.icontains(word, autoescape=True),
        )
        for word in words.split()[:5]
    ]


def get_visible(actor: Account, public_id: str, now: datetime) -> Installation:
    """Return the installation of a gateway the actor may see, its `gateway` loaded with it.

    To see is not to own: what only owners may do begins with `get_owned`.

    Raises:
        NotFound: There is no such gateway, or none the actor may know of.
    """
    return _one(public_id, visible_to(actor, now))


def get_owned(actor: Account, public_id: str) -> Installation:
    """Return the open installation by which the actor owns a gateway, `gateway` loaded with it.

    Raises:
        NotFound: There is no such gateway, or it is not the actor's own.
    """
    return _one(public_id, owned_by(actor.id))


def list_visible(actor: Account, now: datetime) -> list[Installation]:
    """Return the installations the actor may see by site name, their gateways loaded with them."""
    ordered = _found(visible_to(actor, now)).order_by(Installation.site_name, Installation.id)
    return list(db.session.scalars(ordered))


def count_owned(actor: Account) -> int:
    """Return how many gateways are the actor's own."""
    counted = select(func.count()).select_from(Installation).where(owned_by(actor.id))
    return db.session.scalar(counted) or 0


def has_several(actor: Account, now: datetime) -> bool:
    """Tell whether the actor may see more than one gateway."""
    two = select(Installation.id).where(visible_to(actor, now)).limit(2).subquery()
    return (db.session.scalar(select(func.count()).select_from(two)) or 0) > 1


def _one(public_id: str, condition: ColumnElement[bool]) -> Installation:
    if not people.is_gateway_id(public_id):
        # PostgreSQL takes no NUL, not even to look for it
        raise NotFound
    found: Installation | None = db.session.scalar(
        _found(condition).where(Gateway.public_id == public_id)
    )
    if found is None:
        raise NotFound
    return found


def _found(condition: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(Installation)
        .join(Installation.gateway)
        .options(contains_eager(Installation.gateway))
        .where(condition)
    )
