"""Gifts that were ordered: handed out once, then done, or returned with their points."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, GiftExport, GiftOrder
from . import audit, csv_files, ledger, mail, sealing
from .errors import NotFound, Rejected
from .gift_orders import purpose, settling
from .ledger import GIFTS, LAPSED, MEMBER
from .paging import Page, paged
from .writes import count_changed

# lines of one file: its answers are settled in one request, some forty a second on a busy machine,
# and nginx waits for 35 s
MOST_EXPORTED = 500


class AlreadySettled(Rejected):
    """Refuse to settle what is not on its way."""

    message = _("この交換は、手配中ではありません。")


class NothingToExport(Rejected):
    """Refuse to make a file without a line."""

    message = _("お届けの手配を待っている交換は、いまありません。")


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
        # by itself: within an IN, PostgreSQL may ask it again for each row, and more than the limit
        .cte("some")
    )
    taken = db.session.scalars(
        update(GiftOrder)
        .where(GiftOrder.id.in_(select(some.c.id)), GiftOrder.state == "asked")
        .values(state="exported", export_id=made.id)
        .returning(GiftOrder.id)
        .execution_options(synchronize_session=False)
    )
    made.orders = len(taken.all())
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


def note_download(actor: Account, export_id: int, *, network_address: str, now: datetime) -> None:
    """Write down who had the names and addresses of a file."""
    audit.record(
        "gift.downloaded",
        actor_id=actor.id,
        subject="gift_export",
        subject_id=export_id,
        network_address=network_address,
        now=now,
    )


def _lines(rows: Sequence[GiftOrder]) -> Iterator[str]:
    yield csv_files.BOM + csv_files.line(COLUMNS)
    for one in rows:
        to = one.account
        sent = one.kind == "card"
        yield csv_files.line(
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
    ledger.book(settling(one, state, target, now))
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
