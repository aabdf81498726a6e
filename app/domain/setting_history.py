"""変更の記録: every change of an installation's settings, by whom, from what to what, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from ..extensions import db
from ..models import Installation, MaintenanceLink, SettingChange, SettingOrder
from ..profiles.settings import Key, Value
from .clearing import AT_ONCE
from .errors import NotFound
from .paging import Page, paged
from .writes import count_changed

# what changed something at the device
DONE = ("confirmed", "partly")


def get(installation: Installation, order_id: int) -> SettingOrder:
    """Return an order of an installation, with its changes and who asked for it.

    Raises:
        NotFound: There is none of this installation's.
    """
    found = db.session.scalar(
        select(SettingOrder)
        .where(SettingOrder.id == order_id, SettingOrder.installation_id == installation.id)
        .options(*_WHOLE)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound
    return found


def search(installation: Installation, page: int) -> Page[SettingOrder]:
    """Return a page of an installation's orders, newest first."""
    return paged(
        select(SettingOrder)
        .where(SettingOrder.installation_id == installation.id)
        .options(*_WHOLE)
        .order_by(SettingOrder.id.desc()),
        page,
    )


_WHOLE = (
    selectinload(SettingOrder.changes),
    joinedload(SettingOrder.actor),
    joinedload(SettingOrder.dealer),
    joinedload(SettingOrder.undoes),
)


def latest(installation: Installation) -> dict[str, SettingChange]:
    """Return the last change of each setting that reached the device, its order loaded with it."""
    newest = (
        select(func.max(SettingChange.id))
        .where(
            SettingChange.installation_id == installation.id,
            SettingChange.state == "confirmed",
        )
        .group_by(SettingChange.key)
    )
    rows = db.session.scalars(
        select(SettingChange)
        .join(SettingChange.order)
        .where(SettingChange.id.in_(newest))
        .options(
            contains_eager(SettingChange.order).options(
                joinedload(SettingOrder.actor), joinedload(SettingOrder.dealer)
            )
        )
        .execution_options(populate_existing=True)
    )
    return {row.key: row for row in rows}


def ways_back(installation: Installation, keys: Sequence[Key]) -> dict[str, Value | None]:
    """Return what the settings go back to that stand for a while only."""
    return {
        key: change.back
        for key, change in latest(installation).items()
        if key in keys and change.order.lapses_at is not None
    }


def before_of(order: SettingOrder) -> dict[str, Value]:
    """Return what an order changed, as it was before; what nobody knew is left out.

    What it changed for a while only was a while's value then: it is what stood beneath that.
    """
    return {
        change.key: change.back
        for change in order.changes
        if change.state == "confirmed" and change.back is not None
    }


def missing_of(order: SettingOrder) -> dict[str, Value]:
    """Return what an order did not bring about."""
    return {change.key: change.after for change in order.changes if change.state == "failed"}


@dataclass(frozen=True, slots=True)
class Made:
    """How often a dealer changed something through a link, and when last."""

    number: int
    last_at: datetime


def made_through(links: Sequence[MaintenanceLink]) -> Mapping[int, Made]:
    """Return what dealers changed through each link, by one query; by none, it is left out."""
    rows = db.session.execute(
        select(
            MaintenanceLink.id,
            func.count().label("number"),
            func.max(SettingOrder.asked_at, type_=SettingOrder.asked_at.type).label("last_at"),
        )
        .join(
            SettingOrder,
            (SettingOrder.installation_id == MaintenanceLink.installation_id)
            & (SettingOrder.dealer_id == MaintenanceLink.dealer_id)
            & (SettingOrder.asked_at >= MaintenanceLink.began_at),
        )
        .where(
            MaintenanceLink.id.in_([link.id for link in links]),
            SettingOrder.state.in_(DONE),
        )
        .group_by(MaintenanceLink.id)
    )
    return {row.id: Made(row.number, row.last_at) for row in rows}


def erase_reasons(now: datetime, *, keep_days: int) -> int:
    """Erase the reasons of some orders of installations that ended long ago; return of how many.

    They are people's own words. What was changed, and by which account's id, stays.
    """
    ended = select(Installation.id).where(
        Installation.closed_at <= now - timedelta(days=keep_days),
    )
    some = (
        select(SettingOrder.id)
        .where(SettingOrder.installation_id.in_(ended), SettingOrder.reason != "")
        .limit(AT_ONCE)
    )
    return count_changed(update(SettingOrder).where(SettingOrder.id.in_(some)).values(reason=""))
