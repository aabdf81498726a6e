"""CSV files that people open and write in a spreadsheet."""

import csv
from collections.abc import Iterable
from decimal import Decimal
from io import StringIO

from ..extensions import lazy_gettext as _
from .errors import Rejected

# what a spreadsheet takes for the beginning of a formula, in full width too
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# with what spreadsheets take it for UTF-8 by
BOM = "\ufeff"


class Unreadable(Rejected):
    """Refuse a file that holds nothing of what it should; says why."""

    field = "file"

    def __init__(self, reason: object) -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return str(self.reason)


def decoded(data: bytes) -> str:
    """Return the text of a file in UTF-8 (with BOM or not) or Shift_JIS.

    Raises:
        Unreadable: It is neither.
    """
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable(_("文字コードを読み取れません。UTF-8 または Shift_JIS で保存してください。"))


def safe(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    text = str(value)
    is_number = isinstance(value, int | float | Decimal)
    if not is_number and text.lstrip(" ").startswith(FORMULA):
        return f"'{text}"
    return text


def line(values: Iterable[object]) -> str:
    """Return a line of a file; nothing is an empty cell."""
    out = StringIO()
    csv.writer(out).writerow(["" if value is None else safe(value) for value in values])
    return out.getvalue()
