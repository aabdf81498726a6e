"""Numbers in paths and queries: those that a row can have."""

from flask import request
from werkzeug.routing import IntegerConverter, Map

from ..domain.errors import NotFound

# PostgreSQL's integer
LARGEST = 2_147_483_647


class RowNumber(IntegerConverter):
    """`<int:…>` in every route: a number that no row can have is no page, and asks no database.

    PostgreSQL refuses to compare more than four bytes, SQLite's driver more than eight, and Python
    reads no number of thousands of digits.
    """

    regex = r"[0-9]{1,10}"

    def __init__(
        self,
        map: Map,
        fixed_digits: int = 0,
        min: int | None = None,
        max: int | None = LARGEST,
        signed: bool = False,
    ) -> None:
        super().__init__(map, fixed_digits, min, max, signed)


def row_asked(name: str) -> int | None:
    """Return the row that the address names by `?name=…`, None where it names none.

    Raises:
        NotFound: No row can have this number.
    """
    number = request.args.get(name, type=int)
    if number is not None and not 0 < number <= LARGEST:
        raise NotFound
    return number
