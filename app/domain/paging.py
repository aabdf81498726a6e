"""One page of a list: what is shown, how much there is."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select

from ..extensions import db

PER_PAGE = 20

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of one page, and how many there are on all of them."""

    rows: list[Row]
    found: int
    page: int
    per_page: int = PER_PAGE

    @property
    def pages(self) -> int:
        """Return how many pages there are; one if there is nothing."""
        return pages(self.found, self.per_page)


def pages(found: int, per_page: int) -> int:
    """Return how many pages there are; one if there is nothing."""
    return max(1, -(-found // per_page))


def within(page: int, found: int, per_page: int = PER_PAGE) -> int:
    """Return the page asked for; one too far is the last."""
    return min(max(page, 1), pages(found, per_page))


def paged(statement: Select[Row], page: int) -> Page[Row]:
    """Return one page of what a statement finds, by two queries; a page too far is the last."""
    counted: Select[Any] = select(func.count()).select_from(
        statement.order_by(None)
        .options()
        .with_only_columns(1, maintain_column_froms=True)
        .subquery()
    )
    found = db.session.scalar(counted) or 0
    page = within(page, found)
    rows = db.session.scalars(statement.limit(PER_PAGE).offset((page - 1) * PER_PAGE))
    return Page(list(rows), found, page)
