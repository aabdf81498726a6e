"""The eco programme (エコ活サークル): what is known of installations, and whom to offer it to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import contains_eager, joinedload

from ..extensions import db
from ..models import Account, EcoMembership, Installation, PowerConditioner
from . import eligibility, gateways, generation
from .eligibility import Condition, Facts
from .energy import day_of
from .programme import Programme

# a household's gateways; who has more than these is offered the programme for the newest
LOOKED_AT = 20


def offered(account: Account, programme: Programme, now: datetime) -> list[Installation]:
    """Return the actor's installations that the programme is offered for, the newest first.

    A few queries, however many there are; none for who cannot take part.
    """
    if account.role != "customer" or account.company_name:
        return []
    found = db.session.scalars(
        select(Installation)
        .join(Installation.gateway)
        .options(contains_eager(Installation.gateway))
        .where(gateways.owned_by(account.id), ~_takes_part())
        .order_by(Installation.id.desc())
        .limit(LOOKED_AT)
    ).all()
    known = look(found, account, programme, now)
    return [one for one in found if eligibility.may_be_offered(known[one.id])]


def may_be_offered(installation_id: int, programme: Programme, now: datetime) -> bool:
    """Tell whether the programme is offered for an installation, whoever asks."""
    installation = db.session.scalar(
        select(Installation)
        .options(joinedload(Installation.account), joinedload(Installation.gateway))
        .where(Installation.id == installation_id, Installation.closed_at.is_(None), ~_takes_part())
    )
    if installation is None:
        return False
    known = look([installation], installation.account, programme, now)
    return eligibility.may_be_offered(known[installation.id])


def look(
    installations: Sequence[Installation], account: Account, programme: Programme, now: datetime
) -> dict[int, list[Condition]]:
    """Return the conditions of an account's installations, by id, without their coverage."""
    known = _facts(installations, account, now)
    return {
        one.id: eligibility.conditions(known[one.id], programme, day_of(now, one.zone)[0])
        for one in installations
    }


def facts(
    installation: Installation, account: Account, programme: Programme, now: datetime
) -> Facts:
    """Return all that the service itself knows of an installation, its coverage too."""
    known = _facts([installation], account, now)[installation.id]
    days = programme.conditions.coverage_days
    return replace(
        known,
        operation_began_on=None,
        coverage=generation.coverage(installation, days, now),
    )


def _facts(
    installations: Sequence[Installation], account: Account, now: datetime
) -> dict[int, Facts]:
    zones = {one.gateway_id: one.zone for one in installations}
    first_days = generation.first_days(zones, now)
    units: dict[int, list[str]] = {gateway_id: [] for gateway_id in zones}
    for unit in db.session.execute(
        select(PowerConditioner.gateway_id, PowerConditioner.model).where(
            PowerConditioner.gateway_id.in_(list(zones))
        )
    ):
        units[unit.gateway_id].append(unit.model)
    # what was declared at an earlier application is known
    rows = db.session.execute(
        select(EcoMembership.gateway_id, func.min(EcoMembership.operation_began_on))
        .where(EcoMembership.gateway_id.in_(list(zones)), EcoMembership.account_id == account.id)
        .group_by(EcoMembership.gateway_id)
    )
    declared = {row[0]: row[1] for row in rows}
    return {
        one.id: Facts(
            models=(one.gateway.model_shown, *units[one.gateway_id]),
            is_registered=one.closed_at is None and account.closed_at is None,
            is_company=bool(account.company_name),
            generation_began_on=first_days.get(one.gateway_id),
            operation_began_on=declared.get(one.gateway_id),
        )
        for one in installations
    }


def _takes_part() -> ColumnElement[bool]:
    """Return the condition under which an application or membership of an installation stands."""
    return (
        select(EcoMembership.id)
        .where(EcoMembership.installation_id == Installation.id, EcoMembership.ended_at.is_(None))
        .exists()
    )
