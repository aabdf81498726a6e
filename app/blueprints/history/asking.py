"""What the address of a page of history asks for, and the addresses of the pages around it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import request, url_for
from flask_login import current_user

from ...domain import history, periods
from ...domain.errors import NotFound
from ...domain.history import Home
from ...domain.periods import Period, Span
from ..context import settings
from ..dealers.looking import open_link
from ..numbers import row_asked


def home_asked(gateway_id: str, now: datetime) -> Home:
    """Return whose history the address names. That a dealer looked is written down.

    Raises:
        NotFound: There is no such gateway, or no history that who is signed in may read.
    """
    named = row_asked("of")
    if current_user.role == "dealer":
        open_link(gateway_id, now)
    return history.get_home(
        current_user, gateway_id, now, zone=settings().site_zone, installation_id=named
    )


def day_asked(home: Home, now: datetime) -> date:
    """Return the day the address names, or the last that was theirs."""
    last = home.last_day(now)
    named = periods.typed(request.args.get("on", ""))
    return periods.latest_day(named, (home.first_day(), last)) if named else last


def file_asked(span: Span, home: Home, now: datetime) -> Period:
    """Return the month or year whose file the address names.

    Raises:
        NotFound: None of it was theirs.
    """
    first, last = home.first_day(), home.last_day(now)
    named = periods.typed(request.args.get("on", ""))
    # a page shows the nearest there is; a script must not take another file for its own
    period = Period.around(span, named.first if named else last)
    if ("on" in request.args and named is None) or period.last < first or period.first > last:
        raise NotFound
    return period


def is_compared() -> bool:
    """Tell whether the period before is asked for."""
    return request.args.get("compare", "") == "1"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of pages about a home; what is shown beside a period stays chosen."""

    home: Home
    compared: bool

    @property
    def kept(self) -> dict[str, Any]:
        """Return what every address says besides its period."""
        return self.whose | ({"compare": 1} if self.compared else {})

    @property
    def whose(self) -> dict[str, Any]:
        """Return what names an ownership that is over."""
        return {"of": self.home.installation_id} if self.home.until else {}

    def page(self, period: Period) -> str:
        """Return the address of a period's page."""
        return self._of("history.show", period.span, on=period.name, **self.kept)

    def part(self, period: Period) -> str:
        """Return the address of what changes on a period's page."""
        return self._of("history.part", period.span, on=period.name, **self.kept)

    def form(self, span: Span) -> str:
        """Return the address that a form asks for a day, a month or a year."""
        return self._of("history.show", span)

    def form_part(self, span: Span) -> str:
        """Return the address of the same without the page around it."""
        return self._of("history.part", span)

    def file(self, period: Period) -> str:
        """Return the address of a month's file."""
        return url_for("history.csv", gateway_id=self.home.public_id, on=period.name, **self.whose)

    def export(self, period: Period) -> str:
        """Return the address that a year's files are asked for at."""
        return url_for(
            "history.start_export", gateway_id=self.home.public_id, on=period.name, **self.whose
        )

    def _of(self, endpoint: str, span: Span, **asked: Any) -> str:
        return url_for(endpoint, gateway_id=self.home.public_id, span=span.value, **asked)
