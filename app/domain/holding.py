"""Let whoever closes an installation wait until what is being written for it is written."""

from sqlalchemy import update

from ..models import Installation
from .errors import NotFound
from .writes import count_changed


def hold_open(installation: Installation) -> None:
    """Hold an open installation until the transaction ends.

    A write that changes nothing: SQLite knows no other lock.

    Raises:
        NotFound: It was closed meanwhile.
    """
    held = count_changed(
        update(Installation)
        .where(Installation.id == installation.id, Installation.closed_at.is_(None))
        .values(closed_at=None)
    )
    if held != 1:
        raise NotFound
