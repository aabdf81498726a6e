"""Letters about second factors, passkeys and tokens of the API."""

from typing import Any

from ...models import ApiToken, OutboxMail
from .finding import Desk, Words, find, open_account


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


def api_token_created(row: OutboxMail, desk: Desk) -> Words:
    """Tell that programs can read the account's figures by a new token.

    Raises:
        Gone: The account is closed, or the token is erased.
    """
    return {
        **_of_security(row, desk),
        "token": find(ApiToken, row.refs["token"]),
        "url": desk.link("account.tokens"),
    }


LETTERS = (
    second_factor_on,
    second_factor_off,
    second_factor_reset,
    second_factor_guessed,
    recovery_codes_renewed,
    recovery_code_used,
    passkey_added,
    passkey_removed,
    passkey_cloned,
    api_token_created,
)


def _of_security(row: OutboxMail, desk: Desk) -> dict[str, Any]:
    return {
        "account": open_account(row.refs["account"]),
        "changed_at": row.created_at,
        "url": desk.link("account.second_factor"),
    }
