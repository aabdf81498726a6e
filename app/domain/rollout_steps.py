"""The steps of a roll-out: which systems are next, and when a step is over."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from ..extensions import db
from ..models import Alarm, Rollout, RolloutPart, SettingOrder
from . import rollouts
from .writes import count_changed

# asked and not settled, of one roll-out
AT_ONCE = 50
# what nobody settled yet is looked at again
AGAIN = timedelta(seconds=5)
# not settled
UNDER_WAY = ("waiting", "reading", "asked")


def list_due(now: datetime, *, limit: int) -> list[int]:
    """Return the ids of roll-outs that are to be looked at."""
    due = select(Rollout.id).where(Rollout.next_at <= now).order_by(Rollout.next_at)
    return list(db.session.scalars(due.limit(limit)))


def list_open_parts(rollout_id: int) -> list[int]:
    """Return the ids of the systems to look at next: those under way, and some new ones."""
    rollout = db.session.get(Rollout, rollout_id, populate_existing=True)
    if rollout is None:
        return []
    is_back = rollout.state == "rolling_back"
    begun = ("undoing", "asked") if is_back else ("reading", "asked")
    new = "to_undo" if is_back else "waiting"
    theirs = select(RolloutPart.id).where(RolloutPart.rollout_id == rollout_id)
    found = list(db.session.scalars(theirs.where(RolloutPart.state.in_(begun)).limit(AT_ONCE)))
    if rollout.state == "stopped":
        return found
    more = theirs.where(RolloutPart.state == new)
    if not is_back:
        more = more.where(RolloutPart.step == rollout.step)
    more = more.order_by(RolloutPart.id).limit(max(0, AT_ONCE - len(found)))
    return found + list(db.session.scalars(more))


def close_step(rollout_id: int, now: datetime, *, watch: timedelta) -> None:
    """Go on to the next step where one is settled, was watched and brought nothing up.

    Whatever is still under way is waited for. A second caller at the same moment changes nothing.
    """
    rollout = db.session.get(Rollout, rollout_id, populate_existing=True)
    if rollout is None or rollout.next_at is None:
        return
    match rollout.state:
        case "running":
            _close_running(rollout, now, watch)
        case "stopped" | "rolling_back":
            over = {"stopped": "stopped", "rolling_back": "rolled_back"}[rollout.state]
            left = ("asked",) if rollout.state == "stopped" else ("asked", "to_undo", "undoing")
            to: dict[str, Any] = {"next_at": now + AGAIN}
            if not rollouts.count(rollout.id, left):
                to = {"state": over, "next_at": None, "ended_at": now}
            rollouts.moved(rollout.id, (rollout.state,), to=to)


def _close_running(rollout: Rollout, now: datetime, watch: timedelta) -> None:
    here = {"step": rollout.step}
    if rollouts.count(rollout.id, UNDER_WAY, step=rollout.step):
        rollouts.moved(rollout.id, ("running",), to={"next_at": now + AGAIN}, **here)
        return
    if rollout.watched_until is None:
        to: dict[str, Any] = {"watched_until": now + watch, "next_at": now + watch}
        if not rollouts.count(rollout.id, ("confirmed", "failed"), step=rollout.step):
            # nothing was changed: nothing is to be watched
            to = {"watched_until": now, "next_at": now}
        rollouts.moved(rollout.id, ("running",), to=to, **here)
        return
    if now < rollout.watched_until:
        return
    over: dict[str, Any] = {"watched_until": None}
    if _compare_alarms(rollout, now) or rollouts.count(rollout.id, ("failed",), step=rollout.step):
        over |= {"state": "held", "next_at": None}
    elif rollout.step == rollouts.LAST_STEP or not rollouts.count(rollout.id, ("waiting",)):
        over |= {"state": "done", "next_at": None, "ended_at": now}
    else:
        over |= {"step": rollout.step + 1, "next_at": now}
    rollouts.moved(rollout.id, ("running",), to=over, **here)


def _compare_alarms(rollout: Rollout, now: datetime) -> int:
    """Write down at which systems of the step alarms came up since their change, and stand."""
    rows = db.session.execute(
        select(RolloutPart.id, func.count().label("number"))
        .join(SettingOrder, SettingOrder.id == RolloutPart.order_id)
        .join(Alarm, Alarm.installation_id == RolloutPart.installation_id)
        .where(
            RolloutPart.rollout_id == rollout.id,
            RolloutPart.step == rollout.step,
            Alarm.raised_at >= SettingOrder.asked_at,
            Alarm.cleared_at.is_(None),
            rollouts.is_looked_after(rollout, now),
        )
        .group_by(RolloutPart.id)
    ).all()
    for row in rows:
        count_changed(
            update(RolloutPart).where(RolloutPart.id == row.id).values(new_alarms=row.number)
        )
    return len(rows)
