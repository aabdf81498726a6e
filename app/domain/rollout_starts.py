"""How a roll-out begins: of which systems it is, and which are left out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import (
    Account,
    Dealer,
    Gateway,
    Installation,
    MaintenanceLink,
    Rollout,
    RolloutPart,
)
from ..profiles import settable
from . import dealers, rollouts, setting_checks, setting_orders
from .errors import NotFound, Rejected
from .writes import count_changed

MOST = 5000
# of a dealer, going on at once
MOST_RUNNING = 5


class NothingChosen(Rejected):
    """Refuse a roll-out of no setting."""

    field = "mode"
    message = _("変更する設定を、1つ以上選んでください。")


class NobodyLeft(Rejected):
    """Refuse a roll-out that would change nothing."""

    field = "chosen"
    message = _(
        "変更できるシステムが選ばれていません。設定の変更まで任されたシステムをお選びください。"
    )


class TooMany(Rejected):
    """Refuse a roll-out of more systems than one is made for."""

    field = "chosen"
    message = _("一度に選べるのは5,000件までです。検索の言葉でしぼり込んでください。")


class TooManyRunning(Rejected):
    """Refuse another one while many go on: each writes to homes, and all share the workers."""

    message = _("一斉変更が5件、まだ続いています。どれかが終わってから、始めてください。")


def judge(actor: Account, ids: Sequence[int], now: datetime) -> dict[int, str]:
    """Tell of each installation that the actor's dealer looks after why it is left out; "" is in.

    What the dealer does not look after does not exist.

    Raises:
        NotFound: The actor is no person of a dealer that is there.
        TooMany: More than one roll-out is made for.
    """
    dealer = dealers.of(actor)
    if dealer.closed_at:
        raise NotFound
    if len(ids) > MOST:
        raise TooMany
    found: dict[int, str] = {}
    for start in range(0, len(ids), 500):
        rows = db.session.execute(
            select(Installation.id, Gateway.profile, MaintenanceLink.scope)
            .select_from(MaintenanceLink)
            .join(MaintenanceLink.installation)
            .join(Installation.gateway)
            .where(
                MaintenanceLink.dealer_id == dealer.id,
                MaintenanceLink.is_open(now),
                Installation.closed_at.is_(None),
                Installation.id.in_(ids[start : start + 500]),
            )
        )
        for row in rows:
            cannot = rollouts.CANNOT_BE_SET if settable(row.profile) is None else ""
            found[row.id] = rollouts.NO_RIGHT if row.scope != "set" else cannot
    return {id_: found[id_] for id_ in ids if id_ in found}


def start(
    actor: Account,
    ids: Sequence[int],
    wanted: Mapping[str, Any],
    *,
    reason: str,
    network_address: str,
    now: datetime,
) -> Rollout:
    """Begin to change settings at these installations, in this order.

    Raises:
        NotFound: The actor is no person of a dealer that is there.
        NothingChosen: No setting was chosen.
        ReasonNeeded: Households read why.
        NobodyLeft: The dealer may set none of them.
        TooMany: They are more than one roll-out is made for.
        TooManyRunning: Several of the dealer go on.
    """
    if not wanted:
        raise NothingChosen
    if not reason:
        raise setting_checks.ReasonNeeded
    judged = judge(actor, ids, now)
    if not any(why == "" for why in judged.values()):
        raise NobodyLeft
    dealer_id = dealers.of(actor).id
    # who begins at the same moment waits, and counts ours: SQLite knows no other lock than a write
    count_changed(update(Dealer).where(Dealer.id == dealer_id).values(name=Dealer.name))
    running = select(func.count()).where(
        Rollout.dealer_id == dealer_id, Rollout.next_at.is_not(None)
    )
    if (db.session.scalar(running) or 0) >= MOST_RUNNING:
        raise TooManyRunning
    rollout = Rollout(
        dealer_id=dealer_id,
        actor_id=actor.id,
        wanted=dict(wanted),
        reason=reason[: setting_orders.LONGEST_REASON],
        asked_at=now,
        next_at=now,
    )
    db.session.add(rollout)
    db.session.flush()
    place = 0
    for id_, why in judged.items():
        part = RolloutPart(rollout_id=rollout.id, installation_id=id_, step=1, since=now)
        if why:
            part.state, part.detail = "dropped", why
        else:
            place += 1
            part.step = step_of(place)
        db.session.add(part)
    rollouts.record("rollout.started", rollout, actor, network_address, now, systems=place)
    return rollout


def step_of(place: int) -> int:
    """Return the step to which the system of this place belongs, counted from 1."""
    done = 0
    for step, size in enumerate(rollouts.STEPS, start=1):
        done += size
        if place <= done:
            return step
    return rollouts.LAST_STEP
