"""Letters about points of the eco programme, and the gifts they were exchanged for."""

from typing import Any

from ...models import GiftOrder, OutboxMail, PointTransaction
from .finding import Desk, Words, find, open_account


def points_credited(row: OutboxMail, desk: Desk) -> Words:
    """Tell how many points a half-year came to, and of what.

    Raises:
        Gone: The account is closed.
    """
    credit = find(PointTransaction, row.refs["transaction"])
    assert credit.membership
    return {
        "account": open_account(row.refs["account"]),
        "credit": credit,
        "points": f"{credit.points:,}",
        "sums": credit.sums or {},
        "installation": credit.membership.installation,
        "url": desk.link("points.show", transaction_id=credit.id),
    }


def gift_done(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a gift is on its way, or its code is there to be read.

    Raises:
        Gone: The account is closed.
    """
    return _of_order(row, desk)


def gift_returned(row: OutboxMail, desk: Desk) -> Words:
    """Tell that a gift could not be handed over, and its points are back.

    Raises:
        Gone: The account is closed.
    """
    return _of_order(row, desk)


LETTERS = (points_credited, gift_done, gift_returned)


def _of_order(row: OutboxMail, desk: Desk) -> dict[str, Any]:
    order = find(GiftOrder, row.refs["order"])
    return {
        "account": open_account(row.refs["account"]),
        "order": order,
        "gift_name": order.name_en if row.language == "en" else order.name_ja,
        "url": desk.link("points.show_order", gift_order_id=order.id),
    }
