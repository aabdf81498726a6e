"""Signs of life: which part of the service was last at work, and since when without a break."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import case, select

from ..extensions import db
from ..models import Heartbeat
from .inserts import insert

# a part that was not seen for this long was away (six of the 10 s beats)
AWAY_S = 60
# this row tells whether the poller is at work, and since when
POLLER = "poller"


def beat(name: str, now: datetime, *, away_s: float = AWAY_S) -> None:
    """Write that the part `name` is at work; after more than `away_s` seconds it came back now.

    Two workers may beat for the same name at once: one statement, the later one stands.
    """
    db.session.execute(
        insert(Heartbeat)
        .values(name=name, at=now, back_at=now)
        .on_conflict_do_update(
            index_elements=[Heartbeat.name],
            set_={
                "at": now,
                "back_at": case(
                    (Heartbeat.at < now - timedelta(seconds=away_s), now),
                    else_=Heartbeat.back_at,
                ),
            },
        )
    )


def seen_at(names: Iterable[str]) -> dict[str, datetime]:
    """Return when each of the parts was last at work; one that never was is left out."""
    rows = db.session.execute(
        select(Heartbeat.name, Heartbeat.at).where(Heartbeat.name.in_(list(names)))
    )
    return {row.name: row.at for row in rows}
