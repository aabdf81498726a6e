"""A receipt that a dealer's person looked at a system: its owner sees when that was last."""

from datetime import datetime

from flask_login import current_user

from ...domain import linked, looks
from ...transaction import transaction


def open_link(gateway_id: str, now: datetime) -> linked.Link:
    """Return the link by which who is signed in looks at a gateway, once written down today.

    Raises:
        NotFound: The dealer does not look after it.
    """
    link = linked.get_open(current_user, gateway_id, now)
    if not looks.is_noted(current_user, link, now):
        with transaction():
            looks.note(current_user, link, now)
    return link
