"""Delays that grow with failures, kept in the database: no restart forgets them.

An attempt is counted *before* it is judged, by one statement that also refuses it while the
subject must wait. A thousand guesses at once therefore take turns on one row, and an attempt
whose count cannot be written is not made: the limit fails closed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count, takewhile
from math import ceil

from sqlalchemy import case, delete, literal, null, or_, select, update
from sqlalchemy.sql.dml import ReturningInsert

from ..extensions import UtcDateTime, db
from ..extensions import lazy_gettext as _
from ..models import FailureCount
from .clearing import delete_some
from .errors import Rejected
from .inserts import insert

# a day without a failure wipes the slate
DECAY = timedelta(days=1)


class TooManyFailures(Rejected):
    """Ask to wait; `retry_at` says until when."""

    message = _("続けて入力されたため、少しお待ちいただく必要があります。")

    def __init__(self, retry_at: datetime, now: datetime) -> None:
        super().__init__()
        self.retry_at = retry_at
        self.wait_s = max(1, ceil((retry_at - now).total_seconds()))

    def __str__(self) -> str:
        if self.wait_s < 60:
            return str(
                _(
                    "安全のため、少しお待ちください。%(seconds)s秒ほどたってから、もう一度お試しください。",
                    seconds=self.wait_s,
                )
            )
        return str(
            _(
                "安全のため、少しお待ちください。%(minutes)s分ほどたってから、もう一度お試しください。",
                minutes=ceil(self.wait_s / 60),
            )
        )


def spend(
    action: str, subjects: Sequence[str], *, now: datetime, free: int, delay_max_s: int
) -> None:
    """Count one attempt of each subject beforehand, or refuse it.

    The first `free` attempts follow each other freely; the next ones wait 1 s, 2 s, 4 s … up to
    `delay_max_s`. Subjects are strings such as "address:192.0.2.1" or "account:taro@example.org".
    Call it in a transaction of its own, so that the count survives what the attempt leads to. A
    refused attempt counts nothing, for none of the subjects: waiting ends whatever others do.

    Raises:
        TooManyFailures: One of the subjects still has to wait.
    """
    # always in one order: two who spend for the same pair must not wait for each other
    for key in sorted(map(_key, subjects)):
        if db.session.execute(_count(action, key, now, free, delay_max_s)).first() is None:
            blocked_until = db.session.scalar(
                select(FailureCount.blocked_until).filter_by(action=action, subject=key)
            )
            raise TooManyFailures(blocked_until or now, now)


def forgive(action: str, subjects: Sequence[str]) -> None:
    """Take back what this success spent, and no more: failures of others behind it still count."""
    db.session.execute(
        update(FailureCount)
        .where(FailureCount.action == action, FailureCount.subject.in_(map(_key, subjects)))
        .values(
            failures=case((FailureCount.failures > 0, FailureCount.failures - 1), else_=0),
            # the wait goes, the count stays with the others' failures: their next wait is longer
            blocked_until=null(),
        )
        .execution_options(synchronize_session=False)
    )


def clear(action: str, subjects: Sequence[str]) -> None:
    """Forget all failures of these subjects: the owner has shown who one is."""
    db.session.execute(
        delete(FailureCount)
        .where(FailureCount.action == action, FailureCount.subject.in_(map(_key, subjects)))
        .execution_options(synchronize_session=False)
    )


def clear_old(now: datetime) -> int:
    """Delete some of the counts that no longer say anything; return how many."""
    return delete_some(
        FailureCount,
        FailureCount.last_failure_at <= now - DECAY,
        or_(FailureCount.blocked_until.is_(None), FailureCount.blocked_until <= now),
    )


def _key(subject: str) -> str:
    """Return a subject as it is kept: what is too long or not text becomes its SHA-256."""
    if len(subject) <= 300 and subject.isprintable():
        return subject
    return sha256(subject.encode(errors="surrogatepass")).hexdigest()


def _delay_s(failures: int, free: int, delay_max_s: int) -> int:
    """Return how long the next attempt waits after so many failures."""
    return min(2 ** min(failures - free, 30), delay_max_s) if failures >= free else 0


def _count(
    action: str, key: str, now: datetime, free: int, delay_max_s: int
) -> ReturningInsert[int]:
    """Return the statement that counts one attempt; it gives no row while the subject waits."""

    def wait_after(failures: int) -> datetime | None:
        delay_s = _delay_s(failures, free, delay_max_s)
        return now + timedelta(seconds=delay_s) if delay_s else None

    # both databases agree on CASE, but neither on powers of two nor on adding to a moment
    growing = takewhile(
        lambda failures: _delay_s(failures - 1, free, delay_max_s) < delay_max_s, count(free)
    )
    waits = [
        (FailureCount.failures + 1 == failures, literal(wait_after(failures), UtcDateTime()))
        for failures in growing
    ]
    longest = literal(now + timedelta(seconds=delay_max_s), UtcDateTime())
    old = FailureCount.last_failure_at <= now - DECAY
    counted: ReturningInsert[int] = (
        insert(FailureCount)
        .values(
            action=action,
            subject=key,
            failures=1,
            last_failure_at=now,
            blocked_until=wait_after(1),
        )
        .on_conflict_do_update(
            index_elements=["action", "subject"],
            set_={
                "failures": case((old, 1), else_=FailureCount.failures + 1),
                "last_failure_at": now,
                "blocked_until": case(
                    (old, literal(wait_after(1), UtcDateTime())),
                    (FailureCount.failures + 1 < free, null()),
                    *waits,
                    else_=longest,
                ),
            },
            where=or_(FailureCount.blocked_until.is_(None), FailureCount.blocked_until <= now),
        )
        .returning(FailureCount.failures)
    )
    return counted
