"""Whether an order may still be written: rights are asked again when it is about to be."""

from datetime import datetime

from sqlalchemy import select

from ..extensions import db
from ..models import Account, Dealer, MaintenanceLink, SettingOrder


def why_not(order: SettingOrder, now: datetime) -> str | None:
    """Return why an order may be written no longer, as a code, or None."""
    installation = order.installation
    if installation.closed_at is not None:
        return "closed"
    if order.until is not None and order.until <= now:
        return "over"
    return None if _has_right(order, now) else "no_right"


def _has_right(order: SettingOrder, now: datetime) -> bool:
    actor = order.actor
    if actor is None:
        return order.by == "automatism"
    if order.by == "dealer":
        return actor.may_sign_in and _may_set(actor, order, now)
    is_theirs = {
        "owner": order.installation.account_id == actor.id,
        "operator": actor.role == "operator",
    }
    return actor.may_sign_in and is_theirs[order.by]


def _may_set(actor: Account, order: SettingOrder, now: datetime) -> bool:
    found = (
        select(MaintenanceLink.id)
        .join(Dealer, Dealer.id == MaintenanceLink.dealer_id)
        .where(
            MaintenanceLink.installation_id == order.installation_id,
            MaintenanceLink.dealer_id == order.dealer_id,
            MaintenanceLink.scope == "set",
            MaintenanceLink.is_open(now),
            Dealer.closed_at.is_(None),
        )
    )
    return actor.dealer_id == order.dealer_id and db.session.scalar(found) is not None
