"""Points exchanged for gifts: reserved as they are ordered; `gift_fulfilment` hands them out."""

from datetime import datetime

from sqlalchemy import Update, func, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, GiftOrder
from . import audit, inserts, ledger, sealing
from .energy import day_of
from .errors import NotFound, Rejected
from .gifts import Catalogue, Wanted
from .ledger import MEMBER, RESERVED, Booking
from .paging import Page, paged

# edges name the types without knowing tables
Order = GiftOrder


class NotOffered(Rejected):
    """Refuse a number of gifts that nobody may order at once."""

    field = "quantity"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __str__(self) -> str:
        return str(_("一度に交換できるのは、1個から%(most)s個までです。", most=self.most))


def wanted(catalogue: Catalogue, code: str, quantity: int, now: datetime, *, zone: str) -> Wanted:
    """Return what somebody wants to exchange points for.

    Raises:
        NotFound: There is no such gift (any more).
        NotOffered: It is none, or more than one may order at once.
    """
    gift = catalogue.find(code, day_of(now, zone)[0])
    if gift is None:
        raise NotFound
    if not 1 <= quantity <= gift.most:
        raise NotOffered(gift.most)
    return Wanted(gift, quantity)


def order(actor: Account, one: Wanted, *, once: str, network_address: str, now: datetime) -> int:
    """Order a gift: its points are reserved in the same moment; return the order's id.

    `once` names the press of the button: pressed twice, it is one order.

    Raises:
        NotFound: Who asks is no customer.
        NotEnough: There are fewer points than it takes.
    """
    if actor.role != "customer":
        raise NotFound
    # first: who closes the account meanwhile waits for us, or we for them
    ledger.held([actor.id])
    key = {"account_id": actor.id, "once": once[:64]}
    order_id: int | None = db.session.scalar(
        inserts.insert(GiftOrder)
        .values(
            **key,
            gift=one.gift.code,
            kind=one.gift.kind,
            name_ja=one.gift.name_ja,
            name_en=one.gift.name_en,
            quantity=one.quantity,
            points=one.points,
            state="asked",
            ordered_at=now,
            note="",
        )
        .on_conflict_do_nothing(index_elements=[GiftOrder.account_id, GiftOrder.once])
        .returning(GiftOrder.id)
    )
    if order_id is None:
        before: int = db.session.scalars(select(GiftOrder.id).filter_by(**key)).one()
        return before
    ledger.book(
        Booking(
            f"reserve-{order_id}",
            "reserve",
            actor.id,
            # what it gives or takes: the sign is the member's
            -one.points,
            RESERVED,
            MEMBER,
            now,
            order_id=order_id,
        )
    )
    audit.record(
        "gift.ordered",
        actor_id=actor.id,
        subject="gift_order",
        subject_id=order_id,
        network_address=network_address,
        now=now,
        points=one.points,
    )
    return order_id


def list_mine(actor: Account, page: int) -> Page[GiftOrder]:
    """Return a page of one's orders, the newest first."""
    return paged(
        select(GiftOrder).where(GiftOrder.account_id == actor.id).order_by(GiftOrder.id.desc()),
        page,
    )


def get_mine(actor: Account, order_id: int) -> GiftOrder:
    """Return an order of one's own.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    found = db.session.scalar(
        select(GiftOrder).where(GiftOrder.id == order_id, GiftOrder.account_id == actor.id)
    )
    if found is None:
        raise NotFound
    return found


def code_of(one: GiftOrder, *, secret_key: str) -> str | None:
    """Return the code of a gift that is done, which its owner may see."""
    if not one.sealed_code:
        return None
    return sealing.unseal(secret_key, purpose(one.id), one.sealed_code)


def purpose(order_id: int) -> str:
    """Return what a code is sealed for."""
    return f"gift-code-{order_id}"


def end_all(account_id: int, now: datetime) -> int:
    """Let all points of an account that closes lapse, those of gifts not handed out yet, too.

    Return how many points lapsed. What was handed out already goes on its way.
    """
    ledger.held([account_id])
    asked = list(
        db.session.scalars(
            update(GiftOrder)
            .where(GiftOrder.account_id == account_id, GiftOrder.state == "asked")
            .values(state="returned", settled_at=now)
            .returning(GiftOrder.id)
            .execution_options(synchronize_session=False)
        )
    )
    for one in db.session.scalars(select(GiftOrder).where(GiftOrder.id.in_(asked))):
        ledger.book(settling(one, "returned", MEMBER, now))
    return ledger.lapse(account_id, now)


def count_lapsing(account_id: int) -> int:
    """Return how many points lapse if the account closes now."""
    asked = select(func.coalesce(func.sum(GiftOrder.points), 0)).where(
        GiftOrder.account_id == account_id, GiftOrder.state == "asked"
    )
    return ledger.balance(account_id).points + (db.session.scalar(asked) or 0)


def forget(account_id: int) -> Update:
    """Return what blanks the gifts of an account that is erased."""
    return (
        update(GiftOrder)
        .where(GiftOrder.account_id == account_id)
        .values(sealed_code=None, note="")
    )


def settling(one: GiftOrder, state: str, target: str, now: datetime) -> Booking:
    """Return what moves an order's points to where they end."""
    return Booking(
        f"{state}-{one.id}",
        state,
        one.account_id,
        one.points,
        RESERVED,
        target,
        now,
        order_id=one.id,
    )
