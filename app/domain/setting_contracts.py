"""契約電流: how much a home may use at once by its contract with its electric utility.

It is set, confirmed, recorded and undone like what a device is set to, but the portal keeps it: no
device knows it, so nothing is written, and nothing is waited for. It bounds what a meter may claim
(energy rule 4) and what a plan buys.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import update

from ..extensions import db
from ..models import Account, Installation, SettingChange, SettingOrder
from . import audit, setting_history, setting_mails, setting_orders
from . import settings as settings_rules
from .holding import hold_open
from .setting_checks import (
    ChangedMeanwhile,
    NothingWanted,
    NotOffered,
    ReasonNeeded,
    TooManyChanges,
)
from .writes import count_changed

KEY = "contract_current_a"
# nobody told
UNKNOWN = 0
# those by ampere (アンペア契約); by kVA it is ten times as many, and low voltage ends below 50 kVA
USUAL = (10, 15, 20, 30, 40, 50, 60)
LEAST, MOST = 5, 500


def is_one(wanted: Mapping[str, object]) -> bool:
    """Tell whether it is this that is wanted, and nothing of a device's."""
    return set(wanted) == {KEY}


def allows(value: object) -> bool:
    """Tell whether a contract can be of so many amperes, or unknown."""
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value == UNKNOWN or LEAST <= value <= MOST


def present(installation: Installation) -> int:
    """Return the contract's amperes."""
    return installation.contract_current_a or UNKNOWN


def change(
    actor: Account,
    public_id: str,
    wanted: Mapping[str, object],
    *,
    seen: Mapping[str, object],
    reason: str,
    undoes_id: int | None = None,
    network_address: str,
    now: datetime,
) -> SettingOrder:
    """Keep what the actor confirmed; `seen` is what the actor's page said.

    Raises:
        NotFound: There is no such gateway, or none whose settings the actor may change.
        NotOffered: No contract is of so many amperes.
        NothingWanted: It stands so.
        ReasonNeeded: Only owners need none.
        ChangedMeanwhile: It is not as it was seen.
        TooManyChanges: Too much was changed in the last hour.
    """
    access = settings_rules.get_to_set(actor, public_id, now)
    installation = access.installation
    hold_open(installation)
    after, before = wanted.get(KEY), seen.get(KEY)
    if not (isinstance(after, int) and allows(after)):
        raise NotOffered
    if not (isinstance(before, int) and allows(before)):
        raise ChangedMeanwhile
    if access.by != "owner" and not reason:
        raise ReasonNeeded
    changed = count_changed(
        update(Installation)
        .where(
            Installation.id == installation.id,
            Installation.contract_current_a.is_not_distinct_from(before or None),
        )
        .values(contract_current_a=after or None)
    )
    if not changed:
        raise ChangedMeanwhile
    if after == before:
        raise NothingWanted
    since = now - timedelta(hours=1)
    if setting_orders.count_since(installation, since) >= setting_orders.MOST_AN_HOUR:
        raise TooManyChanges
    if undoes_id is not None:
        setting_history.get(installation, undoes_id)
    order = SettingOrder(
        installation=installation,
        gateway_id=installation.gateway_id,
        by=access.by,
        actor_id=actor.id,
        dealer_id=access.dealer_id,
        undoes_id=undoes_id,
        reason=reason[: setting_orders.LONGEST_REASON],
        state="confirmed",
        asked_at=now,
        next_try_at=now,
        settled_at=now,
    )
    order.changes = [
        SettingChange(
            installation_id=installation.id,
            key=KEY,
            before=before,
            after=after,
            back=before,
            state="confirmed",
            settled_at=now,
        )
    ]
    db.session.add(order)
    db.session.flush()
    audit.record(
        "setting.kept",
        actor_id=actor.id,
        subject="setting_order",
        subject_id=order.id,
        network_address=network_address,
        now=now,
        gateway_id=order.gateway_id,
        installation_id=order.installation_id,
        keys=[KEY],
    )
    setting_mails.tell_owner(order, "confirmed", now)
    return order
