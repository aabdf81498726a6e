"""Letters about a registration, before there is an account."""

from ...models import OutboxMail, Registration
from .finding import Desk, Words, of_installation, open_account, open_registration


def registration_provisional(row: OutboxMail, desk: Desk) -> Words:
    """Ask to set a password at the single-use URL of a provisional registration.

    Raises:
        Gone: The registration is erased, completed, superseded or expired.
    """
    registration = open_registration(Registration, row, desk)
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
        **of_installation(row),
        "url": desk.link("monitor.show"),
        "manage_url": desk.link("manage.menu"),
    }


def registration_known_address(row: OutboxMail, desk: Desk) -> Words:
    """Tell the owner of an account that somebody registered with its address again.

    Raises:
        Gone: The account is closed.
    """
    return {
        "account": open_account(row.refs["account"]),
        "url": desk.link("signin.login"),
        "forgot_url": desk.link("signin.forgot_password"),
    }


LETTERS = (
    registration_provisional,
    registration_complete,
    registration_known_address,
)
