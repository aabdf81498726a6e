"""保守担当者: who of a dealer is mailed when a linked system fails. Each confirms the address."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Dealer, MaintenanceContact
from . import audit, dealers, mail, tokens
from .clearing import delete_some
from .errors import NotFound, Rejected
from .writes import count_changed

PURPOSE = "maintenance-contact"
# what limits count: mails to an address that did not ask for them
ACTION = "maintenance-contact"
# one fault is one mail to each: a dealer that needs more has a mailing list
MOST = 20


class ContactKnown(Rejected):
    """Refuse an address that is on the dealer's list."""

    field = "email"
    message = _("このメールアドレスは、すでに登録されています。")


class TooManyContacts(Rejected):
    """Refuse one contact too many."""

    message = _(
        "登録できる保守担当者は20名までです。使っていないメールアドレスを削除してください。"
    )


class ContactUrlDead(Rejected):
    """Refuse a URL that is too old, replaced, or whose contact was taken off the list."""

    message = _(
        "このURLは、有効期限が切れているか、新しいメールに置き換えられています。"
        "販売店様の管理画面から、もう一度メールをお送りください。"
    )


@dataclass(frozen=True)
class Contact:
    """What the form says of a contact, checked, as tables keep it."""

    name: str
    email: str


def list_contacts(actor: Account) -> list[MaintenanceContact]:
    """Return the contacts of the actor's dealer, by name; there are never more than `MOST`.

    Raises:
        NotFound: The actor is no dealer's person.
    """
    theirs = select(MaintenanceContact).where(MaintenanceContact.dealer_id == dealers.of(actor).id)
    return list(db.session.scalars(theirs.order_by(MaintenanceContact.name, MaintenanceContact.id)))


def add(
    actor: Account,
    contact: Contact,
    *,
    language: str,
    url_days: int,
    network_address: str,
    now: datetime,
) -> None:
    """Put an address on the list, and mail it a URL to confirm by. Until then it is not used.

    Raises:
        NotFound: The actor is no dealer's person.
        ContactKnown: The address is on the list.
        TooManyContacts: The list is full.
    """
    dealer = dealers.of(actor)
    # two who add at once take turns: the list is counted
    dealers.hold(dealer)
    theirs = MaintenanceContact.dealer_id == dealer.id
    counted = select(func.count()).select_from(MaintenanceContact).where(theirs)
    if (db.session.scalar(counted) or 0) >= MOST:
        raise TooManyContacts
    row = MaintenanceContact(
        dealer_id=dealer.id,
        name=contact.name,
        email=contact.email,
        language=language,
        created_at=now,
        url_nonce=tokens.new_token(),
        expires_at=now + timedelta(days=url_days),
    )
    db.session.add(row)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise ContactKnown from error
    _mail(row, now)
    _record("maintenance_contact.added", actor.id, row, network_address, now)


def send_again(
    actor: Account, contact_id: int, *, url_days: int, network_address: str, now: datetime
) -> None:
    """Mail a new URL in place of the last one. One that was confirmed needs none.

    Raises:
        NotFound: It is on no list of the actor's dealer.
    """
    row = get(actor, contact_id)
    if row.confirmed_at:
        return
    row.url_nonce = tokens.new_token()
    row.expires_at = now + timedelta(days=url_days)
    _mail(row, now)
    _record("maintenance_contact.mailed_again", actor.id, row, network_address, now)


def remove(actor: Account, contact_id: int, *, network_address: str, now: datetime) -> None:
    """Take an address off the list.

    Raises:
        NotFound: It is on no list of the actor's dealer.
    """
    row = get(actor, contact_id)
    _record("maintenance_contact.removed", actor.id, row, network_address, now)
    delete_some(MaintenanceContact, MaintenanceContact.id == row.id)


def get(actor: Account, contact_id: int) -> MaintenanceContact:
    """Return a contact of the actor's dealer.

    Raises:
        NotFound: It is on no list of the actor's dealer.
    """
    found = db.session.scalar(
        select(MaintenanceContact).where(
            MaintenanceContact.id == contact_id,
            MaintenanceContact.dealer_id == dealers.of(actor).id,
        )
    )
    if found is None:
        raise NotFound
    return found


def find(secret_key: str, signed: str, now: datetime) -> MaintenanceContact:
    """Return the contact whom the URL of a mail stands for.

    Raises:
        ContactUrlDead: It is good no longer, or not ours.
    """
    read = tokens.read(secret_key, PURPOSE, signed)
    found = (
        db.session.scalar(
            select(MaintenanceContact)
            .join(MaintenanceContact.dealer)
            .where(
                MaintenanceContact.id == read[0],
                MaintenanceContact.url_nonce == read[1],
                Dealer.closed_at.is_(None),
            )
        )
        if read
        else None
    )
    if found is None or (found.expires_at <= now and found.confirmed_at is None):
        raise ContactUrlDead
    return found


def confirm(contact: MaintenanceContact, *, network_address: str, now: datetime) -> None:
    """Let an address be told of failures from now on; a second time changes nothing.

    Raises:
        ContactUrlDead: It was taken off the list, or mailed anew, meanwhile.
    """
    if contact.confirmed_at:
        return
    confirmed = count_changed(
        update(MaintenanceContact)
        .where(
            MaintenanceContact.id == contact.id,
            MaintenanceContact.url_nonce == contact.url_nonce,
        )
        .values(confirmed_at=now)
    )
    if confirmed != 1:
        raise ContactUrlDead
    _record("maintenance_contact.confirmed", None, contact, network_address, now)


def decline(contact: MaintenanceContact, *, network_address: str, now: datetime) -> None:
    """Take an address off the list because its reader wants no mails; at any time."""
    _record("maintenance_contact.declined", None, contact, network_address, now)
    delete_some(MaintenanceContact, MaintenanceContact.id == contact.id)


def clear_old(now: datetime) -> int:
    """Delete some of those who did not confirm for a month after their URL ran out."""
    return delete_some(
        MaintenanceContact,
        MaintenanceContact.confirmed_at.is_(None),
        MaintenanceContact.expires_at <= now - timedelta(days=30),
    )


def clear_closed(now: datetime, *, keep_days: int) -> int:
    """Delete some of the contacts of dealers that closed long ago; return how many."""
    closed = select(Dealer.id).where(Dealer.closed_at <= now - timedelta(days=keep_days))
    return delete_some(MaintenanceContact, MaintenanceContact.dealer_id.in_(closed))


def _mail(contact: MaintenanceContact, now: datetime) -> None:
    mail.queue(
        "maintenance_contact",
        contact.email,
        # the nonce's beginning tells the mails apart, and tells nobody the rest of it
        key=f"maintenance-contact-{contact.id}-{contact.url_nonce[:8]}",
        language=contact.language,
        now=now,
        contact=contact.id,
    )


def _record(
    action: str,
    actor_id: int | None,
    contact: MaintenanceContact,
    network_address: str,
    now: datetime,
) -> None:
    audit.record(
        action,
        actor_id=actor_id,
        subject="maintenance_contact",
        subject_id=contact.id,
        network_address=network_address,
        now=now,
        dealer_id=contact.dealer_id,
    )
