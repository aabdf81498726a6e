"""The help desk: what operators do for those who call.

Each act has a reason, which the audit log keeps, and mails whom it concerns: in one transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Dealer, DealerRegistration, Installation, Sheet
from . import (
    activation,
    api_tokens,
    audit,
    closing,
    dealer_activation,
    dealers,
    dossiers,
    factors,
    installations,
    links,
    mail,
    passwords,
    sealed_sheets,
    sessions,
    sheets,
)
from .errors import Rejected
from .writes import count_changed


@dataclass(frozen=True)
class Call:
    """Who acts at the desk, why, from where and when."""

    actor: Account
    reason: str
    network_address: str
    now: datetime


class ChangedMeanwhile(Rejected):
    """Refuse to do what somebody has just done, or what can no longer be done."""

    message = _(
        "この操作は、すでに行われたか、状況が変わったため行えません。もう一度ご確認ください。"
    )


def mail_registration_again(call: Call, kind: str, registration_id: int, *, url_days: int) -> None:
    """Mail a new URL for a provisional registration; the old one ends.

    Raises:
        NotFound: There is no such registration.
        NotOpen: It can never be completed: it ended, or what it claims is somebody's.
    """
    registration = dossiers.get_registration(call.actor, kind, registration_id)
    if isinstance(registration, DealerRegistration):
        dealer_activation.resend(
            registration, now=call.now, url_days=url_days, early=True, by=_by(call)
        )
    else:
        activation.resend(registration, now=call.now, url_days=url_days, early=True, by=_by(call))


def mail_password_url(call: Call, account_id: int, *, hours: int) -> None:
    """Mail somebody the URL to set a new password: operators neither see nor set one.

    Raises:
        NotFound: There is no such customer or dealer's person.
        ChangedMeanwhile: The account is locked or closed.
    """
    account = dossiers.get_account(call.actor, account_id)
    if not account.may_sign_in:
        raise ChangedMeanwhile
    passwords.request_reset(account.email, hours=hours, now=call.now)
    _record("account.password_mailed", "account", account.id, call)


def lock(call: Call, account_id: int) -> None:
    """Keep somebody out until `unlock`: sessions end with the very next request.

    Raises:
        NotFound: There is no such customer or dealer's person.
        ChangedMeanwhile: The account is locked or closed already.
    """
    account = dossiers.get_account(call.actor, account_id)
    _one(
        update(Account)
        .where(Account.id == account.id, Account.locked_at.is_(None), Account.closed_at.is_(None))
        .values(locked_at=call.now)
    )
    sessions.end_all(account, call.now)
    api_tokens.revoke_all(account, call.now)
    _tell("account_locked", account, call)
    _record("account.locked", "account", account.id, call)


def unlock(call: Call, account_id: int) -> None:
    """Let somebody in again who was locked out.

    Raises:
        NotFound: There is no such customer or dealer's person.
        ChangedMeanwhile: The account is not locked, or is closed.
    """
    account = dossiers.get_account(call.actor, account_id)
    _one(
        update(Account)
        .where(
            Account.id == account.id, Account.locked_at.is_not(None), Account.closed_at.is_(None)
        )
        .values(locked_at=None)
    )
    _tell("account_unlocked", account, call)
    _record("account.unlocked", "account", account.id, call)


def reset_factor(call: Call, account_id: int) -> None:
    """Take app, recovery codes and passkeys from somebody who lost them; all sessions end.

    Raises:
        NotFound: There is no such customer or dealer's person.
        ChangedMeanwhile: The account is locked or closed.
    """
    account = dossiers.get_account(call.actor, account_id)
    if not account.may_sign_in:
        raise ChangedMeanwhile
    factors.reset(
        account,
        reason=call.reason,
        actor_id=call.actor.id,
        network_address=call.network_address,
        now=call.now,
    )


def close_account(call: Call, account_id: int) -> None:
    """Close an account for good, with everything it owns.

    Raises:
        NotFound: There is no such customer or dealer's person.
        ChangedMeanwhile: It is closed already.
    """
    _close(dossiers.get_account(call.actor, account_id), call)


def free_gateway(call: Call, public_id: str) -> None:
    """Take a gateway from its owner: the installation is closed, its history stays with them.

    Raises:
        NotFound: There is no such gateway.
        ChangedMeanwhile: Nobody owns it (any more).
    """
    gateway = dossiers.find_gateway(call.actor, public_id)
    installation = db.session.scalar(
        select(Installation).where(
            Installation.gateway_id == gateway.id, Installation.closed_at.is_(None)
        )
    )
    if installation is None or not installations.close(
        installation, call.actor, network_address=call.network_address, now=call.now
    ):
        raise ChangedMeanwhile
    account = installation.account
    mail.queue(
        "gateway_freed",
        account.email,
        key=f"gateway-freed-{installation.id}",
        language=account.language,
        now=call.now,
        account=account.id,
        installation=installation.id,
    )
    _record("gateway.freed", "installation", installation.id, call, gateway_id=gateway.id)


def reissue_sheet(
    call: Call,
    public_id: str,
    *,
    seen_version: int,
    password: tuple[str, str],
    public_key: bytes,
    until: datetime,
) -> Sheet:
    """Issue the next sheet of a gateway; the one before is good no longer.

    `password` is the new one with its hash; it is kept sealed until it is printed. `seen_version`
    is the good one the operator saw, 0 if there was none: a second press issues no third sheet.

    Raises:
        NotFound: There is no such gateway.
        ChangedMeanwhile: A newer sheet was issued since.
    """
    gateway = dossiers.find_gateway(call.actor, public_id)
    if seen_version:
        _one(
            update(Sheet)
            .where(
                Sheet.gateway_id == gateway.id,
                Sheet.version == seen_version,
                Sheet.revoked_at.is_(None),
            )
            .values(revoked_at=call.now)
        )
    plain, hashed = password
    try:
        # what stood was revoked above, or nothing stood
        sheet = sheets.issue(gateway, password_hash=hashed, now=call.now, revokes=False)
    except IntegrityError as error:
        raise ChangedMeanwhile from error
    sealed_sheets.erase(sealed_sheets.sheets_of(gateway.id))
    sealed_sheets.keep(sheet, plain, public_key, until=until)
    owner = db.session.scalar(select(Installation).filter_by(gateway_id=gateway.id, closed_at=None))
    if owner:
        mail.queue(
            "sheet_reissued",
            owner.account.email,
            key=f"sheet-reissued-{sheet.id}",
            language=owner.account.language,
            now=call.now,
            account=owner.account_id,
            installation=owner.id,
        )
    _record("sheet.reissued", "sheet", sheet.id, call, gateway_id=gateway.id)
    return sheet


def confirm_sheet_printed(call: Call, public_id: str) -> None:
    """Keep that a re-issued sheet is on paper; its password is erased.

    Raises:
        NotFound: There is no such gateway.
        SheetsGone: No sheet of it waits to be printed.
    """
    gateway = dossiers.find_gateway(call.actor, public_id)
    sealed_sheets.confirm(sealed_sheets.sheets_of(gateway.id), call.now)
    _record("sheet.printed", "gateway", gateway.id, call)


def approve_dealer(call: Call, dealer_id: int) -> None:
    """Give a waiting dealer its 販売店ID, and mail it.

    Raises:
        NotFound: There is no such dealer.
        NotWaiting: It is approved already, or closed.
    """
    dossiers.get_dealer(call.actor, dealer_id, call.now)
    dealers.approve(
        dealer_id,
        actor_id=call.actor.id,
        network_address=call.network_address,
        now=call.now,
        reason=call.reason,
    )


def close_dealer(call: Call, dealer_id: int) -> None:
    """Close a dealer with the accounts of all its people.

    Raises:
        NotFound: There is no such dealer.
        ChangedMeanwhile: It is closed already.
    """
    dealer = dossiers.get_dealer(call.actor, dealer_id, call.now).dealer
    _one(
        update(Dealer)
        .where(Dealer.id == dealer.id, Dealer.closed_at.is_(None))
        .values(closed_at=call.now)
    )
    links.end_all_of_dealer(
        dealer, actor_id=call.actor.id, network_address=call.network_address, now=call.now
    )
    people = db.session.scalars(
        select(Account).where(Account.dealer_id == dealer.id, Account.closed_at.is_(None))
    ).all()
    for person in people:
        _close(person, call)
    mail.queue(
        "dealer_closed",
        dealer.email,
        key=f"dealer-closed-{dealer.id}",
        language=dealer.language,
        now=call.now,
        dealer=dealer.id,
    )
    _record("dealer.closed", "dealer", dealer.id, call, people=[one.id for one in people])


def _close(account: Account, call: Call) -> None:
    """Close an account, as its owner would, and mail whose it was.

    Raises:
        ChangedMeanwhile: It is closed already.
    """
    _one(
        update(Account)
        .where(Account.id == account.id, Account.closed_at.is_(None))
        .values(closed_at=call.now)
    )
    closing.end(
        account,
        actor=call.actor,
        network_address=call.network_address,
        now=call.now,
        letter="account_closed_by_desk",
        reason=call.reason,
    )


def _by(call: Call) -> dict[str, Any]:
    """Return what the audit log keeps of who acted, and why."""
    why = {"reason": call.reason} if call.reason else {}
    return {"actor_id": call.actor.id, "network_address": call.network_address, **why}


def _one(statement: Any) -> None:
    if count_changed(statement) != 1:
        raise ChangedMeanwhile


def _tell(template: str, account: Account, call: Call) -> None:
    mail.queue(
        template,
        account.email,
        # locked once more is one mail more
        key=f"{template.replace('_', '-')}-{account.id}-{call.now:%Y%m%dT%H%M%S%f}",
        language=account.language,
        now=call.now,
        account=account.id,
    )


def _record(action: str, subject: str, subject_id: int, call: Call, **detail: Any) -> None:
    audit.record(
        action, subject=subject, subject_id=subject_id, now=call.now, **{**_by(call), **detail}
    )
