"""Consumption that no counter tells: the balance of all others, shaped by power."""

from collections.abc import Mapping
from typing import Any

from .energy import Piece

OTHERS = ("pv_wh", "import_wh", "export_wh")
BATTERY = ("charge_wh", "discharge_wh")


def follow(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    pieces: list[Piece],
    *,
    has_battery: bool,
    most_w: float,
    hold_s: float,
) -> float:
    """Let consumption without a counter follow the balance of all other counters.

    Power is sampled once a minute and knows nothing of a gap; the balance is exact in the long run,
    but for one step of each counter. So power gives the shape, and what it owes by more than those
    steps is made up for. Changes the `pieces` of consumption; returns what is owed then, in Wh.

    `before` and `after` are meters (`meters.py`); consumption is never more than `most_w`.
    """
    others = [*OTHERS]
    if has_battery or "wh" in after.get(BATTERY[0], {}):
        others += BATTERY
    owed: float = before.get("owed", 0.0)
    standing = [after[name] for name in others if "wh" in after.get(name, {})]
    if len(standing) < len(others):
        return owed
    last, moment = before["at"], after["at"]
    settled = dict.fromkeys(others, 0.0)
    told, place = 0.0, None
    for number, piece in enumerate(pieces):
        if piece.quantity in settled:
            settled[piece.quantity] += piece.wh
        elif piece.quantity == "load_wh":
            told, place = told + piece.wh, number
    gave = settled["pv_wh"] + settled["import_wh"] + settled.get("discharge_wh", 0.0)
    took = settled["export_wh"] + settled.get("charge_wh", 0.0)
    is_gap = moment - last > hold_s
    is_doubtful = any(meter["at"] < moment for meter in standing)
    if is_gap and not is_doubtful:
        told = max(0.0, gave - took)
    owed += gave - took - told
    if is_doubtful or (place is None and not is_gap):
        # what is in doubt may settle yet, and without power there is no shape to follow
        return owed
    start = last if is_gap or place is None else pieces[place].start
    slack: float = sum(meter.get("res", 1.0) for meter in standing)
    wanted = told + (owed - slack if owed > slack else min(0.0, owed + slack))
    wh: float = min(max(0.0, wanted), most_w * (moment - start) / 3600)
    pieces[:] = [piece for piece in pieces if piece.quantity != "load_wh"]
    method = "balance" if is_gap else "power"
    pieces.append(Piece("load_wh", start, moment, wh, method, filled=is_gap))
    return owed - (wh - told)
