"""Points from the operator's side: runs, the monitoring report for J-Credits, missing data."""

from datetime import date

from flask import Response, flash, redirect, render_template, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import credit_reports, gift_fulfilment, ledger, missing_reports, point_runs
from ...domain.energy import day_of
from ...domain.errors import NotFound
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..context import settings
from ..points import words
from ..signin.limited import client_address
from ..words import language
from . import bp

PERIOD = "/points/credits/<string:period>"


@bp.get("/points")
@login_required
def points_show() -> str:
    """Show the half-yearly runs with how far they are, the ledgers, and what waits."""
    return render_template(
        "operator/points/show.html",
        runs=point_runs.list_runs(),
        totals=ledger.totals(),
        waiting=missing_reports.count_waiting(),
        orders=gift_fulfilment.count_asked(),
        due=point_runs.due(words.programme(), day_of(clock.now(), settings().site_zone)[0]),
    )


@bp.get("/points/runs")
@login_required
def points_runs() -> str:
    """Return how far the runs are alone; asks for itself while one goes on."""
    return render_template("operator/points/_runs.html", runs=point_runs.list_runs())


@bp.get(PERIOD)
@login_required
def points_report(period: str) -> str:
    """Show the monitoring report of a half-year, to print."""
    first = first_day(period)
    summary = credit_reports.summary(first)
    factors = words.factors()
    return render_template(
        "operator/points/report.html",
        summary=summary,
        factors=factors.within(summary.first, summary.last),
        spared=credit_reports.spared_by_all(summary, factors),
        source_of=lambda one: one.source_en if language() == "en" else one.source_ja,
        now=clock.now(),
    )


@bp.get(f"{PERIOD}.csv")
@login_required
def points_report_csv(period: str) -> Response:
    """Give the report by member as a file, sent as it is written."""
    first = first_day(period)
    # what is not there is told before the file begins
    summary = credit_reports.summary(first)
    lines = credit_reports.file(summary, words.factors())
    answer = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="j-credit-{first}.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/points/reports")
@login_required
def missing_list() -> str:
    """List what members say is missing."""
    return render_template(
        "operator/points/missing.html", shown=missing_reports.list_all(listing.page())
    )


@bp.post("/points/reports/<int:report_id>/handled")
@login_required
def missing_handled(report_id: int) -> ResponseReturnValue:
    """Keep that somebody looked at a report."""
    with transaction():
        missing_reports.handle(
            current_user, report_id, network_address=client_address(), now=clock.now()
        )
    flash(_("確認済みにしました。"), "success")
    return redirect(url_for("operator.missing_list"), code=303)


def first_day(period: str) -> date:
    """Return the first day of the half-year that the address names.

    Raises:
        NotFound: It is no day.
    """
    try:
        return date.fromisoformat(period)
    except ValueError as error:
        raise NotFound from error
