"""The operator's view of the audit log: searched, read, written out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from ..extensions import db
from ..models import Account, AuditEntry
from . import accounts
from .keyset import Key, Slice, sliced, walked

# edges name the type without knowing tables
Entry = AuditEntry
KEY = Key(AuditEntry.at, AuditEntry.id)
# no id: finds nothing
NOBODY = -1


@dataclass(frozen=True)
class Asked:
    """What an operator looks for; None and "" mean everything."""

    action: str = ""
    # an account's id
    actor_id: int | None = None
    subject: str = ""
    subject_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def search(asked: Asked, *, before: str = "", after: str = "") -> Slice[AuditEntry]:
    """Return a page of entries, newest first, by one query."""
    return sliced(_found(asked), KEY, before=before, after=after)


def write_out(asked: Asked) -> Iterator[list[AuditEntry]]:
    """Yield every entry that is asked for, newest first, some at a time."""
    return walked(lambda: _found(asked), KEY)


def find_actor(typed: str) -> int | None:
    """Return the id of the account that was typed: its id, or its mail address; None for nothing.

    Somebody unknown is `NOBODY`.
    """
    if not typed:
        return None
    if typed.isascii() and typed.isdigit() and len(typed) < 10:
        return int(typed)
    account = accounts.find(typed)
    return account.id if account else NOBODY


def addresses(entries: Iterable[AuditEntry]) -> dict[int, str]:
    """Return the mail addresses of those who did it, by id, by one query; the log keeps none."""
    ids = {entry.actor_id for entry in entries if entry.actor_id is not None}
    if not ids:
        return {}
    rows = db.session.execute(
        select(Account.id, Account.email).where(Account.id.in_(ids), Account.closed_at.is_(None))
    )
    return {row.id: row.email for row in rows}


def _found(asked: Asked) -> Select[AuditEntry]:
    found = select(AuditEntry)
    if asked.action:
        found = found.where(AuditEntry.action == asked.action)
    if asked.actor_id is not None:
        found = found.where(AuditEntry.actor_id == asked.actor_id)
    if asked.subject:
        found = found.where(AuditEntry.subject == asked.subject)
    if asked.subject_id is not None:
        found = found.where(AuditEntry.subject_id == asked.subject_id)
    if asked.since:
        found = found.where(AuditEntry.at >= asked.since)
    if asked.until:
        found = found.where(AuditEntry.at < asked.until)
    return found
