"""When the sun stands above a site, near enough to tell when a household may be mailed.

The sunrise equation with the solar mean anomaly and the equation of the centre, as textbooks of
positional astronomy and the almanac's "low precision formulas" give it: good to a minute or two at
our latitudes. A library would bring numpy and pandas for the same.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import acos, asin, cos, degrees, floor, radians, sin

# 2000-01-01 12:00, from which the formulas count days
EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)
DAY_S = 86400.0
# the upper rim of the sun on the horizon, with refraction
HORIZON_DEG = -0.833

# the prefectural offices in degrees north and east, to a hundredth, as the Geospatial Information
# Authority of Japan lists them (都道府県庁の経度緯度)
CAPITALS = {
    "北海道": (43.06, 141.35),
    "青森県": (40.82, 140.74),
    "岩手県": (39.70, 141.15),
    "宮城県": (38.27, 140.87),
    "秋田県": (39.72, 140.10),
    "山形県": (38.24, 140.36),
    "福島県": (37.75, 140.47),
    "茨城県": (36.34, 140.45),
    "栃木県": (36.57, 139.88),
    "群馬県": (36.39, 139.06),
    "埼玉県": (35.86, 139.65),
    "千葉県": (35.60, 140.12),
    "東京都": (35.69, 139.69),
    "神奈川県": (35.45, 139.64),
    "新潟県": (37.90, 139.02),
    "富山県": (36.70, 137.21),
    "石川県": (36.59, 136.63),
    "福井県": (36.07, 136.22),
    "山梨県": (35.66, 138.57),
    "長野県": (36.65, 138.18),
    "岐阜県": (35.39, 136.72),
    "静岡県": (34.98, 138.38),
    "愛知県": (35.18, 136.91),
    "三重県": (34.73, 136.51),
    "滋賀県": (35.00, 135.87),
    "京都府": (35.02, 135.76),
    "大阪府": (34.69, 135.52),
    "兵庫県": (34.69, 135.18),
    "奈良県": (34.69, 135.83),
    "和歌山県": (34.23, 135.17),
    "鳥取県": (35.50, 134.24),
    "島根県": (35.47, 133.05),
    "岡山県": (34.66, 133.93),
    "広島県": (34.40, 132.46),
    "山口県": (34.19, 131.47),
    "徳島県": (34.07, 134.56),
    "香川県": (34.34, 134.04),
    "愛媛県": (33.84, 132.77),
    "高知県": (33.56, 133.53),
    "福岡県": (33.61, 130.42),
    "佐賀県": (33.25, 130.30),
    "長崎県": (32.75, 129.87),
    "熊本県": (32.79, 130.74),
    "大分県": (33.24, 131.61),
    "宮崎県": (31.91, 131.42),
    "鹿児島県": (31.56, 130.56),
    "沖縄県": (26.21, 127.68),
}
# an address that was erased, or none of these
ELSEWHERE = "東京都"


def sunlit(prefecture: str, since: datetime, seconds: float) -> datetime:
    """Return the moment by which so many seconds of daylight have passed since a moment."""
    left = timedelta(seconds=seconds)
    for rise, fall in _days(prefecture, since):
        light = fall - max(rise, since)
        if light >= left:
            return max(rise, since) + left
        left -= max(light, timedelta(0))
    raise AssertionError("the sun rises every day south of the polar circle")


def sun(prefecture: str, day: int) -> tuple[datetime, datetime]:
    """Return sunrise and sunset of a day, by its number since the epoch's noon."""
    return _sun(*CAPITALS.get(prefecture, CAPITALS[ELSEWHERE]), day)


def _days(prefecture: str, since: datetime) -> Iterator[tuple[datetime, datetime]]:
    # the solar day before may reach into ours: noon in Japan is at 3:00 UTC
    first = floor((since - EPOCH).total_seconds() / DAY_S) - 1
    for day in range(first, first + 10):
        yield sun(prefecture, day)


@lru_cache(maxsize=1024)
def _sun(latitude: float, longitude: float, day: int) -> tuple[datetime, datetime]:
    noon = day - longitude / 360
    anomaly = radians((357.5291 + 0.98560028 * noon) % 360)
    centre = 1.9148 * sin(anomaly) + 0.02 * sin(2 * anomaly) + 0.0003 * sin(3 * anomaly)
    ecliptic = radians((degrees(anomaly) + centre + 180 + 102.9372) % 360)
    transit = noon + 0.0053 * sin(anomaly) - 0.0069 * sin(2 * ecliptic)
    declination = asin(sin(ecliptic) * sin(radians(23.44)))
    north = radians(latitude)
    angle = (sin(radians(HORIZON_DEG)) - sin(north) * sin(declination)) / (
        cos(north) * cos(declination)
    )
    half = degrees(acos(angle)) / 360
    return EPOCH + timedelta(days=transit - half), EPOCH + timedelta(days=transit + half)
