"""設定: what a gateway's device is set to, who may see and change it, and reading it anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import or_, select, update

from ..extensions import db, wake_after_commit
from ..models import Account, Installation, SettingStand
from ..profiles import settable
from ..profiles.settings import Choice, Key, Offer, Value, offer_from_json, offer_to_json
from ..profiles.settings import Settings as Told
from . import audit, gateways, history, linked
from .errors import NotFound
from .inserts import insert
from .writes import count_changed

# what changes a setting must not rest on what the device told long ago
FRESH = timedelta(minutes=30)
# who asks again so soon gets what was just read
JUST_READ = timedelta(seconds=10)

# in the order in which people think of them
KEYS: tuple[Key, ...] = (
    "mode",
    "reserve_pct",
    "min_soc_pct",
    "max_soc_pct",
    "grid_charge_pct",
    "charge_windows",
    "discharge_windows",
)

# edges name the type without knowing tables
Stand = SettingStand


@dataclass(frozen=True)
class Access:
    """An installation, and what its visitor may do with its settings."""

    installation: Installation
    #: "owner", "dealer" or "operator"
    by: str
    #: False: only to be seen
    may_set: bool
    dealer_id: int | None = None


def get(actor: Account, public_id: str, now: datetime) -> Access:
    """Return by what right the actor sees the settings of a gateway.

    Raises:
        NotFound: There is no such gateway, or none the actor may know of.
    """
    if actor.role == "dealer":
        link = linked.get_open(actor, public_id, now)
        return Access(link.installation, "dealer", link.scope == "set", link.dealer_id)
    installation = gateways.get_visible(actor, public_id, now)
    return Access(installation, "operator" if actor.role == "operator" else "owner", True)


def get_record(
    actor: Account, public_id: str, now: datetime, *, zone: str, installation_id: int | None = None
) -> Access:
    """Return by what right the actor reads 変更の記録 of a gateway.

    Of the ownership that is open, who sees its settings; of one that is over, whoever reads its
    history (`history.get_home`), who changes nothing any more.

    Raises:
        NotFound: There is no such gateway, or no ownership of it that the actor may read of.
    """
    home = history.get_home(actor, public_id, now, zone=zone, installation_id=installation_id)
    if home.until is None:
        return get(actor, public_id, now)
    by = "operator" if actor.role == "operator" else "owner"
    return Access(db.session.get_one(Installation, home.installation_id), by, may_set=False)


def get_to_set(actor: Account, public_id: str, now: datetime) -> Access:
    """Return by what right the actor changes the settings of a gateway.

    Raises:
        NotFound: There is no such gateway, or none whose settings the actor may change.
    """
    found = get(actor, public_id, now)
    if not found.may_set:
        raise NotFound
    return found


def can_be_set(installation: Installation) -> bool:
    """Tell whether anything of this kind of device can be set from here."""
    return settable(installation.gateway.profile) is not None


@dataclass(frozen=True)
class Shown:
    """What is known of a device's settings. Never read, `read_at` is None."""

    offers: Mapping[Key, Offer]
    values: Mapping[Key, Value]
    read_at: datetime | None
    is_reading: bool
    #: how the last reading ended, "" or "ok" where it brought something, and when
    outcome: str
    detail: str
    ended_at: datetime | None

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether a change may rest on it."""
        return self.read_at is not None and now - self.read_at <= FRESH

    def is_timed(self, key: Key, value: object) -> bool:
        """Tell whether the device keeps this value only for a while."""
        offer = self.offers.get(key)
        return isinstance(offer, Choice) and value in offer.timed

    def longest_s(self, wanted: Mapping[Key, Value]) -> int | None:
        """Return for how long at most the device keeps what is wanted; None is for ever."""
        times = [
            offer.longest_s
            for key, value in wanted.items()
            if isinstance(offer := self.offers.get(key), Choice) and value in offer.timed
        ]
        return min(times) if times else None


NOTHING = Shown({}, {}, None, False, "", "", None)


def show(gateway_id: int) -> Shown:
    """Return what is known of the settings of a gateway's device."""
    stand = db.session.get(SettingStand, gateway_id, populate_existing=True)
    if stand is None:
        return NOTHING
    offers = sorted(map(offer_from_json, stand.offers), key=lambda offer: KEYS.index(offer.key))
    return Shown(
        {offer.key: offer for offer in offers},
        cast(Mapping[Key, Value], stand.values),
        stand.read_at,
        stand.asked_at is not None,
        stand.outcome,
        stand.detail,
        stand.ended_at,
    )


# ---- reading anew ---------------------------------------------------------------------------


def ask_reading(installation: Installation, now: datetime) -> None:
    """Let a job read the settings; who asks while that goes on, or just after, changes nothing."""
    fresh = {"asked_at": now, "claimed_until": None}
    nothing = {"offers": [], "values": {}, "outcome": "", "detail": ""}
    db.session.execute(
        insert(SettingStand)
        .values(gateway_id=installation.gateway_id, **fresh, **nothing)
        .on_conflict_do_update(
            index_elements=[SettingStand.gateway_id],
            set_=fresh,
            where=SettingStand.asked_at.is_(None)
            & or_(SettingStand.read_at.is_(None), SettingStand.read_at <= now - JUST_READ),
        )
    )
    wake_after_commit("settings")


@dataclass(frozen=True)
class Claim:
    """A gateway whose settings are ours to read until `until`."""

    gateway_id: int
    until: datetime


def claim_readings(now: datetime, *, lease: timedelta, limit: int) -> list[Claim]:
    """Take readings that somebody waits for, for that long; no two callers get the same."""
    until = now + lease
    free = (
        SettingStand.asked_at.is_not(None),
        or_(SettingStand.claimed_until.is_(None), SettingStand.claimed_until <= now),
    )
    due = (
        select(SettingStand.gateway_id)
        .where(*free)
        .order_by(SettingStand.asked_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = db.session.scalars(
        update(SettingStand)
        .where(SettingStand.gateway_id.in_(select(due.c.gateway_id)), *free)
        .values(claimed_until=until)
        .returning(SettingStand.gateway_id)
        .execution_options(synchronize_session=False)
    )
    return [Claim(gateway_id, until) for gateway_id in taken]


def put_off_reading(claimed: Claim, until: datetime) -> None:
    """Give a claimed reading back: somebody else is at the device until then."""
    count_changed(
        update(SettingStand)
        .where(
            SettingStand.gateway_id == claimed.gateway_id,
            SettingStand.claimed_until == claimed.until,
        )
        .values(claimed_until=until)
    )


def settle_reading(
    claimed: Claim, outcome: str, detail: str, told: Told | None, now: datetime
) -> None:
    """Keep what a reading brought, unless its claim ran out meanwhile; nobody waits any more."""
    is_ours = (
        SettingStand.gateway_id == claimed.gateway_id,
        SettingStand.claimed_until == claimed.until,
    )
    ended = {
        "asked_at": None,
        "claimed_until": None,
        "ended_at": now,
        "outcome": outcome,
        "detail": detail[:200],
    }
    if count_changed(update(SettingStand).where(*is_ours).values(**ended)) and told:
        keep(claimed.gateway_id, told, now)


def keep(gateway_id: int, told: Told, now: datetime) -> None:
    """Keep what a device told of its settings."""
    new = {
        "offers": [offer_to_json(offer) for offer in told.offers],
        "values": dict(told.values),
        "read_at": now,
    }
    rest = {"outcome": "ok", "detail": ""}
    db.session.execute(
        insert(SettingStand)
        .values(gateway_id=gateway_id, **new, **rest)
        .on_conflict_do_update(index_elements=[SettingStand.gateway_id], set_={**new, **rest})
    )


# ---- whom it is told ------------------------------------------------------------------------


def mail_owner(
    actor: Account, public_id: str, *, wanted: bool, network_address: str, now: datetime
) -> None:
    """Let the actor be mailed of what others change at a gateway of the actor's own, or not.

    Raises:
        NotFound: There is no such gateway, or none of the actor's.
    """
    installation = gateways.get_owned(actor, public_id)
    if installation.mails_of_settings == wanted:
        return
    installation.mails_of_settings = wanted
    audit.record(
        "setting.mails_on" if wanted else "setting.mails_off",
        actor_id=actor.id,
        subject="installation",
        subject_id=installation.id,
        network_address=network_address,
        now=now,
    )
