"""Files that people open and write in a spreadsheet."""

from decimal import Decimal

import pytest

from app.domain import csv_files


@pytest.mark.parametrize(
    "sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " ="]
)
def test_a_value_that_begins_a_formula_is_quoted(sign: str) -> None:
    assert csv_files.safe(f"{sign}1") == f"'{sign}1"


def test_any_other_value_stays_as_it_is() -> None:
    assert csv_files.safe("1=1") == "1=1"
    assert csv_files.safe("") == ""
    assert csv_files.line([-1, -1.5, Decimal("-2"), None, "a,b"]) == '-1,-1.5,-2,,"a,b"\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_spreadsheets_text_is_read(encoding: str) -> None:
    assert csv_files.decoded("設置先,京都府".encode(encoding)) == "設置先,京都府"


def test_what_is_no_text_is_told() -> None:
    with pytest.raises(csv_files.Unreadable, match="文字コード"):
        csv_files.decoded(b"\x81\x00")
