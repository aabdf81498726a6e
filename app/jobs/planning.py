"""Make plans of days. The only module that brings numpy, SciPy and pvlib into a process."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np
import structlog
from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import plan_choices, plans
from ..domain.plans import Known
from ..domain.tariffs import Tariff
from ..extensions import db
from ..planning.backtest import Score, backtest, days_before
from ..planning.battery import HOURS, Battery, Floats
from ..planning.day import Plan, Saving, least_cost, night_charge
from ..planning.forecasts import (
    DAY_SLOTS,
    LENGTH_S,
    SLOTS,
    Forecast,
    Past,
    Site,
    Sky,
    TooLittleKnown,
    begins,
    forecast,
)
from ..planning.optimum import Prices
from ..planning.sun import Panels
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

HALF_HOUR = timedelta(seconds=LENGTH_S)


@in_app
def plan_shard(ids: list[int]) -> None:
    """Make the plans of these installations, one after the other. At least once.

    A second copy writes the same day's plan again. One that fails is kept as such, for all to see,
    and the others are made all the same.
    """
    settings: Settings = current_app.extensions["settings"]
    failed = []
    for installation_id in ids:
        try:
            plan(installation_id, settings)
        except Exception:
            log.exception("plan_failed", installation=installation_id)
            failed.append(installation_id)
            db.session.rollback()
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(ids)} plans failed; the log has them")


def plan(installation_id: int, settings: Settings) -> None:
    """Make the plan of one installation's next day, and keep it or why there is none."""
    now = clock.now()
    known = plans.known(
        installation_id,
        now,
        templates=settings.content_dir / "tariffs",
        zone=settings.site_zone,
    )
    # ends the reading transaction: to plan takes its time
    db.session.rollback()
    if known is None:
        with transaction():
            plans.stop(installation_id)
        return
    outcome, content = made(known)
    tested = held_back(known) if known.is_to_test and outcome == plans.MADE else None
    with transaction():
        plans.keep(
            installation_id,
            known.today + timedelta(days=1),
            outcome,
            content,
            due_at=plan_choices.next_due(now, known.zone),
            now=now,
        )
        if tested is not None:
            plans.keep_test(installation_id, tested, known.today)


def made(known: Known) -> tuple[str, dict[str, Any]]:
    """Return what comes of planning, and the plan's content or what is missing for it."""
    if known.battery_wh is None or known.battery_w is None:
        return plans.NO_BATTERY, {}
    if known.tariff is None:
        return plans.NO_PRICES, {}
    if known.soc_pct is None:
        return plans.NO_CHARGE, {}
    sky = Sky(known.sky) if known.sky else None
    try:
        told = forecast(site_of(known), past_of(known), known.today, sky=sky)
    except TooLittleKnown as error:
        return plans.TOO_LITTLE, {"days": error.days}
    stored_wh = known.soc_pct / 100 * known.battery_wh
    chosen = planner_of(known)(known.today, told, stored_wh)
    return plans.MADE, content_of(known, told, chosen)


def content_of(known: Known, told: Forecast, chosen: Plan) -> dict[str, Any]:
    """Return a plan as `domain/plans.py` describes it."""
    assert known.battery_wh is not None
    window = np.flatnonzero(chosen.window)
    surplus = told.pv_wh.mean(axis=0) > told.load_wh.mean(axis=0)
    sold = surplus[:DAY_SLOTS] & ~chosen.orders.may_store[:DAY_SLOTS]
    return {
        "kind": known.kind,
        "begins": float(told.starts[0]),
        "pv_wh": _whole(told.pv_wh.mean(axis=0)),
        "load_wh": _whole(told.load_wh.mean(axis=0)),
        "buy_yen": prices_of(known)(known.today).buy.round(2).tolist(),
        "stored_pct": _whole(100 * chosen.flows.stored_wh / known.battery_wh),
        "baseline_pct": _whole(100 * chosen.baseline.stored_wh / known.battery_wh),
        "level_pct": round(100 * chosen.level),
        "window": [int(window[0]), int(window[-1]) + 1] if len(window) else None,
        "sells": bool(sold.sum() * 2 > surplus[:DAY_SLOTS].sum()),
        "pct_h": _pct_h(known, told, chosen),
        "baseline_yen": round(chosen.baseline_yen, 1),
        "plan_yen": round(chosen.plan_yen, 1),
        "saving": _yen(chosen.saving),
        "use_days": told.use_days,
        "sun_days": told.sun_days,
        "sky": told.sky.value if told.sky else None,
    }


def _pct_h(known: Known, told: Forecast, chosen: Plan) -> float | None:
    """Return how many % of the battery the grid charges in an hour at full power.

    None where the home's contract does not bear that beside what the home may use meanwhile.
    """
    battery = battery_of(known)
    used_w = float(told.load_wh[:, chosen.window].max(initial=0.0)) / HOURS
    if battery.charge_w + used_w > battery.grid_w:
        return None
    return round(100 * battery.charge_w * battery.charge_efficiency / battery.capacity_wh, 2)


def held_back(known: Known) -> dict[str, Any] | None:
    """Return what plans would have done on the last days, made from what was known before each."""
    assert known.battery_wh is not None
    score: Score | None = backtest(
        site_of(known),
        past_of(known),
        battery_of(known),
        prices_of(known),
        planner_of(known),
        days=days_before(known.today, plans.TESTED_DAYS),
        stored_wh=known.battery_wh / 2,
    )
    if score is None:
        return None
    return {
        "days": score.days,
        "baseline_yen": round(float(score.baseline_yen.sum()), 1),
        "plan_yen": round(float(score.plan_yen.sum()), 1),
        "foresight_yen": round(float(score.foresight_yen.sum()), 1),
        "saving": _yen(score.saving),
    }


# ---- from what the database knows to what plans are made of ----------------------------------


def site_of(known: Known) -> Site:
    """Return where the home stands; what is not told of its roof is a usual one's."""
    kw, tilt, azimuth = known.panels
    usual = Panels()
    return Site(
        known.zone,
        known.latitude,
        known.longitude,
        Panels(
            kw,
            usual.tilt if tilt is None else tilt,
            usual.azimuth if azimuth is None else azimuth,
        ),
    )


def past_of(known: Known) -> Past:
    """Return the half hours that are known, with NaN between them."""
    if not known.half_hours:
        return Past(0.0, np.empty(0), np.empty(0))
    # what is not known becomes NaN
    told = np.array(known.half_hours, dtype=np.float64)
    since = float(told[0, 0])
    places = np.rint((told[:, 0] - since) / LENGTH_S).astype(np.intp)
    pv, load = (np.full(places[-1] + 1, np.nan) for _each in range(2))
    pv[places], load[places] = told[:, 1], told[:, 2]
    return Past(since, pv, load)


def battery_of(known: Known) -> Battery:
    """Return the home's battery."""
    assert known.battery_wh is not None
    assert known.battery_w is not None
    return Battery(
        known.battery_wh,
        known.battery_w,
        known.battery_w,
        floor=known.floor_pct / 100,
        grid_w=known.grid_w or inf,
    )


def prices_of(known: Known) -> Callable[[date], Prices]:
    """Return the prices of a plan that begins on the evening of a day."""
    tariff = known.tariff
    assert tariff is not None

    def prices(day: date) -> Prices:
        buy = _buy_yen(tariff, begins(day, known.zone), known.zone)
        # what is left can be bought again at the cheapest price, less what is lost in giving it
        left = float(buy.min()) * battery_of(known).discharge_efficiency
        return Prices(buy, np.full(SLOTS, known.sell_yen), left)

    return prices


@lru_cache(maxsize=1024)
def _buy_yen(tariff: Tariff, start: float, zone: str) -> Floats:
    """Return what a tariff asks from an evening on; homes share it, so it is only read."""
    starts = start + LENGTH_S * np.arange(SLOTS)
    buy = np.array(tariff.buy_yen(starts.tolist(), zone))
    buy.flags.writeable = False
    return buy


def planner_of(known: Known) -> Callable[[date, Forecast, float], Plan]:
    """Return what makes a plan of the kind that was chosen."""
    battery, prices = battery_of(known), prices_of(known)

    def planner(day: date, told: Forecast, stored_wh: float) -> Plan:
        paid = prices(day)
        if known.kind == "cost":
            return least_cost(battery, paid, stored_wh, told)
        cheap = paid.buy == paid.buy.min()
        return night_charge(battery, paid, stored_wh, told, window=cheap)

    return planner


def _whole(values: Floats) -> list[int]:
    return [int(value) for value in np.rint(values)]


def _yen(saving: Saving) -> list[float]:
    return [round(value, 1) for value in (saving.mean, saving.low, saving.high)]
