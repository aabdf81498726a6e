"""What a clear sky gives panels, by pvlib: where the sun stands, and what reaches a tilted roof."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pvlib import clearsky, irradiance, solarposition

from .battery import HOURS, Floats

# what an array gives of its rating under the standard's 1000 W/m², after heat, dirt and inverter
PERFORMANCE = 0.85
STANDARD_W_M2 = 1000.0

# evenings of prefectures and roofs, half a kilobyte each
MOST_KEPT = 10_000
_kept: dict[tuple[float, float, float, float, int, float], Floats] = {}


@dataclass(frozen=True, slots=True)
class Panels:
    """What lies on a roof. `azimuth` counts from north by east: 180 is south."""

    #: None: its past tells
    kw: float | None = None
    # a usual roof, facing south
    tilt: float = 27.0
    azimuth: float = 180.0


def clear_wh(latitude: float, longitude: float, panels: Panels, starts: Floats) -> Floats:
    """Return what one kW of such panels gives in half hours under a clear sky, in Wh."""
    middles = pd.DatetimeIndex(pd.to_datetime(starts + 900, unit="s", utc=True))
    sun = solarposition.get_solarposition(middles, latitude, longitude, method="nrel_numpy")
    sky = clearsky.simplified_solis(sun["apparent_elevation"])
    reached = irradiance.get_total_irradiance(
        panels.tilt,
        panels.azimuth,
        sun["apparent_zenith"],
        sun["azimuth"],
        sky["dni"],
        sky["ghi"],
        sky["dhi"],
    )["poa_global"]
    watts = np.nan_to_num(np.asarray(reached, dtype=np.float64)) / STANDARD_W_M2 * 1000
    return np.maximum(watts, 0.0) * PERFORMANCE * HOURS


def clear_evenings(
    latitude: float, longitude: float, panels: Panels, evenings: Sequence[float], slots: int
) -> list[Floats]:
    """Return `clear_wh` of the `slots` half hours after each evening; none may be written to.

    Homes of a prefecture share its capital's sun, and most of them a usual roof; the evenings that
    a plan looks back to are those of the plan before, but one.
    """
    about = (latitude, longitude, panels.tilt, panels.azimuth, slots)
    keys = [(*about, evening) for evening in evenings]
    found = {key: _kept[key] for key in keys if key in _kept}
    missing = [key for key in keys if key not in found]
    if missing:
        begun = np.array([key[-1] for key in missing], dtype=np.float64)
        starts: Floats = begun[:, None] + 3600 * HOURS * np.arange(slots)
        made = clear_wh(latitude, longitude, panels, starts.ravel()).reshape(-1, slots)
        made.flags.writeable = False
        found |= dict(zip(missing, made, strict=True))
        if len(_kept) > MOST_KEPT:
            _kept.clear()
        _kept.update(found)
    return [found[key] for key in keys]
