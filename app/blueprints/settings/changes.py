"""変更の記録 of a gateway's settings."""

from flask import render_template
from flask_login import current_user, login_required

from ... import clock
from ...domain import setting_history
from ...domain import settings as rules
from .. import listing
from ..context import settings
from ..dealers.looking import open_link
from ..numbers import row_asked
from . import GATEWAY, bp


@bp.get(f"/{GATEWAY}/settings/changes")
@login_required
def changes(gateway_id: str) -> str:
    """List every change, newest first; `?of=` names an ownership that is over."""
    now = clock.now()
    access = rules.get_record(
        current_user,
        gateway_id,
        now,
        zone=settings().site_zone,
        installation_id=row_asked("of"),
    )
    if current_user.role == "dealer":
        open_link(gateway_id, now)
    return render_template(
        "settings/changes.html",
        gateway_id=gateway_id,
        access=access,
        installation=access.installation,
        zone=access.installation.zone,
        shown=setting_history.search(access.installation, listing.page()),
        reader_id=current_user.id,
    )
