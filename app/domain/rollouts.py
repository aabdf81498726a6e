"""Settings that a dealer changes at many systems: five first, then fifty, then all.

Each system gets an order of its own, as if the dealer's person had changed it there: rights are
asked for each, every household sees it in its record, and is mailed. A step whose systems were
read back is watched for a while; what failed, or an alarm that came up since, holds the roll-out
until somebody decides. Stopping and taking back are possible at any moment.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import (
    Account,
    Installation,
    MaintenanceLink,
    Rollout,
    RolloutPart,
    SettingOrder,
)
from . import audit, dealers, setting_orders
from .errors import NotFound, Rejected
from .paging import Page, paged
from .writes import count_changed

# how many systems the first steps have; the third has all others
STEPS = (5, 50)
LAST_STEP = len(STEPS) + 1
# why a system is left out: models/rollouts.py keeps it as its detail
NO_RIGHT = "no_right"
CANNOT_BE_SET = "cannot_be_set"

# edges name the types without knowing tables
Plan = Rollout
Part = RolloutPart


class NotNow(Rejected):
    """Refuse what somebody else, or the job, overtook."""

    message = _("ほかの操作が先に行われました。いまの状態を確かめてください。")


# ---- looking --------------------------------------------------------------------------------


def list_of(actor: Account, page: int) -> Page[Rollout]:
    """Return a page of the roll-outs of the actor's dealer, newest first.

    Raises:
        NotFound: The actor is no person of a dealer.
    """
    dealer = dealers.of(actor)
    return paged(
        select(Rollout)
        .where(Rollout.dealer_id == dealer.id)
        .options(joinedload(Rollout.actor))
        .order_by(Rollout.id.desc()),
        page,
    )


def get(actor: Account, rollout_id: int) -> Rollout:
    """Return a roll-out of the actor's dealer.

    Raises:
        NotFound: There is none of that number, or it is another dealer's.
    """
    dealer = dealers.of(actor)
    found = db.session.scalar(
        select(Rollout)
        .where(Rollout.id == rollout_id, Rollout.dealer_id == dealer.id)
        .options(joinedload(Rollout.actor), joinedload(Rollout.undoer))
        .execution_options(populate_existing=True)
    )
    if found is None or dealer.closed_at:
        raise NotFound
    return found


def counts(rollout: Rollout) -> dict[int, dict[str, int]]:
    """Return how many systems of each step are in which state; "alarmed" counts new alarms."""
    rows = db.session.execute(
        select(
            RolloutPart.step,
            RolloutPart.state,
            func.count().label("number"),
            func.sum(RolloutPart.new_alarms).label("alarms"),
        )
        .where(RolloutPart.rollout_id == rollout.id)
        .group_by(RolloutPart.step, RolloutPart.state)
    )
    found: dict[int, dict[str, int]] = {step: {} for step in range(1, LAST_STEP + 1)}
    for row in rows:
        found[row.step][row.state] = row.number
        if row.alarms:
            found[row.step]["alarmed"] = found[row.step].get("alarmed", 0) + int(row.alarms)
    return found


def parts(rollout: Rollout, now: datetime, page: int) -> Page[RolloutPart]:
    """Return a page of a roll-out's systems that the dealer still looks after, by their steps."""
    return paged(
        select(RolloutPart)
        .join(RolloutPart.installation)
        .where(
            RolloutPart.rollout_id == rollout.id,
            is_looked_after(rollout, now),
            Installation.closed_at.is_(None),
        )
        .options(joinedload(RolloutPart.installation).joinedload(Installation.gateway))
        .order_by(RolloutPart.step, RolloutPart.id),
        page,
    )


def is_looked_after(rollout: Rollout, now: datetime) -> ColumnElement[bool]:
    """Return the condition under which the dealer still looks after a part's home.

    What a household took from the dealer is the dealer's to see no longer.
    """
    return (
        select(MaintenanceLink.id)
        .where(
            MaintenanceLink.installation_id == RolloutPart.installation_id,
            MaintenanceLink.dealer_id == rollout.dealer_id,
            MaintenanceLink.is_open(now),
        )
        .exists()
    )


# ---- deciding -------------------------------------------------------------------------------


def go_on(
    actor: Account, rollout_id: int, step: int, *, network_address: str, now: datetime
) -> Rollout:
    """Let a roll-out that is held at this step go on in spite of what came up.

    Raises:
        NotFound: There is none of the actor's dealer.
        NotNow: It is not held there any more.
    """
    rollout = get(actor, rollout_id)
    to: dict[str, Any] = {"state": "running", "step": step + 1, "next_at": now}
    if step >= LAST_STEP:
        to = {"state": "done", "next_at": None, "ended_at": now}
    if not moved(rollout.id, ("held",), step=step, to={**to, "watched_until": None}):
        raise NotNow
    record("rollout.continued", rollout, actor, network_address, now, step=step)
    return rollout


def stop(actor: Account, rollout_id: int, *, network_address: str, now: datetime) -> Rollout:
    """Change no further systems; what was changed stays.

    Raises:
        NotFound: There is none of the actor's dealer.
        NotNow: It is over already.
    """
    rollout = get(actor, rollout_id)
    if not moved(rollout.id, ("running", "held"), to={"state": "stopped", "next_at": now}):
        raise NotNow
    _stop_parts(rollout, now)
    record("rollout.stopped", rollout, actor, network_address, now)
    return rollout


def roll_back(actor: Account, rollout_id: int, *, network_address: str, now: datetime) -> Rollout:
    """Change no further systems, and take back what was changed, in the actor's name.

    Raises:
        NotFound: There is none of the actor's dealer.
        NotNow: It is taken back already.
    """
    rollout = get(actor, rollout_id)
    to = {"state": "rolling_back", "undoer_id": actor.id, "next_at": now, "ended_at": None}
    if not moved(rollout.id, ("running", "held", "stopped", "done"), to=to):
        raise NotNow
    _stop_parts(rollout, now)
    changed = select(SettingOrder.id).where(SettingOrder.state.in_(("confirmed", "partly")))
    _set_parts(rollout.id, ("confirmed", "failed"), "to_undo", now, order_in=changed)
    record("rollout.rolled_back", rollout, actor, network_address, now)
    return rollout


def _stop_parts(rollout: Rollout, now: datetime) -> None:
    _set_parts(rollout.id, ("waiting", "reading"), "stopped", now)
    asked = db.session.execute(
        select(RolloutPart.id, RolloutPart.order_id).where(
            RolloutPart.rollout_id == rollout.id, RolloutPart.state == "asked"
        )
    ).all()
    for row in asked:
        # what is being written is settled by its job
        if setting_orders.end_asked(row.order_id, "stopped", now):
            move(row.id, "asked", state="stopped", since=now)


# ---- conditional changes ---------------------------------------------------------------------


def hold(rollout: Rollout) -> None:
    """Know what a roll-out is at now, and let whoever decides about it wait for us.

    A write that changes nothing: SQLite knows no other lock.
    """
    count_changed(update(Rollout).where(Rollout.id == rollout.id).values(step=Rollout.step))
    db.session.refresh(rollout)


def move(part_id: int, was: str, **values: Any) -> bool:
    """Change a system that is still in this state; False if somebody was first."""
    of_it = update(RolloutPart).where(RolloutPart.id == part_id, RolloutPart.state == was)
    return count_changed(of_it.values(**values)) == 1


def moved(
    rollout_id: int, states: Sequence[str], *, to: Mapping[str, Any], step: int | None = None
) -> bool:
    """Change a roll-out that is still in one of these states; False if somebody was first."""
    at_step = [Rollout.step == step] if step is not None else []
    return (
        count_changed(
            update(Rollout)
            .where(Rollout.id == rollout_id, Rollout.state.in_(states), *at_step)
            .values(**to)
        )
        == 1
    )


def _set_parts(
    rollout_id: int, states: Sequence[str], state: str, now: datetime, *, order_in: Any = None
) -> None:
    orders = [] if order_in is None else [RolloutPart.order_id.in_(order_in)]
    count_changed(
        update(RolloutPart)
        .where(RolloutPart.rollout_id == rollout_id, RolloutPart.state.in_(states), *orders)
        .values(state=state, since=now)
    )


def count(rollout_id: int, states: Sequence[str], *, step: int | None = None) -> int:
    """Return how many systems are in one of these states, of a step or of all."""
    at_step = [RolloutPart.step == step] if step is not None else []
    return (
        db.session.scalar(
            select(func.count())
            .select_from(RolloutPart)
            .where(RolloutPart.rollout_id == rollout_id, RolloutPart.state.in_(states), *at_step)
        )
        or 0
    )


def record(
    action: str,
    rollout: Rollout,
    actor: Account,
    network_address: str,
    now: datetime,
    **more: Any,
) -> None:
    """Write into the audit log what became of a roll-out."""
    audit.record(
        action,
        actor_id=actor.id,
        subject="rollout",
        subject_id=rollout.id,
        network_address=network_address,
        now=now,
        **more,
    )
