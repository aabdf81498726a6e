"""A month of half hours as a CSV file, which users' scripts read: not a byte of it may change."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..profiles.base import QUANTITIES
from . import energy_totals
from .half_hours import TENTHS, HalfHour, starts
from .history import Home, starts_at
from .periods import Period

# with what spreadsheets take it for UTF-8 by
HEADER = (
    "\ufeff年月日,時刻,発電電力量[kWh],消費電力量[kWh],売電電力量[kWh],買電電力量[kWh],"
    "充電電力量[kWh],放電電力量[kWh],蓄電残量(SOC)[%]\r\n"
)
COLUMNS = ("pv_wh", "load_wh", "export_wh", "import_wh", "charge_wh", "discharge_wh")
assert set(COLUMNS) == set(QUANTITIES)


def month(home: Home, period: Period, now: datetime) -> Iterator[str]:
    """Return the file of a month, a day at a time; all its half hours are read at once, now."""
    days = energy_totals.days_half_hours(
        home.gateway_id, home.installation_id, period.first, period.last
    )
    known = {start: one for day in days.values() for start, one in day.items()}
    return _lines(home.zone, period, known, now)


def _lines(
    zone: str, period: Period, known: Mapping[float, HalfHour], now: datetime
) -> Iterator[str]:
    yield HEADER
    there, until = ZoneInfo(zone), now.timestamp()
    day = period.first
    while day <= period.last:
        lines: list[str] = []
        for start in starts(day, zone):
            if start > until:
                # there are no rows for the future
                yield "".join(lines)
                return
            local = starts_at(start).astimezone(there)
            lines.append(f"{day:%Y/%m/%d},{local:%H:%M},{_values(known.get(start))}\r\n")
        yield "".join(lines)
        day += timedelta(days=1)


def _values(one: HalfHour | None) -> str:
    if one is None:
        return "," * len(COLUMNS)
    energy = [_kwh(one.energy[name].wh) if name in one.energy else "" for name in COLUMNS]
    return ",".join([*energy, "" if one.soc_pct is None else str(one.soc_pct)])


def _kwh(wh: float) -> str:
    """Return kWh with two decimals; half a hundredth counts as one."""
    # in whole tenths of a Wh: 0.015 as a float is a little less than it says
    hundredths = (round(wh * TENTHS) + 5 * TENTHS) // (10 * TENTHS)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def file_name(home: Home, period: Period) -> str:
    """Return the name of a period's file, without its ending."""
    return f"{home.public_id}-{period.name}"
