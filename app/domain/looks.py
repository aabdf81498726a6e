"""That a dealer's person looked at a system: written down once a day, for its owner to see."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select

from ..extensions import db
from ..models import Account, DealerLook, MaintenanceLink
from .energy import day_of
from .inserts import insert


def is_noted(actor: Account, link: MaintenanceLink, now: datetime) -> bool:
    """Tell whether today's look of this person is written down already."""
    found = select(DealerLook.id).where(
        DealerLook.link_id == link.id,
        DealerLook.account_id == actor.id,
        DealerLook.day == _today(link, now),
    )
    return db.session.scalar(found) is not None


def note(actor: Account, link: MaintenanceLink, now: datetime) -> None:
    """Write down that the actor looked today; a second time changes nothing."""
    db.session.execute(
        insert(DealerLook)
        .values(link_id=link.id, account_id=actor.id, day=_today(link, now), at=now)
        .on_conflict_do_nothing()
    )


def last_days(links: Sequence[MaintenanceLink]) -> dict[int, date]:
    """Return when somebody last looked through each link; by none, it is left out."""
    rows = db.session.execute(
        select(DealerLook.link_id, func.max(DealerLook.day).label("day"))
        .where(DealerLook.link_id.in_([link.id for link in links]))
        .group_by(DealerLook.link_id)
    )
    return {row.link_id: row.day for row in rows}


def _today(link: MaintenanceLink, now: datetime) -> date:
    return day_of(now, link.installation.zone)[0]
