"""A year of history as a ZIP: asked for, made month by month by a job, kept for a day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sqlalchemy import Select, Table, or_, select, update
from sqlalchemy.orm import undefer

from ..extensions import db, wake_after_commit
from ..models import Account, Gateway, HistoryExport, Installation
from . import audit, history, history_csv
from .clearing import delete_some
from .errors import NotFound
from .history import Home
from .inserts import insert
from .periods import Period, Span
from .writes import count_changed

KEPT = timedelta(days=1)
# how long a month may take before another worker believes this one dead; it takes some milliseconds
LEASE = timedelta(seconds=30)
# one that never ends (its worker dies each time) is given up
GIVEN_UP = timedelta(days=2)

# edges name the type without knowing tables
Export = HistoryExport


def request(
    actor: Account, home: Home, year: Period, *, network_address: str, now: datetime
) -> int:
    """Let a job make the files of a year of a home that the actor may read; return the export's id.

    While the last one is being made it stays; one that is finished is made anew.
    """
    months = months_of(home, year, now)
    table = cast(Table, HistoryExport.__table__)
    fresh = {
        "created_at": now,
        "first_month": months[0].first.month,
        "months": len(months),
        "months_done": 0,
        "claimed_until": None,
        "content": None,
        "finished_at": None,
        "expires_at": None,
    }
    key = {
        "account_id": actor.id,
        "installation_id": home.installation_id,
        "year": year.first.year,
    }
    # how many rows an INSERT wrote PostgreSQL's driver does not always say
    written = db.session.scalar(
        insert(table)
        .values(**key, **fresh)
        .on_conflict_do_update(
            index_elements=[table.c[name] for name in key],
            set_=fresh,
            where=table.c.finished_at.is_not(None),
        )
        .returning(table.c.id)
    )
    export_id = db.session.execute(
        select(HistoryExport.id).where(*[table.c[name] == value for name, value in key.items()])
    ).scalar_one()
    if written is not None:
        audit.record(
            "history.exported",
            actor_id=actor.id,
            subject="installation",
            subject_id=home.installation_id,
            network_address=network_address,
            now=now,
            gateway_id=home.gateway_id,
            year=year.first.year,
        )
    wake_after_commit("history")
    return export_id


def months_of(home: Home, year: Period, now: datetime) -> list[Period]:
    """Return the months of a year that were theirs and have begun."""
    first, last = home.first_day(), home.last_day(now)
    return [month for month in year.parts() if month.last >= first and month.first <= last]


def get(actor: Account, home: Home, export_id: int, now: datetime) -> HistoryExport:
    """Return what the actor asked for of a home.

    Raises:
        NotFound: There is none, it is over, or somebody else asked for it.
    """
    found = db.session.scalar(_of(actor, home, export_id, now))
    if found is None:
        raise NotFound
    return found


def get_file(actor: Account, home: Home, export_id: int, now: datetime) -> tuple[int, bytes]:
    """Return the year and the ZIP of what the actor asked for of a home.

    Raises:
        NotFound: There is none, it is over or not finished, or somebody else asked for it.
    """
    statement = _of(actor, home, export_id, now).options(undefer(HistoryExport.content))
    found = db.session.scalar(statement.where(HistoryExport.finished_at.is_not(None)))
    if found is None or found.content is None:
        raise NotFound
    return found.year, found.content


def _of(actor: Account, home: Home, export_id: int, now: datetime) -> Select[HistoryExport]:
    return select(HistoryExport).where(
        HistoryExport.id == export_id,
        HistoryExport.account_id == actor.id,
        HistoryExport.installation_id == home.installation_id,
        or_(HistoryExport.expires_at.is_(None), HistoryExport.expires_at > now),
    )


def clear_old(now: datetime) -> int:
    """Delete some of what is over; return how many."""
    return delete_some(
        HistoryExport,
        or_(
            HistoryExport.expires_at <= now,
            HistoryExport.expires_at.is_(None) & (HistoryExport.created_at <= now - GIVEN_UP),
        ),
    )


# ---- the job's steps ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """The next month of an export, ours to write until `until`."""

    export_id: int
    until: datetime
    account_id: int
    installation_id: int
    public_id: str
    #: as of when the history is shown: the months of one file agree
    at: datetime
    month: Period
    months_done: int
    months: int


def claim(now: datetime) -> Claim | None:
    """Take the next month of an export that is not finished, or None if there is none."""
    until = now + LEASE
    free = or_(HistoryExport.claimed_until.is_(None), HistoryExport.claimed_until <= now)
    is_due = HistoryExport.finished_at.is_(None), free
    next_one = (
        select(HistoryExport.id)
        .where(*is_due)
        .order_by(HistoryExport.created_at, HistoryExport.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = db.session.scalar(
        update(HistoryExport)
        .where(HistoryExport.id == next_one, *is_due)
        .values(claimed_until=until)
        .returning(HistoryExport.id)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        return None
    found, public_id = db.session.execute(
        select(HistoryExport, Gateway.public_id)
        .join(Installation, Installation.id == HistoryExport.installation_id)
        .join(Gateway, Gateway.id == Installation.gateway_id)
        .where(HistoryExport.id == taken)
        .execution_options(populate_existing=True)
    ).one()
    month = date(found.year, found.first_month + found.months_done, 1)
    return Claim(
        taken,
        until,
        found.account_id,
        found.installation_id,
        public_id,
        found.created_at,
        Period(Span.MONTH, month),
        found.months_done,
        found.months,
    )


def make(claimed: Claim, now: datetime, *, zone: str) -> None:
    """Add a claimed month to its file, unless the claim ran out meanwhile.

    Who asked must still be somebody who may read it: else it is dropped.
    """
    home = _readable(claimed, now, zone)
    if home is None:
        delete_some(HistoryExport, HistoryExport.id == claimed.export_id)
        return
    is_ours = (
        HistoryExport.id == claimed.export_id,
        HistoryExport.claimed_until == claimed.until,
        HistoryExport.months_done == claimed.months_done,
    )
    found = db.session.execute(select(HistoryExport.content).where(*is_ours)).one_or_none()
    if found is None:
        return
    lines = history_csv.month(home, claimed.month, claimed.at)
    name = f"{history_csv.file_name(home, claimed.month)}.csv"
    content = _with_file(found.content, name, "".join(lines), claimed.at)
    is_last = claimed.months_done + 1 == claimed.months
    finished = {"finished_at": now, "expires_at": now + KEPT} if is_last else {}
    count_changed(
        update(HistoryExport)
        .where(*is_ours)
        .values(
            content=content, months_done=claimed.months_done + 1, claimed_until=None, **finished
        )
    )


def _readable(claimed: Claim, now: datetime, zone: str) -> Home | None:
    actor = db.session.get(Account, claimed.account_id)
    if actor is None or not actor.may_sign_in:
        return None
    try:
        return history.get_home(
            actor,
            claimed.public_id,
            now,
            zone=zone,
            installation_id=claimed.installation_id,
        )
    except NotFound:
        return None


def _with_file(sofar: bytes | None, name: str, text: str, at: datetime) -> bytes:
    """Return a ZIP with one file more. `at` is the moment it says it was made."""
    whole = BytesIO(sofar or b"")
    member = ZipInfo(name, at.timetuple()[:6])
    member.compress_type = ZIP_DEFLATED
    with ZipFile(whole, "a") as archive:
        archive.writestr(member, text.encode())
    return whole.getvalue()
