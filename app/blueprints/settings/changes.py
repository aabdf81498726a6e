"""変更の記録 of a gateway's settings."""

from flask import render_template
from flask_login import current_user, login_required

from ... import clock
from ...domain import setting_history
from .. import listing
from . import GATEWAY, bp
from .views import access_asked


@bp.get(f"/{GATEWAY}/settings/changes")
@login_required
def changes(gateway_id: str) -> str:
    """List every change, newest first."""
    access = access_asked(gateway_id, clock.now())
    return render_template(
        "settings/changes.html",
        gateway_id=gateway_id,
        access=access,
        installation=access.installation,
        zone=access.installation.zone,
        shown=setting_history.search(access.installation, listing.page()),
        reader_id=current_user.id,
    )
