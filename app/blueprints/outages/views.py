"""The list of outages, and one of them: how long it was, picture, figures, three sentences."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import gateways, outage_reports, outages
from ...domain.history import Home
from ...domain.outage_figures import Figures, Point
from ...extensions import gettext as _
from ...transaction import transaction
from ..context import settings
from ..history.asking import Addresses, home_asked
from ..history.charts import Chart
from ..plans.charts import series
from ..signin.limited import client_address
from . import GATEWAY, bp, words


@bp.get(f"/{GATEWAY}/outages")
@login_required
def index(gateway_id: str) -> str:
    """List the outages of a home, the newest first."""
    now = clock.now()
    home = home_asked(gateway_id, now)
    shown = outages.list_of(
        home, before=request.args.get("before", ""), after=request.args.get("after", "")
    )
    is_owner = not home.until and current_user.role == "customer"
    return render_template(
        "outages/list.html",
        home=home,
        whose=Addresses(home, compared=False).whose,
        shown=shown,
        told=[(one, words.length(one, now), words.briefly(one)) for one in shown.rows],
        # 「メールを止める」 is the owner's alone
        owned=gateways.get_owned(current_user, gateway_id) if is_owner else None,
    )


@bp.get(f"/{GATEWAY}/outages/<int:outage_id>")
@login_required
def show(gateway_id: str, outage_id: int) -> str:
    """Show an outage: how long it was, and how the home fared."""
    now = clock.now()
    home = home_asked(gateway_id, now)
    outage = outages.get(home, outage_id)
    figures = (
        Figures.from_json(outage.report)
        if outage.report
        # it stands, or was over a moment ago
        else outage_reports.make(outage, zone=settings().site_zone, now=now)
    )
    return render_template(
        "outages/show.html",
        home=home,
        whose=Addresses(home, compared=False).whose,
        outage=outage,
        figures=figures,
        length=words.length(outage, now),
        sentences=words.sentences(outage, figures, now, home.zone),
        foretold=words.foretold(figures),
        silent=words.span(figures.silent_s / 60) if figures.silent_s >= 60 else "",
        began=words.between(outage.before_at, outage.began_at, home.zone),
        ended=words.between(outage.away_at, outage.ended_at, home.zone)
        if outage.ended_at and not outage.is_cut
        else "",
        is_exact=words.is_exact(outage),
        chart=chart_of(home, figures),
        rows=[(label(home, figures, point), point) for point in figures.points],
    )


@bp.post(f"/{GATEWAY}/outages/mails/<any(on, off):choice>")
@login_required
def mails(gateway_id: str, choice: str) -> ResponseReturnValue:
    """Let the owner be mailed how an outage went, or no longer."""
    with transaction():
        outages.mail_owner(
            current_user,
            gateway_id,
            wanted=choice == "on",
            network_address=client_address(),
            now=clock.now(),
        )
    if choice == "on":
        flash(_("停電が終わったときに、メールでお知らせします。"), "success")
    else:
        flash(_("停電のメールを止めました。停電の記録は、これまでどおり残ります。"), "success")
    return redirect(url_for("outages.index", gateway_id=gateway_id), code=303)


def chart_of(home: Home, figures: Figures) -> Chart | None:
    """Return what the picture draws: charge, use and sun over the time without the grid."""
    if len(figures.points) < 2:
        return None
    lines: list[Any] = [
        series(_("発電"), "pv", [_kilo(point.pv_w) for point in figures.points]),
        series(_("消費"), "load", [_kilo(point.load_w) for point in figures.points]),
        series(
            _("蓄電残量"),
            "soc",
            [None if point.soc_pct is None else round(point.soc_pct) for point in figures.points],
            axis="percent",
        ),
    ]
    return {
        "kind": "lines",
        "labels": [label(home, figures, point) for point in figures.points],
        # no whole day: as many of its times as there is room for
        "ticks": "auto",
        "unit": "kW",
        "unknown": "—",
        "series": lines,
    }


def label(home: Home, figures: Figures, point: Point) -> str:
    """Return what a point is called: 18:05, of an outage over midnight 11/23 18:05."""
    zone = ZoneInfo(home.zone)
    first, last, at = (
        datetime.fromtimestamp(one.start, UTC).astimezone(zone)
        for one in (figures.points[0], figures.points[-1], point)
    )
    return f"{at:%H:%M}" if first.date() == last.date() else f"{at:%m/%d %H:%M}"


def _kilo(watts: float | None) -> float | None:
    return None if watts is None else round(watts / 1000, 2)
