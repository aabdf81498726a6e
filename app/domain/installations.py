"""Installations (案件): how one opens, what it is called, and how it ends."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import contains_eager

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Gateway, Installation, RegistrationDraft, Sheet, Transfer
from ..models.addresses import PostalAddress
from . import (
    alarms,
    audit,
    drafts,
    gateways,
    links,
    mail,
    memberships,
    outages,
    setting_orders,
    sheets,
)
from .clearing import AT_ONCE
from .errors import NotFound, Rejected
from .open_links import is_maintained
from .paging import Page, paged
from .writes import count_changed

# how a list may be ordered, by what the page's address says
ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "site": (Installation.site_name.asc(), Installation.id.asc()),
    "gateway": (Gateway.public_id.asc(),),
    "address": (
        Installation.prefecture.asc(),
        Installation.city.asc(),
        Installation.street.asc(),
        Installation.id.asc(),
    ),
    "contact": (Gateway.first_contact_at.desc(), Installation.id.asc()),
}


class GatewayTaken(Rejected):
    """Refuse a gateway that has an owner by now, or whose sheet no longer stands."""

    message = _(
        "このゲートウェイは、すでに登録されているか、用紙が新しくなったため登録できません。"
    )


@dataclass(frozen=True)
class Site:
    """Where a gateway stands, and what its owner calls the place."""

    site_name: str
    postal_code: str
    prefecture: str
    city: str
    street: str
    building: str


SITE_COLUMNS = tuple(field.name for field in fields(Site))


def search(
    actor: Account,
    words: str,
    *,
    order: str = "site",
    page: int = 1,
    maintained_at: datetime | None = None,
) -> Page[Installation]:
    """Return a page of the actor's installations in which every word is found.

    Site name, gateway ID and address are searched. `order` is one of `ORDERS`; `maintained_at`
    finds only those that have a dealer at that moment.
    """
    maintained = [is_maintained(maintained_at)] if maintained_at else []
    statement = (
        _with_gateway()
        .where(gateways.owned_by(actor.id), *gateways.matches(words), *maintained)
        .order_by(*ORDERS.get(order, ORDERS["site"]))
    )
    return paged(statement, page)


def list_former(actor: Account) -> list[Installation]:
    """Return what the actor owned once, the latest first."""
    former = Installation.account_id == actor.id, Installation.closed_at.is_not(None)
    return list(
        db.session.scalars(
            _with_gateway().where(*former).order_by(Installation.closed_at.desc()).limit(50)
        )
    )


def open_installation(
    gateway_id: int,
    account_id: int,
    site: Site,
    *,
    sheet_id: int | None,
    network_address: str,
    now: datetime,
) -> Installation:
    """Open the installation by which an account owns a gateway.

    Raises:
        GatewayTaken: Somebody else was first.
        NotFound: The account was closed meanwhile.
    """
    installation = Installation(
        gateway_id=gateway_id,
        account_id=account_id,
        opened_at=now,
        claimed_from=network_address,
        claimed_sheet_id=sheet_id,
        **asdict(site),
    )
    db.session.add(installation)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise GatewayTaken from error
    # the new row refers to the account: whoever is closing it was waited for, and is seen now
    is_closed = select(Account.closed_at).where(Account.id == account_id)
    if db.session.scalar(is_closed) is not None:
        raise NotFound
    alarms.look_again(gateway_id)
    return installation


def use_up_sheet(sheet_id: int, account: Account, now: datetime) -> None:
    """Let the sheet's password prove nothing any more, but to this account.

    Raises:
        GatewayTaken: Somebody else used it up, or it was re-issued.
    """
    used = count_changed(
        update(Sheet)
        .where(
            Sheet.id == sheet_id,
            Sheet.revoked_at.is_(None),
            or_(Sheet.used_by_id.is_(None), Sheet.used_by_id == account.id),
        )
        .values(used_at=now, used_by_id=account.id)
    )
    if used != 1:
        raise GatewayTaken


def claim(
    account: Account,
    draft: RegistrationDraft,
    site: Site,
    *,
    seen: datetime,
    network_address: str,
    now: datetime,
) -> None:
    """Let an account own one more gateway, whose sheet was proved in a draft as it was `seen`.

    A draft that was registered already changes nothing.

    Raises:
        DraftChanged: The draft is not the one that was seen.
        SheetLapsed: The sheet no longer stands, or the gateway has an owner.
        GatewayTaken: Somebody else was first.
    """
    kept = {"account_id": account.id, "public_id": drafts.proved_gateway_id(draft)}
    if not drafts.complete(draft, kept, seen=seen, now=now):
        return
    sheet = sheets.get_standing(draft.sheet_id, account=account)
    use_up_sheet(sheet.id, account, now)
    installation = open_installation(
        sheet.gateway_id,
        account.id,
        site,
        sheet_id=sheet.id,
        network_address=network_address,
        now=now,
    )
    _tell("gateway_added", installation, account, now)
    record("gateway.claimed", installation, account, network_address, now)


def edit_site(
    actor: Account, public_id: str, site: Site, *, network_address: str, now: datetime
) -> None:
    """Change the name and the address of a site.

    Raises:
        NotFound: There is no such gateway, or none of the actor's.
    """
    installation = gateways.get_owned(actor, public_id)
    before = {name: getattr(installation, name) for name in SITE_COLUMNS}
    after = asdict(site)
    if before == after:
        return
    for name, value in after.items():
        setattr(installation, name, value)
    changed = [name for name in SITE_COLUMNS if before[name] != after[name]]
    record("site.edited", installation, actor, network_address, now, changed=changed)


def remove(actor: Account, public_id: str, *, network_address: str, now: datetime) -> None:
    """Close the installation: the gateway is free again, its history stays with the actor.

    Raises:
        NotFound: There is no such gateway, or none of the actor's own (any more).
    """
    installation = gateways.get_owned(actor, public_id)
    if not close(installation, actor, network_address=network_address, now=now):
        return
    _tell("gateway_removed", installation, actor, now)
    record("gateway.removed", installation, actor, network_address, now)


def remove_all(account: Account, *, actor: Account, network_address: str, now: datetime) -> int:
    """Close every installation of an account that is being closed; return how many."""
    still_open = (
        select(Installation)
        .where(Installation.account_id == account.id, Installation.closed_at.is_(None))
        .order_by(Installation.id)
    )
    closed = 0
    for installation in db.session.scalars(still_open).all():
        if close(
            installation,
            actor,
            eco_ends="account_closed",
            network_address=network_address,
            now=now,
        ):
            record("gateway.removed", installation, actor, network_address, now)
            closed += 1
    return closed


def close(
    installation: Installation,
    actor: Account,
    *,
    eco_ends: str = "installation_ended",
    network_address: str,
    now: datetime,
) -> bool:
    """Close an installation; tell whether it was open. There is no other way in which one ends.

    What dealers may do with it ends, its membership of the eco programme too, and so does its
    certificate of transfer, unless this is the certificate's claim.
    """
    db.session.execute(
        update(Transfer)
        .where(
            Transfer.installation_id == installation.id,
            Transfer.revoked_at.is_(None),
            Transfer.claimed_at.is_(None),
        )
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
    closed = count_changed(
        update(Installation)
        .where(Installation.id == installation.id, Installation.closed_at.is_(None))
        .values(closed_at=now)
    )
    if closed != 1:
        return False
    links.end_all(installation, actor_id=actor.id, network_address=network_address, now=now)
    memberships.end_of_installation(
        installation, eco_ends, actor_id=actor.id, network_address=network_address, now=now
    )
    alarms.end_all(installation, now)
    outages.end_all(installation, now)
    setting_orders.end_all(installation, now)
    return True


def erase_addresses(now: datetime, *, keep_days: int) -> int:
    """Erase the addresses of some installations that ended long ago; return of how many.

    The name of the site stays: the former owner finds the history by it.
    """
    old = (
        select(Installation.id)
        .where(
            Installation.closed_at <= now - timedelta(days=keep_days),
            Installation.postal_code != "",
        )
        .limit(AT_ONCE)
    )
    return count_changed(
        update(Installation)
        .where(Installation.id.in_(old))
        .values(dict.fromkeys(PostalAddress.__annotations__, ""))
    )


def _with_gateway() -> Select[Installation]:
    return (
        select(Installation)
        .join(Installation.gateway)
        .options(contains_eager(Installation.gateway))
    )


def _tell(template: str, installation: Installation, account: Account, now: datetime) -> None:
    mail.queue(
        template,
        account.email,
        key=f"{template.replace('_', '-')}-{installation.id}",
        language=account.language,
        now=now,
        account=account.id,
        installation=installation.id,
    )


def record(
    action: str,
    installation: Installation,
    actor: Account,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    """Write into the audit log what became of an installation."""
    audit.record(
        action,
        actor_id=actor.id,
        subject="installation",
        subject_id=installation.id,
        network_address=network_address,
        now=now,
        gateway_id=installation.gateway_id,
        **detail,
    )
