"""Where and when sheets were tried in vain."""

from flask import render_template
from flask_login import login_required

from ... import clock
from ...domain import attempts as rules
from ..context import settings
from . import bp


@bp.get("/attempts")
@login_required
def attempts() -> str:
    """Show the failures of seven days by hour, and where most of them were."""
    now = clock.now()
    return render_template(
        "operator/attempts.html",
        map=rules.heat_map(now, settings().site_zone),
        step=rules.step,
        gateways=rules.worst_gateways(now),
        places=rules.worst_places(now),
    )
