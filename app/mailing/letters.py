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
    DealerInvitation,
    DealerRegistration,
    EmailChange,
    Installation,
    MaintenanceContact,
    MaintenanceLink,
    OutboxMail,
    PasswordReset,
    Registration,
    Transfer,
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


def transfer_issued(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a certificate of transfer was issued; its code is not in the mail.

    Raises:
        Gone: The account is closed, or the certificate used or withdrawn.
    """
    words = _of_installation(row)
    transfer = _find(Transfer, row.refs["transfer"])
    if transfer.claimed_at or transfer.revoked_at:
        raise Gone("the certificate is used or withdrawn")
    public_id = words["gateway"].public_id
    url = desk.link("transfers.show", gateway_id=public_id)
    return {**words, "transfer": transfer, "url": url}


def gateway_handed_over(row: OutboxMail, desk: Desk) -> Words:
    """Tell the former owner that the buyer has the gateway now.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return {
        **_of_installation(row),
        "transfer": _find(Transfer, row.refs["transfer"]),
        "url": desk.link("manage.menu"),
    }


def gateway_taken_over(row: OutboxMail, desk: Desk) -> Words:
    """Tell the buyer that the gateway is theirs.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return gateway_added(row, desk)


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
    return {"dealer": _open_dealer(row.refs["dealer"]), "url": desk.link("dealers.show")}


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
    invitation = _open_registration(DealerInvitation, row, desk)
    signed = desk.sign("dealer-invitation", invitation.id, invitation.url_nonce)
    return {
        "registration": invitation,
        "dealer": _open_dealer(invitation.dealer_id),
        "url": desk.link("activation.open", signed=signed),
    }


def dealer_person_removed(row: OutboxMail, desk: Desk) -> Words:
    """Tell somebody that they sign in for the dealer no more.

    Raises:
        Gone: The account is erased.
    """
    account = _find(Account, row.refs["account"])
    if account.erased_at:
        raise Gone("the account is erased")
    return {"account": account, "dealer": account.dealer}


def maintenance_contact(row: OutboxMail, desk: Desk) -> Words:
    """Ask somebody whether to be told when a system fails.

    Raises:
        Gone: The contact was taken off the list, or has answered, or the dealer is closed.
    """
    contact = _find(MaintenanceContact, row.refs["contact"])
    if contact.confirmed_at and not desk.past:
        raise Gone("the address is confirmed")
    signed = desk.sign("maintenance-contact", contact.id, contact.url_nonce)
    return {
        "contact": contact,
        "dealer": _open_dealer(contact.dealer_id),
        "url": desk.link("dealers.confirm_contact", signed=signed),
    }


def password_reset(row: OutboxMail, desk: Desk) -> Words:
    """Give the single-use URL for a new password.

    Raises:
        Gone: The request is erased, used or expired, the account closed, or there is none.
    """
    reset = _find(PasswordReset, row.refs["reset"])
    if reset.used_at and not desk.past:
        raise Gone("the URL is used")
    if reset.expires_at <= desk.now and not desk.past:
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


def email_change(row: OutboxMail, desk: Desk) -> Words:
    """Give the new address the single-use URL that makes it the account's.

    Raises:
        Gone: The request is erased, used, replaced or expired, or the account closed.
    """
    change = _find(EmailChange, row.refs["email_change"])
    if change.ended_at and not desk.past:
        raise Gone("the URL is used, or a newer one replaced it")
    if change.expires_at <= desk.now and not desk.past:
        raise Gone("the URL has expired")
    signed = desk.sign("email-change", change.id, change.url_nonce)
    return {
        "account": _open_account(change.account_id),
        "change": change,
        "url": desk.link("account.confirm_email", signed=signed),
    }


def email_change_known_address(row: OutboxMail, desk: Desk) -> Words:
    """Tell the owner of an account that another one wanted to have its address.

    Raises:
        Gone: The account is closed.
    """
    return registration_known_address(row, desk)


def email_changed(row: OutboxMail, desk: Desk) -> Words:
    """Tell the old address that it is the account's no longer, and what to do about that.

    Raises:
        Gone: The request is erased, or the account closed.
    """
    return {
        "account": _open_account(row.refs["account"]),
        "change": _find(EmailChange, row.refs["email_change"]),
        "url": desk.link("signin.login"),
    }


def account_closed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the account is closed, to the address it had.

    Raises:
        Gone: The account is erased.
    """
    account = _find(Account, row.refs["account"])
    if account.erased_at:
        raise Gone("the account is erased")
    return {"account": account, "url": desk.link("registration.start")}


def link_made(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a dealer looks after the gateway from now on.

    Raises:
        Gone: The account is closed.
    """
    words = _of_link(row)
    _open_account(words["account"].id)
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
    _open_account(words["account"].id)
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


def second_factor_on(row: OutboxMail, desk: Desk) -> Words:
    """Tell that signing in needs an authenticator app from now on.

    Raises:
        Gone: The account is closed.
    """
    return _of_security(row, desk)


def second_factor_off(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the password is enough again.

    Raises:
        Gone: The account is closed.
    """
    return _of_security(row, desk)


def second_factor_reset(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the desk took app, recovery codes and passkeys from the account.

    Raises:
        Gone: The account is closed.
    """
    return {**_of_security(row, desk), "url": desk.link("signin.login")}


def second_factor_guessed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that somebody knows the password and guesses codes.

    Raises:
        Gone: The account is closed.
    """
    return {**_of_security(row, desk), "url": desk.link("signin.forgot_password")}


def recovery_codes_renewed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that there are ten new recovery codes, and none of the old.

    Raises:
        Gone: The account is closed.
    """
    return _of_security(row, desk)


def recovery_code_used(row: OutboxMail, desk: Desk) -> Words:
    """Tell that somebody signed in by a recovery code, and how many are left.

    Raises:
        Gone: The account is closed.
    """
    return {**_of_security(row, desk), "left": row.refs["left"]}


def passkey_added(row: OutboxMail, desk: Desk) -> Words:
    """Tell that one more passkey opens the account.

    Raises:
        Gone: The account is closed.
    """
    return {**_of_security(row, desk), "url": desk.link("account.passkeys")}


def passkey_removed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a passkey opens the account no longer.

    Raises:
        Gone: The account is closed.
    """
    return {**_of_security(row, desk), "url": desk.link("account.passkeys")}


def passkey_cloned(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a passkey was refused because it may have been copied.

    Raises:
        Gone: The account is closed.
    """
    return {**_of_security(row, desk), "url": desk.link("account.passkeys")}


def operator_invited(row: OutboxMail, desk: Desk) -> Words:
    """Give the single-use URL for the first password of an operator.

    Raises:
        Gone: The invitation is erased, used or expired, or the account closed.
    """
    return password_reset(row, desk)


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
    account = _find(Account, row.refs["account"])
    if account.erased_at:
        raise Gone("the account is erased")
    return {"account": account, "acted_at": row.created_at}


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
        transfer_issued,
        gateway_handed_over,
        gateway_taken_over,
        registration_known_address,
        dealer_provisional,
        dealer_complete,
        dealer_approved,
        dealer_known_address,
        dealer_invitation,
        dealer_person_removed,
        maintenance_contact,
        password_reset,
        forgotten_id,
        password_changed,
        email_change,
        email_change_known_address,
        email_changed,
        account_closed,
        link_made,
        link_changed,
        link_unlinked,
        link_declined,
        link_dealer_closed,
        link_made_dealer,
        link_changed_dealer,
        link_unlinked_dealer,
        link_installation_ended,
        second_factor_on,
        second_factor_off,
        second_factor_reset,
        second_factor_guessed,
        recovery_codes_renewed,
        recovery_code_used,
        passkey_added,
        passkey_removed,
        passkey_cloned,
        operator_invited,
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


def _open_dealer(dealer_id: int) -> Dealer:
    dealer = _find(Dealer, dealer_id)
    if dealer.closed_at:
        raise Gone("the dealer is closed")
    return dealer


def _open_registration(model: type[Claim], row: OutboxMail, desk: Desk) -> Claim:
    registration = _find(model, row.refs["registration"])
    if desk.past:
        return registration
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


def _of_link(row: OutboxMail) -> dict[str, Any]:
    link = _find(MaintenanceLink, row.refs["link"])
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


def _of_security(row: OutboxMail, desk: Desk) -> dict[str, Any]:
    return {
        "account": _open_account(row.refs["account"]),
        "changed_at": row.created_at,
        "url": desk.link("account.second_factor"),
    }
