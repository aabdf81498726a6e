"""The pages of a day, a month and a year."""

from typing import Any

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date
from flask_login import login_required

from ... import clock
from ...domain import history, history_power
from ...domain.history import Page
from ...domain.periods import Period, Span
from ...extensions import gettext as _
from ..context import settings
from . import GATEWAY, bp, charts
from .asking import Addresses, day_asked, home_asked, is_compared

SPAN = "<any(day, month, year):span>"


@bp.get(f"/{GATEWAY}/history")
@login_required
def index(gateway_id: str) -> ResponseReturnValue:
    """Lead to the last day there is."""
    addresses = Addresses(home_asked(gateway_id, clock.now()), compared=False)
    return redirect(url_for("history.show", gateway_id=gateway_id, span="day", **addresses.whose))


@bp.get(f"/{GATEWAY}/history/{SPAN}")
@login_required
def show(gateway_id: str, span: str) -> str:
    """Show a day, a month or a year: chart, figures with what they rest on, table, files."""
    return render_template("history/show.html", **page_asked(gateway_id, Span(span)))


@bp.get(f"/{GATEWAY}/history/{SPAN}/part")
@login_required
def part(gateway_id: str, span: str) -> ResponseReturnValue:
    """Return what changes on the page alone; the page's address follows."""
    shown = page_asked(gateway_id, Span(span))
    page = render_template("history/_page.html", alone=True, **shown)
    return page, {"HX-Push-Url": shown["addresses"].page(shown["page"].period)}


def page_asked(gateway_id: str, span: Span) -> dict[str, Any]:
    """Return all that the page which the address names shows."""
    now = clock.now()
    home = home_asked(gateway_id, now)
    period = Period.around(span, day_asked(home, now))
    page = history.get_page(home, period, now, compared=is_compared())
    chart = chart_of(page)
    return {
        "page": page,
        "home": home,
        "addresses": Addresses(home, is_compared()),
        "chart": None if charts.is_empty(chart) else chart,
        "title": title(period),
        "tabs": [Period.around(one, day_asked(home, now)) for one in Span],
        "rows": half_hour_rows(page) if span is Span.DAY else None,
        "limits": (home.first_day(), home.last_day(now)),
    }


def chart_of(page: Page) -> charts.Chart:
    """Return what a page's chart draws."""
    if page.period.span is not Span.DAY:
        return charts.bars(page)
    power = history_power.of_day(page, keep_days=settings().raw_retention_days)
    return charts.lines(page, power)


def half_hour_rows(page: Page) -> list[tuple[str, Any]]:
    """Return a day's half hours that have begun, each with when it starts."""
    return [(f"{start:%H:%M}", one) for start, one in history.half_hours_shown(page)]


def title(period: Period) -> str:
    """Return what a period is called: 2026/11/22（日）, 2026/11, 2026年."""
    first = period.first
    said: str = f"{first:%Y/%m}"
    if period.span is Span.DAY:
        weekday = format_date(first, "E", rebase=False)
        said = _("%(day)s（%(weekday)s）", day=f"{first:%Y/%m/%d}", weekday=weekday)
    elif period.span is Span.YEAR:
        said = _("%(year)s年", year=first.year)
    return said
