"""異常と障害: all alarms, and the incidents by which gateways were lost together."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ... import clock
from ...domain import alarm_acts, alarm_lists, incident_lists, normalise
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..signin.limited import client_address
from . import bp


@bp.get("/alarms")
def alarm_list() -> str:
    """List all alarms, newest first, and the incidents that are not over."""
    return render_template("operator/alarms/list.html", **found())


@bp.get("/alarms/list")
def alarm_rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = found()
    page = render_template("operator/alarms/_list.html", **shown)
    return page, {"HX-Replace-Url": url_for("operator.alarm_list", **shown["asked"])}


def found() -> dict[str, Any]:
    """Return the page of alarms that was asked for, what was asked, and the open incidents."""
    state = "cleared" if request.args.get("state") == "cleared" else ""
    gateway = normalise.line(request.args.get("gateway", "")).upper()[:12]
    asked = {"state": state, "gateway": gateway}
    shown = alarm_lists.list_all(
        **asked, before=request.args.get("before", ""), after=request.args.get("after", "")
    )
    return {
        "shown": shown,
        "asked": {name: value for name, value in asked.items() if value},
        "incidents": incident_lists.list_incidents().rows[:5],
        "causes": alarm_lists.causes_of(shown.rows),
    }


@bp.get("/incidents")
def incident_list() -> str:
    """List the incidents, newest first."""
    shown = incident_lists.list_incidents(
        before=request.args.get("before", ""), after=request.args.get("after", "")
    )
    return render_template("operator/alarms/incidents.html", shown=shown)


@bp.get("/incidents/<int:incident_id>")
def incident(incident_id: int) -> str:
    """Show an incident and some of its gateways."""
    shown = incident_lists.look_at_incident(incident_id)
    return render_template("operator/alarms/incident.html", shown=shown, incident=shown.incident)


@bp.post("/incidents/<int:incident_id>/acknowledge")
def acknowledge_incident(incident_id: int) -> ResponseReturnValue:
    """Note that an operator has seen it."""
    with transaction():
        alarm_acts.acknowledge_incident(
            current_user, incident_id, network_address=client_address(), now=clock.now()
        )
    flash(_("確認済みにしました。"), "success")
    return redirect(url_for("operator.incident", incident_id=incident_id), code=303)
