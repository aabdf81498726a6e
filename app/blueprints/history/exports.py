"""A year as a ZIP: asked for, watched while a job makes it, fetched for a day."""

from datetime import date
from typing import Any

import structlog
from flask import Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import history_exports
from ...domain.periods import Period, Span
from ...transaction import transaction
from ..signin.limited import client_address
from . import GATEWAY, bp
from .asking import Addresses, file_asked, home_asked

log = structlog.get_logger()

EXPORT = f"/{GATEWAY}/history/exports"


@bp.post(EXPORT)
@login_required
def start_export(gateway_id: str) -> ResponseReturnValue:
    """Let a job make the files of a year."""
    now = clock.now()
    home = home_asked(gateway_id, now)
    year = file_asked(Span.YEAR, home, now)
    with transaction():
        export_id = history_exports.request(
            current_user, home, year, network_address=client_address(), now=now
        )
    whose = Addresses(home, compared=False).whose
    page = url_for("history.show_export", gateway_id=gateway_id, export_id=export_id, **whose)
    return redirect(page, code=303)


@bp.get(f"{EXPORT}/<int:export_id>")
@login_required
def show_export(gateway_id: str, export_id: int) -> str:
    """Show how far the files are, and where to fetch them."""
    return render_template("history/export.html", **export_asked(gateway_id, export_id))


@bp.get(f"{EXPORT}/<int:export_id>/progress")
@login_required
def export_progress(gateway_id: str, export_id: int) -> str:
    """Return how far the files are alone; it asks for itself until they are finished."""
    return render_template("history/_progress.html", **export_asked(gateway_id, export_id))


@bp.get(f"{EXPORT}/<int:export_id>/file")
@login_required
def export_file(gateway_id: str, export_id: int) -> Response:
    """Give the ZIP."""
    now = clock.now()
    home = home_asked(gateway_id, now)
    year, content = history_exports.get_file(current_user, home, export_id, now)
    log.info("history_fetched", account=current_user.id, installation=home.installation_id)
    answer = Response(content, content_type="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="{home.public_id}-{year}.zip"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def export_asked(gateway_id: str, export_id: int) -> dict[str, Any]:
    """Return what the page of an export shows.

    Raises:
        NotFound: It is not theirs (any more), or over.
    """
    now = clock.now()
    home = home_asked(gateway_id, now)
    export = history_exports.get(current_user, home, export_id, now)
    addresses = Addresses(home, compared=False)
    return {
        "home": home,
        "export": export,
        "about": {"gateway_id": gateway_id, "export_id": export_id, **addresses.whose},
        "year_url": addresses.page(Period(Span.YEAR, date(export.year, 1, 1))),
    }
