"""From the form of settings by the confirmation to the order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import (
    setting_checks,
    setting_contracts,
    setting_history,
    setting_orders,
    setting_reserves,
)
from ...domain import settings as rules
from ...domain.errors import NotFound, Rejected
from ...domain.setting_checks import ChangedMeanwhile, NotOffered
from ...domain.settings import Access, Shown
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..numbers import LARGEST
from ..signin.limited import client_address
from . import GATEWAY, bp
from .forms import ConfirmForm, SettingsForm, form_for, from_json, to_json
from .views import access_asked, age_of, present_of, read_first

# o'clock at the site
EVENING, MORNING = 17, 7


@bp.route(f"/{GATEWAY}/settings/edit", methods=["GET", "POST"])
@login_required
def edit(gateway_id: str) -> ResponseReturnValue:
    """Choose new settings; what was chosen is confirmed on the next page."""
    now = clock.now()
    access = access_asked(gateway_id, now, to_set=True)
    stand = rules.show(access.installation.gateway_id)
    if stand.read_at is None or (request.method == "GET" and not stand.is_fresh(now)):
        return read_first(gateway_id)
    present = _present(access, stand)
    # 前に戻る, from the confirmation
    back = from_json(request.form.get("wanted")) if "back" in request.form else None
    if back is not None or request.method == "GET":
        seen = from_json(request.form.get("seen")) if back else {}
        chosen = _offered(stand, back or {})
        form = form_for(stand.offers, {**present, **chosen}, is_sent=back is None)
        # what was seen before stays seen, or somebody's change would be passed over
        form.seen.data = to_json({**present, **seen})
        return _edit_page(gateway_id, access, stand, form)
    seen = from_json(request.form.get("seen"))
    form = form_for(stand.offers, present)
    wanted = form.wanted() if form.validate() else None
    if wanted is None:
        return _edit_page(gateway_id, access, stand, form), 422
    changed = {key: value for key, value in wanted.items() if seen.get(key) != value}
    try:
        setting_checks.check_offered(stand, changed)
    except Rejected as refusal:
        form.show_rejection(refusal)
        return _edit_page(gateway_id, access, stand, form), 422
    return confirm_page(gateway_id, access, changed, seen=seen)


def _offered(stand: Shown, values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return those values that the device offers, or that are ours to keep."""
    offers = stand.offers
    if setting_contracts.is_one(values):
        return {key: value for key, value in values.items() if setting_contracts.allows(value)}
    return {
        key: value for key, value in values.items() if key in offers and offers[key].allows(value)
    }


def _present(access: Access, stand: Shown) -> dict[Any, Any]:
    opened = setting_orders.find_open(access.installation)
    return {**present_of(access, stand), **setting_orders.expected(stand, opened)}


def _edit_page(gateway_id: str, access: Access, stand: Shown, form: SettingsForm) -> str:
    present = _present(access, stand)
    return render_template(
        "settings/edit.html",
        gateway_id=gateway_id,
        access=access,
        installation=access.installation,
        zone=access.installation.zone,
        stand=stand,
        age=age_of(stand, clock.now()),
        opened=setting_orders.find_open(access.installation),
        form=form,
        reserves=setting_reserves.suggested(access.installation, stand, present),
        remembered=setting_reserves.remembered(access.installation),
        present=present,
    )


def confirm_page(
    gateway_id: str,
    access: Access,
    wanted: Mapping[Any, Any],
    *,
    seen: Mapping[Any, Any] | None = None,
    undoes: int | None = None,
) -> str:
    """Return the page that says what will happen, before it does."""
    present = _present(access, rules.show(access.installation.gateway_id))
    known = present if seen is None else seen
    form = ConfirmForm(formdata=None)
    form.wanted.data = to_json(wanted)
    form.seen.data = to_json({key: known.get(key) for key in wanted})
    form.undoes.data = str(undoes or "")
    return _render(gateway_id, access, form)


@bp.route(f"/{GATEWAY}/settings/confirm", methods=["GET", "POST"])
@login_required
def confirm(gateway_id: str) -> ResponseReturnValue:
    """Order what was confirmed. By its address alone it shows what outlived a session."""
    now = clock.now()
    access = access_asked(gateway_id, now, to_set=True)
    form = ConfirmForm()
    if request.method == "GET":
        if from_json(form.wanted.data):
            return _render(gateway_id, access, form)
        return redirect(url_for("settings.edit", gateway_id=gateway_id), code=303)
    form.until.choices = _choices(access, form, now)
    if not form.validate() or not form.has_end():
        return _render(gateway_id, access, form), 422
    try:
        order_id = _place(gateway_id, access, form, now)
    except ChangedMeanwhile as refusal:
        # what stands now is seen by the page that comes
        access = access_asked(gateway_id, now, to_set=True)
        present = _present(access, rules.show(access.installation.gateway_id))
        form.seen.data = to_json({key: present.get(key) for key in from_json(form.wanted.data)})
        form.form_errors.append(str(refusal))
        return _render(gateway_id, access, form, is_overtaken=True), 422
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return _render(gateway_id, access, form), status
    page = url_for("settings.order", gateway_id=gateway_id, order_id=order_id)
    return redirect(page, code=303)


def _place(gateway_id: str, access: Access, form: ConfirmForm, now: datetime) -> int:
    wanted = from_json(form.wanted.data)
    asked: dict[str, Any] = {
        "seen": from_json(form.seen.data),
        "reason": form.typed("reason"),
        "undoes_id": _row_number(form.undoes.data or ""),
        "network_address": client_address(),
        "now": now,
    }
    with transaction():
        if setting_contracts.is_one(wanted):
            return setting_contracts.change(current_user, gateway_id, wanted, **asked).id
        until = _until(form, access.installation.zone, now)
        return setting_orders.place(current_user, gateway_id, wanted, until=until, **asked).id


def _row_number(typed: str) -> int | None:
    """Return the id that a hidden field holds.

    Raises:
        NotFound: It is no row's.
    """
    if not typed:
        return None
    if not (typed.isascii() and typed.isdecimal() and len(typed) < 11 and int(typed) <= LARGEST):
        raise NotFound
    return int(typed)


def _render(
    gateway_id: str, access: Access, form: ConfirmForm, *, is_overtaken: bool = False
) -> str:
    installation, now = access.installation, clock.now()
    stand = rules.show(installation.gateway_id)
    wanted = from_json(form.wanted.data)
    fine = _offered(stand, wanted)
    if len(fine) < len(wanted):
        form.form_errors.append(str(NotOffered()))
    choices = _choices(access, form, now)
    form.until.choices = choices
    if form.until.data not in dict(choices):
        form.until.data = choices[0][0]
    return render_template(
        "settings/confirm.html",
        gateway_id=gateway_id,
        access=access,
        installation=installation,
        zone=installation.zone,
        form=form,
        wanted=fine,
        is_kept=setting_contracts.is_one(wanted),
        present=_present(access, stand),
        stand=stand,
        longest_s=stand.longest_s(fine),
        opened=setting_orders.find_open(installation),
        latest=setting_history.latest(installation) if is_overtaken else {},
        is_overtaken=is_overtaken,
        reader_id=current_user.id,
    )


def _choices(access: Access, form: ConfirmForm, now: datetime) -> list[tuple[str, Any]]:
    """Return until when the change may stand: what the device keeps for a while has an end."""
    stand = rules.show(access.installation.gateway_id)
    longest_s = stand.longest_s(from_json(form.wanted.data))
    zone = access.installation.zone
    times = [
        ("evening", _("今日の17時まで"), _at(EVENING, zone, now)),
        ("morning", _("明日の朝7時まで"), _at(MORNING, zone, now, days=1)),
    ]
    found: list[tuple[str, Any]] = [] if longest_s else [("none", _("ずっと（次に変えるまで）"))]
    for name, words, moment in times:
        if now < moment and (longest_s is None or (moment - now).total_seconds() <= longest_s):
            found.append((name, words))
    return [*found, ("own", _("時刻を決める"))]


def _until(form: ConfirmForm, zone: str, now: datetime) -> datetime | None:
    """Return the end that was chosen, None for none."""
    chosen = form.until.data
    if chosen == "evening":
        return _at(EVENING, zone, now)
    if chosen == "morning":
        return _at(MORNING, zone, now, days=1)
    moment: datetime | None = form.until_at.moment
    if chosen == "own" and moment is not None:
        return moment.replace(tzinfo=ZoneInfo(zone))
    return None


def _at(hour: int, zone: str, now: datetime, *, days: int = 0) -> datetime:
    day = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))
