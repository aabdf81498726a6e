"""Reports of the weather agency, in the shape its pages have; odd ones are refused whole."""

import copy
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.domain import people, weather
from app.domain.weather import OddReport
from app.transaction import transaction

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
TOMORROW = date(2026, 11, 24)

FORECAST: list[Any] = [
    {
        "publishingOffice": "京都地方気象台",
        "reportDatetime": "2026-11-23T17:00:00+09:00",
        "timeSeries": [
            {
                "timeDefines": [
                    "2026-11-23T17:00:00+09:00",
                    "2026-11-24T00:00:00+09:00",
                    "2026-11-25T00:00:00+09:00",
                ],
                "areas": [
                    {
                        "area": {"name": "南部", "code": "260010"},
                        "weatherCodes": ["100", "313", "200"],
                        "weathers": ["晴れ", "雨　後　くもり", "くもり"],
                        "winds": ["北の風", "北の風", "北の風"],
                    },
                    {
                        "area": {"name": "北部", "code": "260020"},
                        "weatherCodes": ["201", "400", "101"],
                        "weathers": ["", "", ""],
                    },
                ],
            },
            {
                "timeDefines": ["2026-11-23T18:00:00+09:00", "2026-11-24T00:00:00+09:00"],
                "areas": [{"area": {"name": "南部", "code": "260010"}, "pops": ["10", "80"]}],
            },
        ],
    },
    {"publishingOffice": "京都地方気象台", "timeSeries": []},
]


def document(kind: str, at: str, class10: list[Any], class20: list[Any] | None = None) -> Any:
    """Return what the agency says of one kind of danger: areas, and towns within them.

    VPWW55 is heavy rain, VPWW58 wind, VPWW61 what is an advisory at most.
    """
    return {
        "controlDatetime": "2026-11-23T07:21:05+00:00",
        "reportDatetime": f"2026-11-23T{at}:00+09:00",
        "publishingOffice": "京都地方気象台",
        "headlineText": "南部では、暴風に警戒してください。",
        "dataTypeCode": kind,
        "warning": {
            "class10Items": [{"areaCode": code, "kinds": kinds} for code, kinds in class10],
            "class20Items": [{"areaCode": code, "kinds": kinds} for code, kinds in class20 or []],
        },
    }


NONE = {"status": "発表警報・注意報はなし"}
WARNING: list[Any] = [
    document(
        "VPWW58",
        "16:21",
        [("260010", [{"code": "05", "status": "発表"}]), ("260020", [NONE])],
    ),
    document(
        "VPWW55",
        "15:02",
        [
            ("260010", [{"code": "03", "status": "解除"}]),
            ("260020", [NONE]),
        ],
        [("2610000", [{"code": "33", "status": "継続"}])],
    ),
    document("VPWW61", "14:40", [("260010", [{"code": "14", "status": "継続"}])]),
]


@pytest.fixture
def inside(app: Flask) -> Iterator[None]:
    with app.app_context(), transaction():
        yield


def test_a_forecast_tells_the_sky_of_each_day_and_area() -> None:
    told = weather.read_forecast(FORECAST)
    assert told.names == {"260010": "南部", "260020": "北部"}
    assert told.skies["260010"] == {
        date(2026, 11, 23): "sunny",
        TOMORROW: "wet",
        date(2026, 11, 25): "cloudy",
    }
    assert told.skies["260020"][TOMORROW] == "wet"
    assert told.told_at == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_warnings_count_where_they_stand_and_are_grave() -> None:
    told = weather.read_warnings(WARNING, NOW)
    # the heavy rain is over, and a thunderstorm advisory is none
    assert told.standing == {"260010": ("05",), "260020": (), "2610000": ("33",)}
    assert told.told_at == datetime(2026, 11, 23, 7, 21, tzinfo=UTC)


def test_a_later_document_of_a_danger_replaces_what_it_said_and_nothing_else() -> None:
    later = document("VPWW58", "17:00", [("260010", [NONE])])
    for told in ([*WARNING, later], [later, *WARNING]):
        read = weather.read_warnings(told, NOW)
        assert read.standing == {"260010": (), "260020": (), "2610000": ("33",)}
    # a danger warning that was one step down is an advisory
    weaker = document("VPWW55", "17:00", [("260010", [{"code": "10", "status": "警報から注意報"}])])
    assert weather.read_warnings([weaker], NOW).standing == {"260010": ()}


def test_a_service_that_stands_still_charges_nobodys_battery_for_months() -> None:
    months_on = NOW + timedelta(days=120)
    with pytest.raises(OddReport, match="long ago"):
        weather.read_warnings(WARNING, months_on)
    calm = [document("VPWW58", "16:21", [("260010", [NONE])])]
    assert weather.read_warnings(calm, months_on).standing == {"260010": ()}
    # what the address of before 2026-05-28 still tells
    with pytest.raises(OddReport):
        weather.read_warnings(
            {"reportDatetime": "2026-05-28T10:00:00+09:00", "areaTypes": [{"areas": []}]}, NOW
        )


def test_every_prefecture_has_an_office() -> None:
    assert set(weather.OFFICES) == set(people.PREFECTURES)
    assert weather.office_of("京都府") == "260000"
    assert weather.office_of("") == ""
    assert weather.is_office("014030")
    assert not weather.is_office("999999")


def damaged(good: Any, path: list[Any], value: object) -> Any:
    found = copy.deepcopy(good)
    inner = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


AREA = [0, "timeSeries", 0, "areas", 0]
TEN = [0, "warning", "class10Items"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ([0], None),
        ([0, "reportDatetime"], "yesterday"),
        ([0, "reportDatetime"], "2026-11-23T17:00:00"),
        ([0, "timeSeries"], {}),
        ([0, "timeSeries"], []),
        ([0, "timeSeries"], [{}] * 301),
        ([*AREA, "weatherCodes"], ["100"]),
        ([*AREA, "weatherCodes"], [100, 200, 300]),
        ([*AREA, "weatherCodes"], ["", "x", "900"]),
        ([*AREA, "area"], "南部"),
        ([*AREA, "area", "code"], "<script>"),
        ([*AREA, "area", "name"], None),
    ],
)
def test_an_odd_forecast_is_refused_whole(path: list[Any], value: object) -> None:
    with pytest.raises(OddReport):
        weather.read_forecast(damaged(FORECAST, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ([0], None),
        ([0, "reportDatetime"], 3),
        ([0, "dataTypeCode"], None),
        ([0, "warning"], []),
        ([*TEN], {}),
        ([*TEN, 0], "260010"),
        ([*TEN, 0, "areaCode"], "26"),
        ([*TEN, 0, "kinds"], "05"),
        ([*TEN, 0, "kinds", 0], ["05"]),
        ([*TEN, 0, "kinds", 0, "code"], 5),
    ],
)
def test_odd_warnings_are_refused_whole(path: list[Any], value: object) -> None:
    with pytest.raises(OddReport):
        weather.read_warnings(damaged(WARNING, path, value), NOW)


@pytest.mark.parametrize("told", [[], [*WARNING] * 17, [document("VPWW58", "16:21", [])]])
def test_no_documents_no_areas_or_far_too_many_are_refused(told: Any) -> None:
    with pytest.raises(OddReport):
        weather.read_warnings(told, NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["timeSeries", "areas", "warning", "class10Items", "reportDatetime"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_comes_is_read_or_refused(told: object) -> None:
    with pytest.raises(OddReport):
        weather.read_forecast(told)
    with pytest.raises(OddReport):
        weather.read_warnings(told, NOW)


def test_a_damaged_status_is_no_reason_to_call_a_warning_over() -> None:
    told = damaged(WARNING, [*TEN, 0, "kinds", 0, "status"], None)
    assert weather.read_warnings(told, NOW).standing["260010"] == ("05",)


@pytest.mark.usefixtures("inside")
def test_what_was_kept_tells_of_tomorrow_while_it_is_fresh() -> None:
    weather.keep_forecast("260000", weather.read_forecast(FORECAST), NOW)
    weather.keep_forecast("260000", weather.read_forecast(FORECAST), NOW)
    assert weather.sky_of("260000", "260020", TOMORROW, NOW) == "wet"
    assert weather.sky_of("260000", "", TOMORROW, NOW) == "wet"
    assert weather.sky_of("260000", "", date(2026, 12, 24), NOW) is None
    assert weather.sky_of("130000", "", TOMORROW, NOW) is None
    assert weather.sky_of("260000", "", TOMORROW, NOW + timedelta(hours=19)) is None
    assert weather.areas_of(weather.OFFICES["京都府"]) == [
        ("260000", "260010", "南部"),
        ("260000", "260020", "北部"),
    ]


@pytest.mark.usefixtures("inside")
def test_warnings_that_were_not_read_lately_are_unknown_and_not_over() -> None:
    weather.keep_warnings("260000", weather.read_warnings(WARNING, NOW), NOW)
    assert weather.warnings_of("260000", "260010", NOW) == ("05",)
    assert weather.warnings_of("260000", "260020", NOW) == ()
    assert weather.warnings_of("260000", "", NOW) == ("05", "33")
    assert weather.warnings_of("260000", "", NOW + timedelta(hours=3)) is None
