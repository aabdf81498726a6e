"""The ways in: a password, where needed with a second factor, or a passkey, which is both."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account, Session
from . import accounts, audit, factors, limits, mail, recovery_codes, sessions
from .errors import Rejected
from .factors import Due

# enough to look for the phone; setting an app up takes longer
CODE_WITHIN = timedelta(minutes=5)
SETUP_WITHIN = timedelta(minutes=20)


class PendingOver(Rejected):
    """Ask for the password again: it took too long, or the account changed meanwhile."""

    message = _("時間が過ぎたため、はじめからやり直してください。もう一度ログインしてください。")


@dataclass(frozen=True)
class Pending:
    """A password that was right; it opens nothing but the second step."""

    account_id: int
    # a new password ends it
    password_changed_at: datetime
    began_at: datetime
    due: Due

    def is_over(self, now: datetime) -> bool:
        """Tell whether the second step took too long."""
        within = SETUP_WITHIN if self.due is Due.SETUP else CODE_WITHIN
        return not timedelta() <= now - self.began_at < within


@dataclass(frozen=True)
class Browser:
    """Where somebody signs in from; the session it had ends."""

    network_address: str
    name: str
    had: Session | None = None


def by_password(
    email: str, password: str, browser: Browser, *, two_for_staff: bool, now: datetime
) -> Session | Pending:
    """Begin a session, or say which second step the account needs first.

    The caller has counted the attempt (`limits.spend`); this takes it back. A session's account
    carries the token for the browser's cookie.

    Raises:
        accounts.WrongCredentials: Unknown, wrong, locked or closed.
    """
    account = accounts.authenticate(email, password)
    proved = account.password_hash
    # writes first: on SQLite they keep every other writer out from here on
    limits.forgive(sessions.ACTION, [f"address:{browser.network_address}"])
    limits.clear(sessions.ACTION, [accounts.limit_subject(email)])
    accounts.hold(account, proved)
    if hasher.is_outdated(proved):
        account.password_hash = hasher.hash(password[: accounts.LONGEST_TYPED])
    due = factors.due(account, for_staff=two_for_staff)
    if due:
        return Pending(account.id, account.password_changed_at, now, due)
    return begin(account, browser, now)


def by_code(
    secret_key: str, pending: Pending, code: str, browser: Browser, now: datetime
) -> Session:
    """Begin the session of a pending sign-in by the code of the account's app.

    The caller has counted the attempt; this takes it back.

    Raises:
        factors.WrongCode: The app does not show it.
        factors.CodeUsed: It was used already.
        PendingOver: The password must be asked for again.
    """
    account = _resume(pending, browser, now)
    factors.prove(secret_key, account.id, code, now)
    return begin(account, browser, now, factor="app")


def by_recovery_code(pending: Pending, code: str, browser: Browser, now: datetime) -> Session:
    """Begin the session of a pending sign-in by a recovery code, which is used up and mailed.

    The caller has counted the attempt; this takes it back.

    Raises:
        recovery_codes.WrongRecoveryCode: It is none, or used; of two at once, one wins.
        PendingOver: The password must be asked for again.
    """
    # verified before the first lock: argon2 takes its time
    found = recovery_codes.find(pending.account_id, code)
    account = _resume(pending, browser, now)
    left = recovery_codes.use_up(found, now)
    audit.record(
        "recovery_code_used",
        actor_id=account.id,
        subject="account",
        subject_id=account.id,
        network_address=browser.network_address,
        now=now,
        left=left,
    )
    mail.queue(
        "recovery_code_used",
        account.email,
        key=f"recovery-code-used-{found.id}",
        language=account.language,
        now=now,
        account=account.id,
        left=left,
    )
    return begin(account, browser, now, factor="recovery code")


def by_setting_up(
    secret_key: str, pending: Pending, browser: Browser, *, secret: str, code: str, now: datetime
) -> tuple[Session, list[str]]:
    """Keep the app that shows `code` as the account's first one and begin the session.

    The caller has counted the attempt; this takes it back.

    Returns:
        The session, and the recovery codes to show this once.

    Raises:
        factors.WrongCode: The app was not set up right.
        factors.AlreadyOn: There is one already; of two at once, one wins.
        PendingOver: The password must be asked for again.
    """
    hashed = factors.first_codes(secret, code, now)
    account = _resume(pending, browser, now)
    if factors.due(account, for_staff=True) is not Due.SETUP:
        raise factors.AlreadyOn
    codes = factors.turn_on(
        secret_key,
        account,
        secret,
        code,
        hashed=hashed,
        replaces=False,
        network_address=browser.network_address,
        now=now,
    )
    return begin(account, browser, now, factor="app"), codes


def begin(account: Account, browser: Browser, now: datetime, *, factor: str = "") -> Session:
    """Begin the session of who has shown all that was asked for; `factor` is for the audit log."""
    if browser.had:
        sessions.end(browser.had, now)
    return sessions.begin(
        account,
        network_address=browser.network_address,
        browser=browser.name,
        now=now,
        **({"factor": factor} if factor else {}),
    )


def pending_account(pending: Pending) -> Account:
    """Return whose password was right.

    Raises:
        PendingOver: The account is locked or closed, or has another password by now.
    """
    account = db.session.get(Account, pending.account_id)
    return _still_good(account, pending)


def _resume(pending: Pending, browser: Browser, now: datetime) -> Account:
    """Lock the account of a pending sign-in and take back what the attempt spent."""
    if pending.is_over(now):
        raise PendingOver
    # writes first, as in `by_password`; a refusal takes them back
    limits.forgive(factors.ACTION, [f"address:{browser.network_address}"])
    limits.clear(factors.ACTION, [factors.limit_subject(pending.account_id)])
    account = db.session.get(
        Account, pending.account_id, with_for_update=True, populate_existing=True
    )
    return _still_good(account, pending)


def _still_good(account: Account | None, pending: Pending) -> Account:
    if (
        account is None
        or not account.may_sign_in
        or account.password_changed_at != pending.password_changed_at
    ):
        raise PendingOver
    return account
