"""The outbox: what waits to be mailed, who works on it, and what became of it.

A waiting row's `next_attempt_at` is lease and back-off in one: a claim moves it past the time one
mail may take, a failure moves it further each time. Whoever dies with a claim gives it back by
doing nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from ..extensions import Model, db, wake_after_commit
from ..models import Heartbeat, OutboxMail
from . import batches
from .inserts import insert
from .writes import count_changed

BACK_OFF_MAX = timedelta(hours=1)
ANSWER_LENGTH = 500
# this heartbeat row stands only while the mail server is away: `back_at` holds since when, `at`
# when a worker last knocked
SERVER_AWAY = "mail-server-away"


@dataclass(frozen=True)
class Claim:
    """A mail that is ours to send until `until`, and after that anybody's."""

    id: int
    until: datetime
    # counts this one
    attempts: int
    queued_at: datetime


def queue(
    template: str, to: str, *, key: str, language: str, now: datetime, **refs: int | str
) -> bool:
    """Put a mail into the outbox, in the caller's transaction; sending begins after its commit.

    A second mail with the same `key` changes nothing, also if both are queued at the same moment.

    Args:
        template: Name of a file in `app/mailing/templates/`.
        to: The mail address.
        key: What this mail is about, such as `registration-17-4`; one mail per key, for ever.
        language: "ja" or "en".
        now: The present moment.
        refs: Ids of the rows that the mail speaks of; its text is made of them when it is sent.

    Returns:
        Whether this was the first with its key.
    """
    letter = Letter(template, to, key, language, refs)
    is_new = _insert_if_new(OutboxMail, **_waiting(letter, now))
    wake_after_commit("mail")
    return is_new


class Letter(NamedTuple):
    """A mail to be queued beside others; see `queue`."""

    template: str
    to: str
    key: str
    language: str
    refs: Mapping[str, int | str]


def queue_all(letters: Iterable[Letter], now: datetime) -> None:
    """Put mails into the outbox as `queue` does, all in one statement."""
    batches.insert_new(OutboxMail, [_waiting(one, now) for one in letters])
    wake_after_commit("mail")


def _waiting(letter: Letter, now: datetime) -> dict[str, Any]:
    return {
        **letter._asdict(),
        "state": "waiting",
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
        "answer": "",
    }


def is_any_due(now: datetime) -> bool:
    """Tell whether a mail waits for being sent now."""
    return bool(db.session.scalar(select(exists().where(*_due(now)))))


def claim(now: datetime, lease_s: int) -> Claim | None:
    """Take the mail that has been due longest, for `lease_s` seconds, or None if none is due.

    No two workers get the same one while the lease runs. Mails are taken one at a time: settling
    the last and taking the next is one commit, and a worker that dies holds up one mail, no more.
    """
    until = now + timedelta(seconds=lease_s)
    next_one = (
        select(OutboxMail.id)
        .where(*_due(now))
        .order_by(OutboxMail.next_attempt_at, OutboxMail.id)
        .limit(1)
        # workers pass each other's rows by instead of queueing for the first one
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = db.session.execute(
        update(OutboxMail)
        .where(OutboxMail.id == next_one, *_due(now))
        .values(next_attempt_at=until, attempts=OutboxMail.attempts + 1)
        .returning(OutboxMail.id, OutboxMail.attempts, _waits_since().label("waits_since"))
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return Claim(taken.id, until, taken.attempts, taken.waits_since) if taken else None


def sent(claimed: Claim, answer: str, now: datetime) -> None:
    """Keep that the mail server took the mail, also if the lease ran out meanwhile."""
    _settle(claimed.id, state="sent", sent_at=now, answer=answer[:ANSWER_LENGTH])


def drop(claimed: Claim, reason: str) -> bool:
    """Send this mail never: its subject is gone, or its address is refused for good.

    Returns:
        Whether this did it, and not another worker.
    """
    return _settle(claimed.id, state="dropped", answer=reason[:ANSWER_LENGTH])


def put_off(
    claimed: Claim, answer: str, now: datetime, *, backoff_s: int, give_up_days: int
) -> bool:
    """Try again after a wait that doubles with each attempt, up to an hour.

    Args:
        claimed: What could not be sent.
        answer: What the mail server said, or what kept us from asking it.
        now: The present moment.
        backoff_s: The wait after the first attempt.
        give_up_days: A mail that has waited so long is dropped instead.

    Returns:
        Whether this was the end of it. False too if the lease ran out and another worker has it.
    """
    kept = answer[:ANSWER_LENGTH]
    still_ours = OutboxMail.next_attempt_at == claimed.until
    if now - claimed.queued_at >= timedelta(days=give_up_days):
        return _settle(claimed.id, still_ours, state="dropped", answer=kept)
    # no more than the cap is ever needed of the power: 2 ** 9999 is no number of minutes
    wait = min(timedelta(seconds=backoff_s) * 2 ** min(claimed.attempts - 1, 10), BACK_OFF_MAX)
    _settle(claimed.id, still_ours, next_attempt_at=now + wait, answer=kept)
    return False


def give_up_old(answer: str, now: datetime, *, give_up_days: int) -> list[int]:
    """Drop what is due and too old to be tried again, because the mail server is away.

    Returns:
        The ids of the dropped rows.
    """
    return list(
        db.session.scalars(
            update(OutboxMail)
            .where(*_due(now), _waits_since() <= now - timedelta(days=give_up_days))
            .values(state="dropped", answer=answer[:ANSWER_LENGTH])
            .returning(OutboxMail.id)
            .execution_options(synchronize_session=False)
        )
    )


def may_knock(now: datetime, retry_s: int) -> bool:
    """Tell whether to try the mail server: always, but while it is away once per `retry_s`.

    All workers share this, or a server that hangs would hold every one of them.
    """
    if db.session.get(Heartbeat, SERVER_AWAY) is None:
        return True
    return _count(
        update(Heartbeat)
        .where(Heartbeat.name == SERVER_AWAY, Heartbeat.at <= now - timedelta(seconds=retry_s))
        .values(at=now)
    )


def server_is_away(now: datetime) -> bool:
    """Note that the mail server does not answer; True for the first who notes it."""
    return _insert_if_new(Heartbeat, name=SERVER_AWAY, at=now, back_at=now)


def server_is_back() -> datetime | None:
    """Note that the mail server answers; return since when it had not, once."""
    return db.session.scalar(
        delete(Heartbeat).where(Heartbeat.name == SERVER_AWAY).returning(Heartbeat.back_at)
    )


def release(mail_id: int, now: datetime) -> bool:
    """Try a dropped mail again, as patiently as a new one; tell whether it was dropped."""
    wake_after_commit("mail")
    return _count(
        update(OutboxMail)
        .where(OutboxMail.id == mail_id, OutboxMail.state == "dropped")
        .values(state="waiting", attempts=0, next_attempt_at=now, released_at=now)
    )


def _waits_since() -> ColumnElement[datetime]:
    return func.coalesce(OutboxMail.released_at, OutboxMail.created_at)


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    # a literal, not a parameter: else SQLite does not see that the partial index fits
    waiting = OutboxMail.state == literal_column("'waiting'")
    return waiting, OutboxMail.next_attempt_at <= now


def _settle(mail_id: int, *conditions: ColumnElement[bool], **values: Any) -> bool:
    return _count(
        update(OutboxMail)
        .where(OutboxMail.id == mail_id, OutboxMail.state == "waiting", *conditions)
        .values(**values)
    )


def _count(statement: Any) -> bool:
    return count_changed(statement) == 1


def _insert_if_new(model: type[Model], **values: Any) -> bool:
    statement = insert(model).values(**values).on_conflict_do_nothing()
    # not rowcount: the drivers do not agree on it for an INSERT
    return db.session.execute(statement.returning(literal_column("1"))).first() is not None
