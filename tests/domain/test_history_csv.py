"""The file of a month, byte for byte: users' scripts read it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from flask import Flask

from app.domain import history, history_csv
from app.domain.half_hours import Energy, HalfHour
from app.domain.periods import Period, Span
from app.transaction import transaction
from tests.factories import GatewayFactory, InstallationFactory
from tests.histories import measured, without, write_history

GOLDEN = Path(__file__).parent / "golden"
LATER = datetime(2027, 1, 5, tzinfo=UTC)
ID = "HDM100000001"

HEADER = (
    b"\xef\xbb\xbf"
    + "年月日,時刻,発電電力量[kWh],消費電力量[kWh],売電電力量[kWh],買電電力量[kWh],"
    "充電電力量[kWh],放電電力量[kWh],蓄電残量(SOC)[%]\r\n".encode()
)


def with_gaps(place: int, one: HalfHour) -> HalfHour | None:
    """Know nothing from 02:00 to 03:00, and no sale at noon; fill in at 04:00; end in fractions."""
    if place in (4, 5):
        return None
    if place == 8:
        filled = {name: measured(e.wh, filled=True) for name, e in one.energy.items()}
        return replace(one, energy=filled)
    if place == 24:
        return without(one, "export_wh")
    if place == 30:
        return replace(one, soc_pct=None, energy={"pv_wh": measured(1234.5)})
    if place == 31:
        return replace(one, energy=one.energy | {"pv_wh": measured(4.9), "load_wh": measured(5.0)})
    return one


def month(zone: str, of: date, *, now: datetime = LATER, first: int = 1, last: int = 31) -> bytes:
    """Return the file of a month of which days from `first` to `last` are known."""
    with transaction():
        home = InstallationFactory(
            gateway=GatewayFactory(public_id=ID),
            zone=zone,
            opened_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        write_history(home, of.replace(day=first), of.replace(day=last), change=with_gaps)
    whose = history.get_home(home.account, ID, now, zone="Asia/Tokyo")
    return "".join(history_csv.month(whose, Period(Span.MONTH, of), now)).encode()


def day(content: bytes, number: str) -> list[str]:
    return [line for line in content.decode().split("\r\n") if line.startswith(number)]


@pytest.mark.parametrize(
    ("zone", "of", "rows"),
    [
        ("Asia/Tokyo", date(2026, 11, 1), 30 * 48),
        # clocks go back on the 25th, and forward on 29 March
        ("Europe/Berlin", date(2026, 10, 1), 31 * 48 + 2),
        ("Europe/Berlin", date(2026, 3, 1), 31 * 48 - 2),
    ],
)
def test_a_month_is_the_same_byte_for_byte(app: Flask, zone: str, of: date, rows: int) -> None:
    with app.app_context():
        content = month(zone, of, first=24, last=30)
    golden = GOLDEN / f"{zone.replace('/', '-')}-{of:%Y-%m}.csv"
    assert content == golden.read_bytes()
    assert content.startswith(HEADER)
    assert content.count(b"\r\n") == content.count(b"\n") == 1 + rows
    assert content.endswith(b"\r\n")


def test_days_have_48_rows_and_46_or_50_where_the_clock_changes(app: Flask) -> None:
    with app.app_context():
        autumn = month("Europe/Berlin", date(2026, 10, 1))
    assert len(day(autumn, "2026/10/24")) == 48
    assert len(day(autumn, "2026/10/25")) == 50
    times = [line.split(",")[1] for line in day(autumn, "2026/10/25")]
    assert times[:9] == [
        "00:00",
        "00:30",
        "01:00",
        "01:30",
        "02:00",
        "02:30",
        "02:00",
        "02:30",
        "03:00",
    ]
    assert times[-1] == "23:30"


def test_unknown_is_blank_filled_in_counts_and_kwh_have_two_decimals(app: Flask) -> None:
    with app.app_context():
        rows = day(month("Asia/Tokyo", date(2026, 11, 1), last=30), "2026/11/10")
    assert rows[4] == "2026/11/10,02:00,,,,,,,"
    assert rows[8] == "2026/11/10,04:00,0.00,0.20,0.00,0.20,0.00,0.00,0"
    assert rows[24] == "2026/11/10,12:00,0.50,0.20,,0.00,0.30,0.00,68"
    assert rows[30] == "2026/11/10,15:00,1.23,,,,,,"
    # 4.9 Wh are less than half a hundredth, 5 Wh are one
    assert rows[31].startswith("2026/11/10,15:30,0.00,0.01,")


def test_there_are_no_rows_for_the_future(app: Flask) -> None:
    now = datetime(2026, 11, 10, 3, 29, 59, tzinfo=UTC)
    with app.app_context():
        content = month("Asia/Tokyo", date(2026, 11, 1), now=now, last=10)
    assert content.decode().split("\r\n")[-2].startswith("2026/11/10,12:00,")
    with app.app_context():
        whose = history.Home(1, ID, 1, "", "Asia/Tokyo", now, None)
        before = history_csv.month(whose, Period(Span.MONTH, date(2026, 12, 1)), now)
        assert "".join(before).encode() == HEADER


@pytest.mark.parametrize(
    ("wh", "shown"),
    [(0, "0.00"), (4.9, "0.00"), (5, "0.01"), (15, "0.02"), (1004.9, "1.00"), (123456.7, "123.46")],
)
def test_half_a_hundredth_counts_as_one(wh: float, shown: str) -> None:
    one = HalfHour(0.0, 1, None, {"pv_wh": Energy(wh, 1800, 0, 1)})
    assert history_csv._values(one).startswith(f"{shown},")


def test_what_was_before_an_ownership_is_blank(app: Flask) -> None:
    with app.app_context():
        with transaction():
            before = InstallationFactory(
                gateway=GatewayFactory(public_id=ID), closed_at=datetime(2026, 11, 10, tzinfo=UTC)
            )
            write_history(before, date(2026, 11, 1), date(2026, 11, 9))
            after = InstallationFactory(
                gateway=before.gateway,
                opened_at=datetime(2026, 11, 10, tzinfo=UTC),
                claimed_sheet_id=None,
            )
        whose = history.get_home(after.account, ID, LATER, zone="Asia/Tokyo")
        lines = "".join(history_csv.month(whose, Period(Span.MONTH, date(2026, 11, 1)), LATER))
    assert all(line.endswith(",,,,,,,") for line in lines.split("\r\n")[1:-1])
