"""Whom faults are mailed to: an address, its language, and whose it is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, select

from ..extensions import db
from ..models import Dealer, MaintenanceContact, MaintenanceLink


@dataclass(frozen=True, slots=True)
class Desk:
    """What mails need besides their rows."""

    now: datetime
    #: the zone by whose days mails are counted
    zone: str
    #: the end of the service's own last outage
    back_at: datetime | None = None
    #: the operator's address for incidents, if there is one
    operator_mail: str = ""


class Reader(NamedTuple):
    """An address to mail, its language, and whose contact it is (None: the owner)."""

    to: str
    language: str
    dealer_id: int | None = None
    account_id: int | None = None


def dealers_of(installation_ids: Iterable[int], now: datetime) -> dict[int, list[Reader]]:
    """Return whom to mail of each installation's faults: the contacts of its dealers."""
    rows = rows_of(
        MaintenanceLink.installation_id.in_(list(installation_ids)),
        MaintenanceLink.is_open(now),
        with_links=True,
    )
    found: dict[int, list[Reader]] = defaultdict(list)
    for row in rows:
        found[row.installation_id].append(reader_of(row))
    return found


def rows_of(*which: ColumnElement[bool], with_links: bool = False) -> Sequence[Row[Any]]:
    """Return the confirmed contacts of dealers, and the dealers that have none."""
    statement: Select[*tuple[Any, ...]] = (
        select(
            Dealer.id,
            Dealer.email,
            Dealer.language,
            MaintenanceContact.id.label("contact_id"),
            MaintenanceContact.email.label("contact_email"),
            MaintenanceContact.language.label("contact_language"),
        )
        .outerjoin(
            MaintenanceContact,
            and_(
                MaintenanceContact.dealer_id == Dealer.id,
                MaintenanceContact.confirmed_at.is_not(None),
            ),
        )
        .where(Dealer.closed_at.is_(None), *which)
        .order_by(Dealer.id, MaintenanceContact.id)
    )
    if with_links:
        statement = statement.add_columns(MaintenanceLink.installation_id).join(
            MaintenanceLink, MaintenanceLink.dealer_id == Dealer.id
        )
    return db.session.execute(statement).all()


def reader_of(row: Row[Any]) -> Reader:
    """Return whom a row of `rows_of` names: a dealer without contacts reads its own mail."""
    return Reader(row.contact_email or row.email, row.contact_language or row.language, row.id)
