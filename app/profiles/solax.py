"""SolaX J1: the Japanese hybrid, single-phase three-wire (L1, L2)."""

from .tables import MAX_WH, Row, Sum, Table

_HA = "homeassistant-solax-modbus, plugin_solax_a1j1.py"
_FAMILY = "sign as in the X1 and X3 of the same maker; nothing public says it of the J1"

_ROWS = (
    Row("serial", 0x00, "text", "text", f"{_HA}: a holding register", length=7, function=3,
        once=True),
    Row("ac1_w", 0x02, "i16", "W", f"{_HA}: inverter power L1", side="AC",
        low=-32_767, high=32_766, guess="+ = out of the inverter"),
    Row("ac2_w", 0x05, "i16", "W", f"{_HA}: inverter power L2", side="AC",
        low=-32_767, high=32_766, guess="+ = out of the inverter"),
    Row("grid1_w", 0x07, "i16", "W", f"{_HA}: meter power L1, + = export", sign=-1, side="AC",
        low=-32_766, high=32_767, guess=_FAMILY),
    Row("grid2_w", 0x08, "i16", "W", f"{_HA}: meter power L2, + = export", sign=-1, side="AC",
        low=-32_766, high=32_767, guess=_FAMILY),
    Row("pv1_w", 0x0B, "u16", "W", _HA, side="DC", low=0, high=65_534),
    Row("pv2_w", 0x0E, "u16", "W", _HA, side="DC", low=0, high=65_534),
    Row("pv3_w", 0x11, "u16", "W", _HA, side="DC", low=0, high=65_534),
    Row("battery_w", 0x14, "i16", "W", f"{_HA}; + = charge", sign=-1, side="DC",
        low=-32_766, high=32_767, guess=_FAMILY),
    Row("soc_pct", 0x17, "u16", "%", _HA, low=0, high=100),
    Row("discharge_wh", 0x32, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("charge_wh", 0x34, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("pv_wh", 0x3A, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="DC",
        low=0, high=MAX_WH),
    Row("export_wh", 0x40, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="AC",
        low=0, high=MAX_WH),
    Row("import_wh", 0x44, "u32", "Wh", f"{_HA}: 0.1 kWh", times=100, side="AC",
        low=0, high=MAX_WH),
)  # fmt: skip

SOLAX = Table(
    name="solax-j1",
    maker="SolaX",
    source=f"{_HA}. It has no register of the device's state and no alarms that are explained",
    tried_on="nothing: there is no public dump of a J1. Three signs are taken from the maker's "
    "other devices; compare with the device's own display before a household is shown it",
    function=4,
    low_word_first=True,
    # the source reads blocks of 100
    gap=40,
    most=100,
    proof={"serial": r"[0-9A-Z]{14}\Z"},
    rows=_ROWS,
    formulas=(
        Sum("pv_w", ("pv1_w", "pv2_w", "pv3_w"), side="DC", of_any=True),
        Sum("grid_w", ("grid1_w", "grid2_w"), side="AC"),
        Sum("ac_w", ("ac1_w", "ac2_w"), side="AC"),
        Sum("load_w", ("ac_w", "grid_w"), side="AC", computed=True),
    ),
)
