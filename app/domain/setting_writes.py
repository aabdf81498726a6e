"""Orders on their way to the device: who takes them, and what became of them.

asked → sent → confirmed, partly or failed. A claim makes it sent, before anything goes out: from
then on it may have reached the device, so whoever finds it later reads what stands there and
settles it by that. Only what is known not to have reached the device is tried again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload, selectinload

from ..extensions import db
from ..models import SettingChange, SettingOrder
from ..profiles.settings import Key, Value
from ..profiles.settings import Settings as Told
from . import audit, setting_history, setting_mails, setting_reserves, setting_rights
from . import settings as settings_rules
from .writes import count_changed

# what is not reached is tried again for so long; the end of a temporary setting for longer
GIVE_UP = timedelta(minutes=5)
GIVE_UP_UNTIL = timedelta(hours=24)
# how long to look for what became of a write that nobody saw the end of
GIVE_UP_LOOKING = timedelta(minutes=30)
BACK_OFF = timedelta(seconds=10)
BACK_OFF_MAX = timedelta(minutes=10)

# why a setting does not stand as it was wanted
IGNORED = "ignored"  # the device took the write, and kept its value
REFUSED = "refused"  # it answered with an exception
NOT_OFFERED = "not_offered"  # it offers no such value (any more)
OTHER_DEVICE = "other_device"  # another device answered in its place: nothing was written
UNREACHED = "unreached"  # it was not reached: nothing was written
BROKEN_OFF = "broken_off"  # the line, or our worker, broke off while it was written
UNKNOWN = "unknown"  # nobody could read afterwards what stands
CHANGED = "changed"  # somebody changed it meanwhile: nothing was written


@dataclass(frozen=True)
class Claim:
    """An order that is ours until `until`."""

    order_id: int
    gateway_id: int
    until: datetime
    wanted: Mapping[Key, Value]
    #: what must stand for an automatism to write; empty where it does not matter
    only_if: Mapping[Key, Value | None]
    hold_s: int | None


@dataclass(frozen=True)
class Ended:
    """How a write or a look ended. `wrote`: something may have reached the device."""

    outcome: str
    detail: str
    told: Told | None
    wrote: bool
    not_offered: bool = False
    other_device: bool = False


def claim(now: datetime, *, lease: timedelta) -> Claim | None:
    """Take the order that waits longest and may still be written, or None; it is sent by this.

    One whose right ended since it was asked, or whose time is over, ends as superseded instead.
    """
    while True:
        order = _take(now, lease)
        if order is None:
            return None
        why_not = setting_rights.why_not(order, now)
        if why_not is None:
            return _claim_of(order, now)
        _end(order, "superseded", {}, why_not, now)


def claim_unsettled(now: datetime, *, lease: timedelta) -> Claim | None:
    """Take an order that was sent and of which nobody saw the end, to look what stands."""
    lost = (SettingOrder.state == "sent", SettingOrder.claimed_until <= now)
    next_one = (
        select(SettingOrder.id)
        .where(*lost)
        .order_by(SettingOrder.claimed_until)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = db.session.scalar(
        update(SettingOrder)
        .where(SettingOrder.id == next_one, *lost)
        .values(claimed_until=now + lease, tries=SettingOrder.tries + 1)
        .returning(SettingOrder.id)
        .execution_options(synchronize_session=False)
    )
    return _claim_of(_load(taken), now) if taken else None


def put_off(claimed: Claim, until: datetime) -> None:
    """Give an order back that nothing was sent of: somebody else is at the device until then."""
    if _is_ours(claimed, state="asked", sent_at=None, claimed_until=None, next_try_at=until):
        _set_changes(claimed.order_id, state="asked")


def look_later(claimed: Claim, until: datetime) -> None:
    """Give an order back that is to be looked after."""
    _is_ours(claimed, claimed_until=until)


def settle(claimed: Claim, ended: Ended, now: datetime) -> bool:
    """Write down what became of an order; False if its claim ran out meanwhile."""
    if not _is_ours(claimed, claimed_until=claimed.until):
        return False
    order = _load(claimed.order_id)
    if ended.told is not None:
        settings_rules.keep(order.gateway_id, ended.told, now)
        _by_what_stands(order, claimed, ended, now)
    elif ended.not_offered:
        _end(order, "failed", dict.fromkeys(claimed.wanted, NOT_OFFERED), ended.detail, now)
    elif ended.other_device:
        _end(order, "failed", dict.fromkeys(claimed.wanted, OTHER_DEVICE), ended.detail, now)
        audit.record(
            "gateway.other_device",
            actor_id=None,
            subject="gateway",
            subject_id=order.gateway_id,
            now=now,
            order_id=order.id,
        )
    elif ended.wrote:
        # a moment later somebody looks what stands
        _is_mine(order, claimed_until=now + BACK_OFF, detail=ended.detail)
    else:
        _try_again(order, ended, now)
    return True


def settle_look(claimed: Claim, ended: Ended, now: datetime) -> bool:
    """Settle an order of which nobody saw the end by what stands at the device."""
    if not _is_ours(claimed, claimed_until=claimed.until):
        return False
    order = _load(claimed.order_id)
    if ended.told is not None:
        settings_rules.keep(order.gateway_id, ended.told, now)
        _by_what_stands(order, claimed, Ended(BROKEN_OFF, "", ended.told, True), now)
    elif now >= _looked_for_until(order, ended):
        _end(order, "failed", dict.fromkeys(claimed.wanted, UNKNOWN), ended.detail, now)
    else:
        _is_mine(order, claimed_until=now + _wait(order.tries), detail=ended.detail)
    return True


def _looked_for_until(order: SettingOrder, ended: Ended) -> datetime:
    """Return how long to look for what became of an order.

    What is for a while may stand at a device that is away: it must be known once it has to go back.
    """
    until: datetime = (order.sent_at or order.asked_at) + GIVE_UP_LOOKING
    if ended.not_offered or order.installation.closed_at is not None:
        return until
    if order.source == "until":
        return max(until, order.asked_at + GIVE_UP_UNTIL)
    return max(until, order.until + GIVE_UP_UNTIL) if order.until else until


def drop_changed(claimed: Claim, told: Told, now: datetime) -> Claim | None:
    """Leave out what does not stand as an automatism left it; nothing was sent of it.

    Returns:
        What is left to write; None if that is nothing (any more), and the order is settled.
    """
    if not _is_ours(claimed, claimed_until=claimed.until):
        return None
    changed = {
        key
        for key, value in claimed.only_if.items()
        if told.values.get(key) not in (value, claimed.wanted[key])
    }
    left = {key: value for key, value in claimed.wanted.items() if key not in changed}
    order = _load(claimed.order_id)
    for change in order.changes:
        if change.key in changed:
            change.state, change.detail, change.settled_at = "superseded", CHANGED, now
    db.session.flush()
    if any(told.values.get(key) != value for key, value in left.items()):
        return replace(claimed, wanted=left)
    settings_rules.keep(order.gateway_id, told, now)
    _end(order, "confirmed" if left else "superseded", {}, "", now)
    return None


def _take(now: datetime, lease: timedelta) -> SettingOrder | None:
    due = (SettingOrder.state == "asked", SettingOrder.next_try_at <= now)
    next_one = (
        select(SettingOrder.id)
        .where(*due)
        .order_by(SettingOrder.next_try_at, SettingOrder.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = db.session.scalar(
        update(SettingOrder)
        .where(SettingOrder.id == next_one, *due)
        .values(
            state="sent",
            sent_at=now,
            claimed_until=now + lease,
            tries=SettingOrder.tries + 1,
        )
        .returning(SettingOrder.id)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        return None
    _set_changes(taken, state="sent")
    return _load(taken)


def _claim_of(order: SettingOrder, now: datetime) -> Claim:
    assert order.claimed_until is not None
    left = [change for change in order.changes if change.state == "sent"]
    wanted: dict[Any, Any] = {one.key: one.after for one in left}
    goes_back = order.source == "until"
    return Claim(
        order.id,
        order.gateway_id,
        order.claimed_until,
        wanted,
        {one.key: one.before for one in left} if goes_back else {},  # type: ignore[misc]
        max(1, int((order.until - now).total_seconds())) if order.until else None,
    )


def _by_what_stands(order: SettingOrder, claimed: Claim, ended: Ended, now: datetime) -> None:
    assert ended.told is not None
    values = ended.told.values
    refused = {"ok": IGNORED, BROKEN_OFF: BROKEN_OFF, "exception": REFUSED}
    why = refused.get(ended.outcome, BROKEN_OFF)
    failed = {
        key: UNKNOWN if key not in values else why
        for key, value in claimed.wanted.items()
        if values.get(key) != value
    }
    state = (
        "confirmed" if not failed else "partly" if len(failed) < len(claimed.wanted) else "failed"
    )
    _end(order, state, failed, ended.detail, now)


def _try_again(order: SettingOrder, ended: Ended, now: datetime) -> None:
    give_up = GIVE_UP_UNTIL if order.source == "until" else GIVE_UP
    if now - order.asked_at >= give_up:
        why = REFUSED if ended.outcome == "exception" else UNREACHED
        failed = {change.key: why for change in order.changes}
        _end(order, "failed", failed, ended.detail, now)
        return
    again = {"state": "asked", "sent_at": None, "claimed_until": None, "detail": ended.detail}
    if _is_mine(order, next_try_at=now + _wait(order.tries), **again):
        _set_changes(order.id, state="asked")


def _wait(tries: int) -> timedelta:
    wait: timedelta = min(BACK_OFF * 2 ** max(0, min(tries - 1, 10)), BACK_OFF_MAX)
    return wait


def _end(
    order: SettingOrder, state: str, failed: Mapping[Any, str], detail: str, now: datetime
) -> None:
    """Settle an order; what is not in `failed` was confirmed, but where nothing was written."""
    lapses = order.until if state in ("confirmed", "partly") else None
    ended = {"state": state, "settled_at": now, "claimed_until": None, "lapses_at": lapses}
    if not _is_mine(order, **ended, detail=detail[:200]):
        return
    rest = ("superseded", detail[:16]) if state == "superseded" else ("confirmed", "")
    for change in order.changes:
        if change.state == "superseded":
            continue
        change.state, change.detail = (
            ("failed", failed[change.key]) if change.key in failed else rest
        )
        change.settled_at = now
    db.session.flush()
    if state in setting_history.DONE and order.by != "automatism" and order.until is None:
        stands = settings_rules.show(order.gateway_id).values
        setting_reserves.remember(order.installation, stands)
    audit.record(
        "setting.settled",
        actor_id=None,
        subject="setting_order",
        subject_id=order.id,
        now=now,
        gateway_id=order.gateway_id,
        installation_id=order.installation_id,
        state=state,
    )
    setting_mails.tell_owner(order, state, now)


def _load(order_id: int) -> SettingOrder:
    return db.session.scalars(
        select(SettingOrder)
        .where(SettingOrder.id == order_id)
        .options(
            selectinload(SettingOrder.changes),
            joinedload(SettingOrder.installation),
            joinedload(SettingOrder.actor),
            joinedload(SettingOrder.dealer),
        )
        .execution_options(populate_existing=True)
    ).one()


def _is_ours(claimed: Claim, **values: Any) -> bool:
    """Change an order that is still ours; False if its claim ran out and another has it."""
    return (
        count_changed(
            update(SettingOrder)
            .where(
                SettingOrder.id == claimed.order_id,
                SettingOrder.state == "sent",
                SettingOrder.claimed_until == claimed.until,
            )
            .values(**values)
        )
        == 1
    )


def _is_mine(order: SettingOrder, **values: Any) -> bool:
    """Change an order that this very transaction holds."""
    return (
        count_changed(
            update(SettingOrder)
            .where(SettingOrder.id == order.id, SettingOrder.state == "sent")
            .values(**values)
        )
        == 1
    )


def _set_changes(order_id: int, **values: Any) -> None:
    count_changed(
        update(SettingChange)
        .where(SettingChange.order_id == order_id, SettingChange.state.in_(("asked", "sent")))
        .values(**values)
    )
