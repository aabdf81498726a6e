"""停電リハーサル: how long the battery would last, with a slider for the reserve."""

from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import rehearsal
from ...domain.rehearsal import Rehearsal
from ...extensions import gettext as _
from ..context import settings
from ..dealers.looking import open_link
from ..history.charts import Chart
from . import GATEWAY, bp
from .charts import hours, series

USUAL_RESERVE = 30


@bp.get(f"/{GATEWAY}/rehearsal")
@login_required
def rehearse(gateway_id: str) -> str:
    """Show how long the home would last if the power went out now."""
    return render_template("plans/rehearsal.html", **asked(gateway_id))


@bp.get(f"/{GATEWAY}/rehearsal/part")
@login_required
def rehearsal_part(gateway_id: str) -> ResponseReturnValue:
    """Return what changes as the slider moves; the page's address follows."""
    shown = asked(gateway_id)
    told: Rehearsal = shown["told"]
    address = url_for(
        "plans.rehearse",
        gateway_id=gateway_id,
        reserve=told.reserve_pct,
        sun=1 if told.with_sun else None,
    )
    page = render_template("plans/_rehearsal.html", **shown)
    return page, {"HX-Replace-Url": address}


def asked(gateway_id: str) -> dict[str, Any]:
    """Return all that the page shows of what its address asks for."""
    now = clock.now()
    if current_user.role == "dealer":
        # its owner sees when a dealer looked
        open_link(gateway_id, now)
    reserve = request.args.get("reserve", USUAL_RESERVE, type=int)
    told = rehearsal.rehearse(
        current_user,
        gateway_id,
        now,
        reserve_pct=min(100, max(0, reserve)),
        with_sun=request.args.get("sun") == "1",
        zone=settings().site_zone,
    )
    return {"told": told, "chart": chart_of(told)}


def chart_of(told: Rehearsal) -> Chart | None:
    """Return what the picture draws."""
    course = told.course
    if course is None:
        return None
    lines = [
        series(_("消費"), "load", [round(w / 1000, 2) for w in course.load_w]),
        series(_("蓄電残量"), "soc", [round(pct) for pct in course.soc_pct], axis="percent"),
    ]
    if told.with_sun:
        lines.insert(0, series(_("発電"), "pv", [round(w / 1000, 2) for w in course.pv_w]))
    return {
        "kind": "lines",
        "labels": hours(course.starts, told.zone),
        "unit": "kW",
        "unknown": "—",
        "series": lines,
    }
