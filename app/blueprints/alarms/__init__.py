"""異常 of one gateway: what stands, what stood, what it means and what to do."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import alarm_acts, alarm_lists, outages
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..dealers.looking import open_link
from ..signin.limited import client_address

bp = Blueprint("alarms", __name__, url_prefix="/alarms")

GATEWAY = "<string(length=12):gateway_id>"


@bp.get(f"/{GATEWAY}")
@login_required
def show(gateway_id: str) -> str:
    """Show the alarms of a gateway, present and past."""
    now = clock.now()
    if current_user.role == "dealer":
        # its owner sees when a dealer looked
        open_link(gateway_id, now)
    shown = alarm_lists.of_gateway(
        current_user,
        gateway_id,
        now,
        before=request.args.get("before", ""),
        after=request.args.get("after", ""),
    )
    installation = shown.installation
    return render_template(
        "alarms/show.html",
        shown=shown,
        installation=installation,
        zone=installation.zone or settings().site_zone,
        is_owner=installation.account_id == current_user.id,
        causes=alarm_lists.causes_of(shown.standing),
        outages=outages.during(installation.id, [*shown.standing, *shown.past.rows]),
    )


@bp.post(f"/{GATEWAY}/<int:alarm_id>/mute")
@login_required
def mute(gateway_id: str, alarm_id: int) -> ResponseReturnValue:
    """この異常を通知しない: mail the owner no more of it."""
    return _set(gateway_id, alarm_id, muted=True)


@bp.post(f"/{GATEWAY}/<int:alarm_id>/unmute")
@login_required
def unmute(gateway_id: str, alarm_id: int) -> ResponseReturnValue:
    """Mail the owner of it again."""
    return _set(gateway_id, alarm_id, muted=False)


def _set(gateway_id: str, alarm_id: int, *, muted: bool) -> ResponseReturnValue:
    with transaction():
        alarm_acts.mute_own(
            current_user,
            gateway_id,
            alarm_id,
            muted=muted,
            network_address=client_address(),
            now=clock.now(),
        )
    if muted:
        flash(
            _("この異常のお知らせを止めました。ほかの異常は、これまでどおりお知らせします。"),
            "success",
        )
    else:
        flash(_("この異常のお知らせを再開しました。"), "success")
    return redirect(url_for("alarms.show", gateway_id=gateway_id), code=303)
