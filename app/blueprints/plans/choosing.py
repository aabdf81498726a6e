"""計画の設定: what an owner has planned, off until chosen."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import feed_in, gateways, plan_choices, tariffs, weather
from ...domain.energy import day_of
from ...domain.errors import Rejected
from ...extensions import gettext as _
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address
from ..words import language
from . import GATEWAY, bp
from .forms import PlanForm


@bp.route(f"/{GATEWAY}/tomorrow/choices", methods=["GET", "POST"])
@login_required
def choose(gateway_id: str) -> ResponseReturnValue:
    """Choose what is planned, and say what it is planned from."""
    installation = gateways.get_owned(current_user, gateway_id)
    now = clock.now()
    form = PlanForm(data=_kept(plan_choices.find(installation.id)))
    templates = settings().content_dir / "tariffs"
    today, _begins = day_of(now, installation.zone or settings().site_zone)
    english = language() == "en"
    listed = tariffs.listed(templates, today)
    form["tariff"].choices = [
        ("", str(_("ご自宅の料金を入力する"))),
        *[
            (
                one.code,
                f"{one.company_en} {one.name_en}" if english else f"{one.company} {one.name}",
            )
            for one in listed
        ],
    ]
    form["area"].choices = [
        ("", str(_("%(prefecture)s（お住まいの都道府県）", prefecture=installation.prefecture))),
        *[
            (f"{office}/{area}", name)
            for office, area, name in weather.areas_of(
                weather.OFFICES.get(installation.prefecture, ())
            )
        ],
    ]
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    plan_choices.change(
                        current_user,
                        gateway_id,
                        form.to_wanted(),
                        templates=templates,
                        zone=settings().site_zone,
                        network_address=client_address(),
                        now=now,
                    )
            except Rejected as refusal:
                status = form.show_rejection(refusal)
            else:
                flash(_("計画の設定を保存しました。"), "success")
                return redirect(url_for("plans.show", gateway_id=gateway_id), code=303)
    page = render_template(
        "plans/choose.html",
        form=form,
        installation=installation,
        listed=listed,
        feed_in=feed_in.load(settings().content_dir),
        has_weather=bool(settings().weather_source),
    )
    return page, status


def _kept(choice: Any) -> dict[str, Any]:
    """Return what the form begins with."""
    if choice is None:
        return {}
    data: dict[str, Any] = {name: getattr(choice, name) for name in ("storm", "night", "cost")}
    data["tariff"] = choice.tariff
    for name in ("day_yen", "night_yen", "sell_yen", "panels_kw", "panels_tilt"):
        data[name] = _plain(getattr(choice, name))
    for name in ("night_begins", "night_ends"):
        if (minute := getattr(choice, name)) is not None:
            data[name] = str(minute)
    data["battery_kwh"] = _plain(choice.battery_wh and choice.battery_wh / 1000)
    data["panels_azimuth"] = _plain(choice.panels_azimuth)
    data["area"] = f"{choice.office}/{choice.area}" if choice.area else ""
    return data


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
