"""What a device is set to, why, and reading it anew."""

from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import live, setting_contracts, setting_history, setting_orders
from ...domain import settings as rules
from ...domain.live import Age
from ...domain.settings import Access, Shown
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..dealers.looking import open_link
from ..signin.limited import client_address
from . import GATEWAY, bp


def access_asked(gateway_id: str, now: datetime, *, to_set: bool = False) -> Access:
    """Return by what right who is signed in is at a gateway's settings. A dealer's look is noted.

    Raises:
        NotFound: There is no such gateway, or none they may know of, or not `to_set`.
    """
    find = rules.get_to_set if to_set else rules.get
    access = find(current_user, gateway_id, now)
    if current_user.role == "dealer":
        open_link(gateway_id, now)
    return access


@bp.get(f"/{GATEWAY}/settings")
@login_required
def show(gateway_id: str) -> str:
    """Show what a device is set to, and by whom."""
    return render_template("settings/show.html", **shown(gateway_id))


@bp.get(f"/{GATEWAY}/settings/values")
@login_required
def values(gateway_id: str) -> str:
    """Return the settings alone; they ask for themselves while they are being read."""
    return render_template("settings/_values.html", **shown(gateway_id))


def shown(gateway_id: str) -> dict[str, Any]:
    """Return what the page of settings shows."""
    now = clock.now()
    access = access_asked(gateway_id, now)
    installation = access.installation
    stand = rules.show(installation.gateway_id)
    changes, present = setting_history.latest(installation), present_of(access, stand)
    state = live.get_live(current_user, gateway_id, now, zone=settings().site_zone)
    return {
        "gateway_id": gateway_id,
        "access": access,
        "installation": installation,
        "zone": installation.zone,
        "stand": stand,
        "age": age_of(stand, now),
        "is_fresh": stand.is_fresh(now),
        "can_be_set": rules.can_be_set(installation),
        "live": state,
        "opened": setting_orders.find_open(installation),
        # a reason explains a value only as long as that value stands
        "reasons": {
            key: change for key, change in changes.items() if present.get(key) == change.after
        },
        "changed_elsewhere": {
            key
            for key, change in changes.items()
            if key in stand.values and stand.values[key] != change.after  # type: ignore[index]
        },
        "contract_a": present[setting_contracts.KEY],
        "missing": [key for key in rules.KEYS if key not in stand.offers],
    }


def present_of(access: Access, stand: Shown) -> dict[Any, Any]:
    """Return what stands: at the device, and here."""
    kept = {setting_contracts.KEY: setting_contracts.present(access.installation)}
    return {**stand.values, **kept}


def read_first(gateway_id: str) -> ResponseReturnValue:
    """Lead to where the settings are read: a change must not rest on what was told long ago."""
    flash(_("先に、いまの設定を機器から読み込んでください。"), "info")
    return redirect(url_for("settings.show", gateway_id=gateway_id), code=303)


def age_of(stand: Shown, now: datetime) -> Age | None:
    """Return how old the values are, None for those of this minute."""
    return Age.of((now - stand.read_at).total_seconds()) if stand.read_at else None


@bp.post(f"/{GATEWAY}/settings/read")
@login_required
def read(gateway_id: str) -> ResponseReturnValue:
    """Let a job read the settings from the device."""
    now = clock.now()
    access = access_asked(gateway_id, now)
    if rules.can_be_set(access.installation):
        with transaction():
            rules.ask_reading(access.installation, now)
    return redirect(url_for("settings.show", gateway_id=gateway_id), code=303)


@bp.post(f"/{GATEWAY}/settings/mails/<any(on, off):choice>")
@login_required
def mails(gateway_id: str, choice: str) -> ResponseReturnValue:
    """Let the owner be mailed of what others change, or no longer."""
    with transaction():
        rules.mail_owner(
            current_user,
            gateway_id,
            wanted=choice == "on",
            network_address=client_address(),
            now=clock.now(),
        )
    if choice == "on":
        flash(_("販売店などが設定を変更したときに、メールでお知らせします。"), "success")
    else:
        flash(
            _("設定の変更のメールを止めました。変更の記録には、これまでどおり残ります。"), "success"
        )
    return redirect(url_for("settings.show", gateway_id=gateway_id), code=303)
