"""One change on its way: asked, sent, confirmed, and what went wrong."""

from typing import Any

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import setting_contracts, setting_history
from ...domain import settings as rules
from . import GATEWAY, bp
from .confirming import confirm_page
from .views import access_asked, present_of, read_first

ORDER = f"/{GATEWAY}/settings/changes/<int:order_id>"


@bp.get(ORDER)
@login_required
def order(gateway_id: str, order_id: int) -> str:
    """Show how far a change is, and what stands now."""
    return render_template("settings/order.html", **asked(gateway_id, order_id))


@bp.get(f"{ORDER}/progress")
@login_required
def progress(gateway_id: str, order_id: int) -> str:
    """Return how far a change is alone; it asks for itself until that is settled."""
    return render_template("settings/_progress.html", **asked(gateway_id, order_id))


def asked(gateway_id: str, order_id: int) -> dict[str, Any]:
    """Return what the page of a change shows.

    Raises:
        NotFound: There is none of this installation's.
    """
    access = access_asked(gateway_id, clock.now())
    installation = access.installation
    order = setting_history.get(installation, order_id)
    return {
        "gateway_id": gateway_id,
        "access": access,
        "installation": installation,
        "zone": installation.zone,
        "order": order,
        "present": present_of(access, rules.show(installation.gateway_id)),
        "is_kept": setting_contracts.is_one({change.key: change.after for change in order.changes}),
        "reader_id": current_user.id,
    }


@bp.get(f"{ORDER}/undo")
@login_required
def undo(gateway_id: str, order_id: int) -> ResponseReturnValue:
    """Ask to confirm that a change goes back."""
    access = access_asked(gateway_id, clock.now(), to_set=True)
    found = setting_history.get(access.installation, order_id)
    return _confirm(gateway_id, access, setting_history.before_of(found), undoes=found.id)


@bp.get(f"{ORDER}/complete")
@login_required
def complete(gateway_id: str, order_id: int) -> ResponseReturnValue:
    """Ask to confirm what a change did not bring about."""
    access = access_asked(gateway_id, clock.now(), to_set=True)
    found = setting_history.get(access.installation, order_id)
    return _confirm(gateway_id, access, setting_history.missing_of(found))


def _confirm(
    gateway_id: str, access: rules.Access, wanted: dict[str, Any], *, undoes: int | None = None
) -> ResponseReturnValue:
    stand = rules.show(access.installation.gateway_id)
    is_kept = setting_contracts.is_one(wanted)
    if not is_kept and not stand.is_fresh(clock.now()):
        return read_first(gateway_id)
    present = present_of(access, stand)
    wanted = {
        key: value
        for key, value in wanted.items()
        if (is_kept or key in stand.offers) and present.get(key) != value
    }
    if not wanted:
        return redirect(url_for("settings.show", gateway_id=gateway_id), code=303)
    return confirm_page(gateway_id, access, wanted, undoes=undoes)
