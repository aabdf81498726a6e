"""`python -m bench.backtest`: what plans would have saved a simulated home in a year, by month.

A home of the simulator lives a year under its own sky and its family's habits; each evening a plan
is made from what was known by then, and carried out against what came. Beside it stand no control
(the sun's surplus is stored, and used when the sun does not do) and perfect foresight.

    python -m bench.backtest            # the table in docs/planning.md
    python -m bench.backtest --days 60  # sooner
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from app.planning.backtest import Score, backtest
from app.planning.battery import Battery
from app.planning.day import Plan, least_cost, night_charge
from app.planning.forecasts import LENGTH_S, SLOTS, Forecast, Past, Site, Sky, begins, local
from app.planning.optimum import Prices
from simulator import sky

ZONE = "Asia/Tokyo"
SITE = Site(ZONE, 35.69, 139.69)
# the demo's home: 6 kW of panels, 5.5 kW of inverter, 9.8 kWh
PANELS_W, INVERTER_W = 6000, 5500
BATTERY = Battery(9800, 3000, 3000)
FIRST = date(2025, 10, 1)
# days before the first plan, from which it is made
LEARNED = 60
STEP_S = 300
SEED = 4


@dataclass(frozen=True)
class Tariff:
    """Yen per kWh: by day, at night (from, to by the clock), and for what is sold."""

    name: str
    day: float
    night: float
    hours: tuple[int, int]
    sell: float

    def prices(self, day: date) -> Prices:
        hour = np.array([local(begins(day, ZONE) + LENGTH_S * n, ZONE).hour for n in range(SLOTS)])
        first, last = self.hours
        at_night = (
            (hour >= first) & (hour < last) if first < last else (hour >= first) | (hour < last)
        )
        buy = np.where(at_night, self.night, self.day)
        return Prices(buy, np.full(SLOTS, self.sell), self.night * BATTERY.discharge_efficiency)

    def window(self, day: date) -> np.ndarray:
        return self.prices(day).buy == self.night


TARIFFS = (
    # as of app/content/tariffs; sold after the feed-in tariff, and within one of 2025
    Tariff("1:00–6:00 cheaper by 22 %, sold at 8.5", 35.76, 27.86, (1, 6), 8.5),
    Tariff("1:00–6:00 cheaper by 22 %, sold at 15", 35.76, 27.86, (1, 6), 15.0),
    Tariff("23:00–7:00 cheaper by half, sold at 8.5", 34.0, 17.0, (23, 7), 8.5),
    Tariff("23:00–7:00 cheaper by half, sold at 24", 34.0, 17.0, (23, 7), 24.0),
)


def live(days: int) -> Past:
    """Return a home's year, half hour by half hour, as the simulator's sky and family have it."""
    since = begins(FIRST - timedelta(LEARNED), ZONE)
    count = (LEARNED + days + 2) * 48
    pv, load = np.empty(count), np.empty(count)
    for slot in range(count):
        times = [since + slot * LENGTH_S + step for step in range(STEP_S // 2, LENGTH_S, STEP_S)]
        sun = [min(PANELS_W * sky.sunshine(SEED, at), INVERTER_W) for at in times]
        pv[slot] = sum(sun) / len(times) / 2
        load[slot] = sum(sky.consumption_w(SEED, at) for at in times) / len(times) / 2
    return Past(since, pv, load)


def nightly(tariff: Tariff) -> Callable[[date, Forecast, float], Plan]:
    return lambda day, told, stored: night_charge(
        BATTERY, tariff.prices(day), stored, told, window=tariff.window(day)
    )


def cheaply(tariff: Tariff) -> Callable[[date, Forecast, float], Plan]:
    return lambda day, told, stored: least_cost(BATTERY, tariff.prices(day), stored, told)


def sky_of(past: Past) -> Callable[[date], Sky]:
    """Return what a report that is right three times in four would say of the day after one."""
    middays = {}
    for slot, wh in enumerate(past.pv_wh):
        at = local(past.since + slot * LENGTH_S, ZONE)
        middays[at.date()] = middays.get(at.date(), 0.0) + float(wh)
    days = sorted(middays)

    def told(day: date) -> Sky:
        tomorrow = day + timedelta(1)
        near = sorted(middays[one] for one in days if abs((one - tomorrow).days) <= 15)
        rank = sum(one < middays[tomorrow] for one in near) / len(near)
        luck = np.random.default_rng(day.toordinal()).random()
        if luck < 0.25:
            rank = 1 - rank
        return Sky.WET if rank < 0.25 else Sky.CLOUDY if rank < 0.6 else Sky.SUNNY

    return told


def score(past: Past, tariff: Tariff, planner: object, days: int, *, report: bool) -> Score:
    found = backtest(
        SITE,
        past,
        BATTERY,
        tariff.prices,
        planner,  # type: ignore[arg-type]
        days=[FIRST + timedelta(n) for n in range(days)],
        stored_wh=4900.0,
        sky_of=sky_of(past) if report else None,
    )
    assert found is not None
    return found


def row(name: str, found: Score) -> str:
    base, plan, best = (
        one.sum() for one in (found.baseline_yen, found.plan_yen, found.foresight_yen)
    )
    saving = found.saving
    possible = base - best
    share = f"{100 * (base - plan) / possible:.0f} %" if possible > 1 else "—"
    return (
        f"| {name} | {base:,.0f} | {plan:,.0f} | {base - plan:+,.0f} "
        f"| {saving.mean:+.1f} ({saving.low:+.1f} … {saving.high:+.1f}) | {best:,.0f} | {share} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    days = parser.parse_args().days
    past = live(days)
    year = past.pv_wh[LEARNED * 48 :].sum() / 1000, past.load_wh[LEARNED * 48 :].sum() / 1000
    begun, ended = FIRST, FIRST + timedelta(days - 1)
    print(
        f"{days} days, {begun} to {ended}: {year[0]:,.0f} kWh of sun, {year[1]:,.0f} kWh of use\n"
    )
    for tariff in TARIFFS:
        print(f"**{tariff.name}**: {tariff.day} yen by day, {tariff.night} yen at night\n")
        print(
            "| plan | no control, yen | planned, yen | saved, yen | a day (8 of 10) "
            "| foresight, yen | of what foresight saves |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for name, planner in (("(b) night charge", nightly), ("(c) least cost", cheaply)):
            for report in (False, True):
                words = "with a weather report" if report else "by its own past"
                print(
                    row(
                        f"{name}, {words}",
                        score(past, tariff, planner(tariff), days, report=report),
                    ),
                    flush=True,
                )
        print()
    print(f"made on {datetime.now(UTC):%Y-%m-%d}")


if __name__ == "__main__":
    main()
