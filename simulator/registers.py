"""The registers a home's gateway shows: SunSpec in several dialects.

Model definitions come from pysunspec2; what a dialect does not fill in is "not implemented".
"""

import json
import struct
from collections import Counter
from collections.abc import Iterator, MutableSequence
from functools import cache
from importlib.resources import files
from typing import Any

from .household import Config, Flow, Household

BASE = 40000

#: Models in the order of the chain. A second 1 tells of the meter, which is a device of its own.
_CHAINS = {
    "10x": (1, 103, 120, 124, 160, 802, 1, 203),
    # of both kinds of control, as a device between two generations of models has it
    "7xx": (1, 701, 702, 713, 714, 202, 704, 124),
    # two inverters, the second without a DC side of its own
    "10x-2": (1, 103, 120, 124, 160, 802, 1, 103, 1, 203),
    # batteries have registers of their own
    "solaredge-storedge": (1, 103, 1, 203),
    # the meter is a device of its own
    "fronius-gen24": (1, 103, 120, 124, 160),
    "meter": (1, 203),
}
#: Where a unit's power and state are, by dialect and number.
_UNITS = {"10x-2": ("103", "103'"), "7xx": ("701",)}
_GROUPS = {160: 4, 714: 3}

_FORMATS = {
    "int16": ("h", -0x8000), "uint16": ("H", 0xFFFF), "count": ("H", 0xFFFF),
    "enum16": ("H", 0xFFFF), "bitfield16": ("H", 0xFFFF), "sunssf": ("h", -0x8000),
    "acc32": ("I", 0), "uint32": ("I", 0xFFFFFFFF), "bitfield32": ("I", 0xFFFFFFFF),
    "int32": ("i", -0x80000000), "uint64": ("Q", 0xFFFFFFFFFFFFFFFF), "pad": ("h", -0x8000),
}  # fmt: skip

_OF_MAKERS: dict[str, dict[str, int | str]] = {
    "solaredge-storedge": {"1.Mn": "SolarEdge", "1.Md": "SE5K-RWS"},
    "fronius-gen24": {"1.Mn": "Fronius", "1.Md": "Symo GEN24 6.0"},
    "meter": {"1.Mn": "Fronius", "1.Md": "Smart Meter TS 65A"},
}

#: "disconnected from the grid", of 701 Alrm and 103 Evt1
_CUT_OFF = 1 << 4

Place = tuple[int, int, str, int | None]


@cache
def _definition(number: int) -> dict[str, Any]:
    source = files("sunspec2").joinpath(f"models/json/model_{number}.json")
    group: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))["group"]
    return group


def _points(number: int) -> Iterator[tuple[str, int, str]]:
    """Give name, size and type of each point; those of a repeated group as `2.DCW`."""
    top = _definition(number)
    for point in top["points"]:
        yield point["name"], point["size"], point["type"]
    for turn in range(_GROUPS.get(number, 0)):
        for point in top["groups"][0]["points"]:
            yield f"{turn + 1}.{point['name']}", point["size"], point["type"]


def places_of(config: Config) -> dict[str, Place]:
    """Return where each point of a home's chain lies, by `model.point`."""
    return _places(config.dialect, tuple(config.without))[0]


@cache
def _places(dialect: str, without: tuple[str, ...] = ()) -> tuple[dict[str, Place], int]:
    """Return where each point lies (`model.point` → offset, size, format, absent), and the end."""
    places: dict[str, Place] = {}
    offset, seen = 2, Counter[int]()
    for number in _CHAINS[dialect]:
        if str(number) in without:
            continue
        prefix = str(number) + "'" * seen[number]
        seen[number] += 1
        for name, size, kind in _points(number):
            form, absent = _FORMATS.get(kind, ("", None))
            places[f"{prefix}.{name}"] = (offset, size, form, absent)
            offset += size
    return places, offset


def blank(config: Config, dialect: str = "") -> list[int]:
    """Return the registers from `BASE` on, with all that never changes."""
    places, end = _places(dialect or config.dialect, tuple(config.without))
    registers = [0] * (end + 2)
    registers[:2] = struct.unpack(">2H", b"SunS")
    registers[end] = 0xFFFF
    for place in places.values():
        if place[3] is not None:
            _put(registers, place, place[3])
    starts = [(name, place) for name, place in places.items() if name.endswith(".ID")]
    starts = [(name, place) for name, place in starts if name.count(".") == 1]
    ends = [place[0] for _, place in starts[1:]] + [end]
    for (name, place), stop in zip(starts, ends, strict=True):
        registers[place[0]] = int(name.split(".")[0].rstrip("'"))
        registers[place[0] + 1] = stop - place[0] - 2
    for name, value in _constants(config, dialect or config.dialect).items():
        if name in places:
            _put(registers, places[name], value)
    return registers


def refresh(
    registers: MutableSequence[int], home: Household, now_s: float, dialect: str = ""
) -> None:
    """Write the values of this moment into the registers that `blank` made."""
    dialect = dialect or home.config.dialect
    places, _ = _places(dialect, tuple(home.config.without))
    flow = home.flow(now_s)
    values = _values_7xx(home, flow) if dialect == "7xx" else _values_10x(home, flow)
    if dialect == "10x-2":
        # the second inverter gives half of what both give
        values["103'.W"] = values["103'.DCW"] = values["103.W"] // 2
        values["103.W"] -= values["103'.W"]
        values["103'.St"] = values["103.St"]
        values["103'.Evt1"] = _CUT_OFF if home.islanded else 0
    elif dialect == "solaredge-storedge":
        values["203.W"] = -values["203.W"]
    for name, value in values.items():
        if name in places:
            _put(registers, places[name], value)
    for number, unit in enumerate(_UNITS.get(dialect, ("103",)), start=1):
        if number in home.silent:
            for point in ("W", "St", "InvSt"):
                place = places.get(f"{unit}.{point}")
                if place and place[3] is not None:
                    _put(registers, place, place[3])


def _put(registers: MutableSequence[int], place: Place, value: int | str) -> None:
    offset, size, form, _ = place
    if isinstance(value, str):
        raw = value.encode()[: 2 * size].ljust(2 * size, b"\0")
    else:
        raw = struct.pack(f">{form}", value)
    registers[offset : offset + size] = struct.unpack(f">{size}H", raw)


def _constants(config: Config, dialect: str) -> dict[str, int | str]:
    common: dict[str, int | str] = {
        "1.Mn": config.maker, "1.Md": config.model, "1.Vr": config.firmware,
        "1.SN": config.serial or config.id, "1.Opt": "", "1.DA": config.unit,
    }  # fmt: skip
    common |= {
        "124.WChaMax": config.battery_w, "124.WChaMax_SF": 0, "124.StorCtl_Mod": 0,
        "124.MinRsvPct": 1000, "124.MinRsvPct_SF": -2, "124.ChaState_SF": -2,
        "124.OutWRte": 10_000, "124.InWRte": 10_000, "124.InOutWRte_SF": -2,
        "124.InOutWRte_RvrtTms": 0, "124.ChaGriSet": 0,
    }  # fmt: skip
    if dialect != "7xx":
        common |= _OF_MAKERS.get(dialect, {})
        meter, unit = ("1''", "1'") if dialect == "10x-2" else ("1'", "-")
        return common | {
            f"{meter}.Mn": common["1.Mn"], f"{meter}.Md": "HM-3", f"{meter}.Vr": "1",
            f"{meter}.SN": f"M{config.id}", f"{meter}.Opt": "", f"{meter}.DA": config.unit,
            f"{unit}.Mn": config.maker, f"{unit}.Md": config.model, f"{unit}.Vr": config.firmware,
            f"{unit}.SN": f"{common['1.SN']}-2", f"{unit}.Opt": "", f"{unit}.DA": config.unit,
            "103'.W_SF": 0, "103'.WH_SF": 0, "103'.DCW_SF": 0, "103'.Evt2": 0,
            "103.W_SF": 0, "103.WH_SF": 0, "103.DCW_SF": 0, "103.Hz_SF": -2, "103.V_SF": -1,
            "103.PhVphA": 1010, "103.Hz": 5000, "103.Evt2": 0,
            "120.DERTyp": 82, "120.WRtg": config.inverter_w // 10, "120.WRtg_SF": 1,
            "120.WHRtg": config.battery_wh // 10, "120.WHRtg_SF": 1,
            "120.MaxChaRte": config.battery_w, "120.MaxChaRte_SF": 0,
            "120.MaxDisChaRte": config.battery_w, "120.MaxDisChaRte_SF": 0,
            "160.DCA_SF": -1, "160.DCV_SF": -1, "160.DCW_SF": 0, "160.DCWH_SF": 0, "160.Evt": 0,
            "160.N": 4, "160.1.ID": 1, "160.2.ID": 2, "160.3.ID": 3, "160.4.ID": 4,
            "160.1.IDStr": "MPPT 1", "160.2.IDStr": "MPPT 2",
            "160.3.IDStr": "unnamed 3" if dialect == "fronius-gen24" else "StCha 3",
            "160.4.IDStr": "unnamed 4" if dialect == "fronius-gen24" else "StDisCha 4",
            "160.1.DCEvt": 0, "160.2.DCEvt": 0, "160.3.DCEvt": 0, "160.4.DCEvt": 0,
            "802.WHRtg": config.battery_wh, "802.WHRtg_SF": 0, "802.WChaDisChaMax_SF": 0,
            "802.WChaRteMax": config.battery_w, "802.WDisChaRteMax": config.battery_w,
            "802.SoC_SF": -1, "802.SoCRsvMin": 100, "802.SocRsvMax": 1000,
            "802.Typ": 4, "802.Evt1": 0, "802.W_SF": 0,
            "203.W_SF": 0, "203.TotWh_SF": 0, "203.Evt": 0,
        }  # fmt: skip
    return common | {
        "701.ACType": 1, "701.W_SF": 0, "701.TotWh_SF": 0, "701.V_SF": -1, "701.Hz_SF": -2,
        "701.LNV": 1010, "701.Hz": 5000,
        "702.WMaxRtg": config.inverter_w // 10, "702.WMax": config.inverter_w // 10,
        "702.WChaRteMaxRtg": config.battery_w // 10, "702.WChaRteMax": config.battery_w // 10,
        "702.WDisChaRteMaxRtg": config.battery_w // 10, "702.W_SF": 1,
        "702.WDisChaRteMax": config.battery_w // 10,
        "713.WHRtg": config.battery_wh // 10, "713.WH_SF": 1, "713.Pct_SF": -1, "713.SoH": 985,
        "713.Sta": 0,
        "704.WSetEna": 0, "704.WSetMod": 0, "704.WSet": 0, "704.WSet_SF": 0,
        "704.WSetEnaRvrt": 0, "704.WSetRvrtTms": 0,
        "714.NPrt": 3, "714.PrtAlrms": 0, "714.DCW_SF": 0, "714.DCWH_SF": 0,
        "714.1.PrtTyp": 0, "714.1.ID": 1, "714.1.IDStr": "PV1", "714.1.DCAlrm": 0,
        "714.2.PrtTyp": 0, "714.2.ID": 2, "714.2.IDStr": "PV2", "714.2.DCAlrm": 0,
        "714.3.PrtTyp": 1, "714.3.ID": 3, "714.3.IDStr": "BAT", "714.3.DCAlrm": 0,
        "202.W_SF": 0, "202.TotWh_SF": 0, "202.Evt": 0,
    }  # fmt: skip


def _values_10x(home: Household, flow: Flow) -> dict[str, int]:
    energy = _whole(home.energy)
    ac, stored = flow.pv_w + flow.battery_w, round(home.stored * 1000)
    first = flow.pv_w * 6 // 10
    idle = flow.pv_w == 0 and flow.battery_w == 0
    return {
        "103.W": ac, "103.DCW": ac,
        "103.WH": (energy["pv"] + energy["discharge"] - energy["charge"]) & 0xFFFFFFFF,
        "103.St": 7 if home.alarms else 8 if idle else 4, "103.Evt1": _events(home),
        "124.ChaState": stored * 10, "124.ChaSt": _charge_status(home, flow),
        "160.1.DCW": first, "160.2.DCW": flow.pv_w - first,
        "160.3.DCW": max(0, -flow.battery_w), "160.4.DCW": max(0, flow.battery_w),
        "160.1.DCWH": energy["pv"] * 6 // 10 & 0xFFFFFFFF,
        "160.2.DCWH": energy["pv"] - energy["pv"] * 6 // 10 & 0xFFFFFFFF,
        "160.3.DCWH": energy["charge"] & 0xFFFFFFFF,
        "160.4.DCWH": energy["discharge"] & 0xFFFFFFFF,
        "802.SoC": stored, "802.W": flow.battery_w, "802.ChaSt": _charge_status(home, flow),
        "802.State": 3,
        "203.W": flow.grid_w, "203.TotWhImp": energy["import"] & 0xFFFFFFFF,
        "203.TotWhExp": energy["export"] & 0xFFFFFFFF,
    }  # fmt: skip


def _values_7xx(home: Household, flow: Flow) -> dict[str, int]:
    energy = _whole(home.energy)
    ac = flow.pv_w + flow.battery_w
    first = flow.pv_w * 6 // 10
    idle = flow.pv_w == 0 and flow.battery_w == 0
    return {
        "701.St": 0 if home.alarms else 1, "701.ConnSt": 0 if home.islanded else 1, "701.W": ac,
        "701.InvSt": 6 if home.alarms else 7 if idle else 3, "701.Alrm": _events(home),
        # forms the grid itself, or follows it
        "701.DERMode": 2 if home.islanded else 1,
        "701.TotWhInj": max(0, energy["pv"] + energy["discharge"] - energy["charge"]),
        "713.SoC": round(home.stored * 1000),
        "124.ChaState": round(home.stored * 1000) * 10, "124.ChaSt": _charge_status(home, flow),
        "713.WHAvail": round(home.stored * home.config.battery_wh / 10),
        "714.1.DCW": first, "714.2.DCW": flow.pv_w - first, "714.3.DCW": flow.battery_w,
        "714.1.DCWhInj": energy["pv"] * 6 // 10, "714.1.DCWhAbs": 0,
        "714.2.DCWhInj": energy["pv"] - energy["pv"] * 6 // 10, "714.2.DCWhAbs": 0,
        "714.3.DCWhInj": energy["discharge"], "714.3.DCWhAbs": energy["charge"],
        "714.1.DCSta": 1, "714.2.DCSta": 1, "714.3.DCSta": 1,
        "202.W": flow.grid_w, "202.TotWhImp": energy["import"] & 0xFFFFFFFF,
        "202.TotWhExp": energy["export"] & 0xFFFFFFFF,
    }  # fmt: skip


def _events(home: Household) -> int:
    return home.alarms | (_CUT_OFF if home.islanded else 0)


def _whole(energy: dict[str, float]) -> dict[str, int]:
    return {name: int(value) for name, value in energy.items()}


def _charge_status(home: Household, flow: Flow) -> int:
    if flow.battery_w:
        return 3 if flow.battery_w > 0 else 4
    return 5 if home.stored > 0.98 else 6
