"""A device that was replaced: the portal gets to know the one that stands there now."""

from datetime import datetime

from sqlalchemy import update

from ..models import Gateway
from . import audit
from .device_credentials import get
from .writes import count_changed


def accept(public_id: str, now: datetime) -> None:
    """Forget what a gateway's device told of itself: the next poll looks who is there.

    Raises:
        NotFound: There is no such gateway.
    """
    gateway = get(public_id)
    count_changed(
        update(Gateway).where(Gateway.id == gateway.id).values(known_serial=None, layout=None)
    )
    audit.record(
        "gateway.replaced", actor_id=None, subject="gateway", subject_id=gateway.id, now=now
    )
