"""A month as a file."""

import structlog
from flask import Response
from flask_login import current_user, login_required

from ... import clock
from ...domain import history_csv
from ...domain.periods import Span
from . import GATEWAY, bp
from .asking import file_asked, home_asked

log = structlog.get_logger()


@bp.get(f"/{GATEWAY}/history.csv")
@login_required
def csv(gateway_id: str) -> Response:
    """Give the half hours of a month as a file, sent as it is written."""
    now = clock.now()
    home = home_asked(gateway_id, now)
    month = file_asked(Span.MONTH, home, now)
    log.info("history_fetched", account=current_user.id, installation=home.installation_id)
    lines = history_csv.month(home, month, now)
    answer = Response(lines, content_type="text/csv; charset=utf-8")
    name = history_csv.file_name(home, month)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer
