"""What the sun gives and a family takes, as smooth functions of time: no state, no surprises.

Everything is a function of the second and of a home's seed, so that a restart goes on where the
home would be anyway. Times are seconds since the epoch; homes stand in Japan.
"""

import math

_JAPAN_S = 9 * 3600
_DAY_S = 86400

_LATITUDE = math.radians(35.7)
_TILT = math.radians(27)  # a usual roof, facing south
# Tokyo lies 4.7° east of the meridian of Japan's clock: the sun is 19 minutes early.
_EARLY_S = 4.7 / 360 * _DAY_S

# What a household of three draws at each hour, in W.
_WEEKDAY = (
    240, 220, 210, 210, 220, 330, 780, 900, 560, 360, 320, 340,
    420, 330, 310, 330, 420, 700, 1050, 1200, 1080, 900, 620, 360,
)  # fmt: skip
_WEEKEND = (
    270, 230, 220, 210, 220, 260, 430, 720, 860, 760, 640, 680,
    820, 680, 560, 560, 640, 840, 1120, 1250, 1100, 920, 680, 420,
)  # fmt: skip


def _hash(seed: int, place: int) -> float:
    """Return an even number in [0, 1) that depends on both."""
    mixed = (seed * 0x9E3779B1 + place * 0x85EBCA77) & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> 15) * 0x2C1B3C6D) & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> 12) * 0x297A2D39) & 0xFFFFFFFF
    return (mixed ^ mixed >> 15) / 2**32


def noise(seed: int, at_s: float, period_s: float) -> float:
    """Return a smooth wander in [0, 1) that changes its mind every `period_s`."""
    place = at_s / period_s
    whole = math.floor(place)
    share = place - whole
    share = share * share * (3 - 2 * share)
    return _hash(seed, whole) * (1 - share) + _hash(seed, whole + 1) * share


def hour_of_day(at_s: float) -> float:
    """Return the hour on a clock in Japan, 0 to 24."""
    return (at_s + _JAPAN_S) % _DAY_S / 3600


def day_and_minute(at_s: float) -> tuple[int, int]:
    """Return the day of the week (Monday is 0) and the minute of the day in Japan."""
    day, second = divmod(at_s + _JAPAN_S, _DAY_S)
    return int(day + 3) % 7, int(second // 60)  # the epoch began on a Thursday


def sunshine(seed: int, at_s: float) -> float:
    """Return what a panel gives, as a share of its rating: 0 at night, about 0.9 at best."""
    local = at_s + _JAPAN_S
    day = local / _DAY_S % 365.25  # the epoch began on a 1 January
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day + 10) / 365.25)
    turn = 2 * math.pi * ((local + _EARLY_S) % _DAY_S / _DAY_S - 0.5)
    height = math.sin(_LATITUDE) * math.sin(declination) + math.cos(_LATITUDE) * math.cos(
        declination
    ) * math.cos(turn)
    if height <= 0:
        return 0.0
    facing = math.sin(declination) * math.sin(_LATITUDE - _TILT) + math.cos(declination) * math.cos(
        _LATITUDE - _TILT
    ) * math.cos(turn)
    # Meinel's clear sky: thick air at low sun
    direct: float = 1.35 * 0.7 ** ((1 / max(height, 0.02)) ** 0.678)
    diffuse = 0.12 * height
    clear = _clear_share(seed, at_s)
    return 0.9 * (direct * max(facing, 0.0) * clear + diffuse)


def _clear_share(seed: int, at_s: float) -> float:
    """Return the share of the sky free of clouds: by the day, the quarter hour, the gust."""
    # the weather of a day is the same for all homes, the clouds are each home's own
    day = noise(7, at_s, _DAY_S)
    passing = 0.65 * noise(seed, at_s, 900) + 0.35 * noise(seed + 1, at_s, 45)
    covered = min(1.0, max(0.0, 1.9 * (day - 0.35) + 0.5 * (passing - 0.5)))
    return 1 - 0.85 * covered * (0.5 + passing / 2) - 0.03 * noise(seed + 2, at_s, 3)


def consumption_w(seed: int, at_s: float) -> float:
    """Return what the home draws, in W; never less than a refrigerator."""
    local = at_s + _JAPAN_S
    weekend = int(local // _DAY_S + 3) % 7 >= 5  # the epoch began on a Thursday
    hours = _WEEKEND if weekend else _WEEKDAY
    hour = hour_of_day(at_s)
    first = int(hour) % 24
    shape = hours[first] + (hours[(first + 1) % 24] - hours[first]) * (hour - int(hour))
    size = 0.7 + 0.6 * _hash(seed, 0)
    # heating in winter, cooling in summer
    day = local / _DAY_S % 365.25
    season = 1 + 0.25 * max(0.0, math.cos(2 * math.pi * (day - 25) / 365.25))
    season += 0.2 * max(0.0, math.cos(2 * math.pi * (day - 215) / 365.25))
    wander = 0.8 + 0.4 * noise(seed + 3, at_s, 600) + 0.08 * noise(seed + 4, at_s, 4)
    return max(90.0, shape * size * season * wander + _kettle_w(seed, at_s, shape))


def _kettle_w(seed: int, at_s: float, shape: float) -> float:
    """Return the draw of something that is switched on for some minutes, oftener at busy hours."""
    slot, inside = divmod(at_s, 420)
    if _hash(seed + 5, int(slot)) > shape / 3500 or inside > 240:
        return 0.0
    return 700 + 600 * _hash(seed + 6, int(slot))
