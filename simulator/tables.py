"""The registers of a home whose device is a fixed table: written by the table that reads them."""

import re
import struct
from collections.abc import MutableSequence

from pymodbus.simulator import DataType, SimData

from app.profiles import TABLES
from app.profiles.base import State
from app.profiles.solaredge import SOLAREDGE
from app.profiles.tables import First, Row, Sum, Table, Turned

from . import settings
from .household import Config, Household

_FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "f32": ">f"}

#: What a maker's devices are recognised by, where a home's own names do not fit.
NAMES = {
    ("huawei-sun2000", "model"): "SUN2000-5KTL-L1",
    ("goodwe-et", "model"): "GW6000-EH",
    ("sungrow-sh", "serial"): "A2600000001",
    ("solax-j1", "serial"): "J1SIM000000001",
    ("victron-gx", "serial"): "c0619ab00001",
}


def simdata(config: Config) -> tuple[list[SimData], list[SimData], list[SimData], list[SimData]]:
    """Return the registers of a home that pymodbus serves, by function, all of them 0."""
    table = TABLES[config.dialect]
    kinds: dict[int, list[SimData]] = {3: [], 4: []}
    rows = [row for row in table.rows if row.part not in config.without]
    spans: set[tuple[int, int]] = set()
    for part in {row.part for row in rows}:
        for once in (True, False):
            some = [row for row in rows if row.part == part and row.once == once]
            for request in table.blocks(some):
                end = request.address + request.count
                spans |= {(request.function, address) for address in range(request.address, end)}
    for function, address in sorted(spans):
        kinds[function].append(
            SimData(address, values=[0], datatype=DataType.REGISTERS, readonly=True)
        )
    kinds[3] += [writable(address) for address in settings.blank(config)]
    kinds[3].sort(key=lambda data: data.address)
    bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    # a kind of registers that the device lacks cannot be empty, but may be out of the way
    nothing = [SimData(0xFFFF, values=[0], datatype=DataType.REGISTERS, readonly=True)]
    return bits, bits, kinds[3] or nothing, kinds[4] or nothing


def writable(address: int) -> SimData:
    """Return a register that can be written."""
    return SimData(address, values=[0], datatype=DataType.REGISTERS)


def refresh(
    registers: MutableSequence[int], start: int, function: int, home: Household, now_s: float
) -> None:
    """Write the values of this moment into the registers of a function, from `start` on."""
    table = TABLES[home.config.dialect]
    truth = _truth(table, home, now_s)
    for row in table.rows:
        if (row.function or table.function) != function or row.part in home.config.without:
            continue
        words = _words(table, row, _raw(table, row, truth, home))
        registers[row.address - start : row.address - start + row.width] = words


def battery_data(config: Config) -> list[SimData]:
    """Return the registers of a SolarEdge's first battery, all of them 0."""
    if "battery1" in config.without:
        return []
    rows = [row for row in SOLAREDGE.rows if row.part == "battery1"]
    polled = SOLAREDGE.blocks(row for row in rows if not row.once)
    once = SOLAREDGE.blocks(row for row in rows if row.once)
    return [
        SimData(
            request.address, values=[0] * request.count, datatype=DataType.REGISTERS, readonly=True
        )
        for request in (*once, *polled)
    ]


def refresh_battery(
    registers: MutableSequence[int], start: int, home: Household, now_s: float
) -> None:
    """Write the values of this moment into the registers of a SolarEdge's first battery."""
    if "battery1" in home.config.without:
        return
    truth = {
        "rated1_wh": home.config.battery_wh, "full1_wh": home.config.battery_wh,
        "battery1_w": home.flow(now_s).battery_w, "soc1_pct": home.stored * 100,
        "discharge1_wh": home.energy["discharge"], "charge1_wh": home.energy["charge"],
    }  # fmt: skip
    for row in SOLAREDGE.rows:
        if row.part == "battery1":
            words = _words(SOLAREDGE, row, _number(row, truth[row.key]))
            registers[row.address - start : row.address - start + row.width] = words


def _truth(table: Table, home: Household, now_s: float) -> dict[str, float]:
    """Return all values of the home and, by the formulas backwards, the parts they are made of."""
    flow, config = home.flow(now_s), home.config
    truth: dict[str, float] = {
        "pv_w": flow.pv_w, "load_w": flow.load_w, "grid_w": flow.grid_w,
        "battery_w": flow.battery_w, "ac_w": flow.pv_w + flow.battery_w,
        "soc_pct": home.stored * 100,
        "rated_inverter": config.inverter_w, "rated_battery": config.battery_w,
        "rated_battery_wh": config.battery_wh,
    }  # fmt: skip
    truth |= {f"{name}_wh": value for name, value in home.energy.items()}
    for formula in reversed(table.formulas):
        value = truth[formula.key]
        match formula:
            case Sum():
                missing = [key for key in formula.plus if key not in truth]
                rest = value - sum(truth[key] for key in formula.plus if key in truth)
                for place, key in enumerate(missing):
                    # most to the first, so that a mix-up of parts is seen
                    share = rest if place == len(missing) - 1 else float(int(rest * 0.6))
                    truth[key], rest = share, rest - share
            case Turned():
                truth[formula.size] = abs(value)
                bit = formula.positive if value > 0 else formula.negative
                truth[formula.bits] = 1 << bit if value else 0
            case First():
                truth |= dict.fromkeys(formula.of, value)
    return truth


def _raw(table: Table, row: Row, truth: dict[str, float], home: Household) -> float | str:
    config = home.config
    match row.unit:
        case "text":
            own = {"serial": config.serial or config.id, "model": config.model}
            return _fitting(table, row.key, own.get(row.key, config.firmware))
        case "state" | "code" if row.ties and (home.islanded or row.unit == "code"):
            return next(raw for raw, tied in row.ties.items() if tied is not home.islanded)
        case "state":
            idle = not truth["pv_w"] and not truth["battery_w"]
            wanted = State.FAULT if home.alarms else State.STANDBY if idle else State.RUNNING
            return next((raw for raw, state in row.states.items() if state is wanted), 0)
        case "bits":
            named = [bit for bit, name in enumerate(row.bits) if name]
            first = next(each for each in table.rows if each.unit == "bits")
            return sum(home.alarms & 1 << bit for bit in named) if row is first else 0
    if row.key not in truth:
        needed = {other.when for other in table.rows if other.when}
        return next((raw for key, raw in needed if key == row.key), row.low or 0)
    return _number(row, truth[row.key])


def _number(row: Row, value: float) -> float:
    raw = value * row.sign * row.per / row.times
    if row.kind == "f32":
        return raw
    # a counter shows what it has counted in full
    return int(raw) if row.unit == "Wh" else round(raw)


def _fitting(table: Table, key: str, name: str) -> str:
    pattern = table.proof.get(key)
    return name if pattern is None or re.match(pattern, name) else NAMES[table.name, key]


def _words(table: Table, row: Row, raw: float | str) -> list[int]:
    if isinstance(raw, str):
        data = raw.encode()[: 2 * row.width].ljust(2 * row.width, b"\0")
        return list(struct.unpack(f">{row.width}H", data))
    if row.kind.startswith("u"):
        raw = int(raw) % (1 << 16 * row.width)
    words = list(struct.unpack(f">{row.width}H", struct.pack(_FORMATS[row.kind], raw)))
    return words[::-1] if table.low_word_first else words
