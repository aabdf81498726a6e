"""Tokens of the API (APIトークン): made by a person, for that person's programs to read with.

A token reads what its account may see and nothing else; it cannot sign in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from re import ASCII
from re import compile as regex

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, update

from ..extensions import UtcDateTime, db
from ..extensions import lazy_gettext as _
from ..models import Account, ApiToken
from . import accounts, audit, mail, tokens
from .clearing import delete_some
from .errors import NotFound, Rejected
from .writes import count_changed

# what a token may be good for
LATEST, HISTORY, ALARMS = "latest", "history", "alarms"
SCOPES = (LATEST, HISTORY, ALARMS)
# how many days it may be good
LIFETIMES = (30, 90, 365)
AT_MOST = 10
LONGEST_NAME = 40
# who may have tokens; operators see everybody's data, and no program of theirs needs to
ROLES = ("customer", "dealer")
# a token in a log or a file is found by how it begins
PREFIX = "hdm_"
SHAPE = regex(PREFIX + r"[A-Za-z0-9_-]{43}", ASCII)
# the prefix, and six characters: 36 of 256 bits
SHOWN = 10
# how exact `last_used_at` is: a program may ask every minute
USE_EVERY = timedelta(hours=1)
# so long its owner still sees in the list that it is over
KEEP = timedelta(days=30)
# of an account's; who makes and revokes them again and again makes no page of thousands
SHOWN_AT_MOST = 50


class NoName(Rejected):
    """Ask for a name that tells this token from others."""

    field = "name"
    message = _("トークンの名前を、40文字以内で入力してください。")


class NoScope(Rejected):
    """Ask what the token is to be good for."""

    field = "scopes"
    message = _("読み取れるものを、1つ以上選択してください。")


class NoLifetime(Rejected):
    """Ask how long the token is to be good."""

    field = "days"
    message = _("有効期間を選択してください。")


class TooMany(Rejected):
    """Refuse more tokens than anybody needs."""

    message = _("有効なトークンは10個までです。使わないものを取り消してください。")


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a token, and what it is good for."""

    token_id: int
    account: Account
    scopes: frozenset[str]
    last_used_at: datetime | None


def check_role(account: Account) -> None:
    """Let pass who may have tokens.

    Raises:
        NotFound: Accounts of this role have none.
    """
    if account.role not in ROLES:
        raise NotFound


def create(
    account: Account,
    name: str,
    scopes: Sequence[str],
    days: int,
    *,
    network_address: str,
    now: datetime,
) -> tuple[ApiToken, str]:
    """Make a token, good for `days`; return its row and its text, which nobody can show again.

    Raises:
        NotFound: Accounts of this role have none.
        NoName: The name is empty or too long.
        NoScope: It is to be good for nothing, or for what there is not.
        NoLifetime: It is to be good for a time there is not.
        TooMany: The account has ten.
    """
    check_role(account)
    name = " ".join("".join(filter(str.isprintable, name)).split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise NoName
    if not scopes or not set(scopes) <= set(SCOPES):
        raise NoScope
    if days not in LIFETIMES:
        raise NoLifetime
    accounts.lock(account)
    text = PREFIX + tokens.new_token()
    token = ApiToken(
        account_id=account.id,
        name=name,
        token_hash=tokens.digest(text),
        begins=text[:SHOWN],
        scopes=[scope for scope in SCOPES if scope in scopes],
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    db.session.add(token)
    db.session.flush()
    # counted with it: SQLite knows no lock of a row, but whoever has written waits for nobody
    if _count_good(account, now) > AT_MOST:
        raise TooMany
    _record("api_token.created", account, token.id, network_address=network_address, now=now)
    mail.queue(
        "api_token_created",
        account.email,
        key=f"api-token-created-{token.id}",
        language=account.language,
        now=now,
        account=account.id,
        token=token.id,
    )
    return token, text


def list_of(account: Account) -> list[ApiToken]:
    """Return an account's tokens, the newest first; those that are over for a while, too.

    Raises:
        NotFound: Accounts of this role have none.
    """
    check_role(account)
    theirs = select(ApiToken).where(ApiToken.account_id == account.id)
    return list(db.session.scalars(theirs.order_by(ApiToken.id.desc()).limit(SHOWN_AT_MOST)))


def get_own(account: Account, token_id: int) -> ApiToken:
    """Return one of the account's tokens that is not revoked.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    found = db.session.get(ApiToken, token_id)
    if found is None or found.account_id != account.id or found.revoked_at is not None:
        raise NotFound
    return found


def revoke(account: Account, token_id: int, *, network_address: str, now: datetime) -> None:
    """Revoke one of the account's tokens: it reads nothing from now on.

    Raises:
        NotFound: There is none, or it is somebody else's, or it is revoked already.
    """
    revoked = count_changed(
        update(ApiToken)
        .where(
            ApiToken.id == token_id,
            ApiToken.account_id == account.id,
            ApiToken.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )
    if revoked != 1:
        raise NotFound
    _record("api_token.revoked", account, token_id, network_address=network_address, now=now)


def revoke_all(account: Account, now: datetime) -> None:
    """Revoke all tokens of an account: whoever had it for a while may have made one."""
    count_changed(
        update(ApiToken)
        .where(ApiToken.account_id == account.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def is_token(text: str) -> bool:
    """Tell whether it has the shape of a token: nothing else is looked for."""
    return bool(SHAPE.fullmatch(text))


def find(text: str, now: datetime) -> Bearer | None:
    """Return who shows a token, by one query, if token and account are both good."""
    if not is_token(text):
        return None
    # by its hash: how long the look-up takes tells nothing of the token
    found = db.session.execute(_good(), {"token_hash": tokens.digest(text), "now": now})
    row = found.one_or_none()
    return Bearer(row[0], row[3], frozenset(row[1]), row[2]) if row else None


def needs_note(bearer: Bearer, now: datetime) -> bool:
    """Tell whether the last use that is written down is long enough ago to write it anew."""
    return bearer.last_used_at is None or now - bearer.last_used_at >= USE_EVERY


def note_use(bearer: Bearer, now: datetime) -> None:
    """Write down that the token was used, unless another request has just done so."""
    count_changed(
        update(ApiToken)
        .where(
            ApiToken.id == bearer.token_id,
            or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - USE_EVERY),
        )
        .values(last_used_at=now)
    )


def clear_old(now: datetime) -> int:
    """Delete some of the tokens that are long over; return how many."""
    over = or_(ApiToken.expires_at <= now - KEEP, ApiToken.revoked_at <= now - KEEP)
    return delete_some(ApiToken, over)


@cache
def _good() -> Select[*tuple[int, list[str], datetime | None, Account]]:
    """Build the statement once: building it takes as long as running it."""
    return (
        select(ApiToken.id, ApiToken.scopes, ApiToken.last_used_at, Account)
        .join(ApiToken.account)
        .where(
            ApiToken.token_hash == bindparam("token_hash"),
            _is_good(bindparam("now", type_=UtcDateTime)),
            Account.role.in_(ROLES),
            Account.locked_at.is_(None),
            Account.closed_at.is_(None),
        )
    )


def _is_good(now: object) -> ColumnElement[bool]:
    return and_(ApiToken.revoked_at.is_(None), ApiToken.expires_at > now)


def _count_good(account: Account, now: datetime) -> int:
    theirs = select(func.count()).select_from(ApiToken).where(ApiToken.account_id == account.id)
    return db.session.scalar(theirs.where(_is_good(now))) or 0


def _record(
    action: str, account: Account, token_id: int, *, network_address: str, now: datetime
) -> None:
    audit.record(
        action,
        actor_id=account.id,
        subject="api_token",
        subject_id=token_id,
        network_address=network_address,
        now=now,
    )
