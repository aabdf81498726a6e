"""Change of the mail address: asked for with the password, confirmed from the new address."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, EmailChange, Session
from . import accounts, audit, mail, normalise, passwords, sessions, tokens
from .clearing import delete_some
from .errors import Rejected
from .provisional import AddressTaken
from .writes import count_changed

# what the signed URL is for
PURPOSE = "email-change"
# what limits count, per address that is mailed
ACTION = "email-change"


class SameAddress(Rejected):
    """Refuse the address that the account has."""

    field = "email"
    message = _("いまのメールアドレスと同じです。新しいメールアドレスを入力してください。")


class ChangeUrlDead(Rejected):
    """Refuse a URL that is used, too old, replaced, somebody else's, or not ours."""

    message = _(
        "このURLは、すでに使われたか、有効期限が切れているか、別のアカウントのものです。"
        "変更するときは、もう一度はじめからお手続きください。"
    )


def request(
    account: Account,
    new_email: str,
    current: str,
    *,
    hours: int,
    network_address: str,
    now: datetime,
) -> None:
    """Mail a URL to the new address, good for `hours`; an earlier request ends.

    An address that is somebody's user ID gets a mail that says so, for the same work: whoever asks
    learns nothing. The caller has counted the attempt (`limits.spend` as `passwords.CHANGE`).

    Raises:
        WrongPassword: `current` is not the present one.
        WrongCredentials: It was changed, or the account locked or closed, meanwhile.
        SameAddress: The account has this address already.
    """
    passwords.prove_again(account, current, network_address=network_address)
    email = normalise.email(new_email)
    if email == account.email:
        raise SameAddress
    _end_open(account, now)
    known = accounts.find(email)
    change = EmailChange(
        account_id=account.id,
        new_email=email,
        url_nonce=tokens.new_token(),
        created_at=now,
        expires_at=now + timedelta(hours=hours),
        ended_at=now if known else None,
    )
    db.session.add(change)
    db.session.flush()
    mail.queue(
        "email_change_known_address" if known else "email_change",
        email,
        key=f"email-change-{change.id}",
        language=(known or account).language,
        now=now,
        account=(known or account).id,
        email_change=change.id,
    )
    audit.record(
        "email_change.requested",
        actor_id=account.id,
        subject="email_change",
        subject_id=change.id,
        network_address=network_address,
        now=now,
    )


def find(account: Account, secret_key: str, signed: str, *, now: datetime) -> EmailChange:
    """Return the account's own request that the signed part of a URL names.

    Raises:
        ChangeUrlDead: It is used, too old, replaced or forged, or somebody else's.
    """
    named = tokens.read(secret_key, PURPOSE, signed)
    change = (
        db.session.scalar(
            select(EmailChange).where(
                EmailChange.id == named[0],
                EmailChange.url_nonce == named[1],
                EmailChange.account_id == account.id,
            )
        )
        if named
        else None
    )
    if change is None or change.ended_at or change.expires_at <= now:
        raise ChangeUrlDead
    return change


def confirm(
    session: Session, secret_key: str, signed: str, *, network_address: str, now: datetime
) -> None:
    """Change the address of who is signed in, by the URL that was mailed to the new one.

    Every other session ends, and so does every URL mailed to the old address, which is told.

    Raises:
        ChangeUrlDead: The URL is good no longer; of two at once, one wins.
        AddressTaken: The address became somebody's account meanwhile.
    """
    account = session.account
    # the account before its requests, as everywhere: two who wait for each other would never end
    db.session.refresh(account, with_for_update=True)
    change = find(account, secret_key, signed, now=now)
    old = account.email
    ended = count_changed(
        update(EmailChange)
        .where(EmailChange.id == change.id, EmailChange.ended_at.is_(None))
        .values(ended_at=now, completed_at=now, old_email=old)
    )
    if ended != 1 or not account.may_sign_in:
        raise ChangeUrlDead
    account.email = change.new_email
    try:
        db.session.flush()
    except IntegrityError as error:
        raise AddressTaken from error
    passwords.end_urls(account, now)
    sessions.end_all(account, now, but=session)
    audit.record(
        "email_changed",
        actor_id=account.id,
        subject="account",
        subject_id=account.id,
        network_address=network_address,
        now=now,
        email_change_id=change.id,
    )
    mail.queue(
        "email_changed",
        old,
        key=f"email-changed-{change.id}",
        language=account.language,
        now=now,
        account=account.id,
        email_change=change.id,
    )


def clear_old(now: datetime) -> int:
    """Delete some of the requests whose URL ran out a week ago; return how many.

    Those that changed an address stay until the account is erased.
    """
    return delete_some(
        EmailChange,
        EmailChange.expires_at <= now - timedelta(days=7),
        EmailChange.completed_at.is_(None),
    )


def _end_open(account: Account, now: datetime) -> None:
    db.session.execute(
        update(EmailChange)
        .where(EmailChange.account_id == account.id, EmailChange.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )
