"""What letters need besides their rows, and how they find these.

A letter whose subject is gone is not written: its `Gone` says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ...extensions import Model, db
from ...models import (
    Account,
    Dealer,
    DealerInvitation,
    DealerRegistration,
    Installation,
    OutboxMail,
    Registration,
)

Words = Mapping[str, Any]
Row = TypeVar("Row", bound=Model)
Claim = TypeVar("Claim", Registration, DealerRegistration, DealerInvitation)


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
    # the mail log reads letters again whose subject may be over by now
    past: bool = False


def find(model: type[Row], row_id: int) -> Row:
    """Return a row by its id.

    Raises:
        Gone: It is erased.
    """
    found = db.session.get(model, row_id)
    if found is None:
        raise Gone(f"{model.__name__} {row_id} is erased")
    return found


def open_account(account_id: int | None) -> Account:
    """Return an account.

    Raises:
        Gone: There is none, or it is erased or closed.
    """
    if not account_id:
        # asked for by somebody without an account: the row is there so that both take the same work
        raise Gone("nobody has an account there")
    account = find(Account, account_id)
    if account.closed_at:
        raise Gone("the account is closed")
    return account


def closed_account(account_id: int) -> Account:
    """Return an account of which a letter may tell that it is closed.

    Raises:
        Gone: It is erased.
    """
    account = find(Account, account_id)
    if account.erased_at:
        raise Gone("the account is erased")
    return account


def open_dealer(dealer_id: int) -> Dealer:
    """Return a dealer.

    Raises:
        Gone: It is erased, or closed.
    """
    dealer = find(Dealer, dealer_id)
    if dealer.closed_at:
        raise Gone("the dealer is closed")
    return dealer


def open_registration(model: type[Claim], row: OutboxMail, desk: Desk) -> Claim:
    """Return the registration that a mail asks to complete.

    Raises:
        Gone: It is erased, completed, superseded or expired.
    """
    registration = find(model, row.refs["registration"])
    if desk.past:
        return registration
    if registration.completed_at:
        raise Gone("the registration is completed")
    if registration.superseded_at:
        raise Gone("another registration superseded this one")
    if registration.expires_at <= desk.now:
        raise Gone("the URL has expired")
    return registration


def of_installation(row: OutboxMail) -> dict[str, Any]:
    """Return what letters about one's gateway speak of.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    installation = find(Installation, row.refs["installation"])
    return {
        "account": open_account(row.refs["account"]),
        "installation": installation,
        "gateway": installation.gateway,
    }
