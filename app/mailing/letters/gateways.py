"""Letters about a gateway: who has it, its sheet, its certificate of transfer."""

from ...models import OutboxMail, Transfer
from .finding import Desk, Gone, Words, find, of_installation


def gateway_added(row: OutboxMail, desk: Desk) -> Words:
    """Tell that one more gateway is the account's.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    words = of_installation(row)
    public_id = words["gateway"].public_id
    return {**words, "url": desk.link("monitor.show", gateway_id=public_id)}


def gateway_removed(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a gateway is the account's no longer.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return {**of_installation(row), "url": desk.link("manage.menu")}


def transfer_issued(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a certificate of transfer was issued; its code is not in the mail.

    Raises:
        Gone: The account is closed, or the certificate used or withdrawn.
    """
    words = of_installation(row)
    transfer = find(Transfer, row.refs["transfer"])
    if (transfer.claimed_at or transfer.revoked_at) and not desk.past:
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
        **of_installation(row),
        "transfer": find(Transfer, row.refs["transfer"]),
        "url": desk.link("manage.menu"),
    }


def gateway_taken_over(row: OutboxMail, desk: Desk) -> Words:
    """Tell the buyer that the gateway is theirs.

    Raises:
        Gone: The account is closed, or the installation erased.
    """
    return gateway_added(row, desk)


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
    return {**of_installation(row), "acted_at": row.created_at}


LETTERS = (
    gateway_added,
    gateway_removed,
    transfer_issued,
    gateway_handed_over,
    gateway_taken_over,
    gateway_freed,
    sheet_reissued,
)
