"""Which maintenance links there are: of a gateway for its owner, of a dealer for its people."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..models import Account, Dealer, Gateway, Installation, MaintenanceLink
from . import gateways, normalise, people
from .errors import NotFound

# blueprints know no tables, but name the types of what they are given
Link = MaintenanceLink

# of a history; a dealer linked and unlinked for years makes no page of thousands
SHOWN_AT_MOST = 50


def get_open(actor: Account, public_id: str, now: datetime) -> MaintenanceLink:
    """Return the link by which the actor's dealer looks after a gateway.

    With it come gateway, installation and the customer's account.

    Raises:
        NotFound: There is no such gateway, or the actor's dealer does not look after it.
    """
    if actor.dealer_id is None or not people.is_gateway_id(public_id):
        raise NotFound
    found = db.session.scalar(
        _whole()
        .join(Gateway, Gateway.id == MaintenanceLink.gateway_id)
        .where(
            Gateway.public_id == public_id,
            MaintenanceLink.dealer_id == actor.dealer_id,
            MaintenanceLink.is_open(now),
            Installation.closed_at.is_(None),
            Dealer.closed_at.is_(None),
        )
    )
    if found is None:
        raise NotFound
    return found


def get_of_owner(actor: Account, public_id: str, dealer_no: int) -> MaintenanceLink:
    """Return the latest link of the actor's gateway to a dealer, open or not.

    Raises:
        NotFound: There is no such gateway of the actor's, or the dealer never looked after it.
    """
    return _latest(gateways.get_owned(actor, public_id), dealer_no)


def get_open_of_owner(
    actor: Account, public_id: str, dealer_no: int, now: datetime
) -> MaintenanceLink:
    """Return the open link of the actor's gateway to a dealer.

    Raises:
        NotFound: There is no such gateway of the actor's, or the dealer does not look after it.
    """
    found = get_of_owner(actor, public_id, dealer_no)
    if not is_open_at(found, now):
        raise NotFound
    return found


def list_open(installation: Installation, now: datetime) -> list[MaintenanceLink]:
    """Return the dealers' open links of an installation, the longest standing first."""
    return _of(installation, MaintenanceLink.is_open(now), order=MaintenanceLink.began_at.asc())


def list_past(
    installation: Installation, now: datetime, *, dealer_id: int | None = None
) -> list[MaintenanceLink]:
    """Return the links that ended, the latest first; of one dealer, or of all."""
    of_dealer = [MaintenanceLink.dealer_id == dealer_id] if dealer_id else []
    began = MaintenanceLink.began_at.desc()
    return _of(installation, ~MaintenanceLink.is_open(now), *of_dealer, order=began)


def among(links: Sequence[MaintenanceLink], words: str) -> list[MaintenanceLink]:
    """Return those of a gateway's few links whose dealer matches every word: ID, name, phone."""

    def told(dealer: Dealer) -> str:
        phones = (dealer.phone, normalise.phone(dealer.phone))
        return " ".join((str(dealer.dealer_no), dealer.name, dealer.name_kana, *phones)).casefold()

    wanted = words.casefold().split()
    return [link for link in links if all(word in told(link.dealer) for word in wanted)]


def count_open(installation_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """Return how many dealers look after each installation; none is left out."""
    rows = db.session.execute(
        select(MaintenanceLink.installation_id, func.count().label("number"))
        .where(MaintenanceLink.installation_id.in_(installation_ids), MaintenanceLink.is_open(now))
        .group_by(MaintenanceLink.installation_id)
    )
    return {row.installation_id: row.number for row in rows}


def is_open_at(found: MaintenanceLink, now: datetime) -> bool:
    """Tell of a link at hand what `MaintenanceLink.is_open` asks of the database."""
    return found.ended_at is None and (found.ends_at is None or found.ends_at > now)


def list_whole(ids: Sequence[int]) -> list[MaintenanceLink]:
    """Return links by their row ids, with all that mails about them speak of."""
    some = _whole().where(MaintenanceLink.id.in_(ids)).order_by(MaintenanceLink.id)
    return list(db.session.scalars(some))


def _latest(installation: Installation, dealer_no: int) -> MaintenanceLink:
    found = db.session.scalar(
        _whole()
        .where(MaintenanceLink.installation_id == installation.id, Dealer.dealer_no == dealer_no)
        .order_by(MaintenanceLink.id.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound
    return found


def _of(
    installation: Installation, *which: ColumnElement[bool], order: ColumnElement[datetime]
) -> list[MaintenanceLink]:
    return list(
        db.session.scalars(
            select(MaintenanceLink)
            .options(joinedload(MaintenanceLink.dealer, innerjoin=True))
            .where(MaintenanceLink.installation_id == installation.id, *which)
            .order_by(order, MaintenanceLink.id)
            .limit(SHOWN_AT_MOST)
        )
    )


def _whole() -> Select[MaintenanceLink]:
    """Select links with all that their pages and mails speak of."""
    return (
        select(MaintenanceLink)
        .join(MaintenanceLink.dealer)
        .join(MaintenanceLink.installation)
        .options(
            joinedload(MaintenanceLink.dealer, innerjoin=True),
            joinedload(MaintenanceLink.gateway, innerjoin=True),
            joinedload(MaintenanceLink.installation, innerjoin=True).joinedload(
                Installation.account, innerjoin=True
            ),
        )
    )
