"""GoodWe ET, EH, BT and BH hybrid inverters; their Modbus unit is usually 247."""

from .base import State
from .goodwe_windows import GROUPS, OFFER, Groups
from .settings import Mode
from .table_settings import Same, SettingsTable, Slots, Way, Ways
from .tables import MAX_W, MAX_WH, First, Row, Sum, Table

_LIB = "goodwe 0.4.10, et.py"

_STATES = {
    0: State.STANDBY,  # waits
    1: State.RUNNING,
    2: State.RUNNING,  # off the grid
    3: State.FAULT,
    4: State.STANDBY,  # takes new firmware
    5: State.STANDBY,  # checks itself
}

_ERRORS = (
    "gfci_check", "ac_hct_check", "", "dci_consistency", "gfci_consistency", "", "gfci_device",
    "relay_device", "ac_hct", "utility_loss", "ground_current", "dc_bus_high", "internal_fan",
    "over_temp", "utility_phase", "pv_over_voltage", "external_fan", "ac_voltage", "isolation",
    "dc_injection_high", "backup_over_load", "", "frequency_consistency", "voltage_consistency",
    "", "relay_check", "", "phase_angle", "dsp_communication", "ac_frequency", "eeprom",
    "internal_communication",
)  # fmt: skip

_BATTERY = (
    "battery_charging_over_voltage", "battery_discharging_under_voltage", "battery_cell_hot",
    "battery_cell_cold", "battery_charging_over_current", "battery_discharging_over_current",
    "battery_precharge", "battery_dc_bus", "battery_break", "battery_lock",
    "battery_discharging_circuit", "battery_charging_circuit", "battery_communication",
    "battery_cell_hot", "battery_discharging_under_voltage", "battery_charging_over_voltage",
)  # fmt: skip

_ROWS = (
    Row("rated_inverter", 35001, "u16", "W", _LIB, low=1, high=MAX_W, once=True),
    Row("serial", 35003, "text", "text", _LIB, length=8, once=True),
    Row("model", 35011, "text", "text", _LIB, length=5, once=True),
    Row("firmware", 35021, "text", "text", _LIB, length=6, once=True),
    Row("pv1_w", 35105, "u32", "W", _LIB, side="DC", low=0, high=MAX_W),
    Row("pv2_w", 35109, "u32", "W", _LIB, side="DC", low=0, high=MAX_W),
    Row("pv3_w", 35113, "u32", "W", _LIB, side="DC", low=0, high=MAX_W),
    Row("pv4_w", 35117, "u32", "W", _LIB, side="DC", low=0, high=MAX_W),
    Row("active_grid_w", 35140, "i16", "W", f"{_LIB}: active power, + = export", sign=-1,
        side="AC", low=-32_767, high=32_766),
    Row("battery_w", 35182, "i32", "W", f"{_LIB}: + = discharge", side="DC",
        low=-MAX_W, high=MAX_W),
    Row("state", 35187, "u16", "state", _LIB, states=_STATES),
    Row("errors", 35189, "u32", "bits", _LIB, bits=_ERRORS),
    Row("pv_wh", 35191, "u32", "Wh", f"{_LIB}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("export_wh", 35195, "u32", "Wh", f"{_LIB}: 0.1 kWh", times=100, side="AC",
        low=0, high=MAX_WH),
    Row("import_wh", 35200, "u32", "Wh", f"{_LIB}: 0.1 kWh", times=100, side="AC",
        low=0, high=MAX_WH),
    Row("charge_wh", 35206, "u32", "Wh", f"{_LIB}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("discharge_wh", 35209, "u32", "Wh", f"{_LIB}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("meter_grid_w", 36025, "i32", "W", f"{_LIB}: meter, + = export", sign=-1, side="AC",
        low=-MAX_W, high=MAX_W, part="meter"),
    Row("battery_errors", 37006, "u16", "bits", _LIB, bits=_BATTERY, part="battery"),
    Row("soc_pct", 37007, "u16", "%", _LIB, low=0, high=100, part="battery"),
)  # fmt: skip

GOODWE = Table(
    name="goodwe-et",
    maker="GoodWe",
    source=f"{_LIB}. Its total of consumption (35203) is left out: in the dump it is 3,800 kWh "
    "from the balance of all others",
    tried_on="goodwe, tests/sample/et/GW10K-ET_running_data1.hex, GW10K-ET_meter_data.hex, "
    "GW10K-ET_battery_info.hex and the values its tests expect",
    # the source reads 35100 to 35224 at once
    gap=40,
    # of the ES family, those that speak Modbus have these registers (tests/sample/et)
    proof={"model": r"GW.*(?:ET|EH|BT|BH|ES)|GEH"},
    rows=_ROWS,
    formulas=(
        Sum("pv_w", ("pv1_w", "pv2_w", "pv3_w", "pv4_w"), side="DC", of_any=True),
        First("grid_w", ("meter_grid_w", "active_grid_w"), side="AC"),
        # as the source computes it
        Sum("load_w", ("pv_w", "battery_w", "grid_w"), side="AC", computed=True),
    ),
)

# ---- what can be set -------------------------------------------------------------------------

_AUTO, _STANDBY, _CHARGE = 1, 8, 11
_EMS = "goodwe 0.4.10, inverter.py, EMSMode"

_ECO = "goodwe 0.4.10, et.py and sensor.py"
_OLD, _NEW = Groups(is_newer=False), Groups(is_newer=True)
_OLD_ROWS = tuple(
    Row(f"eco1_{place + 1}", 47515 + place * _OLD.width, "block", "code",
        f"{_ECO}, EcoModeV1: eco mode group", length=_OLD.width, part="battery")
    for place in range(GROUPS)
)  # fmt: skip
_NEW_ROWS = tuple(
    Row(f"eco2_{place + 1}", 47547 + place * _NEW.width, "block", "code",
        f"{_ECO}, EcoModeV2: eco mode group", length=_NEW.width, part="battery")
    for place in range(GROUPS)
)  # fmt: skip

_SETTING_ROWS = (
    Row("work_mode", 47000, "u16", "code", f"{_LIB}: 0 general, 2 backup, 3 eco", part="battery"),
    Row("ems", 47511, "u16", "code", f"{_EMS}: 1 auto, 8 battery standby, 11 charge battery",
        part="battery"),
    Row("ems_w", 47512, "u16", "W", f"{_EMS}: power it charges with, less where the battery "
        "takes less", part="battery"),
    *_OLD_ROWS,
    *_NEW_ROWS,
)  # fmt: skip

GOODWE_SETTINGS = SettingsTable(
    table=GOODWE,
    rows=_SETTING_ROWS,
    items=(
        Slots(tuple(row.key for row in _NEW_ROWS), (OFFER,), _NEW.windows, _NEW.registers),
        # who has the newer ones reads the older ones no more, as the source does
        Slots(
            tuple(row.key for row in _OLD_ROWS),
            (OFFER,),
            _OLD.windows,
            _OLD.registers,
            unless=_NEW_ROWS[0].key,
        ),
        Ways(
            (
                # until told otherwise: there is no timer
                Way(
                    Mode.CHARGE,
                    {"ems": _CHARGE},
                    (("ems_w", Same("rated_inverter")), ("ems", _CHARGE)),
                ),
                Way(Mode.STANDBY, {"ems": _STANDBY}, (("ems", _STANDBY),)),
                Way(
                    Mode.ECONOMIC,
                    {"ems": _AUTO, "work_mode": 3},
                    (("work_mode", 3), ("ems", _AUTO)),
                ),
                Way(
                    Mode.GREEN,
                    {"ems": _AUTO, "work_mode": 0},
                    (("work_mode", 0), ("ems", _AUTO)),
                ),
                Way(
                    Mode.SAFE,
                    {"ems": _AUTO, "work_mode": 2},
                    (("work_mode", 2), ("ems", _AUTO)),
                ),
            )
        ),
    ),
    # as the source writes one register
    single=6,
    left_out={
        "45356 depth of discharge": "the source names it so and yet takes 100 less what stands "
        "there for the depth: which of both it is must be seen on a device",
        "45358 depth of discharge off the grid": "how far an outage may empty the battery, not "
        "what is kept for it",
        "47515 and 47547 with a power above 0": "the battery then gives that power whatever the "
        "home uses: it would feed the grid",
        "47000 values 1 and 4": "none of the portal's modes",
    },
)
