"""Charge before a weather warning, and go back afterwards.

While a grave warning stands for a site, its battery is kept full; when the warning is over, what
was changed goes back. A warning of which nothing is known any more ends the same way, a little
later: no forecast, no control.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Installation, PlanChoice, SettingOrder
from ..profiles.settings import DAY_MIN, EVERY_DAY, Key, Mode, Number, Offer, Value, Window
from . import plan_choices, setting_orders, weather
from . import settings as settings_rules
from .errors import NotFound
from .setting_checks import HandWins, NotOffered, StillWriting
from .writes import count_changed

log = structlog.get_logger()

SOURCE = "storm"
# each round that still sees the warning prolongs it by so much
HOLDS = timedelta(hours=3)
PROLONGED = timedelta(hours=2)


def listed(now: datetime) -> list[tuple[int, str]]:
    """Return for whom something may be to do, each with its owner's language.

    Those that want it and have a warning in their prefecture, and those that were changed for one.
    """
    changed = set(
        db.session.scalars(
            select(SettingOrder.installation_id).where(
                SettingOrder.source == SOURCE, SettingOrder.lapses_at > now
            )
        )
    )
    warned = weather.offices_warned(now)
    if not warned and not changed:
        return []
    rows = db.session.execute(
        select(
            PlanChoice.installation_id,
            PlanChoice.office,
            Installation.prefecture,
            Account.language,
        )
        .join(Installation, Installation.id == PlanChoice.installation_id)
        .join(Account, Account.id == Installation.account_id)
        .where(PlanChoice.storm, Installation.closed_at.is_(None))
        .order_by(PlanChoice.installation_id)
    )
    found = []
    for row in rows:
        office = row.office or weather.office_of(row.prefecture)
        if office in warned or row.installation_id in changed:
            found.append((row.installation_id, row.language))
            changed.discard(row.installation_id)
    # who switched it off meanwhile gets back what stood before
    return found + [(installation_id, "ja") for installation_id in sorted(changed)]


def wanted(offers: Mapping[Key, Offer]) -> dict[Key, Value] | None:
    """Return what keeps a device's battery full; None where it offers no such thing.

    Without a mode or times for it, it is charged now, and what is in it is kept for an outage.
    """
    mode = offers.get("mode")
    if mode is not None and mode.allows(Mode.SAFE.value):
        return {"mode": Mode.SAFE.value}
    level, windows = offers.get("grid_charge_pct"), offers.get("charge_windows")
    all_day: list[Window] = [{"start": 0, "end": DAY_MIN, "days": EVERY_DAY}]
    if isinstance(level, Number) and level.high > 0 and windows and windows.allows(all_day):
        return {"grid_charge_pct": level.high, "charge_windows": all_day}
    reserve = offers.get("reserve_pct")
    if not isinstance(reserve, Number) or not reserve.allows(reserve.high):
        return None
    kept: dict[Key, Value] = {"reserve_pct": reserve.high}
    if mode is not None and mode.allows(Mode.CHARGE.value):
        kept["mode"] = Mode.CHARGE.value
    return kept


def reason(codes: Sequence[str]) -> str:
    """Return why, as 変更の記録 has it, in the language of the surrounding job."""
    return str(_("%(warnings)sが出たため、停電に備えて充電", warnings="・".join(_names(codes))))


def _names(codes: Sequence[str]) -> Iterator[str]:
    for code in codes[:3]:
        yield str(weather.GRAVE[code])


def follow(installation_id: int, now: datetime) -> None:
    """Do for an installation what the warnings of its area ask for, as far as it can be done now.

    What cannot be done yet, as the device was not read lately or somebody's change is being
    written, waits for the next round; a person's own change of today wins.
    """
    choice = db.session.get(PlanChoice, installation_id)
    home = db.session.get(Installation, installation_id)
    if choice is None or home is None or home.closed_at is not None:
        return
    codes = weather.warnings_of(plan_choices.office_for(home, choice), choice.area, now)
    if codes == () or not choice.storm:
        end(installation_id, now)
    elif codes and not _prolong(installation_id, now):
        _charge(home, codes, now)


def _charge(home: Installation, codes: Sequence[str], now: datetime) -> None:
    if not settings_rules.can_be_set(home):
        return
    shown = settings_rules.show(home.gateway_id)
    if not shown.is_fresh(now):
        settings_rules.ask_reading(home, now)
        return
    asked = wanted(shown.offers)
    if asked is None:
        return
    try:
        setting_orders.place_automatic(
            home.id, asked, source=SOURCE, reason=reason(codes), until=now + HOLDS, now=now
        )
    except (HandWins, StillWriting, NotOffered, NotFound) as refusal:
        log.info("storm_not_charged", installation=home.id, why=type(refusal).__name__)


def end(installation_id: int, now: datetime) -> None:
    """Have what was changed for a warning go back now."""
    count_changed(
        update(SettingOrder)
        .where(
            SettingOrder.installation_id == installation_id,
            SettingOrder.source == SOURCE,
            SettingOrder.lapses_at > now,
        )
        .values(lapses_at=now, until=now)
    )


def _prolong(installation_id: int, now: datetime) -> bool:
    """Keep what was changed for a warning a while longer; False if nothing was."""
    theirs = SettingOrder.installation_id == installation_id, SettingOrder.source == SOURCE
    count_changed(
        update(SettingOrder)
        .where(*theirs, SettingOrder.lapses_at > now, SettingOrder.lapses_at < now + PROLONGED)
        .values(lapses_at=now + HOLDS, until=now + HOLDS)
    )
    return is_charged(installation_id, now)


def is_charged(installation_id: int, now: datetime) -> bool:
    """Tell whether a battery is kept full for a warning, or is about to be."""
    stands = or_(SettingOrder.lapses_at > now, SettingOrder.state.in_(("asked", "sent")))
    found = select(SettingOrder.id).where(
        SettingOrder.installation_id == installation_id, SettingOrder.source == SOURCE, stands
    )
    return db.session.scalar(found.limit(1)) is not None
