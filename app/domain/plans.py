"""Plans of a day: which are due, what they are made from, and what came of them.

`jobs/planning.py` makes them; here is what the database knows. The content of a plan that was made:

| key | value |
| --- | --- |
| `kind` | "night" or "cost" |
| `begins` | the start of the first half hour (epoch seconds) |
| `pv_wh`, `load_wh` | the mean of the likely courses, by half hour |
| `buy_yen` | the price of a kWh, by half hour |
| `stored_pct`, `baseline_pct` | charge at each half hour's end, in %: as planned, and without |
| `level_pct` | how full the grid makes the battery; 0: it does not charge it |
| `window` | the first half hour in which it does, and the one after the last; None |
| `sells` | whether the sun's surplus is sold instead of stored |
| `pct_h` | how many % the grid charges in an hour; None: the home's contract does not bear it |
| `baseline_yen`, `plan_yen` | what the day costs, on the mean |
| `saving` | yen: the mean, and between what it lies in eight of ten courses |
| `use_days`, `sun_days`, `sky` | what the forecast rests on |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from ..extensions import db
from ..models import Gateway, Installation, Latest, Plan, PlanChoice
from . import energy_totals, plan_choices, tariffs, weather
from . import settings as settings_rules
from .daylight import CAPITALS, ELSEWHERE
from .energy import day_of
from .history import starts_at
from .inserts import insert
from .tariffs import Tariff
from .writes import count_changed

MADE = "made"
#: why no plan was made
TOO_LITTLE, NO_BATTERY, NO_CHARGE, NO_PRICES = "too_little", "no_battery", "no_charge", "no_prices"
FAILED = "failed"

# of these weeks, and of the same weeks a year ago: what a forecast looks at
RECENT_DAYS = 62
LAST_YEAR = 364
AROUND_DAYS = 17
USED = ("pv_wh", "load_wh")
# held-back days, each of which looks back as far
TESTED_DAYS = 14
TEST_AGAIN = timedelta(days=7)

# an older state of charge says nothing of this evening
CHARGE_LASTS = timedelta(minutes=30)
# without a device's word: most home batteries are emptied and filled in three hours or more
HOURS_TO_FILL = 3.0
# a contract of one ampere is one of 100 VA; by kVA it is told as ten amperes each
CONTRACT_V = 100.0
# without a device's word, what stays in the battery
FLOOR_PCT = 10
# with more than this there is nothing to plan with
MOST_FLOOR_PCT = 90

KEEP_DAYS = 400

# what is planned earlier in the day is made anew in the evening, and only looked at until then
PLACED_BEFORE = timedelta(hours=1)
# a device that is not reached for so long is left as it is for the night
PLACED_WITHIN = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Known:
    """All that a plan is made from, of one installation. None is not known."""

    installation_id: int
    zone: str
    today: date
    latitude: float
    longitude: float
    #: start, pv_wh, load_wh of half hours that something is known of, in order of time
    half_hours: Sequence[tuple[float, float | None, float | None]]
    soc_pct: float | None
    battery_wh: float | None
    battery_w: float | None
    floor_pct: int
    #: what the contract (契約電流) lets the home buy
    grid_w: float | None
    panels: tuple[float | None, float | None, float | None]
    kind: str
    tariff: Tariff | None
    sell_yen: float
    sky: str | None
    #: held-back days are to be asked again
    is_to_test: bool


def claim(now: datetime, *, lease_s: float, limit: int) -> list[int]:
    """Take up to `limit` installations whose plan is due, for `lease_s` seconds.

    No two callers get the same; whoever dies with a claim gives it back by doing nothing.
    """
    due = (
        select(PlanChoice.installation_id)
        .where(PlanChoice.due_at <= now)
        .order_by(PlanChoice.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = db.session.scalars(
        update(PlanChoice)
        .where(PlanChoice.installation_id.in_(select(due.c.installation_id)))
        .where(PlanChoice.due_at <= now)
        .values(due_at=now + timedelta(seconds=lease_s))
        .returning(PlanChoice.installation_id)
        .execution_options(synchronize_session=False)
    )
    return list(taken)


def known(installation_id: int, now: datetime, *, templates: Any, zone: str) -> Known | None:
    """Return what a plan is made from; None where nothing is to be planned (any more).

    `templates` is the folder of tariffs, `zone` that of a site that has none of its own.
    """
    row = db.session.execute(
        select(Installation, PlanChoice, Gateway, Latest)
        .join(PlanChoice, PlanChoice.installation_id == Installation.id)
        .join(Gateway, Gateway.id == Installation.gateway_id)
        .outerjoin(Latest, Latest.gateway_id == Gateway.id)
        .where(Installation.id == installation_id, Installation.closed_at.is_(None))
    ).one_or_none()
    if row is None or not (row.PlanChoice.night or row.PlanChoice.cost):
        return None
    home, choice, gateway = row.Installation, row.PlanChoice, row.Gateway
    site_zone = home.zone or zone
    today, _begins = day_of(now, site_zone)
    is_to_test = choice.tested_on is None or today - choice.tested_on >= TEST_AGAIN
    latitude, longitude = CAPITALS.get(home.prefecture, CAPITALS[ELSEWHERE])
    tomorrow = today + timedelta(days=1)
    return Known(
        installation_id,
        site_zone,
        today,
        latitude,
        longitude,
        _half_hours(home, today, RECENT_DAYS + (TESTED_DAYS if is_to_test else 0)),
        charge_of(row.Latest, home, now),
        battery_wh_of(gateway.ratings, choice),
        battery_w_of(gateway.ratings, choice),
        floor_pct_of(gateway.id),
        home.contract_current_a * CONTRACT_V if home.contract_current_a else None,
        (choice.panels_kw, choice.panels_tilt, choice.panels_azimuth),
        "cost" if choice.cost else "night",
        plan_choices.tariff_of(choice, tariffs.load(templates)),
        choice.sell_yen or 0.0,
        weather.sky_of(plan_choices.office_for(home, choice), choice.area, tomorrow, now),
        is_to_test,
    )


def _half_hours(
    home: Installation, today: date, recent: int
) -> list[tuple[float, float | None, float | None]]:
    year_ago = today - timedelta(days=LAST_YEAR)
    spans = (
        (year_ago - timedelta(days=AROUND_DAYS), year_ago + timedelta(days=AROUND_DAYS)),
        (today - timedelta(days=recent), today),
    )
    return [
        (start, pv_wh, load_wh)
        for start, (pv_wh, load_wh) in energy_totals.series(home.gateway_id, home.id, spans, USED)
    ]


def charge_of(latest: Latest | None, home: Installation, now: datetime) -> float | None:
    """Return a battery's charge in %; None where it was not read lately, or never for this home."""
    if latest is None or latest.taken_at is None or latest.taken_at < home.opened_at:
        return None
    return latest.soc_pct if now - latest.taken_at <= CHARGE_LASTS else None


def battery_wh_of(
    ratings: Mapping[str, float | None] | None, choice: PlanChoice | None
) -> float | None:
    """Return a battery's capacity: the owner's word, else the device's."""
    told = choice.battery_wh if choice is not None else None
    return told or (ratings or {}).get("battery_wh") or None


def battery_w_of(
    ratings: Mapping[str, float | None] | None, choice: PlanChoice | None
) -> float | None:
    """Return how fast a battery is filled: the device's word, else by its capacity."""
    told = (ratings or {}).get("battery_w")
    capacity = battery_wh_of(ratings, choice)
    return told or (capacity / HOURS_TO_FILL if capacity else None)


def floor_pct_of(gateway_id: int) -> int:
    """Return what the device was last read to leave in the battery, else what is usual."""
    values = settings_rules.show(gateway_id).values
    told = [values.get("min_soc_pct"), values.get("reserve_pct")]
    known = [pct for pct in told if isinstance(pct, int)]
    return min(max(known), MOST_FLOOR_PCT) if known else FLOOR_PCT


# ---- what came of it -------------------------------------------------------------------------


def keep(
    installation_id: int,
    day: date,
    outcome: str,
    content: Mapping[str, Any],
    *,
    due_at: datetime,
    now: datetime,
) -> int | None:
    """Keep the plan of a day in place of an earlier one, and when the next is due; return its id.

    None where nothing is to be planned any more: what was chosen meanwhile counts.
    """
    still = PlanChoice.installation_id == installation_id, PlanChoice.due_at.is_not(None)
    if not count_changed(update(PlanChoice).where(*still).values(due_at=due_at)):
        return None
    is_todays = outcome == MADE and now >= starts_at(content["begins"]) - PLACED_BEFORE
    values = {
        "made_at": now,
        "outcome": outcome,
        "content": dict(content),
        "handed": "waiting" if is_todays else "",
        "place_at": now if is_todays else None,
        "place_by": now + PLACED_WITHIN if is_todays else None,
        "placed_at": None,
    }
    new = insert(Plan).values(installation_id=installation_id, day=day, **values)
    return db.session.scalar(
        new.on_conflict_do_update(
            index_elements=[Plan.installation_id, Plan.day], set_=values
        ).returning(Plan.id)
    )


def stop(installation_id: int) -> None:
    """Have no more plans made for an installation that was left or wants none."""
    count_changed(
        update(PlanChoice).where(PlanChoice.installation_id == installation_id).values(due_at=None)
    )


def keep_test(installation_id: int, found: Mapping[str, Any], day: date) -> None:
    """Keep what held-back days said."""
    count_changed(
        update(PlanChoice)
        .where(PlanChoice.installation_id == installation_id)
        .values(tested=dict(found), tested_on=day)
    )


def latest(installation_id: int) -> Plan | None:
    """Return the newest plan of an installation."""
    return db.session.scalar(
        select(Plan)
        .where(Plan.installation_id == installation_id)
        .order_by(Plan.day.desc())
        .limit(1)
    )


def clear_closed(now: datetime, *, keep_days: int) -> int:
    """Delete plans, and what was chosen, of some homes that were left long ago; return how many."""
    left = (
        select(Installation.id)
        .join(PlanChoice, PlanChoice.installation_id == Installation.id)
        .where(Installation.closed_at < now - timedelta(days=keep_days))
        .limit(200)
    )
    ids = list(db.session.scalars(left))
    if ids:
        count_changed(delete(Plan).where(Plan.installation_id.in_(ids)))
        count_changed(delete(PlanChoice).where(PlanChoice.installation_id.in_(ids)))
    return len(ids)


def clear_old(now: datetime) -> int:
    """Delete some plans that have had their time; return how many."""
    old = select(Plan.id).where(Plan.made_at < now - timedelta(days=KEEP_DAYS)).limit(500)
    return count_changed(delete(Plan).where(Plan.id.in_(old)))
