"""What rises and clears, and who is mailed when, under a frozen clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import alarm_rules, daylight
from app.domain.alarm_rules import (
    CLEARED,
    FAULT,
    LOST,
    RAISED,
    REMINDER,
    UNIT_SILENT,
    Due,
    Facts,
    Key,
)
from app.domain.people import PREFECTURES
from app.profiles.base import Sample, State

TOKYO = ZoneInfo("Asia/Tokyo")
# 10:00 in Japan on a day in November
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOT = Key(0, "inverter.over_temp")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


# ---- two polls ------------------------------------------------------------------------------


def told_by(polls: Sequence[bool]) -> str:
    """Return what each poll did to one bit: r(ose), c(leared) or nothing."""
    standing: dict[str, Any] = {}
    told = ""
    for second, stands in enumerate(polls):
        after = alarm_rules.advance(standing, [HOT] if stands else [], float(second))
        told += "r" if after.rose else "c" if after.cleared else "."
        standing = after.standing
    return told


@pytest.mark.parametrize(
    ("polls", "told"),
    [
        ("1", "."),
        ("11", ".r"),
        ("101", "..."),
        ("1011", "...r"),
        ("1111", ".r.."),
        ("110", ".r."),
        ("1100", ".r.c"),
        ("1101", ".r.."),
        ("110100", ".r...c"),
        ("110011", ".r.c.r"),
        ("000", "..."),
    ],
)
def test_a_bit_rises_and_clears_by_two_polls(polls: str, told: str) -> None:
    assert told_by([poll == "1" for poll in polls]) == told


@given(st.lists(st.booleans(), max_size=60))
def test_whatever_a_bit_does_it_rises_and_clears_in_turn(polls: list[bool]) -> None:
    turns = told_by(polls).replace(".", "")
    assert turns == ("rc" * len(turns))[: len(turns)]


def test_a_rise_says_when_it_was_seen_first() -> None:
    first = alarm_rules.advance({}, [HOT], 10.0)
    (rise,) = alarm_rules.advance(first.standing, [HOT], 70.0).rose
    assert rise == (HOT, 10.0)


def test_what_may_not_rise_yet_rises_with_the_first_poll_after() -> None:
    standing = alarm_rules.advance({}, [HOT], 0.0, may_rise=False).standing
    quiet = alarm_rules.advance(standing, [HOT], 60.0, may_rise=False)
    assert quiet.rose == []
    assert [rise.key for rise in alarm_rules.advance(quiet.standing, [HOT], 120.0).rose] == [HOT]


def test_a_lost_gateway_is_back_at_its_second_good_answer() -> None:
    lost = alarm_rules.lost({}, 0.0)
    first = alarm_rules.advance(lost, [], 10.0)
    assert first.cleared == []
    assert alarm_rules.advance(first.standing, [], 70.0).cleared == [Key(0, LOST)]


def test_a_sample_tells_of_bits_silent_units_and_faults_without_a_name() -> None:
    assert alarm_rules.keys_of(Sample(alarms=("a.x", "a.x", "b.y"))) == [
        Key(0, "a.x"),
        Key(0, "b.y"),
    ]
    assert alarm_rules.keys_of(Sample(state=State.FAULT)) == [Key(0, FAULT)]
    assert alarm_rules.keys_of(Sample()) == []

    class OfUnits:
        alarms, state, silent_units, unit_alarms = (), State.RUNNING, (2,), ()

    assert alarm_rules.keys_of(OfUnits()) == [Key(2, UNIT_SILENT)]  # type: ignore[arg-type]


def test_the_same_bit_of_two_units_is_two_alarms() -> None:
    of_units = ((1, HOT.code), (2, HOT.code))
    sample = Sample(alarms=(HOT.code, "battery.low"), unit_alarms=of_units)
    keys = [Key(1, HOT.code), Key(2, HOT.code), Key(0, "battery.low")]
    assert alarm_rules.keys_of(sample) == keys
    assert alarm_rules.codes_of(sample) == [HOT.code, "battery.low"]
    seen = alarm_rules.advance({}, keys, 0.0).standing
    risen = alarm_rules.advance(seen, keys, 60.0)
    assert [rise.key for rise in risen.rose] == keys


def test_a_hostile_device_raises_no_more_than_fifty() -> None:
    many = tuple(f"{'x' * 200}{n}" for n in range(1000)) + tuple(map(str, range(1000)))
    keys = alarm_rules.keys_of(Sample(alarms=many))
    assert len(keys) <= 50
    assert all(len(key.code) <= 64 for key in keys)


# ---- mails ----------------------------------------------------------------------------------


def in_two_hours_of_light(since: datetime, seconds: float) -> datetime:
    return since + timedelta(seconds=seconds)


def at_night(since: datetime, seconds: float) -> datetime:
    return since + timedelta(hours=20)


def due(now: datetime, *, back_at: datetime | None = None, sunlit: Any = None, **facts: Any) -> Due:
    chosen = {"code": "x", "first_seen_at": NOW, **facts}
    return alarm_rules.due(
        Facts(**chosen), now, back_at=back_at, sunlit=sunlit or in_two_hours_of_light
    )


MAILED = {"owner_mailed_at": NOW, "dealers_mailed_at": NOW}


@pytest.mark.parametrize(
    ("facts", "after", "expected"),
    [
        # 異常: both at once
        ({}, HOUR * 0, (RAISED, RAISED)),
        ({"cleared_at": NOW + HOUR, **MAILED}, HOUR, (CLEARED, CLEARED)),
        ({"cleared_at": NOW + HOUR}, HOUR, (None, None)),
        # 通信断: dealers as it rises, the household after two hours of daylight
        ({"code": LOST}, timedelta(minutes=15), (None, RAISED)),
        ({"code": LOST, "dealers_mailed_at": NOW}, timedelta(minutes=119), (None, None)),
        ({"code": LOST, "dealers_mailed_at": NOW}, HOUR * 2, (RAISED, None)),
        # it came back before the household was told
        (
            {"code": LOST, "dealers_mailed_at": NOW, "cleared_at": NOW + HOUR},
            HOUR,
            (None, CLEARED),
        ),
        # reminders: one a day for three days
        (MAILED, HOUR * 23, (None, None)),
        (MAILED, DAY, (REMINDER, None)),
        ({**MAILED, "reminders": 1}, HOUR * 47, (None, None)),
        ({**MAILED, "reminders": 1}, DAY * 2, (REMINDER, None)),
        ({**MAILED, "reminders": 2}, DAY * 3, (REMINDER, None)),
        ({**MAILED, "reminders": 3}, DAY * 9, (None, None)),
        # the gateway is lost: nobody knows whether it still stands
        ({**MAILED, "is_suppressed": True}, DAY, (None, None)),
        # muted: dealers have a mute of their own
        ({"is_muted": True}, HOUR * 0, (None, RAISED)),
        ({**MAILED, "is_muted": True}, DAY, (None, None)),
        ({**MAILED, "is_muted": True, "cleared_at": NOW + DAY}, DAY, (None, CLEARED)),
        # an incident: nobody is told one by one
        ({"code": LOST, "in_incident": True}, HOUR * 13, (None, None)),
        ({"in_incident": True, "cleared_at": NOW + HOUR, **MAILED}, HOUR, (None, None)),
    ],
)
def test_who_is_mailed_what(
    facts: dict[str, Any], after: timedelta, expected: tuple[str | None, str | None]
) -> None:
    found = due(NOW + after, **facts)
    assert (found.owner, found.dealers) == expected


def test_at_night_a_household_is_told_of_a_lost_gateway_after_twelve_hours() -> None:
    told = {"code": LOST, "dealers_mailed_at": NOW, "sunlit": at_night}
    assert due(NOW + HOUR * 11, **told) == Due(None, None, NOW + HOUR * 12)
    assert due(NOW + HOUR * 12, **told).owner == RAISED


def test_delays_count_from_the_end_of_the_services_own_outage() -> None:
    told = {"code": LOST, "dealers_mailed_at": NOW, "back_at": NOW + HOUR * 5}
    assert due(NOW + HOUR * 6, **told).owner is None
    assert due(NOW + HOUR * 7, **told).owner == RAISED


def test_nobody_looks_again_when_nothing_more_will_be_mailed() -> None:
    assert due(NOW + DAY * 3, **MAILED, reminders=2).check_at is None
    assert due(NOW + HOUR, **MAILED, cleared_at=NOW + HOUR).check_at is None
    assert due(NOW, in_incident=True).check_at is None
    assert due(NOW).check_at == NOW + DAY


def test_every_prefecture_has_its_sun() -> None:
    assert set(daylight.CAPITALS) == set(PREFECTURES)


@pytest.mark.parametrize(
    ("prefecture", "day", "rise", "fall"),
    [
        # the National Astronomical Observatory of Japan's calendar for prefectural capitals
        ("東京都", datetime(2026, 6, 21, 12, tzinfo=TOKYO), "04:25", "19:00"),
        ("東京都", datetime(2026, 12, 22, 12, tzinfo=TOKYO), "06:47", "16:32"),
        ("北海道", datetime(2026, 6, 21, 12, tzinfo=TOKYO), "03:55", "19:18"),
        ("沖縄県", datetime(2026, 12, 22, 12, tzinfo=TOKYO), "07:13", "17:43"),
    ],
)
def test_the_sun_rises_and_sets_as_the_almanac_says(
    prefecture: str, day: datetime, rise: str, fall: str
) -> None:
    number = round((day - daylight.EPOCH).total_seconds() / daylight.DAY_S)
    for found, said in zip(daylight.sun(prefecture, number), (rise, fall), strict=True):
        there = found.astimezone(TOKYO)
        hour, minute = map(int, said.split(":"))
        expected = day.replace(hour=hour, minute=minute)
        assert abs(there - expected) < timedelta(minutes=3), there


def test_daylight_is_counted_over_the_night() -> None:
    # one hour before sunset: the other hour is next morning's
    late = datetime(2026, 11, 23, 15, 31, tzinfo=TOKYO)
    found = daylight.sunlit("東京都", late, 2 * 3600).astimezone(TOKYO)
    assert (found.day, found.hour) == (24, 7)
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=TOKYO)
    assert daylight.sunlit("", noon, 2 * 3600) == noon + HOUR * 2
