"""What a weather service says of areas: warnings that stand, and what sky a day will have.

One small interface: an office of the service covers a prefecture or a part of one, with areas; its
latest forecast and its latest warnings are kept as `Forecast` and `Warnings`. The first service is
the Japan Meteorological Agency's public JSON, as its own pages read it: `bosai/forecast/data/
forecast/<office>.json` and `bosai/warning/data/r8/<office>.json`. It is no promised interface:
whatever does not look as expected is refused, and the portal goes on without. The address of
warnings before 2026-05-28, `bosai/warning/data/warning/`, still answers, with what stood that day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select

from ..extensions import db
from ..models import WeatherReport
from .inserts import insert

FORECAST, WARNING = "forecast", "warning"
# a report that is older says nothing about tomorrow
FORECAST_LASTS = timedelta(hours=18)
# warnings are told anew whenever one changes; what we could not read for so long is unknown
WARNING_LASTS = timedelta(hours=2)
# what cuts the power is told anew by then: a service that stands still would never say it is over
STORM_LASTS = timedelta(days=3)

T = TypeVar("T")

# no report of the agency has more
MOST_AREAS = 300
MOST_NAME = 40
# an office's warnings are a document for rain, one for landslides, wind, waves, snow, thunder …
MOST_DOCUMENTS = 50

# the agency's codes for what may cut the power: storms, heavy rain and snow, landslides, surges.
# warnings (警報), danger warnings (危険警報) and emergency warnings (特別警報); advisories (注意報)
# are too many to act on. Floods (04) have been told river by river elsewhere since 2026-05-28
GRAVE = {
    "02": "暴風雪警報",
    "03": "大雨警報",
    "04": "洪水警報",
    "05": "暴風警報",
    "06": "大雪警報",
    "08": "高潮警報",
    "09": "土砂災害警報",
    "32": "暴風雪特別警報",
    "33": "大雨特別警報",
    "35": "暴風特別警報",
    "36": "大雪特別警報",
    "38": "高潮特別警報",
    "39": "土砂災害特別警報",
    "43": "大雨危険警報",
    "48": "高潮危険警報",
    "49": "土砂災害危険警報",
}
OVER = "解除"

# the agency's offices; where a prefecture has several, the one of its capital is first
OFFICES: Mapping[str, tuple[str, ...]] = {
    "北海道": (
        "016000", "011000", "012000", "013000", "014030", "014100", "015000", "017000",
    ),
    "青森県": ("020000",), "岩手県": ("030000",), "宮城県": ("040000",), "秋田県": ("050000",),
    "山形県": ("060000",), "福島県": ("070000",), "茨城県": ("080000",), "栃木県": ("090000",),
    "群馬県": ("100000",), "埼玉県": ("110000",), "千葉県": ("120000",), "東京都": ("130000",),
    "神奈川県": ("140000",), "新潟県": ("150000",), "富山県": ("160000",), "石川県": ("170000",),
    "福井県": ("180000",), "山梨県": ("190000",), "長野県": ("200000",), "岐阜県": ("210000",),
    "静岡県": ("220000",), "愛知県": ("230000",), "三重県": ("240000",), "滋賀県": ("250000",),
    "京都府": ("260000",), "大阪府": ("270000",), "兵庫県": ("280000",), "奈良県": ("290000",),
    "和歌山県": ("300000",), "鳥取県": ("310000",), "島根県": ("320000",), "岡山県": ("330000",),
    "広島県": ("340000",), "山口県": ("350000",), "徳島県": ("360000",), "香川県": ("370000",),
    "愛媛県": ("380000",), "高知県": ("390000",), "福岡県": ("400000",), "佐賀県": ("410000",),
    "長崎県": ("420000",), "熊本県": ("430000",), "大分県": ("440000",), "宮崎県": ("450000",),
    "鹿児島県": ("460100", "460040"),
    "沖縄県": ("471000", "472000", "473000", "474000"),
}  # fmt: skip


class OddReport(Exception):
    """A report does not look as it should; nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What sky each area will have, by day: "sunny", "cloudy" or "wet"; and the areas' names."""

    told_at: datetime
    names: Mapping[str, str]
    skies: Mapping[str, Mapping[date, str]]


@dataclass(frozen=True, slots=True)
class Warnings:
    """Which grave warnings stand in each area, by their codes in `GRAVE`."""

    told_at: datetime
    standing: Mapping[str, tuple[str, ...]]


def office_of(prefecture: str) -> str:
    """Return the office that tells of a prefecture's capital; "" for none."""
    return OFFICES.get(prefecture, ("",))[0]


def is_office(office: str) -> bool:
    """Tell whether there is such an office."""
    return any(office in some for some in OFFICES.values())


# ---- reading the agency's JSON ---------------------------------------------------------------


def read_forecast(told: object) -> Forecast:
    """Return what a forecast says.

    Raises:
        OddReport: It does not look as it should.
    """
    report = _of(told, list)[0] if _of(told, list) else _odd("no report")
    names: dict[str, str] = {}
    skies: dict[str, dict[date, str]] = {}
    for series in _some(report, "timeSeries"):
        days = [_moment(one).date() for one in _some(series, "timeDefines")]
        for area in _some(series, "areas"):
            if "weatherCodes" not in area:
                # chances of rain and temperatures stand in series of their own
                continue
            codes = _some(area, "weatherCodes")
            if len(codes) != len(days):
                _odd("as many codes as times")
            named = _of(area.get("area"), dict)
            code = _code(named.get("code"))
            names[code] = _of(named.get("name"), str)[:MOST_NAME]
            for day, sky in zip(days, codes, strict=True):
                # the first one of a day is what is left of it, the only one tomorrow's
                skies.setdefault(code, {}).setdefault(day, _sky(sky))
    if not skies:
        _odd("no sky")
    return Forecast(_moment(_of(report, dict).get("reportDatetime")), names, skies)


def read_warnings(told: object, now: datetime) -> Warnings:
    """Return which grave warnings stand, of areas and of the towns within them.

    There is a document for each kind of danger; a later one of a kind replaces what it said of an
    area before.

    Raises:
        OddReport: It does not look as it should, or is too old to still be so.
    """
    documents = sorted(_of(told, list), key=_told_at)
    if not 0 < len(documents) <= MOST_DOCUMENTS:
        _odd("too much or nothing")
    said: dict[tuple[str, str], set[str]] = {}
    for document in documents:
        danger = _of(document.get("dataTypeCode"), str)
        items = _of(document.get("warning"), dict)
        for name in ("class10Items", "class20Items"):
            for one in _some(items, name) if name in items else []:
                area = _of(one, dict)
                said[_code(area.get("areaCode")), danger] = _standing(area)
    if not said:
        _odd("no area")
    standing: dict[str, set[str]] = {}
    for (code, _danger), found in said.items():
        standing.setdefault(code, set()).update(found)
    told_at = _told_at(documents[-1])
    if told_at < now - STORM_LASTS and any(standing.values()):
        _odd("long ago")
    return Warnings(told_at, {code: tuple(sorted(one)) for code, one in standing.items()})


def _told_at(document: object) -> datetime:
    return _moment(_of(document, dict).get("reportDatetime"))


def _standing(area: Mapping[str, Any]) -> set[str]:
    kinds = [_of(one, dict) for one in _of(area.get("kinds"), list)]
    codes = {_of(one.get("code", ""), str) for one in kinds if one.get("status") != OVER}
    return codes & set(GRAVE)


def _sky(code: object) -> str:
    """Return what a weather code comes to: 1xx fine, 2xx cloudy, 3xx rain, 4xx snow."""
    found = {"1": "sunny", "2": "cloudy", "3": "wet", "4": "wet"}.get(_of(code, str)[:1])
    return found or _odd("a sky of its own")


def _some(report: object, name: str) -> list[Any]:
    found = _of(_of(report, dict).get(name), list)
    return found if len(found) <= MOST_AREAS else _odd("too much")


def _code(told: object) -> str:
    found = _of(told, str)
    is_one = found.isascii() and found.isdecimal() and len(found) in (6, 7)
    return found if is_one else _odd("no code of an area")


def _moment(told: object) -> datetime:
    try:
        found = datetime.fromisoformat(_of(told, str))
    except ValueError:
        _odd("no time")
    return found if found.tzinfo else _odd("a time without a zone")


def _of(told: object, kind: type[T]) -> T:
    return told if isinstance(told, kind) else _odd(f"no {kind.__name__}")


def _odd(why: str) -> Any:
    raise OddReport(why)


# ---- kept ------------------------------------------------------------------------------------


def keep_forecast(office: str, told: Forecast, now: datetime) -> None:
    """Keep an office's latest forecast."""
    skies = {
        area: {day.isoformat(): sky for day, sky in days.items()}
        for area, days in told.skies.items()
    }
    _keep(office, FORECAST, told.told_at, now, {"names": dict(told.names), "skies": skies})


def keep_warnings(office: str, told: Warnings, now: datetime) -> None:
    """Keep an office's latest warnings: the areas in which some stand."""
    standing = {area: list(codes) for area, codes in told.standing.items() if codes}
    _keep(office, WARNING, told.told_at, now, {"standing": standing})


def _keep(office: str, kind: str, told_at: datetime, now: datetime, content: object) -> None:
    new = insert(WeatherReport)
    db.session.execute(
        new.values(
            office=office, kind=kind, told_at=told_at, read_at=now, content=content
        ).on_conflict_do_update(
            index_elements=[WeatherReport.office, WeatherReport.kind],
            set_={name: new.excluded[name] for name in ("told_at", "read_at", "content")},
        )
    )


def sky_of(office: str, area: str, day: date, now: datetime) -> str | None:
    """Return what sky a day will have; None where no fresh report says. `area` "" is the first."""
    kept = _fresh(office, FORECAST, now)
    if kept is None:
        return None
    skies = kept["skies"]
    found: str | None = skies.get(area or next(iter(skies), ""), {}).get(day.isoformat())
    return found


def warnings_of(office: str, area: str, now: datetime) -> tuple[str, ...] | None:
    """Return which grave warnings stand; None where that is not known. `area` "" is all of them."""
    kept = _fresh(office, WARNING, now)
    if kept is None:
        return None
    standing = kept["standing"]
    some = [standing.get(area, [])] if area else standing.values()
    return tuple(sorted({code for codes in some for code in codes}))


def offices_warned(now: datetime) -> set[str]:
    """Return the offices in whose areas some grave warning stands."""
    offices = db.session.scalars(
        select(WeatherReport.office).where(WeatherReport.kind == WARNING)
    ).all()
    return {office for office in offices if warnings_of(office, "", now)}


def areas_of(offices: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the areas whose names are known: office, area and name."""
    rows = db.session.execute(
        select(WeatherReport.office, WeatherReport.content)
        .where(WeatherReport.office.in_(list(offices)), WeatherReport.kind == FORECAST)
        .order_by(WeatherReport.office)
    )
    return [
        (row.office, area, name)
        for row in rows
        for area, name in sorted(row.content["names"].items())
    ]


def _fresh(office: str, kind: str, now: datetime) -> Mapping[str, Any] | None:
    kept = db.session.get(WeatherReport, (office, kind))
    if kept is None:
        return None
    # a warning stands until the next report; a forecast has its time
    fresh = kept.read_at + WARNING_LASTS if kind == WARNING else kept.told_at + FORECAST_LASTS
    return kept.content if now < fresh else None
