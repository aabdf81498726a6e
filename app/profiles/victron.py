"""Victron GX (Cerbo, Ekrano, Venus): the system as a whole, at Modbus unit 100."""

from .base import State
from .settings import Mode
from .table_settings import Level, SettingsTable, Way, Ways
from .tables import Row, Sum, Table

_CSV = "victronenergy/dbus_modbustcp, attributes.csv"
_PV = tuple(f"pv_{where}{line}_w" for where in ("out", "grid", "genset") for line in (1, 2, 3))

# The battery's: the system has none of its own here.
_STATES = {0: State.STANDBY, 1: State.RUNNING, 2: State.RUNNING}

_ROWS = (
    Row("serial", 800, "text", "text", _CSV, length=6, once=True),
    *(
        Row(key, 808 + place, "u16", "W", f"{_CSV}: PV that feeds in as AC", side="AC",
            low=0, high=65_534)
        for place, key in enumerate(_PV)
    ),
    *(
        Row(f"load{line}_w", 816 + line, "u16", "W", f"{_CSV}: AC consumption", side="AC",
            low=0, high=65_534)
        for line in (1, 2, 3)
    ),
    *(
        Row(f"grid{line}_w", 819 + line, "i16", "W", f"{_CSV}; evcc: + = import", side="AC",
            low=-32_767, high=32_766)
        for line in (1, 2, 3)
    ),
    Row("battery_w", 842, "i16", "W", f"{_CSV}: + = charge", sign=-1, side="DC",
        low=-32_766, high=32_767),
    Row("soc_pct", 843, "u16", "%", _CSV, low=0, high=100),
    Row("state", 844, "u16", "state", f"{_CSV}: 0 idle, 1 charging, 2 discharging",
        states=_STATES),
    Row("pv_dc_w", 850, "u16", "W", f"{_CSV}: PV at the battery's side", side="DC",
        low=0, high=65_534, part="pv_dc"),
)  # fmt: skip

VICTRON = Table(
    name="victron-gx",
    maker="Victron",
    source=f"{_CSV} (the maker's own). The grid meter's energy (2634, 2636) is at a unit that "
    "differs from site to site, so there are no counters: energy comes of power over time",
    tried_on="victronenergy/dbus_modbustcp, test/sim/system.csv and registertest.py: the maker's "
    "test of the gateway's software",
    proof={"serial": r"[0-9a-f]{12}\Z"},
    rows=_ROWS,
    formulas=(
        Sum("pv_w", ("pv_dc_w", *_PV), side="DC", of_any=True),
        Sum("grid_w", ("grid1_w", "grid2_w", "grid3_w"), side="AC", of_any=True),
        Sum("load_w", ("load1_w", "load2_w", "load3_w"), side="AC", of_any=True),
    ),
)

# ---- what can be set -------------------------------------------------------------------------

_STATE = (
    "victronenergy/dbus-systemcalc-py, delegates/batterylife.py; its values in words: "
    "victronenergy/node-red-contrib-victron, ESS state and ESS mode"
)
_KEPT_CHARGED, _OPTIMISED = 9, 10
# the device itself goes to and fro between 10, 11 and 12, and with BatteryLife between 1 and 8
_ALSO_OPTIMISED = (11, 12, *range(1, 9))

VICTRON_SETTINGS = SettingsTable(
    table=VICTRON,
    rows=(
        Row(
            "ess_state",
            2900,
            "u16",
            "code",
            f"{_CSV}; {_STATE}: 9 keep batteries charged, 10 optimised without BatteryLife",
        ),
        Row("least_soc", 2901, "u16", "%", f"{_CSV}: ESS minimum SoC limit, 0.1 %", per=10),
        Row(
            "ess_mode",
            2902,
            "u16",
            "code",
            f"{_CSV}; {_STATE}: 1 and 2 as 2900 says, 3 external control",
        ),
    ),
    items=(
        Level("min_soc_pct", "least_soc", 0, 100),
        Ways(
            (
                Way(Mode.SAFE, {"ess_state": _KEPT_CHARGED}, (("ess_state", _KEPT_CHARGED),)),
                Way(Mode.GREEN, {"ess_state": _OPTIMISED}, (("ess_state", _OPTIMISED),)),
                *(
                    Way(Mode.GREEN, {"ess_state": state}, (("ess_state", _OPTIMISED),))
                    for state in _ALSO_OPTIMISED
                ),
            ),
            only_if={"ess_mode": (1, 2)},
        ),
    ),
    left_out={
        "2900 values 1 to 8": "BatteryLife moves the limit by itself. It is shown as what it is, "
        "one's own sun first; who goes back to that gets it without BatteryLife",
        "2701 maximum charge percentage": "of the charging power, not of what is stored",
        "2902 ESS mode": "3 hands over to something else, which then is asked to do it all",
        "2700 and 2716 set point": "a power that somebody must renew",
    },
)
