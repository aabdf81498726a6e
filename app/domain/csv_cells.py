"""Cells of CSV files that people open in a spreadsheet."""

import csv
from collections.abc import Iterable
from io import StringIO

# what a spreadsheet takes for the beginning of a formula, in full width too
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# with what spreadsheets take it for UTF-8 by
BOM = "\ufeff"


def safe(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    text = str(value)
    if isinstance(value, str) and text.startswith(FORMULA):
        return f"'{text}"
    return text


def line(values: Iterable[object]) -> str:
    """Return a line of a file."""
    out = StringIO()
    csv.writer(out).writerow(["" if value is None else safe(value) for value in values])
    return out.getvalue()
