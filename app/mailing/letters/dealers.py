"""Letters to a dealer, its people and its contacts."""

from ...models import Dealer, DealerInvitation, DealerRegistration, MaintenanceContact, OutboxMail
from .finding import (
    Desk,
    Gone,
    Words,
    closed_account,
    find,
    open_account,
    open_dealer,
    open_registration,
)
from .registrations import registration_known_address


def dealer_provisional(row: OutboxMail, desk: Desk) -> Words:
    """Ask to set a password at the single-use URL of a dealer's provisional registration.

    Raises:
        Gone: The registration is erased, completed, superseded or expired.
    """
    registration = open_registration(DealerRegistration, row, desk)
    signed = desk.sign("dealer-registration", registration.id, registration.url_nonce)
    return {"registration": registration, "url": desk.link("activation.open", signed=signed)}


def dealer_complete(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a dealer's account is ready, with its 販売店ID if it has one by now.

    Raises:
        Gone: The account is closed, or the dealer.
    """
    return {"account": open_account(row.refs["account"]), **dealer_approved(row, desk)}


def dealer_approved(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer its 販売店ID.

    Raises:
        Gone: The dealer is closed.
    """
    return {"dealer": open_dealer(row.refs["dealer"]), "url": desk.link("dealers.show")}


def dealer_known_address(row: OutboxMail, desk: Desk) -> Words:
    """Tell the owner of an account that somebody tried to register a dealer with its address.

    Raises:
        Gone: The account is closed.
    """
    return registration_known_address(row, desk)


def dealer_invitation(row: OutboxMail, desk: Desk) -> Words:
    """Ask somebody whom a dealer invited to set a password at the single-use URL.

    Raises:
        Gone: The invitation is erased, accepted, withdrawn or expired, or the dealer closed.
    """
    invitation = open_registration(DealerInvitation, row, desk)
    signed = desk.sign("dealer-invitation", invitation.id, invitation.url_nonce)
    return {
        "registration": invitation,
        "dealer": open_dealer(invitation.dealer_id),
        "url": desk.link("activation.open", signed=signed),
    }


def dealer_person_removed(row: OutboxMail, desk: Desk) -> Words:
    """Tell somebody that they sign in for the dealer no more.

    Raises:
        Gone: The account is erased.
    """
    account = closed_account(row.refs["account"])
    return {"account": account, "dealer": account.dealer}


def maintenance_contact(row: OutboxMail, desk: Desk) -> Words:
    """Ask somebody whether to be told when a system fails.

    Raises:
        Gone: The contact was taken off the list, or has answered, or the dealer is closed.
    """
    contact = find(MaintenanceContact, row.refs["contact"])
    if contact.confirmed_at and not desk.past:
        raise Gone("the address is confirmed")
    signed = desk.sign("maintenance-contact", contact.id, contact.url_nonce)
    return {
        "contact": contact,
        "dealer": open_dealer(contact.dealer_id),
        "url": desk.link("dealers.confirm_contact", signed=signed),
    }


def dealer_closed(row: OutboxMail, _desk: Desk) -> Words:
    """Tell a dealer that it was closed, with the accounts of its people.

    Raises:
        Gone: The dealer is erased.
    """
    return {"dealer": find(Dealer, row.refs["dealer"])}


LETTERS = (
    dealer_provisional,
    dealer_complete,
    dealer_approved,
    dealer_known_address,
    dealer_invitation,
    dealer_person_removed,
    maintenance_contact,
    dealer_closed,
)
