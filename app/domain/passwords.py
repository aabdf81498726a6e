"""Passwords: what a good one is, how one is changed, and how a forgotten one is replaced."""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from re import compile as regex
from re import search
from typing import Literal
from unicodedata import normalize

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account, EmailChange, PasswordReset, Session
from . import accounts, api_tokens, audit, limits, mail, sessions, tokens
from .clearing import delete_some
from .errors import Rejected
from .writes import count_changed

# what the signed URL is for
PURPOSE = "password-reset"
# what limits count
CHANGE = "change-password"
CONFIRM = "confirm-password"
FORGOTTEN = "forgotten-password"
PasswordRule = Literal["manual", "modern"]
RULES: tuple[PasswordRule, ...] = ("manual", "modern")
# what anybody would try here first: the portal's name and the words of its trade
CONTEXT_WORDS = (
    *("hidamari", "gateway", "monitor", "monitoring", "portal", "remote", "enkaku"),
    *("battery", "storage", "solar", "chikuden", "chikudenchi", "denchi", "denki", "taiyoukou"),
    *("customer", "dealer", "operator", "owner", "okyakusama", "hanbaiten"),
    *("password", "admin", "energy", "inverter", "modbus", "sunspec"),
)
# those words and nothing but digits and signs around them
_CONTEXT = regex(rf"[\W\d_]*(?:(?:{'|'.join(CONTEXT_WORDS)})[\W\d_]*)+")


class WeakPassword(Rejected):
    """Refuse a password that the manual's rule does not allow."""

    field = "password"
    message = _(
        "パスワードは8〜16文字で、英小文字・英大文字・数字をそれぞれ1文字以上入れてください。"
    )


class PasswordLength(WeakPassword):
    """Refuse a password for its length, the only thing the modern rule asks."""

    message = _("パスワードは8〜128文字で入力してください。")


class WrongPassword(Rejected):
    """Refuse to change a password for somebody who does not know it."""

    field = "current_password"
    message = _("現在のパスワードが正しくありません。もう一度ご確認ください。")


class ResetUrlDead(Rejected):
    """Refuse a URL that is used, too old, replaced by a newer one, or not ours."""

    message = _(
        "このURLは、すでに使われたか、有効期限が切れています。もう一度、再設定のメールをご請求ください。"
    )


class CommonPassword(Rejected):
    """Refuse a password that guessers try first."""

    field = "password"
    message = _(
        "このパスワードは広く使われていて、推測されやすいものです。ほかのパスワードを入力してください。"
    )


def check(password: str, *, rule: PasswordRule) -> None:
    """Judge a new password as it will be hashed: full width and half width are the same (NFKC).

    Raises:
        WeakPassword: The rule does not allow it.
        CommonPassword: It stands on the list of common ones, or is made of the words of this
            portal, in whatever case.
    """
    if len(password) > accounts.LONGEST_TYPED:
        # no password at all, but enough combining marks to fold for minutes
        raise PasswordLength if rule == "modern" else WeakPassword
    folded = normalize("NFKC", password)
    if any("\ud800" <= sign <= "\udfff" for sign in folded):
        # half a character: no browser sends it, and no hash takes it
        raise WeakPassword
    if rule == "modern":
        if not 8 <= len(folded) <= 128:
            raise PasswordLength
    elif not 8 <= len(folded) <= 16 or not all(
        search(kind, folded) for kind in ("[a-z]", "[A-Z]", "[0-9]")
    ):
        raise WeakPassword
    lowered = folded.casefold()
    if lowered in common_passwords() or _CONTEXT.fullmatch(lowered):
        raise CommonPassword


@cache
def common_passwords() -> frozenset[str]:
    """Return the list of common passwords, in lower case."""
    lines = (Path(__file__).parent / "common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def change(
    session: Session,
    current: str,
    new: str,
    *,
    rule: PasswordRule,
    network_address: str,
    now: datetime,
) -> None:
    """Change the password of who is signed in; every other session ends, and a mail tells it.

    The caller has counted the attempt (`limits.spend`); this takes it back.

    Raises:
        WrongPassword: `current` is not the present one.
        WeakPassword: The rule does not allow the new one.
        CommonPassword: The new one is too common.
        WrongCredentials: It was changed, or the account locked or closed, meanwhile.
    """
    account = session.account
    prove_again(account, current, network_address=network_address)
    check(new, rule=rule)
    _set(account, new, network_address=network_address, now=now)
    sessions.end_all(account, now, but=session)


def prove_again(
    account: Account, current: str, *, network_address: str, action: str = CHANGE
) -> None:
    """Verify that who is signed in knows the present password; the account's row is then locked.

    The caller has counted the attempt (`limits.spend` as `action`); this takes it back.

    Raises:
        WrongPassword: `current` is not the present one.
        WrongCredentials: It was changed, or the account locked or closed, meanwhile.
    """
    proved = account.password_hash
    if not hasher.verify(proved, current[: accounts.LONGEST_TYPED]):
        raise WrongPassword
    limits.forgive(action, [f"address:{network_address}"])
    limits.clear(action, [accounts.limit_subject(account.email)])
    accounts.hold(account, proved)


def confirm(session: Session, typed: str, *, network_address: str, now: datetime) -> None:
    """Write down that who is signed in has shown the password again.

    The caller has counted the attempt (`limits.spend` as `CONFIRM`); this takes it back.

    Raises:
        WrongPassword: It is not the present one.
        WrongCredentials: It was changed, or the account locked or closed, meanwhile.
    """
    prove_again(session.account, typed, network_address=network_address, action=CONFIRM)
    sessions.prove_again(session, now)


def request_reset(email: str, *, hours: int, now: datetime) -> None:
    """Mail a URL for a new password, good for `hours`, if the address is an account's.

    An address that is nobody's gets a request that is used up from the start, and a mail to
    nobody that is dropped when it is to be written: the same rows for the same work.
    """
    account = accounts.find(email)
    known = account if account and account.may_sign_in else None
    _open_reset("password_reset", known, hours=hours, now=now)


def invite(account: Account, letter: str, *, hours: int, now: datetime) -> None:
    """Mail a URL for the first password of an account that somebody else made, good for `hours`.

    `letter` is the mail's template; it says what the account is for.
    """
    _open_reset(letter, account, hours=hours, now=now)


def _open_reset(letter: str, known: Account | None, *, hours: int, now: datetime) -> None:
    reset = PasswordReset(
        account_id=known.id if known else None,
        url_nonce=tokens.new_token(),
        created_at=now,
        expires_at=now + timedelta(hours=hours),
        used_at=None if known else now,
    )
    db.session.add(reset)
    db.session.flush()
    mail.queue(
        letter,
        known.email if known else "",
        key=f"password-reset-{reset.id}",
        language=known.language if known else "ja",
        now=now,
        reset=reset.id,
    )


def find_reset(secret_key: str, signed: str, *, now: datetime) -> PasswordReset:
    """Return the request that the signed part of a URL names.

    Raises:
        ResetUrlDead: It is used, too old, replaced or forged, or its account may not sign in.
    """
    named = tokens.read(secret_key, PURPOSE, signed)
    reset = (
        db.session.scalar(
            select(PasswordReset)
            .options(joinedload(PasswordReset.account))
            .where(PasswordReset.id == named[0], PasswordReset.url_nonce == named[1])
        )
        if named
        else None
    )
    if (
        reset is None
        or reset.used_at
        or reset.expires_at <= now
        or reset.account is None
        or not reset.account.may_sign_in
    ):
        raise ResetUrlDead
    return reset


def reset(
    secret_key: str,
    signed: str,
    new: str,
    *,
    rule: PasswordRule,
    network_address: str,
    now: datetime,
) -> None:
    """Set a new password by a mailed URL; every session ends, and so does every other URL.

    Raises:
        ResetUrlDead: The URL is good no longer; of two at once, one wins.
        WeakPassword: The rule does not allow the new one.
        CommonPassword: The new one is too common.
    """
    found = find_reset(secret_key, signed, now=now)
    account = found.account
    assert account is not None  # find_reset saw to it
    check(new, rule=rule)
    used = count_changed(
        update(PasswordReset)
        .where(PasswordReset.id == found.id, PasswordReset.used_at.is_(None))
        .values(used_at=now)
    )
    if used != 1:
        raise ResetUrlDead
    # who reads the mail owns the account: guesses of others no longer make them wait
    limits.clear(sessions.ACTION, [accounts.limit_subject(account.email)])
    _set(account, new, network_address=network_address, now=now)
    sessions.end_all(account, now)
    # who comes this way may have lost the account to somebody for a while
    api_tokens.revoke_all(account, now)


def clear_old(now: datetime) -> int:
    """Delete some of the requests whose URL ran out a week ago; return how many."""
    # no mail waits that long for its mail server
    return delete_some(PasswordReset, PasswordReset.expires_at <= now - timedelta(days=7))


def end_urls(account: Account, now: datetime) -> None:
    """End every mailed URL that would set another password or mail address."""
    for statement in (
        update(PasswordReset)
        .where(PasswordReset.account_id == account.id, PasswordReset.used_at.is_(None))
        .values(used_at=now),
        update(EmailChange)
        .where(EmailChange.account_id == account.id, EmailChange.ended_at.is_(None))
        .values(ended_at=now),
    ):
        db.session.execute(statement.execution_options(synchronize_session=False))


def _set(account: Account, new: str, *, network_address: str, now: datetime) -> None:
    """Keep the new password, end every URL that would set another, and tell the owner."""
    account.password_hash = hasher.hash(new)
    account.password_changed_at = now
    end_urls(account, now)
    audit.record(
        "password_changed",
        actor_id=account.id,
        subject="account",
        subject_id=account.id,
        network_address=network_address,
        now=now,
    )
    mail.queue(
        "password_changed",
        account.email,
        key=f"password-changed-{account.id}-{now:%Y%m%dT%H%M%S%f}",
        language=account.language,
        now=now,
        account=account.id,
    )
