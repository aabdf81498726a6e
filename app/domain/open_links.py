"""Which installations dealers look after. When a link is open, `MaintenanceLink.is_open` says."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Exists,
    SQLColumnExpression,
    exists,
    literal_column,
)

from ..models import Account, Dealer, Installation, MaintenanceLink

Moment = datetime | SQLColumnExpression[datetime]


def is_maintained(now: Moment) -> Exists:
    """Return the condition under which an installation has a dealer."""
    return _link_of_installation(MaintenanceLink.is_open(now))


def is_maintained_by(
    dealer_id: int | SQLColumnExpression[int] | SQLColumnExpression[int | None], now: Moment
) -> Exists:
    """Return the condition under which a dealer may look after an installation."""
    dealer_is_there = exists(literal_column("1")).where(
        Dealer.id == MaintenanceLink.dealer_id, Dealer.closed_at.is_(None)
    )
    return _link_of_installation(
        MaintenanceLink.dealer_id == dealer_id,
        MaintenanceLink.is_open(now),
        dealer_is_there.correlate(MaintenanceLink),
    )


def _link_of_installation(*which: ColumnElement[bool]) -> Exists:
    found = exists(literal_column("1")).where(
        MaintenanceLink.installation_id == Installation.id, *which
    )
    return found.correlate(Installation, Account)
