"""How much a home keeps for an outage in each operating mode: no device remembers it by mode.

What stood to stay in a mode is suggested when somebody chooses that mode again. It is written only
as part of a change that somebody confirmed.
"""

from collections.abc import Mapping
from typing import Any

from ..extensions import db
from ..models import Installation
from ..profiles.settings import Choice, Key, Value
from . import setting_history
from .settings import Shown

_MODE: Key = "mode"
_RESERVE: Key = "reserve_pct"


def suggested(
    installation: Installation, shown: Shown, present: Mapping[Key, Value]
) -> dict[str, Value]:
    """Return what to keep in each mode that the device offers: as before in it, else as now."""
    modes, reserve = shown.offers.get(_MODE), shown.offers.get(_RESERVE)
    if not isinstance(modes, Choice) or reserve is None or _RESERVE not in present:
        return {}
    kept = remembered(installation)
    now = present[_RESERVE]
    return {
        mode: kept[mode]
        if mode != present.get(_MODE) and mode in kept and reserve.allows(kept[mode])
        else now
        for mode in modes.values
    }


def remembered(installation: Installation) -> dict[str, int]:
    """Return how much was kept in each mode, as far as that is known."""
    return dict(installation.reserves or {})


def remember(installation: Installation, stands: Mapping[Key, Value]) -> None:
    """Take note of what the device stands at, before and after a change that stays.

    What stands for a while only says nothing of the mode. Whoever calls holds the installation, or
    its order on the way.
    """
    back = setting_history.ways_back(installation, [_MODE, _RESERVE])
    lasting: dict[Any, Any] = {**stands, **back}
    mode, reserve = lasting.get(_MODE), lasting.get(_RESERVE)
    if isinstance(mode, str) and isinstance(reserve, int):
        db.session.refresh(installation, ["reserves"])
        installation.reserves = {**remembered(installation), mode: reserve}
