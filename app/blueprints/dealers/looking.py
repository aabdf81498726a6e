"""A receipt that a dealer's person looked at a system: its owner sees when that was last."""

from datetime import datetime
from typing import Any

from flask_login import current_user

from ...domain import linked, looks
from ...transaction import transaction


def open_link(gateway_id: str, now: datetime) -> linked.Link:
    """Return the link by which who is signed in looks at a gateway, once written down today.

    Raises:
        NotFound: The dealer does not look after it.
    """
    return open_link_as(current_user, gateway_id, now)


def open_link_as(actor: Any, gateway_id: str, now: datetime) -> linked.Link:
    """Return the link by which the actor looks at a gateway, once written down today.

    Raises:
        NotFound: The actor's dealer does not look after it.
    """
    link = linked.get_open(actor, gateway_id, now)
    if not looks.is_noted(actor, link, now):
        with transaction():
            looks.note(actor, link, now)
    return link
