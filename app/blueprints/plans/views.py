"""The plan of the next day: picture, three sentences, what it saves, and what it rests on."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import render_template
from flask_login import current_user, login_required

from ... import clock
from ...domain import gateways, plan_choices, plan_orders, plans, tariffs, weather
from ...domain.half_hours import LENGTH_S
from ...extensions import gettext as _
from ..context import settings
from ..dealers.looking import open_link
from ..history.charts import Chart
from . import GATEWAY, bp, words
from .charts import hours, series


@bp.get(f"/{GATEWAY}/tomorrow")
@login_required
def show(gateway_id: str) -> str:
    """Show the plan of the next day, or why there is none."""
    now = clock.now()
    if current_user.role == "dealer":
        # its owner sees when a dealer looked
        open_link(gateway_id, now)
    installation = gateways.get_visible(current_user, gateway_id, now)
    zone = installation.zone or settings().site_zone
    choice = plan_choices.find(installation.id)
    plan = plans.latest(installation.id)
    if choice is None or not (choice.night or choice.cost):
        plan = None
    made = plan if plan is not None and plan.outcome == plans.MADE else None
    told = made.content if made is not None else None
    templates = tariffs.load(settings().content_dir / "tariffs")
    return render_template(
        "plans/show.html",
        installation=installation,
        zone=zone,
        choice=choice,
        plan=plan,
        told=told,
        can_be_set=made is None or plan_orders.can_be_set(made, installation, zone),
        sentences=words.sentences(told, zone) if told else [],
        rests_on=words.rests_on(told) if told else "",
        missing=words.missing(plan) if plan is not None and told is None else None,
        chart=chart_of(told, zone) if told else None,
        rows=list(rows_of(told, zone)) if told else [],
        tariff=plan_choices.tariff_of(choice, templates) if choice else None,
        warnings=weather.warnings_of(
            plan_choices.office_for(installation, choice), choice.area if choice else "", now
        ),
        grave=words.warnings,
        is_owner=installation.account_id == current_user.id,
        has_weather=bool(settings().weather_source),
    )


def chart_of(told: Mapping[str, Any], zone: str) -> Chart:
    """Return what the picture of a plan draws."""
    starts = [told["begins"] + place * LENGTH_S for place in range(len(told["pv_wh"]))]
    return {
        "kind": "lines",
        "labels": hours(starts, zone),
        "unit": "kW",
        "unknown": "—",
        "series": [
            series(_("発電"), "pv", [round(wh / 500, 2) for wh in told["pv_wh"]]),
            series(_("消費"), "load", [round(wh / 500, 2) for wh in told["load_wh"]]),
            series(_("蓄電残量（計画）"), "soc", told["stored_pct"], axis="percent"),
            series(
                _("蓄電残量（何もしないとき）"), "battery", told["baseline_pct"], axis="percent"
            ),
        ],
    }


def rows_of(told: Mapping[str, Any], zone: str) -> Iterator[tuple[str, float, float, float, int]]:
    """Yield the same by the hour, for a table: time, Wh of sun and use, price, charge in %."""
    for place in range(0, len(told["pv_wh"]), 2):
        [label] = hours([told["begins"] + place * LENGTH_S], zone)
        sun, use = (sum(told[name][place : place + 2]) for name in ("pv_wh", "load_wh"))
        yield label, sun, use, told["buy_yen"][place], told["stored_pct"][place + 1]
