"""Temporary settings (「今日の17時まで」) lapse: what they changed goes back when they are over.

Nothing goes back that somebody changed since, here or at the device itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from ..extensions import db
from ..models import SettingChange, SettingOrder
from . import setting_orders
from . import settings as settings_rules
from .errors import NotFound
from .setting_checks import NotOffered, StillWriting
from .writes import count_changed

SOURCE = "until"
# while somebody else's change is on its way
AGAIN = timedelta(seconds=30)


def list_due(now: datetime, *, limit: int) -> list[int]:
    """Return the ids of orders whose time is over, the longest first."""
    due = select(SettingOrder.id).where(SettingOrder.lapses_at <= now)
    return list(db.session.scalars(due.order_by(SettingOrder.lapses_at).limit(limit)))


def lapse(order_id: int, now: datetime) -> SettingOrder | None:
    """Order the way back of what an order changed; None if there is none, or not yet.

    A second caller at the same moment finds nothing to do.
    """
    claimed = count_changed(
        update(SettingOrder)
        .where(SettingOrder.id == order_id, SettingOrder.lapses_at <= now)
        .values(lapses_at=now + AGAIN)
    )
    if not claimed:
        return None
    order = db.session.get_one(SettingOrder, order_id, populate_existing=True)
    stood: Mapping[Any, Any] = settings_rules.show(order.gateway_id).values
    newest = _newest(order)
    wanted: dict[Any, Any] = {
        change.key: change.back
        for change in order.changes
        if change.state == "confirmed"
        and change.back is not None
        and newest.get(change.key) == change.id
        and stood.get(change.key) == change.after
    }
    if not wanted:
        _end(order)
        return None
    try:
        back = setting_orders.place_automatic(
            order.installation_id,
            wanted,
            source=SOURCE,
            reason="",
            undoes_id=order.id,
            now=now,
        )
    except StillWriting:
        return None
    except (NotFound, NotOffered):
        _end(order)
        return None
    _end(order)
    return back


def _newest(order: SettingOrder) -> dict[str, int]:
    """Return the latest change of each setting of the order that stands, or may come to."""
    rows = db.session.execute(
        select(SettingChange.key, func.max(SettingChange.id))
        .where(
            SettingChange.installation_id == order.installation_id,
            SettingChange.state.in_(("asked", "sent", "confirmed")),
        )
        .group_by(SettingChange.key)
    )
    return {row[0]: row[1] for row in rows}


def _end(order: SettingOrder) -> None:
    count_changed(update(SettingOrder).where(SettingOrder.id == order.id).values(lapses_at=None))
