"""What each mail speaks of: its rows, by the ids that the outbox holds, and its links.

A letter whose subject is gone is not written: its `Gone` says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ..extensions import Model, db
from ..models import (
    Account,
    Dealer,
    DealerRegistration,
    Installation,
    OutboxMail,
    PasswordReset,
    Registration,
)

Words = Mapping[str, Any]
Row = TypeVar("Row", bound=Model)
Claim = TypeVar("Claim", Registration, DealerRegistration)


class Gone(Exception):
    """Say that there is nothing left to write about."""


@dataclass(frozen=True)
class Desk:
    """What a letter needs besides its rows."""

    now: datetime
    # (purpose, row id, nonce) → the part of a single-use URL that only we can make
    sign: Callable[[str, int, str], str]
    # (endpoint, **values) → URL below the configured base
    link: Callable[..., str]


def registration_provisional(row: OutboxMail, desk: Desk) -> Words:
    """Ask to set a password at the single-use URL of a provisional registration.

    Raises:
        Gone: The registration is erased, completed, superseded or expired.
    """
    registration = _open_registration(Registration, row, desk)
    signed = desk.sign("registration", registration.id, registration.url_nonce)
    return {
        "registration": registration,
        "gateway": registration.gateway,
        "url": desk.link("activation.open", signed=signed),
    }


def registration_complete(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the account and its first gateway are ready.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return {
        **_of_installation(row),
        "url": desk.link("monitor.show"),
        "manage_url": desk.link("manage.menu"),
    }


def gateway_added(row: OutboxMail, desk: Desk) -> Words:
    """Tell that one more gateway is the account's.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    words = _of_installation(row)
    public_id = words["gateway"].public_id
    return {**words, "url": desk.link("monitor.show", gateway_id=public_id)}


def gateway_removed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a gateway is the account's no longer.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return {**_of_installation(row), "url": desk.link("manage.menu")}


def registration_known_address(row: OutboxMail, desk: Desk) -> Words:
    """Tell the owner of an account that somebody registered with its address again.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": _open_account(row.refs["account"]),
        "url": desk.link("signin.login"),
        "forgot_url": desk.link("signin.forgot_password"),
    }


def dealer_provisional(row: OutboxMail, desk: Desk) -> Words:
    """Ask to set a password at the single-use URL of a dealer's provisional registration.

    Raises:
        Gone: The registration is erased, completed, superseded or expired.
    """
    registration = _open_registration(DealerRegistration, row, desk)
    signed = desk.sign("dealer-registration", registration.id, registration.url_nonce)
    return {"registration": registration, "url": desk.link("activation.open", signed=signed)}


def dealer_complete(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a dealer's account is ready, with its 販売店ID if it has one by now.

    Raises:
        Gone: The account is closed, or the dealer.
    """
    return {"account": _open_account(row.refs["account"]), **dealer_approved(row, desk)}


def dealer_approved(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer its 販売店ID.

    Raises:
        Gone: The dealer is closed.
    """
    dealer = _find(Dealer, row.refs["dealer"])
    if dealer.closed_at:
        raise Gone("the dealer is closed")
    return {"dealer": dealer, "url": desk.link("dealers.show")}


def dealer_known_address(row: OutboxMail, desk: Desk) -> Words:
    """Tell the owner of an account that somebody tried to register a dealer with its address.

    Raises:
        Gone: The account is closed.
    """
    return registration_known_address(row, desk)


def password_reset(row: OutboxMail, desk: Desk) -> Words:
    """Give the single-use URL for a new password.

    Raises:
        Gone: The request is erased, used or expired, the account closed, or there is none.
    """
    reset = _find(PasswordReset, row.refs["reset"])
    if reset.used_at:
        raise Gone("the URL is used")
    if reset.expires_at <= desk.now:
        raise Gone("the URL has expired")
    signed = desk.sign("password-reset", reset.id, reset.url_nonce)
    return {
        "account": _open_account(reset.account_id),
        "reset": reset,
        "url": desk.link("signin.reset_password", signed=signed),
    }


def forgotten_id(row: OutboxMail, desk: Desk) -> Words:
    """Tell the user ID, which is the mail address.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": _open_account(row.refs["account"]),
        "url": desk.link("signin.login"),
        "forgot_url": desk.link("signin.forgot_password"),
    }


def password_changed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the password was changed, and what to do if that was somebody else.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": _open_account(row.refs["account"]),
        "changed_at": row.created_at,
        "url": desk.link("signin.forgot_password"),
    }


def account_locked(row: OutboxMail, _desk: Desk) -> Words:
    """Tell that the help desk locked the account.

    Raises:
        Gone: The account is closed.
    """
    return {"account": _open_account(row.refs["account"]), "acted_at": row.created_at}


def account_unlocked(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the help desk lets somebody in again.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": _open_account(row.refs["account"]),
        "acted_at": row.created_at,
        "url": desk.link("signin.login"),
        "forgot_url": desk.link("signin.forgot_password"),
    }


def account_closed_by_desk(row: OutboxMail, _desk: Desk) -> Words:
    """Tell that the help desk closed the account.

    Raises:
        Gone: The account is erased.
    """
    return {"account": _find(Account, row.refs["account"]), "acted_at": row.created_at}


def gateway_freed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the help desk took a gateway from the account.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return gateway_removed(row, desk)


def sheet_reissued(row: OutboxMail, _desk: Desk) -> Words:
    """Tell an owner that the gateway has a new sheet.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return {**_of_installation(row), "acted_at": row.created_at}


def dealer_closed(row: OutboxMail, _desk: Desk) -> Words:
    """Tell a dealer that it was closed, with the accounts of its people.

    Raises:
        Gone: The dealer is erased.
    """
    return {"dealer": _find(Dealer, row.refs["dealer"])}


LETTERS: Mapping[str, Callable[[OutboxMail, Desk], Words]] = {
    letter.__name__: letter
    for letter in (
        registration_provisional,
        registration_complete,
        gateway_added,
        gateway_removed,
        registration_known_address,
        dealer_provisional,
        dealer_complete,
        dealer_approved,
        dealer_known_address,
        password_reset,
        forgotten_id,
        password_changed,
        account_locked,
        account_unlocked,
        account_closed_by_desk,
        gateway_freed,
        sheet_reissued,
        dealer_closed,
    )
}


def _find(model: type[Row], row_id: int) -> Row:
    found = db.session.get(model, row_id)
    if found is None:
        raise Gone(f"{model.__name__} {row_id} is erased")
    return found


def _open_registration(model: type[Claim], row: OutboxMail, desk: Desk) -> Claim:
    registration = _find(model, row.refs["registration"])
    if registration.completed_at:
        raise Gone("the registration is completed")
    if registration.superseded_at:
        raise Gone("another registration superseded this one")
    if registration.expires_at <= desk.now:
        raise Gone("the URL has expired")
    return registration


def _of_installation(row: OutboxMail) -> dict[str, Any]:
    installation = _find(Installation, row.refs["installation"])
    return {
        "account": _open_account(row.refs["account"]),
        "installation": installation,
        "gateway": installation.gateway,
    }


def _open_account(account_id: int | None) -> Account:
    if not account_id:
        # asked for by somebody without an account: the row is there so that both take the same work
        raise Gone("nobody has an account there")
    account = _find(Account, account_id)
    if account.closed_at:
        raise Gone("the account is closed")
    return account
