"""The statement (明細): balance, what came and went, how each credit came about."""

from datetime import date

from flask import Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import ledger, missing_reports, statements
from ...domain.energy import day_of
from ...domain.errors import Rejected
from ...extensions import gettext as _
from ...transaction import transaction
from .. import listing
from ..context import settings
from ..signin.limited import client_address
from . import bp, words
from .forms import MissingForm


@bp.get("", strict_slashes=False)
@login_required
def statement() -> str:
    """Show the balance, this half-year so far, and a page of what came and went."""
    now = clock.now()
    zone = settings().site_zone
    shown = statements.previews(current_user, words.programme(), now, zone=zone)
    today = day_of(now, zone)[0]
    return render_template(
        "points/statement.html",
        balance=ledger.balance(current_user.id),
        previews=shown,
        chart=chart_of(statements.months(current_user, shown, today)),
        shown=statements.page(current_user, listing.page()),
        is_member=statements.is_member(current_user),
        change_of=statements.change_of,
        what=words.what,
    )


@bp.get("/statement.csv")
@login_required
def statement_csv() -> Response:
    """Give the whole statement as a file, sent as it is written."""
    lines = statements.lines(current_user._get_current_object())
    answer = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="points.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/<int:transaction_id>")
@login_required
def show(transaction_id: int) -> str:
    """Show how a credit came about."""
    return show_credit(transaction_id, MissingForm())


@bp.post("/<int:transaction_id>/report")
@login_required
def report(transaction_id: int) -> ResponseReturnValue:
    """Tell operators that energy is missing from a credit."""
    form = MissingForm()
    statements.get(current_user, transaction_id)
    if form.validate():
        try:
            with transaction():
                missing_reports.report(
                    current_user,
                    transaction_id,
                    form.typed("words"),
                    network_address=client_address(),
                    now=clock.now(),
                )
        except Rejected as refusal:
            form.show_rejection(refusal)
        else:
            flash(
                _("お知らせを受け付けました。確認の結果は、次の付与のときに反映されます。"),
                "success",
            )
            return redirect(url_for("points.show", transaction_id=transaction_id), code=303)
    return show_credit(transaction_id, form), 422


def show_credit(transaction_id: int, form: MissingForm) -> str:
    """Render how a credit came about, and the form."""
    credit = statements.get(current_user, transaction_id)
    sums = statements.sums_of(credit)
    assert credit.membership
    site = credit.membership.installation
    return render_template(
        "points/show.html",
        credit=credit,
        sums=sums,
        site=site,
        missing=words.missing(sums, site.zone),
        waiting=missing_reports.is_waiting(transaction_id) and request.method == "GET",
        form=form,
    )


def chart_of(months: dict[str, float | None]) -> dict[str, object] | None:
    """Return bars of self-consumed kWh by month; None while there is nothing to draw."""
    if not any(kwh is not None for kwh in months.values()):
        return None
    return {
        "kind": "bars",
        "labels": [f"{date.fromisoformat(f'{name}-01'):%Y/%m}" for name in months],
        "unit": "kWh",
        "unknown": "—",
        "series": [
            {
                "label": _("自家消費"),
                "role": "pv",
                "axis": "energy",
                "values": [None if kwh is None else round(kwh, 2) for kwh in months.values()],
            }
        ],
    }
