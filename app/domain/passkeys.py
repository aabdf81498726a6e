"""Passkeys: made on a device, shown by a signature, and both factors at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes
from types import ModuleType
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Passkey, PasskeyChallenge
from . import accounts, audit, limits, mail
from .clearing import delete_some
from .errors import NotFound, Rejected
from .writes import count_changed

# what limits count
ACTION = "passkey"
# what a challenge is for
SIGN_IN, CONFIRM, ADD = "sign-in", "confirm", "add"
# the browser's own dialog ends after two
CHALLENGE_GOOD_FOR = timedelta(minutes=5)
AT_MOST = 20
LONGEST_NAME = 40
# some kilobytes are usual; attestation can bring certificates
LONGEST_ANSWER = 32 * 1024


class PasskeyRefused(Rejected):
    """Say no without saying why: unknown, removed, forged, too late, locked are alike."""

    message = _(
        "このパスキーではログインできませんでした。もう一度お試しいただくか、パスワードでログインしてください。"
    )

    def __init__(self, account_id: int | None = None) -> None:
        """Keep for the audit log alone whose passkey it was said to be."""
        super().__init__()
        self.account_id = account_id


class PasskeyCloned(PasskeyRefused):
    """Refuse a passkey whose count went back: somebody may have copied it."""

    message = _(
        "このパスキーは、安全のため使えません。パスワードでログインし、パスキーの画面で削除してください。"
    )

    def __init__(self, account_id: int, passkey_id: int) -> None:
        super().__init__(account_id)
        self.passkey_id = passkey_id


class NotMade(Rejected):
    """Refuse what a device made where anything of it is wrong, or it took too long."""

    message = _("パスキーを追加できませんでした。もう一度お試しください。")


class AlreadyThere(Rejected):
    """Refuse a passkey that somebody has already."""

    message = _("このパスキーは、すでに登録されています。")


class TooMany(Rejected):
    """Refuse more passkeys than anybody needs."""

    message = _("登録できるパスキーの数を超えています。使わないものを削除してください。")


class NoName(Rejected):
    """Ask for a name that tells this passkey from others."""

    field = "name"
    message = _("パスキーの名前を、40文字以内で入力してください。")


@dataclass(frozen=True)
class Site:
    """Whom passkeys are for: a domain, its name, and the pages that may ask for them."""

    rp_id: str
    name: str
    origins: tuple[str, ...]


def _ceremonies() -> ModuleType:
    """Load WebAuthn as the first passkey is asked for: 0.3 s and 20 MB that few processes need."""
    from . import ceremonies  # noqa: PLC0415

    return ceremonies


def list_of(account: Account) -> list[Passkey]:
    """Return an account's passkeys, the oldest first."""
    return list(
        db.session.scalars(
            select(Passkey).where(Passkey.account_id == account.id).order_by(Passkey.id)
        )
    )


def get_own(account: Account, passkey_id: int) -> Passkey:
    """Return one of the account's passkeys.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    found = db.session.get(Passkey, passkey_id)
    if found is None or found.account_id != account.id:
        raise NotFound
    return found


def count(account: Account) -> int:
    """Return how many passkeys an account has."""
    counted = select(func.count()).select_from(Passkey).where(Passkey.account_id == account.id)
    return db.session.scalar(counted) or 0


def ask_to_make(site: Site, account: Account, now: datetime) -> tuple[bytes, dict[str, Any]]:
    """Return a new challenge, and what the browser is to ask of a device that makes a passkey."""
    known = list_of(account)
    challenge = _new_challenge(ADD, account.id, now)
    return challenge, _ceremonies().ask_to_make(
        site,
        challenge,
        # one handle for all of them; random, as the device shows it to whoever holds it
        user_handle=known[0].user_handle if known else token_bytes(32),
        user_name=account.email,
        display_name=account.display_name,
        known=[one.credential_id for one in known],
    )


def ask_to_sign(
    site: Site, purpose: str, account: Account | None, now: datetime
) -> tuple[bytes, dict[str, Any]]:
    """Return a new challenge, and what the browser is to ask of a device that has a passkey."""
    allowed = [one.credential_id for one in list_of(account)] if account else []
    challenge = _new_challenge(purpose, account.id if account else None, now)
    return challenge, _ceremonies().ask_to_sign(site, challenge, allowed=allowed)


def add(
    site: Site,
    account: Account,
    challenge: bytes,
    answer: str,
    *,
    user_handle: bytes,
    name: str,
    network_address: str,
    now: datetime,
) -> Passkey:
    """Keep a passkey that a device has just made for the account.

    `user_handle` is what the device was asked to know the account by. The challenge is used up by
    `use_challenge`, in a transaction of its own.

    Raises:
        NoName: The name is empty or too long.
        NotMade: Anything of the answer is wrong.
        AlreadyThere: The passkey is known, whoever's it is.
        TooMany: The account has twenty.
    """
    name = " ".join("".join(filter(str.isprintable, name)).split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise NoName
    made = (
        _ceremonies().check_made(site, challenge, answer) if len(answer) <= LONGEST_ANSWER else None
    )
    if made is None:
        raise NotMade
    accounts.lock(account)
    if count(account) >= AT_MOST:
        raise TooMany
    passkey = Passkey(
        account_id=account.id,
        credential_hash=_digest(made.credential_id),
        credential_id=made.credential_id,
        public_key=made.public_key,
        user_handle=user_handle,
        sign_count=made.sign_count,
        transports=made.transports,
        name=name,
        created_at=now,
    )
    db.session.add(passkey)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise AlreadyThere from error
    _tell(account, "passkey_added", passkey.id, network_address=network_address, now=now)
    return passkey


def remove(account: Account, passkey_id: int, *, network_address: str, now: datetime) -> None:
    """Forget one of the account's passkeys: it opens nothing from now on.

    Raises:
        NotFound: There is none, or it is somebody else's, or it is gone already.
    """
    gone = count_changed(
        delete(Passkey).where(Passkey.id == passkey_id, Passkey.account_id == account.id)
    )
    if gone != 1:
        raise NotFound
    _tell(account, "passkey_removed", passkey_id, network_address=network_address, now=now)


def prove(
    site: Site,
    challenge: bytes,
    answer: str,
    *,
    network_address: str,
    now: datetime,
    only: Account | None = None,
) -> Account:
    """Return whose passkey has signed the challenge; its device has seen finger, face or PIN.

    The caller has counted the attempt (`limits.spend`) and used up the challenge
    (`use_challenge`); the count is taken back. `only` is whose passkey it must be.

    Raises:
        PasskeyRefused: Unknown, forged, somebody else's, or its account is locked or closed.
        PasskeyCloned: The device's count went back, or stood still: `record_clone` tells it.
    """
    ceremonies = _ceremonies()
    shown = ceremonies.read_shown(answer) if len(answer) <= LONGEST_ANSWER else None
    if shown is None:
        raise PasskeyRefused
    passkey = db.session.scalar(
        select(Passkey).where(Passkey.credential_hash == _digest(shown.credential_id))
    )
    if passkey is None:
        raise PasskeyRefused
    owner_id = passkey.account_id
    sign_count = ceremonies.check_shown(site, challenge, shown, passkey.public_key)
    # a device that was not told whose passkey it is to show must say so itself
    owner_told = shown.user_handle == passkey.user_handle or (only and not shown.user_handle)
    if sign_count is None or not owner_told or (only and only.id != owner_id):
        raise PasskeyRefused(owner_id)
    limits.forgive(ACTION, [f"address:{network_address}"])
    account = db.session.get(Account, owner_id, with_for_update=True, populate_existing=True)
    if account is None or not account.may_sign_in:
        raise PasskeyRefused(owner_id)
    used = count_changed(
        update(Passkey)
        .where(
            Passkey.id == passkey.id,
            # devices that do not count say 0 for ever
            Passkey.sign_count < sign_count if sign_count else Passkey.sign_count == 0,
        )
        .values(sign_count=sign_count, last_used_at=now)
    )
    if used != 1:
        raise PasskeyCloned(owner_id, passkey.id)
    return account


def record_clone(refusal: PasskeyCloned, *, network_address: str, now: datetime) -> None:
    """Tell log and owner that a passkey may have been copied."""
    account = db.session.get(Account, refusal.account_id)
    if account is not None:
        _tell(
            account, "passkey_cloned", refusal.passkey_id, network_address=network_address, now=now
        )


def use_challenge(challenge: bytes, purpose: str, account: Account | None, now: datetime) -> bool:
    """Use up a challenge; False if it is none, for something else, too old, or used.

    In a transaction of its own: whatever the answer is worth, it is asked for once.
    """
    owner_id = account.id if account else None
    used = count_changed(
        delete(PasskeyChallenge).where(
            PasskeyChallenge.digest == _digest(challenge),
            PasskeyChallenge.purpose == purpose,
            PasskeyChallenge.account_id == owner_id
            if owner_id
            else PasskeyChallenge.account_id.is_(None),
            PasskeyChallenge.expires_at > now,
        )
    )
    return used == 1


def clear_old(now: datetime) -> int:
    """Delete some of the challenges that nobody answered in time; return how many."""
    return delete_some(PasskeyChallenge, PasskeyChallenge.expires_at <= now)


def _new_challenge(purpose: str, account_id: int | None, now: datetime) -> bytes:
    challenge = token_bytes(32)
    db.session.add(
        PasskeyChallenge(
            digest=_digest(challenge),
            purpose=purpose,
            account_id=account_id,
            expires_at=now + CHALLENGE_GOOD_FOR,
        )
    )
    return challenge


def _digest(what: bytes) -> str:
    return sha256(what).hexdigest()


def _tell(
    account: Account, what: str, passkey_id: int, *, network_address: str, now: datetime
) -> None:
    audit.record(
        what,
        actor_id=None if what == "passkey_cloned" else account.id,
        subject="passkey",
        subject_id=passkey_id,
        network_address=network_address,
        now=now,
        account_id=account.id,
    )
    mail.queue(
        what,
        account.email,
        key=f"{what}-{passkey_id}-{now:%Y%m%dT%H%M%S%f}",
        language=account.language,
        now=now,
        account=account.id,
    )
