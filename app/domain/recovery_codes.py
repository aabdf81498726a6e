"""Recovery codes: ten to print, each of which stands in for the authenticator app once."""

from datetime import datetime
from secrets import choice

from sqlalchemy import delete, func, select, update

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account, RecoveryCode
from .errors import Rejected
from .sheet_passwords import ALPHABET, grouped, normalised
from .writes import count_changed

# a code's first character says which of the ten it is
MARKS = ALPHABET[:10]
# 11 of 25 characters are 51 bits, behind argon2 and a limit
SECRET_LENGTH = 11


class WrongRecoveryCode(Rejected):
    """Refuse a code that is none of the account's, or is used."""

    field = "recovery_code"
    message = _(
        "リカバリーコードが正しくないか、すでに使われています。ほかのコードをお試しください。"
    )


def generate() -> dict[str, str]:
    """Return ten new codes as people read them, XXXX-XXXX-XXXX, with the hash of each.

    Ten hashes take a second: make them before the first row is locked.
    """
    codes = [mark + "".join(choice(ALPHABET) for _ in range(SECRET_LENGTH)) for mark in MARKS]
    return {grouped(code): hasher.hash(code) for code in codes}


def keep(account: Account, hashed: dict[str, str], now: datetime) -> list[str]:
    """Keep the hashes in the place of those of all older codes; return the codes."""
    clear(account)
    db.session.add_all(
        RecoveryCode(account_id=account.id, mark=code[0], code_hash=code_hash, created_at=now)
        for code, code_hash in hashed.items()
    )
    db.session.flush()
    return list(hashed)


def find(account_id: int, typed: str) -> RecoveryCode:
    """Return the unused code that was typed; one verification of a hash, whatever was.

    Raises:
        WrongRecoveryCode: There is none.
    """
    bare = normalised(typed[:100])
    row = db.session.scalar(
        select(RecoveryCode).where(
            RecoveryCode.account_id == account_id,
            RecoveryCode.mark == bare[:1],
            RecoveryCode.used_at.is_(None),
        )
    )
    if not hasher.verify(row.code_hash if row else None, bare) or row is None:
        raise WrongRecoveryCode
    return row


def use_up(code: RecoveryCode, now: datetime) -> int:
    """Use up a code that was found; return how many are left.

    Raises:
        WrongRecoveryCode: Of two at once, the other one won.
    """
    used = count_changed(
        update(RecoveryCode)
        .where(RecoveryCode.id == code.id, RecoveryCode.used_at.is_(None))
        .values(used_at=now)
    )
    if used != 1:
        raise WrongRecoveryCode
    return count_left(code.account_id)


def count_left(account_id: int) -> int:
    """Return how many codes of an account still stand in for its app."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
        )
        or 0
    )


def clear(account: Account) -> None:
    """Forget every code of an account."""
    db.session.execute(
        delete(RecoveryCode)
        .where(RecoveryCode.account_id == account.id)
        .execution_options(synchronize_session=False)
    )
