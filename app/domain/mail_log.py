"""The operator's view of the outbox: what was mailed, and what is sent again.

A mail sent again is a new row. If it carries a single-use URL, the row that URL names gets a new
nonce first: the earlier URL is good no longer, and the new mail goes to the address which that row
has now, not to the one the earlier mail went to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, select, update

from ..extensions import Model, db
from ..extensions import lazy_gettext as _
from ..models import (
    Account,
    Dealer,
    DealerInvitation,
    DealerRegistration,
    EmailChange,
    MaintenanceContact,
    MaintenanceLink,
    OutboxMail,
    PasswordReset,
    Registration,
)
from . import audit, mail, normalise, tokens
from .errors import NotFound, Rejected
from .keyset import Key, Slice, sliced
from .writes import count_changed

# edges name the type without knowing tables
Mail = OutboxMail
STATES = ("waiting", "sent", "dropped")
KEY = Key(OutboxMail.created_at, OutboxMail.id)


class StillWaiting(Rejected):
    """Refuse to send again what was not sent yet."""

    message = _("このメールは、まだ送信を待っています。")


class NotDropped(Rejected):
    """Refuse to release what is not held."""

    message = _("このメールは、送信を取りやめた状態ではありません。")


class NobodyThere(Rejected):
    """Refuse to send again what was for nobody: there was no account at the address asked for."""

    message = _("このメールには、宛先がありません。")


class SubjectOver(Rejected):
    """Refuse a new URL for what is completed, superseded, used, or gone."""

    message = _(
        "このメールのURLで行う手続きは、すでに完了しているか、新しい手続きに置き換わっています。"
        "もう一度送ることはできません。"
    )


class AddressChanged(Rejected):
    """Refuse to mail about an account, or a dealer, to an address that is no longer its own."""

    message = _(
        "宛先のメールアドレスは、いまはこのアカウントのものではないため、もう一度送ることはできません。"
    )


@dataclass(frozen=True)
class Asked:
    """What an operator looks for; empty means everything."""

    # the beginning of an address, or all of it
    to: str = ""
    template: str = ""
    state: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class UrlLifetimes:
    """How long the URL of a mail sent again is good."""

    registration_days: int
    reset_hours: int


def search(asked: Asked, *, before: str = "", after: str = "") -> Slice[OutboxMail]:
    """Return a page of mails, newest first, by one query whose work an index bounds."""
    return sliced(_found(asked), KEY, before=before, after=after)


def get(mail_id: int) -> OutboxMail:
    """Return a mail of the log.

    Raises:
        NotFound: There is no such mail.
    """
    found = db.session.get(OutboxMail, mail_id)
    if found is None:
        raise NotFound
    return found


def send_again(
    actor: Account,
    mail_id: int,
    *,
    once: str,
    reason: str,
    lifetimes: UrlLifetimes,
    network_address: str,
    now: datetime,
) -> None:
    """Queue a mail once more, with a new URL if it has one; `once` makes a second press nothing.

    Raises:
        NotFound: There is no such mail.
        StillWaiting: It was not sent yet.
        NobodyThere: It was for nobody.
        SubjectOver: What its URL is for is completed, superseded, used or gone.
        AddressChanged: The account it is about has another address by now.
    """
    earlier = get(mail_id)
    if earlier.state == "waiting":
        raise StillWaiting
    if not earlier.to:
        raise NobodyThere
    to = _address(earlier)
    is_new = mail.queue(
        earlier.template,
        to,
        key=f"again-{mail_id}-{once}",
        language=earlier.language,
        now=now,
        **earlier.refs,
    )
    if not is_new:
        return
    renew = RENEWALS.get(earlier.template)
    if renew is not None:
        renew(earlier.refs, now, lifetimes)
    _record("mail.sent_again", mail_id, actor, reason, network_address=network_address, now=now)


def release(
    actor: Account, mail_id: int, *, reason: str, network_address: str, now: datetime
) -> None:
    """Try a dropped mail again, as it is.

    Raises:
        NotFound: There is no such mail.
        NobodyThere: It was for nobody.
        SubjectOver: What its URL is for is gone.
        AddressChanged: Whom it is about has another address by now.
        NotDropped: It waits, or was sent.
    """
    dropped = get(mail_id)
    if not dropped.to:
        raise NobodyThere
    if normalise.email(_address(dropped)) != normalise.email(dropped.to):
        raise AddressChanged
    if not mail.release(mail_id, now):
        raise NotDropped
    _record("mail.released", mail_id, actor, reason, network_address=network_address, now=now)


def _found(asked: Asked) -> Select[OutboxMail]:
    return select(OutboxMail).where(*_conditions(asked))


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.to:
        # the beginning alone: an index knows where it is
        conditions.append(OutboxMail.to.startswith(asked.to.lower(), autoescape=True))
    if asked.template:
        conditions.append(OutboxMail.template == asked.template)
    if asked.state in STATES:
        # a literal: else the partial indexes are not seen to fit
        conditions.append(OutboxMail.state == literal_column(f"'{asked.state}'"))
    if asked.since:
        conditions.append(OutboxMail.created_at >= asked.since)
    if asked.until:
        conditions.append(OutboxMail.created_at < asked.until)
    return conditions


# ---- single-use URLs ------------------------------------------------------------------------


def _address(earlier: OutboxMail) -> str:
    """Return where the mail goes now.

    Raises:
        SubjectOver: The row that its URL names is gone.
        AddressChanged: The account, or the dealer, it is about has another address by now.
    """
    holder = HOLDERS.get(earlier.template)
    if holder is not None:
        return holder(earlier.refs)
    present = _present_addresses(earlier.refs)
    if present is not None and normalise.email(earlier.to) not in present:
        raise AddressChanged
    return earlier.to


def _present_addresses(refs: Mapping[str, Any]) -> set[str] | None:
    """Return the addresses that those whom a mail is about have now; None: it names nobody."""
    if refs.get("account"):
        found: list[Account | Dealer | None] = [db.session.get(Account, refs["account"])]
    elif "link" in refs:
        link = db.session.get(MaintenanceLink, refs["link"])
        found = [link.installation.account, link.dealer] if link else []
    elif "dealer" in refs:
        found = [db.session.get(Dealer, refs["dealer"])]
    else:
        return None
    return {normalise.email(one.email) for one in found if one is not None}


def _registration_address(model: type[Any]) -> Callable[[Mapping[str, Any]], str]:
    def address(refs: Mapping[str, Any]) -> str:
        found = db.session.get(model, refs["registration"])
        if found is None:
            raise SubjectOver
        return str(found.email)

    return address


def _reset_address(refs: Mapping[str, Any]) -> str:
    found = db.session.get(PasswordReset, refs["reset"])
    if found is None or found.account is None:
        raise SubjectOver
    return found.account.email


def _new_address(refs: Mapping[str, Any]) -> str:
    found = db.session.get(EmailChange, refs["email_change"])
    if found is None:
        raise SubjectOver
    return found.new_email


def _contact_address(refs: Mapping[str, Any]) -> str:
    found = db.session.get(MaintenanceContact, refs["contact"])
    if found is None:
        raise SubjectOver
    return found.email


def _renew_registration(
    model: type[Any],
) -> Callable[[Mapping[str, Any], datetime, UrlLifetimes], None]:
    def renew(refs: Mapping[str, Any], now: datetime, lifetimes: UrlLifetimes) -> None:
        open_ = model.completed_at.is_(None) & model.superseded_at.is_(None)
        expires_at = now + timedelta(days=lifetimes.registration_days)
        _renew(model, refs["registration"], open_, expires_at)

    return renew


def _renew_reset(refs: Mapping[str, Any], now: datetime, lifetimes: UrlLifetimes) -> None:
    expires_at = now + timedelta(hours=lifetimes.reset_hours)
    _renew(PasswordReset, refs["reset"], PasswordReset.used_at.is_(None), expires_at)


def _renew_email_change(refs: Mapping[str, Any], now: datetime, lifetimes: UrlLifetimes) -> None:
    expires_at = now + timedelta(hours=lifetimes.reset_hours)
    _renew(EmailChange, refs["email_change"], EmailChange.ended_at.is_(None), expires_at)


def _renew_contact(refs: Mapping[str, Any], now: datetime, lifetimes: UrlLifetimes) -> None:
    expires_at = now + timedelta(days=lifetimes.registration_days)
    _renew(
        MaintenanceContact, refs["contact"], MaintenanceContact.confirmed_at.is_(None), expires_at
    )


def _renew(
    model: type[Model], row_id: int, condition: ColumnElement[bool], expires_at: datetime
) -> None:
    table: Any = model
    renewed = count_changed(
        update(model)
        .where(table.id == row_id, condition)
        .values(url_nonce=tokens.new_token(), expires_at=expires_at)
    )
    if renewed != 1:
        raise SubjectOver


# letters with a single-use URL: whose address it goes to, and how the URL is renewed
HOLDERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "registration_provisional": _registration_address(Registration),
    "dealer_provisional": _registration_address(DealerRegistration),
    "dealer_invitation": _registration_address(DealerInvitation),
    "password_reset": _reset_address,
    "operator_invited": _reset_address,
    "email_change": _new_address,
    "maintenance_contact": _contact_address,
}
RENEWALS: Mapping[str, Callable[[Mapping[str, Any], datetime, UrlLifetimes], None]] = {
    "registration_provisional": _renew_registration(Registration),
    "dealer_provisional": _renew_registration(DealerRegistration),
    "dealer_invitation": _renew_registration(DealerInvitation),
    "password_reset": _renew_reset,
    "operator_invited": _renew_reset,
    "email_change": _renew_email_change,
    "maintenance_contact": _renew_contact,
}


def _record(
    action: str, mail_id: int, actor: Account, reason: str, *, network_address: str, now: datetime
) -> None:
    audit.record(
        action,
        actor_id=actor.id,
        subject="mail",
        subject_id=mail_id,
        network_address=network_address,
        now=now,
        reason=reason,
    )
