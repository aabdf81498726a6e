"""Members' words that energy is missing from a credit, which operators read."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, EcoMembership, Installation, MissingReport, PointTransaction
from . import audit, inserts, statements
from .errors import NotFound, Rejected
from .paging import Page, paged
from .writes import count_changed

# edges name the type without knowing tables
Report = MissingReport


class AlreadyReported(Rejected):
    """Refuse a second report of one credit while the first waits."""

    field = "words"
    message = _("この明細については、お知らせをいただいています。確認が終わるまでお待ちください。")


def report(
    actor: Account, transaction_id: int, words: str, *, network_address: str, now: datetime
) -> None:
    """Tell operators that energy is missing from one's credit.

    Raises:
        NotFound: There is no such credit, or it is somebody else's.
        AlreadyReported: They were told, and have not looked yet.
    """
    credit = statements.get(actor, transaction_id)
    made = db.session.scalar(
        inserts.insert(MissingReport)
        .values(account_id=actor.id, transaction_id=credit.id, words=words[:500], created_at=now)
        .on_conflict_do_nothing()
        .returning(MissingReport.id)
    )
    if made is None:
        raise AlreadyReported
    _record("missing.reported", made, actor, network_address, now, transaction=credit.id)


def is_waiting(transaction_id: int) -> bool:
    """Tell whether operators were told of a credit and have not looked yet."""
    waiting = select(MissingReport.id).where(
        MissingReport.transaction_id == transaction_id, MissingReport.handled_at.is_(None)
    )
    return db.session.scalar(waiting.limit(1)) is not None


def count_waiting() -> int:
    """Return how many reports nobody has looked at."""
    waiting = select(func.count()).select_from(MissingReport)
    return db.session.scalar(waiting.where(MissingReport.handled_at.is_(None))) or 0


def list_all(page: int) -> Page[MissingReport]:
    """Return a page of reports, those that wait first, the newest first of each."""
    return paged(
        select(MissingReport)
        .options(
            joinedload(MissingReport.transaction)
            .joinedload(PointTransaction.membership)
            .joinedload(EcoMembership.installation)
            .joinedload(Installation.gateway)
        )
        .order_by(MissingReport.handled_at.is_not(None), MissingReport.id.desc()),
        page,
    )


def handle(actor: Account, report_id: int, *, network_address: str, now: datetime) -> None:
    """Keep that an operator looked at a report.

    Raises:
        NotFound: There is none that waits.
    """
    waiting = (
        update(MissingReport)
        .where(MissingReport.id == report_id, MissingReport.handled_at.is_(None))
        .values(handled_at=now)
    )
    if count_changed(waiting) != 1:
        raise NotFound
    _record("missing.handled", report_id, actor, network_address, now)


def _record(
    action: str,
    report_id: int,
    actor: Account,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    audit.record(
        action,
        actor_id=actor.id,
        subject="missing_report",
        subject_id=report_id,
        network_address=network_address,
        now=now,
        **detail,
    )
