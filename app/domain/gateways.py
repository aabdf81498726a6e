"""Which gateways somebody may see. A stranger's gateway does not exist."""

from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select
from sqlalchemy.orm import contains_eager

from ..extensions import db
from ..models import Account, Gateway, Installation
from .errors import NotFound


def visible_to(actor_id: int | SQLColumnExpression[int]) -> ColumnElement[bool]:
    """Return the condition under which an installation is the actor's to see: its open ones."""
    return and_(Installation.account_id == actor_id, Installation.closed_at.is_(None))


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


def get_visible(actor: Account, public_id: str) -> Installation:
    """Return the installation of a gateway the actor may see, its `gateway` loaded with it.

    Raises:
        NotFound: There is no such gateway, or none the actor may know of.
    """
    found: Installation | None = db.session.scalar(
        _visible(actor).where(Gateway.public_id == public_id)
    )
    if found is None:
        raise NotFound
    return found


def list_visible(actor: Account) -> list[Installation]:
    """Return the installations the actor may see by site name, their gateways loaded with them."""
    ordered = _visible(actor).order_by(Installation.site_name, Installation.id)
    return list(db.session.scalars(ordered))


def _visible(actor: Account) -> Select[*tuple[Any, ...]]:
    return (
        select(Installation)
        .join(Installation.gateway)
        .options(contains_eager(Installation.gateway))
        .where(visible_to(actor.id))
    )


def count_visible(actor: Account) -> int:
    """Return how many gateways the actor may see."""
    counted = select(func.count()).select_from(Installation).where(visible_to(actor.id))
    return db.session.scalar(counted) or 0
