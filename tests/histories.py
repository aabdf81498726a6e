"""Days of energy for tests: half hours of a simple home, written as the poller writes them.

    write_history(home, date(2026, 11, 1), date(2026, 11, 21))

A sunny day makes 12,000 Wh and uses 9,600 Wh (200 Wh each half hour); what is left is charged up to
4,000 Wh, then sold; the evening discharges that, then buys. Each half hour is measured by counters.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import insert, select

from app.domain import energy_totals, half_hours
from app.domain.energy_totals import Settled
from app.domain.half_hours import COUNTER, LENGTH_S, Energy, HalfHour
from app.extensions import db
from app.models import EnergyTotal, Installation

USED_WH = 200.0
BATTERY_WH = 4000.0
# from half past seven on, for twelve hours
SUNNY = range(15, 39)

Change = Callable[[int, HalfHour], HalfHour | None]


def measured(wh: float, *, filled: bool = False) -> Energy:
    return Energy(wh, 0 if filled else LENGTH_S, LENGTH_S if filled else 0, COUNTER)


def day_of_energy(day: date, zone: str, installation_id: int) -> list[HalfHour]:
    """Return the half hours of a sunny day."""
    made, stored = [], 0.0
    for place, start in enumerate(half_hours.starts(day, zone)):
        sun = 500.0 if place in SUNNY else 0.0
        left = sun - USED_WH
        charged = min(max(left, 0.0), BATTERY_WH - stored)
        discharged = min(max(-left, 0.0), stored)
        soc_pct = round(100 * stored / BATTERY_WH)
        stored += charged - discharged
        energy = {
            "pv_wh": sun,
            "load_wh": USED_WH,
            "import_wh": max(-left, 0.0) - discharged,
            "export_wh": max(left, 0.0) - charged,
            "charge_wh": charged,
            "discharge_wh": discharged,
        }
        told = {name: measured(wh) for name, wh in energy.items()}
        made.append(HalfHour(start, installation_id, soc_pct, told))
    return made


def write_history(
    home: Installation,
    first: date,
    last: date,
    *,
    change: Change | None = None,
    until: float = float("inf"),
) -> None:
    """Write sunny days, in the caller's transaction.

    `change` gets each half hour with its place in the day and gives another or None (nothing is
    known of it); those that end after `until` (epoch seconds) are left out.
    """
    made = []
    day = first
    while day <= last:
        for place, one in enumerate(day_of_energy(day, home.zone, home.id)):
            kept = change(place, one) if change else one
            if kept and kept.start + LENGTH_S <= until:
                made.append(kept)
        day += timedelta(days=1)
    energy_totals.write([Settled(home.gateway_id, home.zone, made)])


def ten_thousandfold(_place: int, one: HalfHour) -> HalfHour:
    """Return what a counter that went wild tells of the sun; a `change` for `write_history`."""
    sun = one.energy["pv_wh"]
    return replace(one, energy=one.energy | {"pv_wh": sun._replace(wh=sun.wh * 10_000)})


def repeat_day(home: Installation, day: date, first: date, last: date) -> None:
    """Write years quickly: every day from `first` to `last` is like `day`, which is written."""
    columns = EnergyTotal.__table__.columns
    like = db.session.execute(
        select(*columns).where(EnergyTotal.installation_id == home.id, EnergyTotal.day == day)
    ).one()
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    db.session.execute(
        insert(EnergyTotal), [like._asdict() | {"day": one} for one in days if one != day]
    )


def without(one: HalfHour, *quantities: str) -> HalfHour:
    """Return a half hour of which some quantities are not known."""
    kept = {name: energy for name, energy in one.energy.items() if name not in quantities}
    return replace(one, energy=kept)
