"""What stands of the eco programme: applications and memberships, and how they end."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..models import Account, EcoMembership, Installation
from . import audit, gateways, mail
from .energy import day_of
from .errors import NotFound
from .writes import count_changed

# edges name the type without knowing tables
Membership = EcoMembership
# the programme's own rules (会員規約), a kind of terms
TERMS_KIND = "eco"
# pending applications looked at in one go
AT_ONCE = 100


def find(installation: Installation) -> EcoMembership | None:
    """Return the application or membership of an installation that stands, if there is one."""
    return db.session.scalar(
        select(EcoMembership).where(
            EcoMembership.installation_id == installation.id, EcoMembership.ended_at.is_(None)
        )
    )


def find_all(installations: Sequence[Installation]) -> dict[int, EcoMembership]:
    """Return what stands for each of these installations, by its id; one query."""
    standing = select(EcoMembership).where(
        EcoMembership.installation_id.in_([one.id for one in installations]),
        EcoMembership.ended_at.is_(None),
    )
    return {one.installation_id: one for one in db.session.scalars(standing)}


def get_standing(actor: Account, public_id: str) -> EcoMembership:
    """Return the application or membership that stands for the actor's own gateway.

    Raises:
        NotFound: There is no such gateway of the actor's, or it takes no part.
    """
    found = find(gateways.get_owned(actor, public_id))
    if found is None:
        raise NotFound
    return found


def list_of(account: Account) -> list[EcoMembership]:
    """Return what an account applied for, the newest first, whatever became of it."""
    return list(
        db.session.scalars(
            select(EcoMembership)
            .options(joinedload(EcoMembership.installation).joinedload(Installation.gateway))
            .where(EcoMembership.account_id == account.id)
            .order_by(EcoMembership.id.desc())
            .limit(AT_ONCE)
        )
    )


def withdraw(actor: Account, public_id: str, *, network_address: str, now: datetime) -> None:
    """Let a member leave, or take an application back (脱退).

    Raises:
        NotFound: There is no such gateway of the actor's, or it takes no part (any more).
    """
    membership = get_standing(actor, public_id)
    if not end(
        membership, "withdrawn", actor_id=actor.id, network_address=network_address, now=now
    ):
        raise NotFound
    tell("eco_withdrawn", membership, now)


def end_of_installation(
    installation: Installation, how: str, *, actor_id: int, network_address: str, now: datetime
) -> None:
    """End what stands for an installation that closes.

    Call it in the transaction that closes the installation, after the UPDATE that does: whoever
    applies at the same moment waits for that row. `how` is "installation_ended", or
    "account_closed", whose own letter tells of it.
    """
    membership = find(installation)
    if membership is None:
        return
    if (
        end(membership, how, actor_id=actor_id, network_address=network_address, now=now)
        and how != "account_closed"
    ):
        tell("eco_ended", membership, now)


def end(
    membership: EcoMembership,
    how: str,
    *,
    note: str = "",
    actor_id: int | None,
    network_address: str = "",
    now: datetime,
    **why: object,
) -> bool:
    """End an application or membership; tell whether it stood. There is no other way it ends.

    The last day that counts is the one before. Who calls tells the member.
    """
    today, _begins = day_of(now, membership.installation.zone)
    ended = count_changed(
        update(EcoMembership)
        .where(EcoMembership.id == membership.id, EcoMembership.ended_at.is_(None))
        .values(
            ended_at=now,
            how_ended=how,
            note=note,
            member_until=case(
                (EcoMembership.member_from.is_(None), None),
                (EcoMembership.member_from > today, EcoMembership.member_from),
                else_=today,
            ),
        )
    )
    db.session.refresh(membership)
    if ended:
        record("eco.ended", membership, actor_id, network_address, now, how=how, **why)
    return ended == 1


def admit(
    membership: EcoMembership, *, actor_id: int | None, network_address: str = "", now: datetime
) -> bool:
    """Make a member of who applied, from today on; tell whether the application was pending."""
    today, _begins = day_of(now, membership.installation.zone)
    admitted = count_changed(
        update(EcoMembership)
        .where(
            EcoMembership.id == membership.id,
            EcoMembership.ended_at.is_(None),
            EcoMembership.member_from.is_(None),
        )
        .values(member_from=today)
    )
    db.session.refresh(membership)
    if admitted:
        tell("eco_admitted", membership, now)
        record("eco.admitted", membership, actor_id, network_address, now)
    return admitted == 1


def tell(template: str, membership: EcoMembership, now: datetime, *, about: str = "") -> None:
    """Mail a member, once about each thing."""
    account = membership.account
    mail.queue(
        template,
        account.email,
        key=f"{template.replace('_', '-')}-{membership.id}{about}",
        language=account.language,
        now=now,
        account=account.id,
        installation=membership.installation_id,
        membership=membership.id,
    )


def record(
    action: str,
    membership: EcoMembership,
    actor_id: int | None,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    """Write into the audit log what became of a membership."""
    audit.record(
        action,
        actor_id=actor_id,
        subject="eco_membership",
        subject_id=membership.id,
        network_address=network_address,
        now=now,
        gateway_id=membership.gateway_id,
        installation_id=membership.installation_id,
        **detail,
    )
