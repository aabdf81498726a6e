"""Dealers (販売店): who may be handed a household's maintenance, and under which number."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Dealer, MaintenanceContact
from ..models.addresses import PostalAddress
from . import audit, mail
from .clearing import AT_ONCE
from .errors import NotFound, Rejected
from .writes import count_changed

# a 販売店ID is this and the row's id: short to say, and told apart from a gateway's ID
NUMBERS_FROM = 4000

# edges name the type without knowing tables
Company = Dealer


class NotWaiting(Rejected):
    """Refuse to approve a dealer that was approved already, or that closed its account."""

    message = _("この販売店様は、承認を待っていません。")


@dataclass(frozen=True)
class DealerDetails:
    """A dealer's own data, as tables keep it."""

    name: str
    name_kana: str
    phone: str
    email: str
    postal_code: str
    prefecture: str
    city: str
    street: str
    building: str


DETAILS = tuple(field.name for field in fields(DealerDetails))


class AddressNotProved(Rejected):
    """Refuse a mail address for the dealer that none of its people has proved to read."""

    field = "email"
    message = _("確認の済んだメールアドレスからお選びください。")


def of(actor: Account) -> Dealer:
    """Return the dealer whose person the actor is.

    Raises:
        NotFound: The actor is nobody's person.
    """
    if actor.dealer is None:
        raise NotFound
    return actor.dealer


def administered(actor: Account) -> Dealer:
    """Return the dealer that the actor administers.

    Raises:
        NotFound: The actor administers none.
    """
    if not actor.is_dealer_admin:
        raise NotFound
    return of(actor)


def proved_addresses(actor: Account) -> list[str]:
    """Return the addresses that may be the dealer's own: people's, confirmed contacts', its own.

    Raises:
        NotFound: The actor administers no dealer.
    """
    dealer = administered(actor)
    people = select(Account.email).where(
        Account.dealer_id == dealer.id, Account.is_dealer_admin, Account.closed_at.is_(None)
    )
    contacts = select(MaintenanceContact.email).where(
        MaintenanceContact.dealer_id == dealer.id, MaintenanceContact.confirmed_at.is_not(None)
    )
    return sorted({dealer.email, *db.session.scalars(people), *db.session.scalars(contacts)})


def edit(actor: Account, details: DealerDetails, *, network_address: str, now: datetime) -> None:
    """Change a dealer's own data; the audit log keeps which of it, not what it was.

    Raises:
        NotFound: The actor administers no dealer.
        AddressNotProved: None of its people has proved to read the mail address.
    """
    dealer = administered(actor)
    if details.email not in proved_addresses(actor):
        raise AddressNotProved
    changed = [name for name in DETAILS if getattr(dealer, name) != getattr(details, name)]
    if not changed:
        return
    for name in changed:
        setattr(dealer, name, getattr(details, name))
    audit.record(
        "dealer.edited",
        actor_id=actor.id,
        subject="dealer",
        subject_id=dealer.id,
        network_address=network_address,
        now=now,
        changed=changed,
    )


def find(dealer_id: int | None) -> Dealer | None:
    """Return the dealer with this row id."""
    return db.session.get(Dealer, dealer_id) if dealer_id else None


def hold(dealer: Dealer) -> None:
    """Lock a dealer's row until the transaction ends: who changes its lists takes turns.

    Written, not only selected: SQLite knows no other lock.
    """
    db.session.execute(
        update(Dealer)
        .where(Dealer.id == dealer.id)
        .values(name=Dealer.name)
        .execution_options(synchronize_session=False)
    )


def erase_some(now: datetime, *, keep_days: int) -> int:
    """Erase phone, mail and postal address of some dealers that closed long ago; return how many.

    The name stays: households find by it who looked after their system.
    """
    old = (
        select(Dealer.id)
        .where(Dealer.closed_at <= now - timedelta(days=keep_days), Dealer.email != "")
        .limit(AT_ONCE)
    )
    return count_changed(
        update(Dealer)
        .where(Dealer.id.in_(old))
        .values(phone="", email="", **dict.fromkeys(PostalAddress.__annotations__, ""))
    )


def list_waiting() -> list[Dealer]:
    """Return the dealers that wait for approval, longest first."""
    waiting = select(Dealer).where(Dealer.approved_at.is_(None), Dealer.closed_at.is_(None))
    return list(db.session.scalars(waiting.order_by(Dealer.created_at, Dealer.id)))


def approve(
    dealer_id: int, *, actor_id: int | None, network_address: str, now: datetime, **why: str
) -> Dealer:
    """Give a waiting dealer its 販売店ID, and mail it.

    `actor_id` None means the service itself, or its operator at the command line; `why` goes into
    the audit log.

    Raises:
        NotFound: There is no such dealer.
        NotWaiting: It is approved already, or closed.
    """
    dealer = db.session.get(Dealer, dealer_id)
    if dealer is None:
        raise NotFound
    issue_number(dealer, actor_id=actor_id, network_address=network_address, now=now, **why)
    mail.queue(
        "dealer_approved",
        dealer.email,
        key=f"dealer-approved-{dealer.id}",
        language=dealer.language,
        now=now,
        dealer=dealer.id,
    )
    return dealer


def issue_number(
    dealer: Dealer, *, actor_id: int | None, network_address: str, now: datetime, **why: str
) -> None:
    """Approve a dealer: from now on it has a 販売店ID.

    Raises:
        NotWaiting: Somebody was faster, or the dealer is closed.
    """
    approved = count_changed(
        update(Dealer)
        .where(Dealer.id == dealer.id, Dealer.approved_at.is_(None), Dealer.closed_at.is_(None))
        .values(approved_at=now, dealer_no=NUMBERS_FROM + Dealer.id)
    )
    if approved != 1:
        raise NotWaiting
    db.session.refresh(dealer)
    audit.record(
        "dealer.approved",
        actor_id=actor_id,
        subject="dealer",
        subject_id=dealer.id,
        network_address=network_address,
        now=now,
        dealer_no=dealer.dealer_no,
        **why,
    )
