"""Operators (運営者): who runs the service."""

from datetime import datetime

from sqlalchemy.exc import IntegrityError

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account
from . import audit, normalise, passwords, tokens
from .errors import Rejected

# an invitation may wait over a weekend and a holiday
INVITATION_HOURS = 7 * 24


class AddressTaken(Rejected):
    """Refuse a mail address that is somebody's user ID already."""

    field = "email"
    message = _("このメールアドレスは、すでに使われています。")


class NoName(Rejected):
    """Ask for both parts of a name."""

    field = "name"
    message = _("氏名を「姓 名」のように、空白で区切って入力してください。")


def add(email: str, name: str, *, language: str, actor_id: int | None, now: datetime) -> Account:
    """Make an operator's account, and mail the URL by which its owner sets a password.

    It has no password until then. `name` is family name and given name with a space between;
    `actor_id` None means the command line.

    Raises:
        NoName: One part of the name is missing.
        AddressTaken: The address is an account's.
    """
    family_name, _space, given_name = " ".join(name.split()).partition(" ")
    if not given_name or max(len(family_name), len(given_name)) > 64:
        raise NoName
    account = Account(
        role="operator",
        email=normalise.email(email),
        # of a password that nobody knows
        password_hash=hasher.hash(tokens.new_token()),
        language=language,
        created_at=now,
        password_changed_at=now,
        family_name=family_name,
        given_name=given_name,
        **dict.fromkeys(
            ("family_kana", "given_kana", "phone", "postal_code", "prefecture", "city", "street"),
            "",
        ),
    )
    db.session.add(account)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise AddressTaken from error
    audit.record(
        "operator_added", actor_id=actor_id, subject="account", subject_id=account.id, now=now
    )
    passwords.invite(account, "operator_invited", hours=INVITATION_HOURS, now=now)
    return account
