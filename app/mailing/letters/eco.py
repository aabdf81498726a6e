"""Letters about the eco programme: applications, memberships, their end."""

from ...models import EcoMembership, OutboxMail
from .finding import Desk, Gone, Words, find, open_account


def eco_applied(row: OutboxMail, desk: Desk) -> Words:
    """Tell that an application waits for its coverage.

    Raises:
        Gone: The account is closed, or the application ended.
    """
    words = _of_membership(row)
    if words["membership"].ended_at and not desk.past:
        raise Gone("the application ended")
    public_id = words["gateway"].public_id
    return {**words, "url": desk.link("eco.show", gateway_id=public_id)}


def eco_admitted(row: OutboxMail, desk: Desk) -> Words:
    """Tell that the membership began.

    Raises:
        Gone: The account is closed, or the membership ended.
    """
    return eco_applied(row, desk)


def eco_refused(row: OutboxMail, desk: Desk) -> Words:
    """Tell that an application was refused, why, and how to apply again.

    Raises:
        Gone: The account is closed.
    """
    return {**_of_membership(row), "url": desk.link("eco.home")}


def eco_withdrawn(row: OutboxMail, desk: Desk) -> Words:
    """Tell that somebody left, or took an application back.

    Raises:
        Gone: The account is closed.
    """
    return eco_refused(row, desk)


def eco_ended(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a membership, or an application, ended by something else than its member's wish.

    Raises:
        Gone: The account is closed.
    """
    return eco_refused(row, desk)


def eco_rules(row: OutboxMail, desk: Desk) -> Words:
    """Ask a member to agree to new rules.

    Raises:
        Gone: The account is closed, or the membership ended.
    """
    return {**eco_applied(row, desk), "url": desk.link("eco.agree")}


LETTERS = (eco_applied, eco_admitted, eco_refused, eco_withdrawn, eco_ended, eco_rules)


def _of_membership(row: OutboxMail) -> Words:
    membership = find(EcoMembership, row.refs["membership"])
    return {
        "membership": membership,
        "account": open_account(membership.account_id),
        "installation": membership.installation,
        "gateway": membership.installation.gateway,
    }
