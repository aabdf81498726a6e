"""The eco programme (エコ活サークル): whom it may be offered to."""

from sqlalchemy import select

from ..extensions import db
from ..models import Account, Gateway, Installation, Reading


def may_be_offered(installation_id: int, *, series: str) -> bool:
    """Tell whether an installation may join, as far as the service knows on the first day.

    `series` lists the beginnings of the models that may, separated by commas. Coverage is not asked
    yet, and what the customer has to declare comes with the application.
    """
    row = db.session.execute(
        select(Gateway, Account.company_name)
        .join(Installation, Installation.gateway_id == Gateway.id)
        .join(Account, Account.id == Installation.account_id)
        .where(Installation.id == installation_id, Installation.closed_at.is_(None))
    ).one_or_none()
    if row is None:
        return False
    gateway, company_name = row
    beginnings = tuple(part for name in series.split(",") if (part := name.strip()))
    return (
        not company_name
        and gateway.model_shown.startswith(beginnings)
        and _has_generated(gateway.id)
    )


def _has_generated(gateway_id: int) -> bool:
    """Tell whether the newest sample shows that the sun was ever harvested."""
    newest = db.session.execute(
        select(Reading.pv_w, Reading.counters)
        .where(Reading.gateway_id == gateway_id)
        .order_by(Reading.taken_at.desc())
        .limit(1)
    ).one_or_none()
    return newest is not None and (
        (newest.counters.get("pv_wh") or 0) > 0 or (newest.pv_w or 0) > 0
    )
