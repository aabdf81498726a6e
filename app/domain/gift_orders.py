"""Points exchanged for gifts: reserved as they are ordered, handed out once, done or returned."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Update, delete, func, select, update
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, GiftExport, GiftOrder
from . import audit, csv_cells, inserts, ledger, mail, sealing
from .energy import day_of
from .errors import NotFound, Rejected
from .gifts import Catalogue, Wanted
from .ledger import GIFTS, LAPSED, MEMBER, RESERVED, Booking
from .paging import Page, paged
from .writes import count_changed

# lines of one file: its answers are settled in one request, some forty a second on a busy machine,
# and nginx waits for 35 s
MOST_EXPORTED = 500

# edges name the types without knowing tables
Order = GiftOrder
Export = GiftExport


class NotOffered(Rejected):
    """Refuse a number of gifts that nobody may order at once."""

    field = "quantity"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __str__(self) -> str:
        return str(_("一度に交換できるのは、1個から%(most)s個までです。", most=self.most))


class NothingToExport(Rejected):
    """Refuse to make a file without a line."""

    message = _("お届けの手配を待っている交換は、いまありません。")


class AlreadySettled(Rejected):
    """Refuse to settle what is not on its way."""

    message = _("この交換は、手配中ではありません。")


# ---- members --------------------------------------------------------------------------------


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
        ledger.book(_settling(one, "returned", MEMBER, now))
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


# ---- operators ------------------------------------------------------------------------------


def count_asked() -> tuple[int, int]:
    """Return how many orders wait to be handed out, and how many are on their way."""
    counts = dict.fromkeys(("asked", "exported"), 0)
    for state, count in db.session.execute(
        select(GiftOrder.state, func.count())
        .where(GiftOrder.state.in_(counts))
        .group_by(GiftOrder.state)
    ):
        counts[state] = count
    return counts["asked"], counts["exported"]


def list_exports(page: int) -> Page[GiftExport]:
    """Return a page of the files made so far, the newest first."""
    return paged(
        select(GiftExport).options(joinedload(GiftExport.account)).order_by(GiftExport.id.desc()),
        page,
    )


def export(actor: Account, *, network_address: str, now: datetime) -> int:
    """Hand out what waits, each order once; return the id of the file.

    Raises:
        NothingToExport: Nothing waits.
    """
    made = GiftExport(account_id=actor.id, made_at=now, orders=0)
    db.session.add(made)
    db.session.flush()
    some = (
        select(GiftOrder.id)
        .where(GiftOrder.state == "asked")
        .order_by(GiftOrder.id)
        .limit(MOST_EXPORTED)
        .with_for_update(skip_locked=True)
        # asked once: PostgreSQL may ask a mere subquery again for each row, and lock more each time
        .cte("some")
    )
    handed_out = db.session.scalars(
        update(GiftOrder)
        .where(GiftOrder.id.in_(select(some.c.id)), GiftOrder.state == "asked")
        .values(state="exported", export_id=made.id)
        .returning(GiftOrder.id)
        .execution_options(synchronize_session=False)
    )
    made.orders = len(handed_out.all())
    if not made.orders:
        db.session.execute(delete(GiftExport).where(GiftExport.id == made.id))
        raise NothingToExport
    audit.record(
        "gift.exported",
        actor_id=actor.id,
        subject="gift_export",
        subject_id=made.id,
        network_address=network_address,
        now=now,
        orders=made.orders,
    )
    return made.id


COLUMNS = (
    *("id", "ordered_at", "gift", "name", "quantity", "points", "recipient"),
    *("postal_code", "address", "building", "email"),
)


def export_lines(export_id: int) -> Iterator[str]:
    """Return the file of an export, an order a line; only what is sent has an address.

    Raises:
        NotFound: There is no such file.
    """
    if db.session.get(GiftExport, export_id) is None:
        raise NotFound
    rows = db.session.scalars(
        select(GiftOrder)
        .options(joinedload(GiftOrder.account))
        .where(GiftOrder.export_id == export_id)
        .order_by(GiftOrder.id)
    ).all()
    return _lines(rows)


def _lines(rows: Sequence[GiftOrder]) -> Iterator[str]:
    yield csv_cells.BOM + csv_cells.line(COLUMNS)
    for one in rows:
        to = one.account
        sent = one.kind == "card"
        yield csv_cells.line(
            [
                one.id,
                f"{one.ordered_at:%Y-%m-%dT%H:%M:%SZ}",
                one.gift,
                one.name_ja,
                one.quantity,
                one.points,
                f"{to.family_name} {to.given_name}".strip(),
                to.postal_code if sent else "",
                f"{to.prefecture}{to.city}{to.street}" if sent else "",
                to.building if sent else "",
                "" if to.closed_at else to.email,
            ]
        )


def settle(
    order_id: int, state: str, *, note: str, code: str, secret_key: str, now: datetime
) -> None:
    """Keep that a gift is done, or returned with its points; its owner is mailed.

    Raises:
        AlreadySettled: It is not on its way (any more).
    """
    sealed = sealing.seal(secret_key, purpose(order_id), code) if code else None
    if (
        count_changed(
            update(GiftOrder)
            .where(GiftOrder.id == order_id, GiftOrder.state == "exported")
            .values(state=state, settled_at=now, note=note, sealed_code=sealed)
        )
        != 1
    ):
        raise AlreadySettled
    one = db.session.scalars(
        select(GiftOrder)
        .options(joinedload(GiftOrder.account))
        .where(GiftOrder.id == order_id)
        .execution_options(populate_existing=True)
    ).one()
    # held first: who closes the account now waits for us
    ledger.held([one.account_id])
    closed = db.session.scalar(select(Account.closed_at).where(Account.id == one.account_id))
    target = GIFTS if state == "done" else LAPSED if closed else MEMBER
    ledger.book(_settling(one, state, target, now))
    if not closed:
        mail.queue(
            f"gift_{state}",
            one.account.email,
            key=f"gift-{one.id}",
            language=one.account.language,
            now=now,
            account=one.account_id,
            order=one.id,
        )


def _settling(one: GiftOrder, state: str, target: str, now: datetime) -> Booking:
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
