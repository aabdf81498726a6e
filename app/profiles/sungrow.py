"""Sungrow SH hybrid inverters. Addresses are the manual's numbers less one."""

from .base import State
from .settings import Mode
from .table_settings import Level, Same, SettingsTable, Way, Ways
from .tables import MAX_W, MAX_WH, Row, Table, Turned

_HA = "mkaiser, modbus_sungrow.yaml"

_STATES = {
    0x0002: State.OFF,
    0x0008: State.STANDBY,
    0x0010: State.STANDBY,
    0x0020: State.STANDBY,
    0x0040: State.RUNNING,
    0x0100: State.FAULT,
    0x0400: State.RUNNING,  # maintenance mode
    0x0800: State.RUNNING,  # forced mode
    0x1000: State.RUNNING,  # off the grid
    0x2501: State.STANDBY,  # restarting
    0x4000: State.RUNNING,  # led by an external energy management
}

_ROWS = (
    Row("serial", 4989, "text", "text", _HA, length=10, once=True),
    Row("type", 4999, "u16", "code", f"{_HA}: codes of the SH series", low=0x0D00, high=0x0EFF,
        once=True,
        guess="that all of the SH series and nothing else lies within this range"),
    Row("rated_inverter", 5000, "u16", "W", f"{_HA}: 0.1 kW", times=100, low=1, high=MAX_W,
        once=True),
    Row("pv_w", 5016, "u32", "W", f"{_HA}: total DC power", side="DC", low=0, high=MAX_W),
    Row("state", 12999, "u16", "state", "OpenEMS; 0x1000 off the grid: openHAB, SystemState",
        states=_STATES, ties={0x0040: True, 0x1000: False}),
    Row("flow", 13000, "u16", "code", f"{_HA}: bit 1 charging, bit 2 discharging"),
    Row("pv_wh", 13002, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    # below 0 where another inverter feeds in behind this one: then it is not consumption
    Row("load_w", 13007, "i32", "W", _HA, side="AC", low=0, high=MAX_W),
    Row("grid_w", 13009, "i32", "W", f"{_HA}: export power, + = export", sign=-1, side="AC",
        low=-MAX_W, high=MAX_W),
    # without a sign in old firmware, with one in new
    Row("battery_size_w", 13021, "i16", "W", f"{_HA}: battery power", absolute=True,
        low=0, high=32_766),
    Row("soc_pct", 13022, "u16", "%", f"{_HA}: 0.1 %", per=10, low=0, high=100),
    Row("discharge_wh", 13026, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("import_wh", 13036, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="AC",
        low=0, high=MAX_WH),
    Row("charge_wh", 13040, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("export_wh", 13045, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="AC",
        low=0, high=MAX_WH),
)  # fmt: skip

SUNGROW = Table(
    name="sungrow-sh",
    maker="Sungrow",
    source=f"{_HA}; states: OpenEMS, SystemState of the Sungrow storage",
    tried_on="homeassistant-sungrow by AlexanderLanin, tests/test_data/master_dump.yaml: an "
    "SH8.0RT-20 that charges its battery; it settles the sign of 13021 by 13000",
    function=4,
    low_word_first=True,
    # the dump shows that what lies between is read as 65535
    gap=40,
    proof={"type": None, "serial": r"[0-9A-Z]{8,}\Z"},
    rows=_ROWS,
    formulas=(Turned("battery_w", "battery_size_w", "flow", positive=2, negative=1, side="DC"),),
)

# ---- what can be set: holding registers ------------------------------------------------------

_CHARGE, _STOP = 0xAA, 0xCC
_RANGE = "0 to 50 % and 50 to 100 %, as its numbers min and max SoC have it"

_SETTING_ROWS = (
    Row("ems", 13049, "u16", "code", f"{_HA}: 0 self-consumption, 2 forced", function=3),
    Row("forced", 13050, "u16", "code", f"{_HA}: 0xAA charge, 0xCC stop; while forced",
        function=3),
    Row("forced_w", 13051, "u16", "W", f"{_HA}: power of forced charge", function=3),
    Row("most_soc", 13057, "u16", "%", f"{_HA}: 0.1 %; {_RANGE}", per=10, function=3),
    Row("least_soc", 13058, "u16", "%", f"{_HA}: 0.1 %; {_RANGE}", per=10, function=3),
    Row("backup", 13099, "u16", "%", f"{_HA}: reserved SoC for backup", function=3),
    Row("most_charge_w", 33046, "u16", "W", f"{_HA}: 10 W", times=10, low=1, high=MAX_W,
        function=3),
)  # fmt: skip

SUNGROW_SETTINGS = SettingsTable(
    table=SUNGROW,
    rows=_SETTING_ROWS,
    items=(
        Level("max_soc_pct", "most_soc", 50, 100),
        Level("min_soc_pct", "least_soc", 0, 50),
        Level("reserve_pct", "backup", 0, 100),
        Ways(
            (
                # it charges from whatever there is until it is told otherwise: there is no timer
                Way(
                    Mode.CHARGE,
                    {"ems": 2, "forced": _CHARGE},
                    (("forced_w", Same("most_charge_w")), ("forced", _CHARGE), ("ems", 2)),
                ),
                Way(Mode.GREEN, {"ems": 0}, (("ems", 0), ("forced", _STOP))),
                Way(
                    Mode.STANDBY,
                    {"ems": 2, "forced": _STOP},
                    (("forced", _STOP), ("ems", 2)),
                ),
            )
        ),
    ),
    left_out={
        "13049 values 3 and 4": "another energy management leads then",
        "13074 backup mode": "switches the outlet for outages, not how far the battery is used",
    },
)
