"""Letters to owners about settings that somebody else changed."""

from ...models import OutboxMail, SettingOrder
from .finding import Desk, Words, find, of_installation


def setting_changed(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that settings were changed, all or some of them.

    Raises:
        Gone: The account is closed.
    """
    words = of_installation(row)
    order = find(SettingOrder, row.refs["order"])
    public_id = words["gateway"].public_id
    url = desk.link("settings.order", gateway_id=public_id, order_id=str(order.id))
    return {**words, "order": order, "url": url}


def setting_failed(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that a change of settings failed: everything stands as it was.

    Raises:
        Gone: The account is closed.
    """
    return setting_changed(row, desk)


LETTERS = (setting_changed, setting_failed)
