"""Dealers (販売店): who may be handed a household's maintenance, and under which number."""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Dealer
from ..models.addresses import PostalAddress
from . import audit, mail
from .clearing import AT_ONCE
from .errors import NotFound, Rejected

# a 販売店ID is this and the row's id: short to say, and told apart from a gateway's ID
NUMBERS_FROM = 4000

# edges name the type without knowing tables
Company = Dealer


class NotWaiting(Rejected):
    """Refuse to approve a dealer that was approved already, or that closed its account."""

    message = _("この販売店様は、承認を待っていません。")


def of(actor: Account) -> Dealer:
    """Return the dealer whose person the actor is.

    Raises:
        NotFound: The actor is nobody's person.
    """
    if actor.dealer is None:
        raise NotFound
    return actor.dealer


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
    erased = db.session.execute(
        update(Dealer)
        .where(Dealer.id.in_(old))
        .values(phone="", email="", **dict.fromkeys(PostalAddress.__annotations__, ""))
        .execution_options(synchronize_session=False)
    )
    assert isinstance(erased, CursorResult)
    return erased.rowcount


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
    approved = db.session.execute(
        update(Dealer)
        .where(Dealer.id == dealer.id, Dealer.approved_at.is_(None), Dealer.closed_at.is_(None))
        .values(approved_at=now, dealer_no=NUMBERS_FROM + Dealer.id)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(approved, CursorResult)
    if approved.rowcount != 1:
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
