"""Accounts: who somebody is, and the rules of who may change what of them."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import select

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account, Gateway, Installation
from . import audit, mail, normalise, tokens
from .errors import Rejected

# what limits count
FORGOTTEN_ID = "forgotten-id"
# the longest password that is looked at: one of a megabyte costs more to fold than to hash
LONGEST_TYPED = 1024


class WrongCredentials(Rejected):
    """Say no without saying why: unknown, wrong, locked and closed are alike."""

    message = _("ユーザIDまたはパスワードが正しくありません。もう一度ご確認ください。")

    def __init__(self, account_id: int | None = None) -> None:
        """Keep for the audit log alone whose password it was not."""
        super().__init__()
        self.account_id = account_id


def limit_subject(email: str) -> str:
    """Return what limits count for a user ID as typed, whether it exists or not."""
    return f"account:{normalise.email(email)}"


def find(email: str) -> Account | None:
    """Return the account with this user ID, however it was typed."""
    return db.session.scalar(select(Account).where(Account.email == normalise.email(email)))


def authenticate(email: str, password: str) -> Account:
    """Return the account that this user ID and password open.

    One query and one verification of a hash, whatever the answer.

    Raises:
        WrongCredentials: Unknown, wrong, locked or closed; all the same.
    """
    account = find(email)
    proved = hasher.verify(account.password_hash if account else None, password[:LONGEST_TYPED])
    if account is None or not proved or not account.may_sign_in:
        raise WrongCredentials(account.id if account else None)
    return account


def hold(account: Account, password_hash: str) -> None:
    """Lock the account's row, if its password is still the one that was verified.

    Who changes a password locks the same row: a sign-in with the old one comes before, and its
    session is ended, or after, and is refused.

    Raises:
        WrongCredentials: The password was changed, or the account locked or closed, meanwhile.
    """
    db.session.refresh(account, with_for_update=True)
    if account.password_hash != password_hash or not account.may_sign_in:
        raise WrongCredentials(account.id)


def lock(account: Account) -> None:
    """Lock the account's row: who signs in, or changes how one does, takes turns."""
    db.session.refresh(account, with_for_update=True)


@dataclass(frozen=True)
class Details:
    """A customer's own data, as tables keep it."""

    family_name: str
    given_name: str
    family_kana: str
    given_kana: str
    phone: str
    company_name: str
    department: str
    postal_code: str
    prefecture: str
    city: str
    street: str
    building: str


DETAILS = tuple(field.name for field in fields(Details))


def edit_details(
    account: Account, details: Details, *, network_address: str, now: datetime
) -> None:
    """Change a customer's own data; the audit log keeps which of it, not what it was."""
    changed = [name for name in DETAILS if getattr(account, name) != getattr(details, name)]
    if not changed:
        return
    for name in changed:
        setattr(account, name, getattr(details, name))
    audit.record(
        "account.edited",
        actor_id=account.id,
        subject="account",
        subject_id=account.id,
        network_address=network_address,
        now=now,
        changed=changed,
    )


def remind_of_id(public_id: str, phone: str, *, now: datetime) -> None:
    """Mail the user ID to the owner of a gateway, if the phone number is the registered one.

    A mail is queued either way, so that both take the same work: one that is for nobody is
    dropped when it is to be written.
    """
    account = db.session.scalar(
        select(Account)
        .join(Installation, Installation.account_id == Account.id)
        .join(Gateway, Gateway.id == Installation.gateway_id)
        .where(
            Gateway.public_id == normalise.gateway_id(public_id)[:12],
            Installation.closed_at.is_(None),
            Account.phone == (normalise.phone_e164(phone) or "none"),
            Account.locked_at.is_(None),
            Account.closed_at.is_(None),
        )
    )
    mail.queue(
        "forgotten_id",
        account.email if account else "",
        key=f"forgotten-id-{tokens.new_token()}",
        language=account.language if account else "ja",
        now=now,
        account=account.id if account else 0,
    )


def set_language(account: Account, language: str) -> None:
    """Keep the language the account chose; mails use it too."""
    account.language = language
