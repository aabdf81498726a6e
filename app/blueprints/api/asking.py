"""What is asked for: parameters, each judged, and all that is wrong told at once."""

from dataclasses import dataclass, field
from datetime import date
from re import ASCII
from re import compile as regex

from flask import abort, request

from ...domain import energy_series, keyset, people
from ...domain.energy_series import Span
from ..problems import problem

DAY = regex(r"\d{4}-\d{2}-\d{2}", ASCII)
NUMBER = regex(r"[1-9]\d{0,2}", ASCII)
LARGEST_PAGE = 100
USUAL_PAGE = 50


@dataclass
class Parameters:
    """The parameters of a request; `wrong` gathers what cannot be taken as it is."""

    wrong: list[tuple[str, str]] = field(default_factory=list)

    def only(self, *names: str) -> None:
        """Refuse parameters that there are not, and those sent twice: a typing error is told."""
        for name, values in request.args.lists():
            if name not in names:
                self.wrong.append((name, "There is no such parameter."))
            elif len(values) > 1:
                self.wrong.append((name, "Send it once."))

    def text(self, name: str) -> str:
        """Return a parameter, or nothing."""
        return request.args.get(name, "")

    def day(self, name: str) -> date:
        """Return a day that must be there."""
        text = self.text(name)
        try:
            if DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self.wrong.append((name, "Must be a day, such as 2026-11-22."))
        return date.min

    def judge(self) -> None:
        """Answer with what is wrong, if anything is."""
        if self.wrong:
            abort(problem(422, "Some parameters cannot be taken as they are.", wrong=self.wrong))


def before() -> str:
    """Return where a list of moments is to go on, or nothing for its beginning."""
    asked = Parameters()
    asked.only("cursor")
    cursor = asked.text("cursor")
    if "cursor" in request.args and not keyset.is_cursor(cursor):
        asked.wrong.append(("cursor", "Must be the next_cursor of an answer."))
    asked.judge()
    return cursor


@dataclass(frozen=True)
class Place:
    """Where a list is to go on, and how far."""

    cursor: str
    size: int


def place() -> Place:
    """Return which part of a list is asked for."""
    asked = Parameters()
    asked.only("cursor", "limit")
    cursor, limit = asked.text("cursor"), asked.text("limit") or str(USUAL_PAGE)
    if "cursor" in request.args and not people.is_gateway_id(cursor):
        asked.wrong.append(("cursor", "Must be the next_cursor of an answer."))
    is_number = NUMBER.fullmatch(limit) and int(limit) <= LARGEST_PAGE
    if not is_number or request.args.get("limit") == "":
        asked.wrong.append(("limit", f"Must be a number from 1 to {LARGEST_PAGE}."))
    asked.judge()
    return Place(cursor, int(limit))


def span() -> Span:
    """Return which periods are asked for."""
    asked = Parameters()
    asked.only("period", "from", "to")
    period, first, last = asked.text("period"), asked.day("from"), asked.day("to")
    if period not in energy_series.AT_MOST:
        asked.wrong.append(("period", f"Must be one of {', '.join(energy_series.AT_MOST)}."))
    if not asked.wrong:
        at_most = energy_series.AT_MOST[period]
        unit = "months" if period == energy_series.MONTH else "days"
        if first > last:
            asked.wrong.append(("to", "Must not be before from."))
        elif Span(period, first, last).size > at_most:
            asked.wrong.append(("to", f"At most {at_most} {unit} of {period} at once."))
    asked.judge()
    return Span(period, first, last)
