"""The second factor (二段階認証): an authenticator app, and what stands in for a lost one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy import delete, exists, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Passkey, TotpFactor
from . import accounts, audit, limits, mail, recovery_codes, sealing, sessions, totp
from .errors import Rejected
from .inserts import insert
from .writes import count_changed

log = structlog.get_logger()

# what limits count
ACTION = "second-factor"


class WrongCode(Rejected):
    """Refuse a code that the account's app does not show."""

    field = "code"
    message = _(
        "コードが正しくありません。認証アプリに表示されている最新の6桁の数字を入力してください。"
    )


class CodeUsed(Rejected):
    """Refuse a code that opened already: who looked over a shoulder gets nowhere with it."""

    field = "code"
    message = _(
        "このコードはすでに使われています。認証アプリに次のコードが表示されてから、入力してください。"
    )


class AlreadyOn(Rejected):
    """Refuse to set up an app where another window, or somebody else, has just done so."""

    message = _("二段階認証は、すでに設定されています。もう一度ログインしてください。")


class NotOn(Rejected):
    """Refuse recovery codes to an account without an app."""

    message = _("二段階認証が設定されていません。")


class MustStayOn(Rejected):
    """Refuse to turn the second factor off for whoever sees other people's data."""

    message = _("このアカウントでは、二段階認証を解除できません。")


class Due(StrEnum):
    """What a person must do after the password was right."""

    CODE = "code"
    # no app, but a passkey: the password alone must not be enough to set up an app
    PASSKEY = "passkey"
    SETUP = "setup"


@dataclass(frozen=True)
class Overview:
    """What an account has: since when its app, how many codes are left, and may it be off."""

    confirmed_at: datetime | None
    codes_left: int
    must_stay_on: bool


def limit_subject(account_id: int) -> str:
    """Return what limits count for the second factor of an account."""
    return f"second-factor:{account_id}"


def is_required(account: Account, *, for_staff: bool) -> bool:
    """Tell whether the account may do nothing without a second factor."""
    return for_staff and account.role != "customer"


def due(account: Account, *, for_staff: bool) -> Due | None:
    """Return what the account must do after its password was right, or None."""
    has_app, has_passkey = db.session.execute(
        select(
            exists().where(TotpFactor.account_id == account.id),
            exists().where(Passkey.account_id == account.id),
        )
    ).one()
    if has_app:
        return Due.CODE
    if not is_required(account, for_staff=for_staff):
        return None
    return Due.PASSKEY if has_passkey else Due.SETUP


def overview(account: Account, *, for_staff: bool) -> Overview:
    """Return what an account has, to be shown to its owner."""
    found = find(account.id)
    return Overview(
        found.confirmed_at if found else None,
        recovery_codes.count_left(account.id) if found else 0,
        is_required(account, for_staff=for_staff),
    )


def find(account_id: int) -> TotpFactor | None:
    """Return the authenticator app of an account."""
    return db.session.scalar(select(TotpFactor).where(TotpFactor.account_id == account_id))


def purpose(account_id: int) -> str:
    """Return what the secret of an account's app is sealed for."""
    return f"totp:{account_id}"


def prove(secret_key: str, account_id: int, typed: str, now: datetime) -> None:
    """Use up the code that the account's app shows.

    Raises:
        WrongCode: The app does not show it.
        CodeUsed: It was used already, or a later one; of two at once, one wins.
    """
    factor = find(account_id)
    secret = sealing.unseal(secret_key, purpose(account_id), factor.sealed_secret) if factor else ""
    if secret is None:
        # SECRET_KEY is another one: recovery codes are the way in
        log.error("second_factor_unreadable", account=account_id)
    step = totp.matching_step(secret, typed, now) if secret else None
    if step is None:
        raise WrongCode
    used = count_changed(
        update(TotpFactor)
        .where(TotpFactor.account_id == account_id, TotpFactor.last_step < step)
        .values(last_step=step)
    )
    if used != 1:
        raise CodeUsed


def first_codes(secret: str, typed: str, now: datetime) -> dict[str, str]:
    """Return ten recovery codes, hashed, for an app that shows this code; a second's work.

    Call it before the first row is locked.

    Raises:
        WrongCode: The app was not set up right.
    """
    if totp.matching_step(secret, typed, now) is None:
        raise WrongCode
    return recovery_codes.generate()


def turn_on(
    secret_key: str,
    account: Account,
    secret: str,
    typed: str,
    *,
    hashed: dict[str, str],
    replaces: bool,
    network_address: str,
    now: datetime,
) -> list[str]:
    """Keep the app that shows this code as the account's; return its recovery codes, shown once.

    `hashed` is of `first_codes`; `replaces` says that the app the account has may go for it.

    Raises:
        WrongCode: It was not set up right.
        AlreadyOn: The account has an app, and nothing may replace it.
    """
    step = totp.matching_step(secret, typed, now)
    if step is None:
        raise WrongCode
    accounts.lock(account)
    values = {
        "sealed_secret": sealing.seal(secret_key, purpose(account.id), secret),
        "confirmed_at": now,
        "last_step": step,
    }
    new = insert(TotpFactor).values(account_id=account.id, **values)
    kept = (
        new.on_conflict_do_update(index_elements=["account_id"], set_=values)
        if replaces
        else new.on_conflict_do_nothing()
    )
    if db.session.execute(kept.returning(TotpFactor.id)).first() is None:
        raise AlreadyOn
    _tell(account, "second_factor_on", account.id, network_address=network_address, now=now)
    return recovery_codes.keep(account, hashed, now)


def set_up(
    secret_key: str,
    account: Account,
    secret: str,
    typed: str,
    *,
    network_address: str,
    now: datetime,
) -> list[str]:
    """Keep an app for who is signed in, in the place of the one there may be.

    The caller has counted the attempt (`limits.spend`); this takes it back.

    Returns:
        The recovery codes, to show this once.

    Raises:
        WrongCode: It was not set up right.
    """
    hashed = first_codes(secret, typed, now)
    limits.forgive(ACTION, [f"address:{network_address}"])
    limits.clear(ACTION, [limit_subject(account.id)])
    return turn_on(
        secret_key,
        account,
        secret,
        typed,
        hashed=hashed,
        replaces=True,
        network_address=network_address,
        now=now,
    )


def turn_off(account: Account, *, for_staff: bool, network_address: str, now: datetime) -> None:
    """Let the password be enough again.

    Raises:
        MustStayOn: The account is a dealer's person's or an operator's.
    """
    if is_required(account, for_staff=for_staff):
        raise MustStayOn
    accounts.lock(account)
    if _forget_app(account):
        _tell(account, "second_factor_off", account.id, network_address=network_address, now=now)


def renew_codes(account: Account, *, network_address: str, now: datetime) -> list[str]:
    """Return ten new recovery codes; the old ones end.

    Raises:
        NotOn: The account has no app that they could stand in for.
    """
    hashed = recovery_codes.generate()
    accounts.lock(account)
    if find(account.id) is None:
        raise NotOn
    _tell(account, "recovery_codes_renewed", account.id, network_address=network_address, now=now)
    return recovery_codes.keep(account, hashed, now)


def warn_of_guesses(account_id: int, now: datetime) -> None:
    """Mail the owner, once a day, that somebody who knows the password guesses codes."""
    account = db.session.get(Account, account_id)
    if account is not None:
        mail.queue(
            "second_factor_guessed",
            account.email,
            key=f"second-factor-guessed-{account.id}-{now:%Y%m%d}",
            language=account.language,
            now=now,
            account=account.id,
        )


def reset(
    account: Account, *, reason: str, actor_id: int | None, network_address: str, now: datetime
) -> None:
    """Take app, recovery codes and passkeys from an account whose owner has lost them.

    Every session ends. The owner is mailed; a dealer's person or an operator sets up a new app at
    the next sign-in, with the password. `reason` goes into the audit log: words of the operator's,
    without names. `actor_id` None means the operator at the command line.
    """
    accounts.lock(account)
    _forget_app(account)
    db.session.execute(
        delete(Passkey)
        .where(Passkey.account_id == account.id)
        .execution_options(synchronize_session=False)
    )
    sessions.end_all(account, now)
    _tell(
        account,
        "second_factor_reset",
        actor_id,
        network_address=network_address,
        now=now,
        reason=reason,
    )


def _forget_app(account: Account) -> bool:
    recovery_codes.clear(account)
    return count_changed(delete(TotpFactor).where(TotpFactor.account_id == account.id)) == 1


def _tell(
    account: Account,
    what: str,
    actor_id: int | None,
    *,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    """Write what happened into the audit log, and mail it to the account's owner."""
    audit.record(
        what,
        actor_id=actor_id,
        subject="account",
        subject_id=account.id,
        network_address=network_address,
        now=now,
        **detail,
    )
    mail.queue(
        what,
        account.email,
        key=f"{what}-{account.id}-{now:%Y%m%dT%H%M%S%f}",
        language=account.language,
        now=now,
        account=account.id,
    )
