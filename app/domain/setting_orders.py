"""A change of settings is asked: by a person who confirmed it, or by an automatism.

The database decides who comes first: a gateway has one order at a time that is not settled. One
that was only asked is superseded by the next; one that is being written is waited for.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload, selectinload

from ..extensions import db, wake_after_commit
from ..models import Account, Installation, SettingChange, SettingOrder
from ..profiles.settings import Key, Value
from . import audit, setting_history, setting_reserves
from . import settings as settings_rules
from .energy import day_of
from .errors import NotFound
from .holding import hold_open
from .setting_checks import (
    ChangedMeanwhile,
    HandWins,
    NotOffered,
    StillWriting,
    TooManyChanges,
    check,
)
from .settings import Shown
from .writes import count_changed

LONGEST_REASON = 200
# persons' changes of one device
MOST_AN_HOUR = 20
OPEN = ("asked", "sent")

Order = SettingOrder


def place(
    actor: Account,
    public_id: str,
    wanted: Mapping[Key, Value],
    *,
    seen: Mapping[Key, Value | None],
    reason: str,
    until: datetime | None,
    undoes_id: int | None = None,
    network_address: str,
    now: datetime,
) -> SettingOrder:
    """Ask for settings to be changed, as the actor confirmed it.

    `seen` is what the actor's page said of the settings that are wanted: what changed since is
    shown before it is overwritten.

    Raises:
        NotFound: There is no such gateway, or none whose settings the actor may change.
        NothingWanted: Everything stands as it is wanted.
        NotOffered: The device does not offer this.
        ReasonNeeded: Only owners need none.
        UntilNeeded: The device keeps a value only for a while.
        UntilPassed: It would be over already.
        UntilTooFar: It would last longer than the device keeps it.
        ChangedMeanwhile: Something is not as it was seen.
        StillWriting: Another change is being written.
        TooManyChanges: The device was changed too often in the last hour.
    """
    access = settings_rules.get_to_set(actor, public_id, now)
    installation = access.installation
    hold_open(installation)
    shown = settings_rules.show(installation.gateway_id)
    check(access, shown, wanted, reason=reason, until=until, now=now)
    standing = _standing(installation.gateway_id)
    if standing is not None and standing.state == "sent":
        raise StillWriting
    present = expected(shown, standing)
    if any(present.get(key) != seen.get(key) for key in wanted):
        raise ChangedMeanwhile
    if count_since(installation, now - timedelta(hours=1)) >= MOST_AN_HOUR:
        raise TooManyChanges
    if undoes_id is not None:
        setting_history.get(installation, undoes_id)
    if standing is not None:
        wanted = {**_taken_over(standing, wanted, actor, until), **wanted}
        supersede(standing, "overtaken", now)
    order = SettingOrder(
        by=access.by,
        actor_id=actor.id,
        dealer_id=access.dealer_id,
        undoes_id=undoes_id,
    )
    if until is None:
        setting_reserves.remember(installation, shown.values)
    _insert(order, installation, shown.values, wanted, reason=reason, until=until, now=now)
    _record(order, network_address, now)
    return order


def place_automatic(
    installation_id: int,
    wanted: Mapping[Key, Value],
    *,
    source: str,
    reason: str,
    until: datetime | None = None,
    undoes_id: int | None = None,
    decided_at: datetime | None = None,
    now: datetime,
) -> SettingOrder | None:
    """Ask for settings to be changed by an automatism; None if they stand so, or will.

    What was decided earlier than now gives way to persons from that day on. What an automatism
    asked before and nobody wrote yet is superseded; persons are waited for.

    Raises:
        NotFound: The installation is closed.
        NotOffered: The device does not offer this, or was never read.
        HandWins: A person changed one of them since the midnight before it was decided.
        StillWriting: A person's change waits, or something is being written.
    """
    installation = db.session.get(Installation, installation_id)
    if installation is None:
        raise NotFound
    hold_open(installation)
    shown = settings_rules.show(installation.gateway_id)
    if not all(key in shown.offers and shown.offers[key].allows(wanted[key]) for key in wanted):
        raise NotOffered
    if source != "until" and _hand_was_there(installation, wanted, decided_at or now, now):
        raise HandWins
    standing = _standing(installation.gateway_id)
    if standing is not None and not _gives_way(standing, wanted, source):
        raise StillWriting
    present = expected(shown, standing)
    if all(present.get(key) == value for key, value in wanted.items()):
        return None
    if standing is not None:
        supersede(standing, "overtaken", now)
    # nothing of what was superseded reached the device: what of it is still wanted is asked anew
    wanted = {key: value for key, value in wanted.items() if shown.values.get(key) != value}
    if not wanted:
        return None
    order = SettingOrder(by="automatism", source=source, undoes_id=undoes_id)
    _insert(order, installation, shown.values, wanted, reason=reason, until=until, now=now)
    _record(order, "", now)
    return order


def expected(shown: Shown, standing: SettingOrder | None) -> dict[Key, Value]:
    """Return what will stand at the device once all that was asked is done."""
    asked: dict[Any, Any] = {one.key: one.after for one in standing.changes} if standing else {}
    return {**shown.values, **asked}


def find_open(installation: Installation) -> SettingOrder | None:
    """Return the order of an installation that is not settled, its changes loaded with it.

    One of the gateway's former owner may still be on its way: that is nobody else's to see.
    """
    found = _standing(installation.gateway_id)
    return found if found and found.installation_id == installation.id else None


def supersede(order: SettingOrder, detail: str, now: datetime) -> None:
    """Let an order that was only asked come to nothing: another one takes its place.

    Raises:
        StillWriting: It is being written by now, or was.
    """
    if not end_asked(order.id, detail, now):
        raise StillWriting
    if order.source == "until":
        # what it did not take back yet is still to go back, unless it is what is changed now
        again = update(SettingOrder).where(SettingOrder.id == order.undoes_id)
        count_changed(again.values(lapses_at=now))


def end_asked(order_id: int, detail: str, now: datetime) -> bool:
    """End an order as superseded; tell whether it was only asked until then."""
    ended = count_changed(
        update(SettingOrder)
        .where(SettingOrder.id == order_id, SettingOrder.state == "asked")
        .values(state="superseded", settled_at=now, lapses_at=None, detail=detail)
    )
    if not ended:
        return False
    count_changed(
        update(SettingChange)
        .where(SettingChange.order_id == order_id)
        .values(state="superseded", settled_at=now, detail=detail)
    )
    return True


def end_all(installation: Installation, now: datetime) -> None:
    """End what was only asked of an installation that closes, and what would go back one day.

    Call it in the transaction that closes it. What is being written at that moment is settled by
    its job: it was allowed when it began.
    """
    of_it = SettingOrder.installation_id == installation.id
    asked = select(SettingOrder.id).where(of_it, SettingOrder.state == "asked")
    for order_id in db.session.scalars(asked).all():
        end_asked(order_id, "closed", now)
    count_changed(
        update(SettingOrder)
        .where(of_it, SettingOrder.lapses_at.is_not(None))
        .values(lapses_at=None)
    )


def _standing(gateway_id: int) -> SettingOrder | None:
    found: SettingOrder | None = db.session.scalar(
        select(SettingOrder)
        .where(SettingOrder.gateway_id == gateway_id, SettingOrder.state.in_(OPEN))
        .options(
            selectinload(SettingOrder.changes),
            joinedload(SettingOrder.actor),
            joinedload(SettingOrder.dealer),
        )
        .execution_options(populate_existing=True)
    )
    return found


def _taken_over(
    standing: SettingOrder, wanted: Mapping[Key, Value], actor: Account, until: datetime | None
) -> dict[Any, Any]:
    """Return what else an order that waits was to change: the next one does it as well.

    Raises:
        StillWriting: It is somebody else's, or for another time: neither may get lost.
    """
    rest = {one.key: one.after for one in standing.changes if one.key not in wanted}
    if not rest or standing.by == "automatism":
        return {}
    if (standing.actor_id, standing.until) != (actor.id, until):
        raise StillWriting
    return rest


def _gives_way(standing: SettingOrder, wanted: Mapping[Key, Value], source: str) -> bool:
    """Tell whether an order that is there may be superseded by an automatism's."""
    if standing.state == "sent" or standing.by != "automatism":
        return False
    is_like = standing.source in (source, "until")
    return is_like or all(change.key in wanted for change in standing.changes)


def count_since(installation: Installation, since: datetime) -> int:
    """Return how often persons changed something of an installation since then."""
    counted = select(func.count()).where(
        SettingOrder.installation_id == installation.id,
        SettingOrder.asked_at > since,
        SettingOrder.by != "automatism",
    )
    return db.session.scalar(counted) or 0


def _hand_was_there(
    installation: Installation, wanted: Mapping[Key, Value], decided_at: datetime, now: datetime
) -> bool:
    """Tell whether a person changed one of these since the midnight before, or for longer.

    What is asked and not written yet counts, too.
    """
    midnight = datetime.fromtimestamp(day_of(decided_at, installation.zone)[1], UTC)
    found = (
        select(SettingChange.id)
        .join(SettingChange.order)
        .where(
            SettingChange.installation_id == installation.id,
            SettingChange.key.in_(wanted),
            SettingChange.state.in_(("asked", "sent", "confirmed")),
            SettingOrder.by != "automatism",
            or_(SettingOrder.asked_at >= midnight, SettingOrder.lapses_at > now),
        )
    )
    return db.session.scalar(found.limit(1)) is not None


def _insert(
    order: SettingOrder,
    installation: Installation,
    stood: Mapping[Key, Value],
    wanted: Mapping[Key, Value],
    *,
    reason: str,
    until: datetime | None,
    now: datetime,
) -> None:
    order.gateway_id = installation.gateway_id
    order.installation_id = installation.id
    order.reason = reason[:LONGEST_REASON]
    order.until = until
    order.asked_at = order.next_try_at = now
    ways_back = setting_history.ways_back(installation, list(wanted))
    order.changes = [
        SettingChange(
            installation_id=installation.id,
            key=key,
            # what the device was last seen at: what was asked and never written is no way back
            before=stood.get(key),
            after=value,
            # on top of a temporary value, the way back is that one's
            back=ways_back.get(key, stood.get(key)),
        )
        for key, value in wanted.items()
    ]
    db.session.add(order)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise StillWriting from error
    wake_after_commit("settings")


def _record(order: SettingOrder, network_address: str, now: datetime) -> None:
    audit.record(
        "setting.asked",
        actor_id=order.actor_id,
        subject="setting_order",
        subject_id=order.id,
        network_address=network_address,
        now=now,
        gateway_id=order.gateway_id,
        installation_id=order.installation_id,
        keys=sorted(change.key for change in order.changes),
    )
