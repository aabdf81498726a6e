"""Letters about an account: its password, its address, its end."""

from ...models import EmailChange, OutboxMail, PasswordReset
from .finding import Desk, Gone, Words, closed_account, find, open_account
from .registrations import registration_known_address


def password_reset(row: OutboxMail, desk: Desk) -> Words:
    """Give the single-use URL for a new password.

    Raises:
        Gone: The request is erased, used or expired, the account closed, or there is none.
    """
    reset = find(PasswordReset, row.refs["reset"])
    if reset.used_at and not desk.past:
        raise Gone("the URL is used")
    if reset.expires_at <= desk.now and not desk.past:
        raise Gone("the URL has expired")
    signed = desk.sign("password-reset", reset.id, reset.url_nonce)
    return {
        "account": open_account(reset.account_id),
        "reset": reset,
        "url": desk.link("signin.reset_password", signed=signed),
    }


def forgotten_id(row: OutboxMail, desk: Desk) -> Words:
    """Tell the user ID, which is the mail address.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": open_account(row.refs["account"]),
        "url": desk.link("signin.login"),
        "forgot_url": desk.link("signin.forgot_password"),
    }


def password_changed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the password was changed, and what to do if that was somebody else.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": open_account(row.refs["account"]),
        "changed_at": row.created_at,
        "url": desk.link("signin.forgot_password"),
    }


def email_change(row: OutboxMail, desk: Desk) -> Words:
    """Give the new address the single-use URL that makes it the account's.

    Raises:
        Gone: The request is erased, used, replaced or expired, or the account closed.
    """
    change = find(EmailChange, row.refs["email_change"])
    if change.ended_at and not desk.past:
        raise Gone("the URL is used, or a newer one replaced it")
    if change.expires_at <= desk.now and not desk.past:
        raise Gone("the URL has expired")
    signed = desk.sign("email-change", change.id, change.url_nonce)
    return {
        "account": open_account(change.account_id),
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
        "account": open_account(row.refs["account"]),
        "change": find(EmailChange, row.refs["email_change"]),
        "url": desk.link("signin.login"),
    }


def account_closed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the account is closed, to the address it had.

    Raises:
        Gone: The account is erased.
    """
    return {"account": closed_account(row.refs["account"]), "url": desk.link("registration.start")}


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
    return {"account": open_account(row.refs["account"]), "acted_at": row.created_at}


def account_unlocked(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the help desk lets somebody in again.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": open_account(row.refs["account"]),
        "acted_at": row.created_at,
        "url": desk.link("signin.login"),
        "forgot_url": desk.link("signin.forgot_password"),
    }


def account_closed_by_desk(row: OutboxMail, _desk: Desk) -> Words:
    """Tell that the help desk closed the account.

    Raises:
        Gone: The account is erased.
    """
    return {"account": closed_account(row.refs["account"]), "acted_at": row.created_at}


LETTERS = (
    password_reset,
    forgotten_id,
    password_changed,
    email_change,
    email_change_known_address,
    email_changed,
    account_closed,
    operator_invited,
    account_locked,
    account_unlocked,
    account_closed_by_desk,
)
