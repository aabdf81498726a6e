"""What a plan asks of a device, in the words that all makers share, and handing it to the settings.

A device is asked for what it offers only: how far the grid charges it, when, and what it is used
for. One that can only be told to charge now, for a while, is told so at night, just long enough.
What a device does not offer is left as it is; where it cannot charge from the grid as planned,
nothing is asked at all.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Installation, Latest, Plan, PlanChoice
from ..profiles.settings import (
    DAY_MIN,
    EVERY_DAY,
    Choice,
    Key,
    Mode,
    Number,
    Offer,
    Value,
    Window,
)
from . import plans, setting_orders, storms
from . import settings as settings_rules
from .errors import NotFound
from .half_hours import LENGTH_S
from .history import starts_at
from .setting_checks import HandWins, NotOffered, StillWriting
from .writes import count_changed

SOURCE = "plan"
# a plan is carried out until the next one takes over, or until this long after it began
LASTS = timedelta(days=1)
# what cannot be done yet is tried again the round after the next; others have their turn meanwhile
AGAIN = timedelta(seconds=90)
# a shorter charge is not worth a change of settings, and would be over before it is written
AT_LEAST = timedelta(minutes=5)


class Placed(StrEnum):
    """What came of handing a plan to the settings."""

    ASKED = "asked"
    # the device is set so already
    STANDS = "stands"
    NOT_OFFERED = "not_offered"
    HAND_WINS = "hand_wins"
    # it was switched off, or the home was left, since it was made
    NOT_WANTED = "not_wanted"
    # it could not be done before the time for it was over
    MISSED = "missed"
    # not yet: it is tried again, at once or when it is time to charge
    BUSY = "busy"
    LATER = "later"


def wanted(
    told: Mapping[str, Any], offers: Mapping[Key, Offer], zone: str
) -> dict[Key, Value] | None:
    """Return what a plan sets a device to; None where the device cannot do as planned."""
    level = nearest(offers.get("grid_charge_pct"), told["level_pct"])
    if level is None:
        return None
    found: dict[Key, Value] = {"grid_charge_pct": level}
    mode = Mode.ECONOMIC.value if told["sells"] else None
    if mode is not None:
        if "mode" not in offers or not offers["mode"].allows(mode):
            return None
        found["mode"] = mode
    times = offers.get("charge_windows")
    if told["window"] and times is not None:
        window = window_of(told, zone)
        # many a device keeps times within a day only
        fitting = next(filter(times.allows, ([window], within_days(window))), None)
        if fitting is None:
            return None
        found["charge_windows"] = fitting
    return found


def can_be_set(plan: Plan, installation: Installation, zone: str) -> bool:
    """Tell whether a plan can become settings, as far as is known of what the device offers."""
    if not settings_rules.can_be_set(installation) or plan.handed == Placed.NOT_OFFERED:
        return False
    shown = settings_rules.show(installation.gateway_id)
    told, offers = plan.content, shown.offers
    return (
        shown.read_at is None
        or wanted(told, offers, zone) is not None
        or can_charge_now(told, offers)
    )


def can_charge_now(told: Mapping[str, Any], offers: Mapping[Key, Offer]) -> bool:
    """Tell whether a plan can be carried out by telling the device to charge, for a while.

    It must go back by itself: with the link lost, nobody else would end it.
    """
    mode = offers.get("mode")
    timed = isinstance(mode, Choice) and Mode.CHARGE.value in mode.timed
    return timed and not told["sells"] and (not told["window"] or bool(told.get("pct_h")))


def charging(told: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Return from when a device is to charge so that it is as full as planned, and until when.

    As late as that can be, as what is charged early would be used before the price rises.
    """
    first, last = told["window"]
    before = [told["baseline_pct"][0], *told["baseline_pct"]]
    reached = (
        place
        for place in range(last - 1, first, -1)
        if before[place] + (last - place) * LENGTH_S / 3600 * told["pct_h"] >= told["level_pct"]
    )
    begins, ends = (told["begins"] + place * LENGTH_S for place in (next(reached, first), last))
    return starts_at(begins), starts_at(ends)


def nearest(offer: Offer | None, pct: int) -> int | None:
    """Return the value nearest to a share that a device offers; None where it offers none."""
    if not isinstance(offer, Number):
        return None
    if pct in offer.also:
        return pct
    steps = round((min(max(pct, offer.low), offer.high) - offer.low) / offer.step)
    found = offer.low + steps * offer.step
    # "0 is not at all" must not become a little
    return found if offer.allows(found) and (pct > 0 or found == 0) else None


def window_of(told: Mapping[str, Any], zone: str) -> Window:
    """Return the time in which a plan has the grid charge."""
    begins, ends = (
        starts_at(told["begins"] + place * LENGTH_S).astimezone(ZoneInfo(zone))
        for place in told["window"]
    )
    end = ends.hour * 60 + ends.minute
    return {
        "start": begins.hour * 60 + begins.minute,
        "end": end or DAY_MIN,
        "days": EVERY_DAY,
    }


def within_days(window: Window) -> list[Window]:
    """Return a time of each day without one that crosses midnight."""
    start, end, days = window["start"], window["end"], window["days"]
    if start < end:
        return [window]
    return [{"start": 0, "end": end, "days": days}, {"start": start, "end": DAY_MIN, "days": days}]


def reason(told: Mapping[str, Any]) -> str:
    """Return why, as 変更の記録 has it, in the language of the surrounding request or job."""
    sun, use = (f"{sum(told[name][12:]) / 1000:.0f}" for name in ("pv_wh", "load_wh"))
    if told["sells"]:
        return str(_("明日の計画：昼の余った電気を売り、夜に充電するほうが安いため"))
    return str(
        _(
            "明日の計画：発電 %(sun)s kWh、消費 %(use)s kWh の見込みのため、"
            "夜の充電を %(level)s %% に",
            sun=sun,
            use=use,
            level=told["level_pct"],
        )
    )


def list_waiting(now: datetime, *, limit: int) -> list[tuple[int, str]]:
    """Return the plans that are to be handed over, the longest due first, each with a language."""
    rows = db.session.execute(
        select(Plan.id, Account.language)
        .join(Installation, Installation.id == Plan.installation_id)
        .join(Account, Account.id == Installation.account_id)
        .where(Plan.place_at <= now)
        .order_by(Plan.place_at)
        .limit(limit)
    )
    return [(row.id, row.language) for row in rows]


def place(plan_id: int, now: datetime) -> Placed | None:
    """Hand a plan to the settings; None for one that is gone, was handed over, or is not due.

    While the device was not read lately, or somebody's change is being written, it waits; so it
    does until it is time to charge. A person's own change wins: then nothing is asked.
    """
    plan = db.session.get(Plan, plan_id)
    if plan is None or plan.place_at is None or plan.place_at > now:
        return None
    try:
        placed = _ask(plan, now)
    except HandWins:
        placed = Placed.HAND_WINS
    except StillWriting:
        placed = Placed.BUSY
    except (NotOffered, NotFound):
        placed = Placed.NOT_OFFERED
    if placed is Placed.LATER:
        begins, ends = charging(plan.content)
        _settle(plan, handed=placed.value, place_at=begins, place_by=ends)
    elif placed is Placed.BUSY:
        _settle(plan, place_at=now + AGAIN)
    else:
        is_set = placed in (Placed.ASKED, Placed.STANDS)
        _settle(plan, handed=placed.value, place_at=None, placed_at=now if is_set else None)
    return placed


def _ask(plan: Plan, now: datetime) -> Placed:
    home = db.session.get_one(Installation, plan.installation_id)
    choice = db.session.get(PlanChoice, home.id)
    if home.closed_at is not None or choice is None or choice.due_at is None:
        return Placed.NOT_WANTED
    if plan.place_by is None or now >= plan.place_by:
        return Placed.MISSED
    if storms.is_charged(home.id, now):
        # nothing takes the battery from whom a storm may leave without power
        return Placed.BUSY
    shown = settings_rules.show(home.gateway_id)
    if not settings_rules.can_be_set(home):
        raise NotOffered
    if not shown.is_fresh(now):
        settings_rules.ask_reading(home, now)
        return Placed.BUSY
    asked = wanted(plan.content, shown.offers, home.zone)
    if asked is not None:
        return _order(plan, asked, starts_at(plan.content["begins"]) + LASTS, now)
    if not can_charge_now(plan.content, shown.offers):
        raise NotOffered
    return _charge_now(plan, home, now)


def _charge_now(plan: Plan, home: Installation, now: datetime) -> Placed:
    told = plan.content
    if not told["window"]:
        return Placed.STANDS
    begins, ends = charging(told)
    if now < begins:
        return Placed.LATER
    if now + AT_LEAST > ends:
        return Placed.MISSED
    stored = plans.charge_of(db.session.get(Latest, home.gateway_id), home, now)
    if stored is None:
        return Placed.BUSY
    full = now + timedelta(hours=(told["level_pct"] - stored) / told["pct_h"])
    if now + AT_LEAST > full:
        return Placed.STANDS
    return _order(plan, {"mode": Mode.CHARGE.value}, min(full, ends), now)


def _order(plan: Plan, asked: Mapping[Key, Value], until: datetime, now: datetime) -> Placed:
    order = setting_orders.place_automatic(
        plan.installation_id,
        asked,
        source=SOURCE,
        reason=reason(plan.content),
        until=until,
        decided_at=plan.made_at,
        now=now,
    )
    return Placed.ASKED if order is not None else Placed.STANDS


def _settle(plan: Plan, **values: object) -> None:
    """Keep what came of it, unless somebody else did, or the plan was made anew meanwhile."""
    count_changed(
        update(Plan)
        .where(Plan.id == plan.id, Plan.place_at == plan.place_at, Plan.made_at == plan.made_at)
        .values(**values)
    )
