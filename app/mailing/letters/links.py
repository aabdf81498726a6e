"""Letters to owners and dealers about who looks after a gateway."""

from typing import Any

from ...models import MaintenanceLink, OutboxMail
from .finding import Desk, Gone, Words, find, open_account


def link_made(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a dealer looks after the gateway from now on.

    Raises:
        Gone: The account is closed.
    """
    words = _of_link(row)
    open_account(words["account"].id)
    public_id = words["gateway"].public_id
    return {**words, "url": desk.link("gateways.show", gateway_id=public_id)}


def link_changed(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a dealer may do something else, or until another day.

    Raises:
        Gone: The account is closed.
    """
    return link_made(row, desk)


def link_unlinked(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a dealer's maintenance was ended by the owner.

    Raises:
        Gone: The account is closed.
    """
    words = _of_link(row)
    open_account(words["account"].id)
    return {**words, "url": desk.link("maintenance.menu")}


def link_declined(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a dealer gave the maintenance back.

    Raises:
        Gone: The account is closed.
    """
    return link_unlinked(row, desk)


def link_dealer_closed(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a dealer is there no longer.

    Raises:
        Gone: The account is closed.
    """
    return link_unlinked(row, desk)


def link_made_dealer(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer that it looks after a gateway from now on.

    Raises:
        Gone: The dealer is closed.
    """
    words = _of_dealers_link(row)
    public_id = words["gateway"].public_id
    return {**words, "url": desk.link("dealers.system", gateway_id=public_id)}


def link_changed_dealer(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer that it may do something else, or until another day.

    Raises:
        Gone: The dealer is closed.
    """
    return link_made_dealer(row, desk)


def link_unlinked_dealer(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer that the owner ended its maintenance.

    Raises:
        Gone: The dealer is closed.
    """
    return {**_of_dealers_link(row), "url": desk.link("dealers.systems")}


def link_installation_ended(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer that its maintenance ended with the installation.

    Raises:
        Gone: The dealer is closed.
    """
    return link_unlinked_dealer(row, desk)


LETTERS = (
    link_made,
    link_changed,
    link_unlinked,
    link_declined,
    link_dealer_closed,
    link_made_dealer,
    link_changed_dealer,
    link_unlinked_dealer,
    link_installation_ended,
)


def _of_link(row: OutboxMail) -> dict[str, Any]:
    link = find(MaintenanceLink, row.refs["link"])
    return {
        "link": link,
        "dealer": link.dealer,
        "account": link.installation.account,
        "installation": link.installation,
        "gateway": link.gateway,
    }


def _of_dealers_link(row: OutboxMail) -> dict[str, Any]:
    words = _of_link(row)
    if words["dealer"].closed_at:
        raise Gone("the dealer is closed")
    return words
