"""Sessions: who is signed in where, for how long, and how that ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, select, update

from ..extensions import db
from ..models import Account, Session
from . import audit, tokens
from .clearing import delete_some
from .errors import NotFound

# blueprints know no tables, but name the types of what they are given
AccountRow = Account
SessionRow = Session

ACTION = "sign-in"
# how exact `last_seen_at` is: a live page polls every few seconds
TOUCH_EVERY = timedelta(minutes=1)
# of an account's sessions; a script that signs in again and again makes no page of thousands
SHOWN_AT_MOST = 100
# what a poll selects of session and account
GLANCE = (
    Session.id.label("session_id"),
    Session.account_id,
    Session.began_at,
    Session.last_seen_at,
    Account.role,
    Account.language,
    Account.family_name,
    Account.given_name,
)


@dataclass(frozen=True, slots=True)
class AccountGlance:
    """What a poll needs to know of an account, for Flask-Login in the place of the account."""

    id: int
    role: str
    language: str
    display_name: str
    is_authenticated: ClassVar = True


@dataclass(frozen=True, slots=True)
class SessionGlance:
    """What a poll needs to know of a session."""

    id: int
    account: AccountGlance
    began_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class Lifetime:
    """How long a session lasts without a sign of life, and at most."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True)
class Lifetimes:
    """Customers stay signed in longer than those who see other people's data."""

    customer: Lifetime
    staff: Lifetime

    def of(self, account: Account | AccountGlance) -> Lifetime:
        """Return the lifetime of the sessions of an account."""
        return self.customer if account.role == "customer" else self.staff


def begin(
    account: Account, *, network_address: str, browser: str, now: datetime, **detail: object
) -> Session:
    """Begin a session of an account that has shown who it is, under a new token.

    `detail` is for the audit log.
    """
    account.session_token = tokens.new_token()
    session = Session(
        token_hash=tokens.digest(account.session_token),
        account=account,
        network_address=network_address,
        browser="".join(filter(str.isprintable, browser))[:200],
        began_at=now,
        last_seen_at=now,
        proved_at=now,
    )
    db.session.add(session)
    db.session.flush()
    audit.record(
        "signed_in",
        actor_id=account.id,
        subject="session",
        subject_id=session.id,
        network_address=network_address,
        now=now,
        **detail,
    )
    return session


def find(token: str, *, now: datetime, lifetimes: Lifetimes) -> Session | None:
    """Return the session of a token with its account, by one query, if both are still good."""
    session = db.session.scalar(_open(), {"token_hash": tokens.digest(token)})
    if session is None or not session.account.may_sign_in:
        return None
    if _is_over(session, lifetimes.of(session.account), now):
        return None
    session.account.session_token = token
    return session


def glance_of(row: Row[Any], now: datetime, lifetimes: Lifetimes) -> SessionGlance | None:
    """Return the session in a row of `GLANCE`, which `is_open`, if its lifetime is not over."""
    name = f"{row.family_name} {row.given_name}"
    account = AccountGlance(row.account_id, row.role, row.language, name)
    session = SessionGlance(row.session_id, account, row.began_at, row.last_seen_at)
    return None if _is_over(session, lifetimes.of(account), now) else session


def is_open() -> ColumnElement[bool]:
    """Return the condition under which `find` finds the session and account of `token_hash`."""
    return and_(
        Session.token_hash == bindparam("token_hash"),
        Session.ended_at.is_(None),
        Account.locked_at.is_(None),
        Account.closed_at.is_(None),
    )


def _is_over(session: Session | SessionGlance, lifetime: Lifetime, now: datetime) -> bool:
    return now - session.last_seen_at >= lifetime.idle or now - session.began_at >= lifetime.longest


@cache
def _open() -> Select[Session]:
    """Build the statement once: building it takes as long as running it, which every page does."""
    return select(Session).where(
        Session.token_hash == bindparam("token_hash"), Session.ended_at.is_(None)
    )


def owner_id(token: str) -> int | None:
    """Return whose session a token was, also if it is over."""
    return db.session.scalar(
        select(Session.account_id).where(Session.token_hash == tokens.digest(token))
    )


def needs_touch(session: Session | SessionGlance, now: datetime) -> bool:
    """Tell whether the session was last seen long enough ago to write it down again."""
    return now - session.last_seen_at >= TOUCH_EVERY


def touch(session: Session | SessionGlance, now: datetime) -> None:
    """Write down that the session was seen, unless another request has just done so."""
    db.session.execute(
        update(Session)
        .where(Session.id == session.id, Session.last_seen_at <= now - TOUCH_EVERY)
        .values(last_seen_at=now)
        .execution_options(synchronize_session=False)
    )


def was_proved(session: Session, now: datetime, within: timedelta) -> bool:
    """Tell whether the person of a session showed so recently who it is."""
    return session.proved_at is not None and now - session.proved_at < within


def prove_again(session: Session, now: datetime) -> None:
    """Write down that the person of a session has shown anew who it is."""
    session.proved_at = now


def end(session: Session, now: datetime) -> None:
    """End one session: signing out."""
    _end(Session.id == session.id, now=now)


def end_all(account: Account, now: datetime, *, but: Session | None = None) -> None:
    """End every session of an account, except the one at hand if it may stay."""
    _end(
        Session.account_id == account.id,
        *([Session.id != but.id] if but else []),
        now=now,
    )


def list_open(account: Account, now: datetime, lifetimes: Lifetimes) -> list[Session]:
    """Return the sessions of an account that are not over, the one seen last first."""
    lifetime = lifetimes.of(account)
    return list(
        db.session.scalars(
            select(Session)
            .where(
                Session.account_id == account.id,
                Session.ended_at.is_(None),
                Session.last_seen_at > now - lifetime.idle,
                Session.began_at > now - lifetime.longest,
            )
            .order_by(Session.last_seen_at.desc(), Session.id.desc())
            .limit(SHOWN_AT_MOST)
        )
    )


def end_one(session: Session, session_id: int, now: datetime) -> None:
    """End another session of the same account: signing out elsewhere.

    Raises:
        NotFound: There is no such session, or it is somebody else's.
    """
    found = db.session.get(Session, session_id)
    if found is None or found.account_id != session.account_id:
        raise NotFound
    _end(Session.id == session_id, now=now)
    audit.record(
        "signed_out_elsewhere",
        actor_id=session.account_id,
        subject="session",
        subject_id=session_id,
        now=now,
    )


def keep_form(session: Session, page: str, fields: Sequence[tuple[str, str]]) -> None:
    """Keep the fields of a form that outlived the session before; the page shows them again."""
    session.kept_form = {"page": page, "fields": [list(field) for field in fields]}


def kept_form(session: Session, page: str) -> list[tuple[str, str]]:
    """Return the fields kept for a page, or nothing."""
    kept = session.kept_form
    if kept is None or kept["page"] != page:
        return []
    return [(name, value) for name, value in kept["fields"]]


def drop_kept_form(session: Session) -> None:
    """Forget the kept fields: the form was sent, or left for another."""
    session.kept_form = None


def clear_old(now: datetime, *, longest: timedelta) -> int:
    """Delete some of the sessions that began too long ago to be open; return how many."""
    return delete_some(Session, Session.began_at <= now - longest)


def _end(*which: ColumnElement[bool], now: datetime) -> None:
    db.session.execute(
        update(Session)
        .where(*which, Session.ended_at.is_(None))
        .values(ended_at=now, kept_form=None)
        .execution_options(synchronize_session=False)
    )
