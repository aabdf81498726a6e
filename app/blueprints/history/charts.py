"""What js/history-chart.js draws: the figures of a page as series, each with its words and role."""

from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from ...domain.history import Page, starts_at
from ...domain.history_power import Power
from ...domain.periods import Period, Span
from ...extensions import gettext as _

Chart = dict[str, Any]


def lines(page: Page, power: Power) -> Chart:
    """Return a day's lines of power, in kW, and its state of charge, in % on an axis of its own."""
    names = {
        "pv": _("発電"),
        "load": _("消費"),
        "sold": _("売電"),
        "bought": _("買電"),
        "battery": _("蓄電池（放電 ＋ ／ 充電 −）"),
    }
    roles = {"sold": "sell", "bought": "buy"}
    known = [power.means.get(start, {}) for start in power.starts]
    zone = ZoneInfo(page.home.zone)
    return {
        "kind": "lines",
        "labels": [f"{starts_at(start).astimezone(zone):%H:%M}" for start in power.starts],
        "unit": "kW",
        "unknown": "—",
        "series": [
            *[
                _series(label, roles.get(name, name), [_kilo(one.get(name), 2) for one in known])
                for name, label in names.items()
            ],
            {
                **_series(_("蓄電残量"), "soc", [_whole(one.get("soc")) for one in known]),
                "axis": "percent",
            },
        ],
    }


def bars(page: Page) -> Chart:
    """Return bars by day or month, in kWh: what was used above zero, what left the home below."""
    up = [
        (_("自家消費"), "pv", [part.self_wh for _period, part in page.parts]),
        (_("買電"), "buy", _of(page, "import_wh")),
        (_("放電"), "discharge", _of(page, "discharge_wh")),
    ]
    down = [
        (_("売電"), "sell", _of(page, "export_wh")),
        (_("充電"), "charge", _of(page, "charge_wh")),
    ]
    return {
        "kind": "bars",
        "labels": [short(period) for period, _figures in page.parts],
        "unit": "kWh",
        "unknown": "—",
        "series": [
            _series(label, role, [_kilo(wh, 2, sign=sign) for wh in values])
            for sign, several in ((1, up), (-1, down))
            for label, role, values in several
        ],
    }


def _of(page: Page, quantity: str) -> list[float | None]:
    return [part.wh(quantity) for _period, part in page.parts]


def _series(label: str, role: str, values: Sequence[float | None]) -> Chart:
    return {"label": label, "role": role, "values": values, "axis": "energy"}


def _kilo(value: float | None, digits: int, *, sign: int = 1) -> float | None:
    return None if value is None else round(sign * value / 1000, digits)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def short(period: Period) -> str:
    """Return what a part of a period is called on an axis: 11/22, 2026/11."""
    form = "%m/%d" if period.span is Span.DAY else "%Y/%m"
    return f"{period.first:{form}}"


def is_empty(chart: Chart) -> bool:
    """Tell whether there is nothing to draw."""
    return not any(value is not None for value in _values(chart["series"]))


def _values(series: Iterable[Chart]) -> Iterable[float | None]:
    return (value for one in series for value in one["values"])
