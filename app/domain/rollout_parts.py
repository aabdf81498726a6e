"""One system of a roll-out: read, ordered, settled, and taken back."""

from datetime import datetime, timedelta
from typing import Any

from ..extensions import db
from ..models import Account, Rollout, RolloutPart, SettingOrder
from . import rollouts, setting_checks, setting_history, setting_orders, settings
from .errors import NotFound
from .rollouts import NO_RIGHT, move

# who cannot be read for so long is not waited for
PATIENCE = timedelta(minutes=10)

UNREACHED = "unreached"
NOT_OFFERED = "not_offered"
OVERTAKEN = "overtaken"
CHANGED = "changed"


def advance(part_id: int, now: datetime) -> None:
    """Do the next thing about one system. At least once: a second caller changes nothing.

    Raises:
        StillWriting: Another change of this system is under way; nothing was done.
    """
    part = db.session.get(RolloutPart, part_id, populate_existing=True)
    if part is None:
        return
    rollout = db.session.get_one(Rollout, part.rollout_id)
    match part.state:
        case "waiting" | "reading":
            _order(part, rollout, now)
        case "asked":
            _settle(part, rollout, now)
        case "to_undo":
            _take_back(part, rollout, now)
        case "undoing":
            _settle_undo(part, now)


def _order(part: RolloutPart, rollout: Rollout, now: datetime) -> None:
    """Place the order of a system whose settings were just read; else let them be read."""
    installation = part.installation
    if installation.closed_at is not None:
        move(part.id, part.state, state="dropped", detail=NO_RIGHT, since=now)
        return
    shown = settings.show(installation.gateway_id)
    if not shown.is_fresh(now):
        _read(part, shown, now)
        return
    wanted = {key: value for key, value in rollout.wanted.items() if shown.values.get(key) != value}  # type: ignore[call-overload]
    if not wanted:
        move(part.id, part.state, state="same", since=now)
        return
    if not move(part.id, part.state, state="asked", since=now):
        return
    order = _place(rollout.actor, part, wanted, rollout.reason, now)
    if isinstance(order, SettingOrder):
        move(part.id, "asked", order_id=order.id)
    else:
        state = "dropped" if order == NO_RIGHT else "failed"
        move(part.id, "asked", state=state, detail=order)


def _read(part: RolloutPart, shown: settings.Shown, now: datetime) -> None:
    if part.state == "waiting":
        if move(part.id, "waiting", state="reading", since=now):
            settings.ask_reading(part.installation, now)
        return
    if _came_to_nothing(part, shown) or now - part.since >= PATIENCE:
        move(part.id, "reading", state="failed", detail=UNREACHED, since=now)


def _came_to_nothing(part: RolloutPart, shown: settings.Shown) -> bool:
    """Tell whether a reading that a system waits for ended without bringing anything."""
    return (
        not shown.is_reading
        and shown.ended_at is not None
        and shown.ended_at >= part.since
        and shown.outcome not in ("", "ok")
    )


def _settle(part: RolloutPart, rollout: Rollout, now: datetime) -> None:
    order = db.session.get(SettingOrder, part.order_id, populate_existing=True)
    if order is None or order.is_open:
        return
    # who takes everything back at this moment finds it settled, or we find that it is to go back
    rollouts.hold(rollout)
    if order.state == "confirmed":
        state, detail = "confirmed", ""
    elif order.state == "superseded":
        lost_right = order.detail in ("no_right", "closed")
        state, detail = ("dropped", NO_RIGHT) if lost_right else ("failed", OVERTAKEN)
    else:
        state = "failed"
        detail = next((one.detail for one in order.changes if one.detail), "")
    if rollout.state == "rolling_back" and order.state in ("confirmed", "partly"):
        state = "to_undo"
    move(part.id, "asked", state=state, detail=detail, since=now)


def _take_back(part: RolloutPart, rollout: Rollout, now: datetime) -> None:
    """Order the way back of what stands as the roll-out left it."""
    order = db.session.get_one(SettingOrder, part.order_id)
    shown = settings.show(part.installation.gateway_id)
    if not shown.is_fresh(now) and part.installation.closed_at is None:
        # what changed at the device itself is known to nobody before it is read
        if _came_to_nothing(part, shown) or now - part.since >= PATIENCE:
            move(part.id, "to_undo", state="kept", detail=UNREACHED, since=now)
        else:
            settings.ask_reading(part.installation, now)
        return
    values: Any = shown.values
    left = {one.key: one.after for one in order.changes}
    # not what stood for a while only: its time may be over
    wanted = {
        key: value
        for key, value in setting_history.before_of(order).items()
        if values.get(key) == left[key] != value
    }
    if not wanted or rollout.undoer is None:
        # somebody changed it since: that stays
        move(part.id, "to_undo", state="kept", detail=CHANGED, since=now)
        return
    if not move(part.id, "to_undo", state="undoing", since=now):
        return
    back = _place(rollout.undoer, part, wanted, rollout.reason, now, undoes_id=order.id)
    if isinstance(back, SettingOrder):
        move(part.id, "undoing", undo_id=back.id)
    else:
        move(part.id, "undoing", state="kept", detail=back)


def _settle_undo(part: RolloutPart, now: datetime) -> None:
    back = db.session.get(SettingOrder, part.undo_id, populate_existing=True)
    if back is None or back.is_open:
        return
    if back.state == "confirmed":
        move(part.id, "undoing", state="undone", detail="", since=now)
    else:
        detail = next((one.detail for one in back.changes if one.detail), OVERTAKEN)
        move(part.id, "undoing", state="kept", detail=detail, since=now)


def _place(
    actor: Account,
    part: RolloutPart,
    wanted: dict[Any, Any],
    reason: str,
    now: datetime,
    *,
    undoes_id: int | None = None,
) -> SettingOrder | str:
    """Place an order in somebody's name; return why not where that cannot be."""
    gateway = part.installation.gateway
    shown = settings.show(gateway.id)
    opened = setting_orders.find_open(part.installation)
    if opened is not None:
        # what a person asked for this home is not ours to overtake
        raise setting_checks.StillWriting
    if not actor.may_sign_in:
        return NO_RIGHT
    try:
        return setting_orders.place(
            actor,
            gateway.public_id,
            wanted,
            seen=dict(shown.values),
            reason=reason,
            until=None,
            undoes_id=undoes_id,
            network_address="",
            now=now,
        )
    except NotFound:
        return NO_RIGHT
    except (setting_checks.NotOffered, setting_checks.UntilNeeded):
        return NOT_OFFERED
