"""What a clear sky gives panels, by pvlib: where the sun stands, and what reaches a tilted roof."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from pvlib import clearsky, irradiance, solarposition

from .battery import HOURS, Floats

# what an array gives of its rating under the standard's 1000 W/m², after heat, dirt and inverter
PERFORMANCE = 0.85
STANDARD_W_M2 = 1000.0


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
    one_kw = Panels(None, panels.tilt, panels.azimuth)
    return _clear_wh(latitude, longitude, one_kw, _packed(starts)).copy()


def _packed(starts: Floats) -> bytes:
    return np.asarray(starts, dtype=np.float64).tobytes()


# homes of a prefecture share its capital's sun, and most of them a usual roof
@lru_cache(maxsize=256)
def _clear_wh(latitude: float, longitude: float, panels: Panels, packed: bytes) -> Floats:
    starts = np.frombuffer(packed, dtype=np.float64)
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
