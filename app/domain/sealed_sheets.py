"""Passwords of sheets on their way to the printer: sealed for one browser, and soon erased.

The key pair is made when an operator asks for sheets. The browser's cookie holds the private half,
tables the public one, with which the job seals: neither a job's arguments nor the database ever
hold what opens a password.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.orm import contains_eager

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Gateway, SealedSheet, Sheet
from .clearing import delete_some
from .errors import Rejected
from .writes import count_changed


class KeyLost(Rejected):
    """Say that this browser cannot open the sheets: another one asked for them."""

    message = _(
        "この用紙は、取り込みや再発行をしたブラウザでだけ開けます。ログアウトした場合も開けません。"
        "お手数ですが、用紙を再発行してください。"
    )


class SheetsGone(Rejected):
    """Say that there is nothing to print any more."""

    message = _(
        "印刷が確認されたか、期限が過ぎたため、この用紙は消去されました。用紙を再発行してください。"
    )


# a statement that gives ids of sheets
Ids = Select[Any]


@dataclass(frozen=True)
class Printable:
    """A sheet with its password, for as long as it takes to print it."""

    gateway: Gateway
    sheet: Sheet
    password: str


def new_key() -> str:
    """Return a private key, as a browser's cookie holds it."""
    return urlsafe_b64encode(bytes(PrivateKey.generate())).decode()


def public_half(private: str) -> bytes:
    """Return the public key of a private one.

    Raises:
        ValueError: It is no key.
    """
    return bytes(_read(private).public_key)


def keep(
    sheet: Sheet,
    password: str,
    public_key: bytes,
    *,
    until: datetime | None,
    device_secret: str | None = None,
) -> None:
    """Keep the password of a sheet so that only the private half of the key opens it.

    `until` None: its import still runs; `finish` says when. A device secret that was made with the
    sheet is kept, and erased, with it.
    """
    box = SealedBox(PublicKey(public_key))
    db.session.add(
        SealedSheet(
            sheet_id=sheet.id,
            public_key=public_key,
            sealed=box.encrypt(password.encode()),
            sealed_secret=box.encrypt(device_secret.encode()) if device_secret else None,
            until=until,
        )
    )


def finish(sheets: Ids, until: datetime) -> None:
    """Let the sealed sheets of an import that is done be erased at `until`."""
    db.session.execute(
        update(SealedSheet)
        .where(SealedSheet.sheet_id.in_(sheets))
        .values(until=until)
        .execution_options(synchronize_session=False)
    )


def sheets_of(gateway_id: int) -> Ids:
    """Return the ids of a gateway's sheets."""
    return select(Sheet.id).where(Sheet.gateway_id == gateway_id)


def unseal(
    private: str | None, sheets: Ids, *, now: datetime, skip: int = 0, most: int = 1
) -> list[Printable]:
    """Return sheets with their passwords, in the order in which they were issued.

    Raises:
        SheetsGone: There are none (any more).
        KeyLost: The key is not the one they were sealed for.
    """
    found = db.session.scalars(
        select(SealedSheet)
        .join(SealedSheet.sheet)
        .join(Sheet.gateway)
        .options(contains_eager(SealedSheet.sheet).contains_eager(Sheet.gateway))
        .where(
            SealedSheet.sheet_id.in_(sheets), SealedSheet.until > now, Sheet.revoked_at.is_(None)
        )
        .order_by(SealedSheet.sheet_id)
        .limit(most)
        .offset(skip)
    ).all()
    if not found:
        raise SheetsGone
    return [
        Printable(one.sheet.gateway, one.sheet, password)
        for one, password in zip(found, _open([one.sealed for one in found], private), strict=True)
    ]


def count_secrets(sheets: Ids, now: datetime) -> int:
    """Return how many device secrets wait, sealed with sheets, to be taken away."""
    counted = select(func.count()).select_from(SealedSheet).where(*_with_secrets(sheets, now))
    return db.session.scalar(counted) or 0


def unseal_secrets(private: str | None, sheets: Ids, *, now: datetime) -> list[tuple[str, str]]:
    """Return gateways' IDs and their device secrets.

    Raises:
        SheetsGone: There are none (any more).
        KeyLost: The key is not the one they were sealed for.
    """
    found = db.session.execute(
        select(Gateway.public_id, SealedSheet.sealed_secret)
        .select_from(SealedSheet)
        .join(SealedSheet.sheet)
        .join(Sheet.gateway)
        .where(*_with_secrets(sheets, now))
        .order_by(SealedSheet.sheet_id)
    ).all()
    if not found:
        raise SheetsGone
    opened = _open([row.sealed_secret for row in found], private)
    return [(row.public_id, secret) for row, secret in zip(found, opened, strict=True)]


def _with_secrets(sheets: Ids, now: datetime) -> list[ColumnElement[bool]]:
    return [
        SealedSheet.sheet_id.in_(sheets),
        SealedSheet.until > now,
        SealedSheet.sealed_secret.is_not(None),
    ]


def opens(private: str | None, public_key: bytes | None) -> bool:
    """Tell whether a browser's key is the one that something was sealed for."""
    try:
        return private is not None and public_half(private) == public_key
    except ValueError:
        return False


def confirm(sheets: Ids, now: datetime) -> None:
    """Keep that these sheets are on paper, and erase their passwords.

    Raises:
        SheetsGone: None of them waits to be printed (any more).
    """
    waiting = select(SealedSheet.sheet_id).where(
        SealedSheet.sheet_id.in_(sheets), SealedSheet.until > now
    )
    printed = count_changed(
        update(Sheet)
        .where(Sheet.id.in_(waiting), Sheet.revoked_at.is_(None))
        .values(printed_at=now)
    )
    if not printed:
        raise SheetsGone
    erase(sheets)


def erase(sheets: Ids) -> None:
    """Erase the passwords of sheets."""
    db.session.execute(
        delete(SealedSheet)
        .where(SealedSheet.sheet_id.in_(sheets))
        .execution_options(synchronize_session=False)
    )


def clear_old(now: datetime) -> int:
    """Erase some of the passwords whose time to be printed is over; return how many."""
    return delete_some(SealedSheet, SealedSheet.until <= now)


def _open(sealed: Sequence[bytes], private: str | None) -> list[str]:
    try:
        box = SealedBox(_read(private or ""))
        return [box.decrypt(one).decode() for one in sealed]
    except (ValueError, CryptoError) as error:
        raise KeyLost from error


def _read(private: str) -> PrivateKey:
    try:
        return PrivateKey(urlsafe_b64decode(private.encode()))
    except (CryptoError, TypeError) as error:
        raise ValueError("no key") from error
