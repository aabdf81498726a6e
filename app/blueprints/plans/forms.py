"""What an owner chooses and types to have days planned."""

from collections.abc import Callable
from typing import Any

from wtforms import BooleanField, SelectField

from ...domain.plan_choices import Wanted
from ...domain.tariffs import MOST_YEN
from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..forms import Form

# eight directions as a household names them, by degrees from north
DIRECTIONS = {
    "": _("分からない（南とみなします）"),
    "0": _("北"),
    "45": _("北東"),
    "90": _("東"),
    "135": _("南東"),
    "180": _("南"),
    "225": _("南西"),
    "270": _("西"),
    "315": _("北西"),
}
HALF_HOURS = [(str(minute), f"{minute // 60}:{minute % 60:02}") for minute in range(0, 1440, 30)]


def _between(low: float, high: float) -> Callable[[str], bool]:
    def fits(typed: str) -> bool:
        # float would take "nan", "1e3" and "１"
        plain = typed.isascii() and typed.replace(".", "", 1).isdecimal()
        return plain and low <= float(typed) <= high

    return fits


def _figure(label: Any, low: float, high: float, **more: Any) -> TextField:
    message = _("%(low)s から %(high)s までの数字で入力してください。", low=low, high=high)
    return TextField(
        label,
        longest=8,
        width="s",
        checks=[(_between(low, high), message)],
        attrs={"inputmode": "decimal"},
        **more,
    )


class PlanForm(Form):
    """計画の設定."""

    storm = BooleanField(_("警報が出たら、前もって充電する"))
    night = BooleanField(_("明日の天気と使いかたに合わせて、夜の充電を調節する"))
    cost = BooleanField(_("電気代が最も安くなる一日を計画する"))
    tariff = SelectField(_("料金プラン"), validate_choice=False)
    day_yen = _figure(_("ふだんの時間の料金"), 0.01, MOST_YEN)
    night_yen = _figure(_("安い時間の料金"), 0.01, MOST_YEN)
    night_begins = SelectField(_("安い時間の始まり"), choices=HALF_HOURS, default="1380")
    night_ends = SelectField(_("安い時間の終わり"), choices=HALF_HOURS, default="420")
    sell_yen = _figure(_("売電の単価"), 0, MOST_YEN)
    battery_kwh = _figure(_("蓄電池の容量"), 1, 100)
    panels_kw = _figure(_("太陽光パネルの容量"), 0.5, 100)
    panels_tilt = _figure(_("パネルの傾き"), 0, 90)
    panels_azimuth = SelectField(
        _("パネルの向き"), choices=list(DIRECTIONS.items()), validate_choice=False
    )
    area = SelectField(_("天気予報と警報の地域"), validate_choice=False)

    def figure(self, name: str) -> float | None:
        """Return a typed figure, None for none."""
        typed = self.typed(name)
        return float(typed) if typed else None

    def to_wanted(self) -> Wanted:
        """Return the checked data."""
        own = not self.typed("tariff")
        office, _slash, area = self.typed("area").partition("/")
        azimuth = self.typed("panels_azimuth")
        kwh = self.figure("battery_kwh")
        return Wanted(
            storm=bool(self["storm"].data),
            night=bool(self["night"].data),
            cost=bool(self["cost"].data),
            tariff=self.typed("tariff"),
            day_yen=self.figure("day_yen") if own else None,
            night_yen=self.figure("night_yen") if own else None,
            night_begins=int(self.typed("night_begins")) if own else None,
            night_ends=int(self.typed("night_ends")) if own else None,
            sell_yen=self.figure("sell_yen"),
            battery_wh=kwh * 1000 if kwh else None,
            panels_kw=self.figure("panels_kw"),
            panels_tilt=self.figure("panels_tilt"),
            panels_azimuth=float(azimuth) if azimuth in DIRECTIONS and azimuth else None,
            office=office,
            area=area,
        )
