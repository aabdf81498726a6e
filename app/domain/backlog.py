"""How far polling and mail are behind, by a few looks at indexes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute

from ..extensions import db
from ..models import Heartbeat, OutboxMail, PointRun, PollState
from . import mail, polling

# more than this is "many": nobody waits for a count of millions
COUNTED_AT_MOST = 10_000


@dataclass(frozen=True)
class Backlog:
    """What waits; counts end at `COUNTED_AT_MOST`."""

    # gateways that should have been asked by now, and since when the first of them waits
    polls_due: int
    polls_due_since: datetime | None
    poller_seen_at: datetime | None
    mails_waiting: int
    mails_waiting_since: datetime | None
    mails_dropped: int
    mail_server_away_since: datetime | None
    # a half-year's points that are not all credited; later half-years wait for them
    points_open_since: datetime | None


def look(now: datetime) -> Backlog:
    """Return how far behind the service is."""
    # literals: else the partial indexes are not seen to fit
    waiting = OutboxMail.state == literal_column("'waiting'")
    dropped = OutboxMail.state == literal_column("'dropped'")
    due = PollState.next_poll_at <= now
    beats = {
        row.name: row
        for row in db.session.execute(
            select(Heartbeat.name, Heartbeat.at, Heartbeat.back_at).where(
                Heartbeat.name.in_([polling.POLLER, mail.SERVER_AWAY])
            )
        )
    }
    poller, away = beats.get(polling.POLLER), beats.get(mail.SERVER_AWAY)
    return Backlog(
        polls_due=_count(PollState.gateway_id, due),
        polls_due_since=db.session.scalar(select(func.min(PollState.next_poll_at)).where(due)),
        poller_seen_at=poller.at if poller else None,
        mails_waiting=_count(OutboxMail.id, waiting),
        mails_waiting_since=_oldest_mail(waiting),
        mails_dropped=_count(OutboxMail.id, dropped),
        mail_server_away_since=away.back_at if away else None,
        points_open_since=db.session.scalar(
            select(func.min(PointRun.opened_at)).where(PointRun.finished_at.is_(None))
        ),
    )


def _count(key: InstrumentedAttribute[int], which: ColumnElement[bool]) -> int:
    some = select(key).where(which).limit(COUNTED_AT_MOST).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0


def _oldest_mail(which: ColumnElement[bool]) -> datetime | None:
    # within, or a planner walks from the oldest mail of all, past the years that are sent
    some = (
        select(OutboxMail.created_at)
        .where(which)
        .order_by(OutboxMail.next_attempt_at)
        .limit(COUNTED_AT_MOST)
        .subquery()
    )
    found: datetime | None = db.session.scalar(select(func.min(some.c.created_at)))
    return found
