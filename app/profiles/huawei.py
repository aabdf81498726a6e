"""Huawei SUN2000 inverters with a LUNA2000 battery."""

from collections.abc import Mapping, Sequence
from struct import iter_unpack, pack, unpack

from .base import State
from .settings import DAY_MIN, CannotSet, Key, Mode, Window, Windows
from .table_settings import Held, Level, Same, SettingsTable, Slots, Way, Ways
from .tables import MAX_W, MAX_WH, Row, Sum, Table

_LIB = "huawei-solar 2.5.0, registers.py"

_STATES = {
    **dict.fromkeys((0x0000, 0x0001, 0x0002, 0x0003, 0x0100, 0xA000), State.STANDBY),
    **dict.fromkeys((0x0200, 0x0201, 0x0202, 0x0203, 0x0A00), State.RUNNING),
    **dict.fromkeys((0x0401, 0x0402, 0x0403, 0x0404, 0x0405), State.RUNNING),
    **dict.fromkeys((0x0300, 0x0302, 0x0303), State.FAULT),
    **dict.fromkeys((0x0301, 0x0304, 0x0305, 0x0306, 0x0307), State.OFF),
    **dict.fromkeys((0x0308, 0x030C), State.STANDBY),
}

# Bits that the source ranks as warnings are no faults: they name nothing here.
_ALARMS_1 = (
    "high_string_voltage", "dc_arc_fault", "string_reversed", "", "", "afci_self_check_failed",
    "phase_wire_to_earth", "grid_loss", "grid_undervoltage", "grid_overvoltage",
    "grid_voltage_imbalance", "grid_overfrequency", "grid_underfrequency",
    "grid_frequency_unstable", "output_overcurrent", "output_dc_too_high",
)  # fmt: skip
_ALARMS_2 = (
    "residual_current", "grounding", "low_insulation", "over_temp", "device_fault",
    "upgrade_failed", "", "monitoring_unit_fault", "power_collector_fault", "battery_fault",
    "active_islanding", "passive_islanding", "ac_transient_overvoltage", "", "output_overload",
    "pv_configuration",
)  # fmt: skip
_ALARMS_3 = (
    "", "pid_fault", "high_string_voltage_to_ground", "external_fan", "battery_reversed",
    "backup_controller_fault", "", "internal_fan", "dc_protection_unit", "el_unit",
    "active_adjustment_instruction", "reactive_adjustment_instruction", "ct_wiring",
    "dc_arc_fault_to_clear", "dc_switch", "",
)  # fmt: skip

_ROWS = (
    Row("model", 30000, "text", "text", _LIB, length=15, once=True),
    Row("serial", 30015, "text", "text", _LIB, length=10, once=True),
    Row("firmware", 31025, "text", "text", _LIB, length=15, once=True, part="firmware"),
    Row("rated_inverter", 30073, "u32", "W", _LIB, low=1, high=MAX_W, once=True),
    Row("alarms_1", 32008, "u16", "bits", _LIB, bits=_ALARMS_1),
    Row("alarms_2", 32009, "u16", "bits", _LIB, bits=_ALARMS_2),
    Row("alarms_3", 32010, "u16", "bits", _LIB, bits=_ALARMS_3),
    Row("pv_w", 32064, "i32", "W", _LIB, side="DC", low=-1000, high=MAX_W),
    Row("ac_w", 32080, "i32", "W", f"{_LIB}: + = out of the inverter", side="AC",
        low=-MAX_W, high=MAX_W),
    Row("state", 32089, "u16", "state", _LIB, states=_STATES),
    # not 32106, which counts what leaves the inverter: the battery's part is in it
    Row("pv_wh", 32108, "u32", "Wh", "evcc: total of the DC input, 0.01 kWh", times=10,
        side="DC", low=0, high=MAX_WH, part="total"),
    Row("meter", 37100, "u16", "code", f"{_LIB}: 1 normal", part="meter"),
    Row("grid_w", 37113, "i32", "W", f"{_LIB}: + = export", sign=-1, side="AC",
        low=-MAX_W, high=MAX_W, when=("meter", 1), part="meter"),
    Row("export_wh", 37119, "i32", "Wh", f"{_LIB}: 0.01 kWh, either sign", times=10,
        absolute=True, side="AC", low=0, high=MAX_WH, when=("meter", 1), part="meter"),
    Row("import_wh", 37121, "i32", "Wh", f"{_LIB}: 0.01 kWh", times=10,
        side="AC", low=0, high=MAX_WH, when=("meter", 1), part="meter"),
    Row("rated_battery", 37046, "u32", "W", f"{_LIB}: most it charges with", low=1,
        high=MAX_W, once=True, part="battery"),
    Row("rated_battery_wh", 37758, "u32", "Wh", _LIB, low=1, high=1e6, once=True,
        part="battery"),
    Row("soc_pct", 37760, "u16", "%", _LIB, per=10, low=0, high=100, part="battery"),
    Row("battery_w", 37765, "i32", "W", f"{_LIB}: + = charge", sign=-1, side="DC",
        low=-MAX_W, high=MAX_W, part="battery"),
    Row("charge_wh", 37780, "u32", "Wh", f"{_LIB}: 0.01 kWh", times=10, side="DC",
        low=0, high=MAX_WH, part="battery"),
    Row("discharge_wh", 37782, "u32", "Wh", f"{_LIB}: 0.01 kWh", times=10, side="DC",
        low=0, high=MAX_WH, part="battery"),
)  # fmt: skip

HUAWEI = Table(
    name="huawei-sun2000",
    maker="Huawei",
    source=f"{_LIB}; evcc, huawei-sun2000-hybrid",
    tried_on="huawei-solar-lib, tests/mock_huawei_solar.py: a SUN2000L-3KTL without meter and "
    "battery; there is no public dump of one with them",
    # the source reads over up to 15 registers, 64 at once
    gap=15,
    most=64,
    # parallel clients cause errors, says evcc
    one_client=True,
    proof={"model": r"SUN2000"},
    rows=_ROWS,
    formulas=(
        # no register has it: what leaves the inverter and what comes from the grid
        Sum("load_w", ("ac_w", "grid_w"), side="AC", computed=True),
    ),
)

# ---- what can be set -------------------------------------------------------------------------

_SLOTS = 14
_CHARGE, _DISCHARGE = 0, 1
_FLAGS: Mapping[int, Key] = {_CHARGE: "charge_windows", _DISCHARGE: "discharge_windows"}


def _windows(block: bytes) -> dict[Key, list[Window]]:
    """Read the time-of-use block: a count, then slots of start, end, flag and weekdays."""
    (count,) = unpack(">H", block[:2])
    found: dict[Key, list[Window]] = {key: [] for key in _FLAGS.values()}
    for start, end, flag, days in list(iter_unpack(">HHBB", block[2:]))[:count]:
        # the maker's week begins on Sunday
        ours = (days >> 1 | days << 6) & 0b1111111
        if flag in _FLAGS and start < end <= DAY_MIN and ours:
            found[_FLAGS[flag]].append(Window(start=start, end=end, days=ours))
    return found


def _registers(windows: Mapping[Key, Sequence[Window]], _stands: bytes) -> tuple[int, ...]:
    """Write the time-of-use block.

    Raises:
        CannotSet: windows of charging and discharging overlap, or there are too many together.
    """
    slots = [(flag, window) for flag, key in _FLAGS.items() for window in windows[key]]
    together = Windows("charge_windows", most=_SLOTS, weekdays=True)
    if not together.allows([window for _, window in slots]):
        raise CannotSet("windows of charging and discharging overlap, or are too many together")
    data = pack(">H", len(slots))
    for flag, window in slots:
        days = (window["days"] << 1 | window["days"] >> 6) & 0b1111111
        data += pack(">HHBB", window["start"], window["end"], flag, days)
    return unpack(f">{1 + 3 * _SLOTS}H", data.ljust(2 + 6 * _SLOTS, b"\0"))


_STORE = "battery"
_SETTING_ROWS = (
    Row("most_charge", 47081, "u16", "%", f"{_LIB}: charging cutoff, 0.1 %", per=10, part=_STORE),
    Row("least_charge", 47082, "u16", "%", f"{_LIB}: discharging cutoff, 0.1 %", per=10,
        part=_STORE),
    Row("forced_min", 47083, "u16", "code", f"{_LIB}: minutes of forcible charge", part=_STORE),
    Row("working_mode", 47086, "u16", "code", f"{_LIB}: 2 maximum self-consumption, 5 time of use",
        part=_STORE),
    Row("grid_charge", 47087, "u16", "code", f"{_LIB}: 1 charges from the grid", part=_STORE),
    Row("grid_most", 47088, "u16", "%", f"{_LIB}: grid charge cutoff, 0.1 %", per=10,
        part=_STORE),
    Row("forced", 47100, "u16", "code", f"{_LIB}: 0 stop, 1 charge", part=_STORE),
    Row("backup", 47102, "u16", "%", f"{_LIB}: backup power state of charge, 0.1 %", per=10,
        part=_STORE),
    Row("forced_by", 47246, "u16", "code", f"{_LIB}: 0 by time", part=_STORE),
    Row("forced_w", 47247, "u32", "W", f"{_LIB}: power of forcible charge", part=_STORE),
    Row("windows", 47255, "block", "code", f"{_LIB}: time of use of a LUNA2000", length=43,
        part=_STORE),
)  # fmt: skip

HUAWEI_SETTINGS = SettingsTable(
    table=HUAWEI,
    rows=_SETTING_ROWS,
    items=(
        Level("max_soc_pct", "most_charge", 0, 100),
        Level("min_soc_pct", "least_charge", 0, 100),
        Level("reserve_pct", "backup", 0, 100),
        Level("grid_charge_pct", "grid_most", 1, 100, switch="grid_charge"),
        Slots(
            ("windows",),
            (
                Windows("charge_windows", most=7, weekdays=True),
                Windows("discharge_windows", most=7, weekdays=True),
            ),
            _windows,
            _registers,
        ),
        Ways(
            (
                Way(
                    Mode.CHARGE,
                    {"forced": 1},
                    # the timer stands before the charge begins
                    (
                        ("forced_by", 0),
                        ("forced_min", Held(60)),
                        ("forced_w", Same("rated_battery")),
                        ("forced", 1),
                    ),
                ),
                Way(
                    Mode.ECONOMIC,
                    {"forced": 0, "working_mode": 5},
                    (("working_mode", 5), ("forced", 0)),
                ),
                Way(
                    Mode.GREEN,
                    {"forced": 0, "working_mode": 2},
                    (("working_mode", 2), ("forced", 0)),
                ),
            ),
            # wlcrs/huawei_solar, services: 1440 minutes
            longest_s=86_400,
        ),
    ),
    left_out={
        "mode 3 (TOU)": "its windows are those of LG batteries, at other registers",
        "modes 0, 1, 4": "none of the portal's modes",
    },
)
