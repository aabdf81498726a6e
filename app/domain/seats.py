"""The one seat at a device that allows a single client, wherever the workers run.

The database decides, as it does for claims: a lock of the queue server is lost when that restarts,
and two clients at once are what these makers do not stand.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete

from ..extensions import db
from ..models import DeviceSeat
from .inserts import insert


def take(
    addresses: Collection[str], holder: str, now: datetime, *, lease_s: float
) -> frozenset[str]:
    """Take the seats at these addresses for `lease_s` seconds; return those that were free.

    Whoever dies with a seat gives it back by doing nothing.
    """
    if not addresses:
        return frozenset()
    until = now + timedelta(seconds=lease_s)
    # one order for all, or two who want the same two would wait for each other
    rows = [
        {"address": address, "holder": holder, "held_until": until} for address in sorted(addresses)
    ]
    new = insert(DeviceSeat).values(rows)
    taken = db.session.execute(
        new.on_conflict_do_update(
            index_elements=[DeviceSeat.address],
            set_={"holder": new.excluded.holder, "held_until": new.excluded.held_until},
            where=DeviceSeat.held_until <= now,
        ).returning(DeviceSeat.address),
        execution_options={"synchronize_session": False},
    )
    return frozenset(taken.scalars())


def give_back(holder: str) -> None:
    """Give up all seats that `holder` still has."""
    db.session.execute(
        delete(DeviceSeat)
        .where(DeviceSeat.holder == holder)
        .execution_options(synchronize_session=False)
    )
