"""Lists without an end, newest first: the next page begins after the last row, by its key.

An offset reads and throws away everything before it, and a count reads everything; here a page
costs the same whether a thousand rows come before it or ten million. The price: no "page 7 of 90".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from re import ASCII
from re import compile as regex
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, literal, tuple_

from ..extensions import UtcDateTime, db

PER_PAGE = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# microseconds of a moment up to the year 9999, and a row's id
CURSOR = regex(r"(\d{1,18})-(\d{1,10})", ASCII)
# PostgreSQL's integer
LARGEST_ID = 2_147_483_647

Row = TypeVar("Row")


def is_cursor(text: str) -> bool:
    """Tell whether a text may be a place in such a list."""
    found = CURSOR.fullmatch(text)
    return found is not None and int(found[2]) <= LARGEST_ID


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Rows of one page, and where the older and the newer ones begin, if there are any."""

    rows: list[Row]
    older: str | None
    newer: str | None


@dataclass(frozen=True, slots=True)
class Key:
    """The columns by which a list is ordered: a moment, and an id for those of one moment."""

    moment: Any
    id: Any

    def of(self, row: Any) -> str:
        """Return a row's place in the list."""
        at: datetime = getattr(row, self.moment.key)
        return f"{(at - EPOCH) // timedelta(microseconds=1)}-{getattr(row, self.id.key)}"

    def beyond(self, cursor: str, *, older: bool) -> ColumnElement[bool] | None:
        """Return the condition for what comes after (or before) a place, None if it is none."""
        found = CURSOR.fullmatch(cursor)
        if found is None or int(found[2]) > LARGEST_ID:
            return None
        try:
            at = EPOCH + timedelta(microseconds=int(found[1]))
        except OverflowError:
            return None
        here = tuple_(literal(at, UtcDateTime()), literal(int(found[2])))
        place = tuple_(self.moment, self.id)
        return place < here if older else place > here


def sliced(
    statement: Select[Row], key: Key, *, before: str = "", after: str = "", size: int = PER_PAGE
) -> Slice[Row]:
    """Return one page by one query: the newest, the one `before` a place, or the one `after` it.

    A place that is none is passed over.
    """
    upwards = key.beyond(after, older=False) if after else None
    if upwards is not None:
        nearest = statement.where(upwards).order_by(key.moment.asc(), key.id.asc())
        rows = list(db.session.scalars(nearest.limit(size + 1)))
        has_newer, shown = len(rows) > size, rows[:size][::-1]
        # somebody came from there
        older = key.of(shown[-1]) if shown else None
        return Slice(shown, older, key.of(shown[0]) if has_newer else None)
    downwards = key.beyond(before, older=True) if before else None
    if downwards is not None:
        statement = statement.where(downwards)
    ordered = statement.order_by(key.moment.desc(), key.id.desc())
    rows = list(db.session.scalars(ordered.limit(size + 1)))
    shown = rows[:size]
    return Slice(
        shown,
        key.of(shown[-1]) if len(rows) > size else None,
        key.of(shown[0]) if downwards is not None and shown else None,
    )


def walked(
    statement: Callable[[], Select[Row]], key: Key, *, size: int = 1000
) -> Iterator[list[Row]]:
    """Yield everything, newest first, by one query per `size` rows: no cursor stays open."""
    before = ""
    while True:
        page = sliced(statement(), key, before=before, size=size)
        if page.rows:
            yield page.rows
        if page.older is None:
            return
        before = page.older
        # what was written out is held no longer
        for row in page.rows:
            db.session.expunge(row)
