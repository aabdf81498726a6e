"""What a plan says: three sentences, and why there is none."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ...domain.history import starts_at
from ...extensions import lazy_gettext as _

SKIES: Mapping[str, object] = {
    "sunny": _("晴れ"),
    "cloudy": _("くもり"),
    "wet": _("雨または雪"),
}


def sentences(told: Mapping[str, Any], zone: str) -> list[str]:
    """Return a plan in three sentences: what is expected, what is done, and what that saves."""
    return [_expected(told), _done(told, zone), _saved(told)]


def _expected(told: Mapping[str, Any]) -> str:
    # from 18:00 on: what comes after the sixth hour is tomorrow's
    sun, use = (sum(told[name][12:]) / 1000 for name in ("pv_wh", "load_wh"))
    return str(
        _(
            "明日は、発電 %(sun)s kWh、消費 %(use)s kWh の見込みです。",
            sun=f"{sun:.1f}",
            use=f"{use:.1f}",
        )
    )


def _done(told: Mapping[str, Any], zone: str) -> str:
    if told["level_pct"] and told["window"]:
        begins, ends = (_at(told, place, zone) for place in told["window"])
        said = _(
            "%(begins)s から %(ends)s までのあいだに、"
            "電力会社の電気で蓄電池を %(level)s %% まで充電します。",
            begins=f"{begins:%H:%M}",
            ends=f"{ends:%H:%M}",
            level=told["level_pct"],
        )
    else:
        said = _("電力会社の電気では充電しません。蓄電池には、太陽の電気だけをためます。")
    if told["sells"]:
        return str(_("昼間に余った電気は、ためずに売ります。")) + str(said)
    return str(said)


def _at(told: Mapping[str, Any], place: int, zone: str) -> datetime:
    return starts_at(told["begins"] + place * 1800).astimezone(ZoneInfo(zone))


def _saved(told: Mapping[str, Any]) -> str:
    mean, low, high = told["saving"]
    if not mean and not low and not high:
        return str(_("いつもの使いかたより得になる計画が見つからないので、何も変えません。"))
    said = _(
        "何もしないときと比べて、およそ %(mean)s 円の節約になる見込みです（"
        "10日のうち8日は %(low)s 円から %(high)s 円のあいだ）。",
        mean=f"{mean:+.0f}",
        low=f"{low:+.0f}",
        high=f"{high:+.0f}",
    )
    return str(said)


MISSING: Mapping[str, tuple[object, object]] = {
    "too_little": (
        _("計画を立てるには、まだ記録が足りません"),
        _("発電と消費の記録が14日分たまると、計画を立て始めます。"),
    ),
    "no_battery": (
        _("蓄電池の容量が分かりません"),
        _("機器から読み取れないため、「計画の設定」で蓄電池の容量を入力してください。"),
    ),
    "no_charge": (
        _("いまの蓄電残量が分かりません"),
        _("ゲートウェイと通信できなかったため、今日は計画を立てませんでした。何も変えていません。"),
    ),
    "no_prices": (
        _("電気の料金が分かりません"),
        _("選ばれていた料金プランがなくなりました。「計画の設定」で選び直してください。"),
    ),
}


def missing(plan: Any) -> tuple[object, object]:
    """Return why there is no plan: a heading, and what comes next."""
    title, text = MISSING.get(
        plan.outcome,
        (
            _("今日の計画を立てられませんでした"),
            _("何も変えていません。明日の17時過ぎに、もう一度立てます。"),
        ),
    )
    days = plan.content.get("days")
    if days is not None:
        text = f"{_('いまは %(days)s 日分です。', days=days)}{text}"
    return title, text


def rests_on(told: Mapping[str, Any]) -> str:
    """Return what the forecast rests on."""
    use = str(
        _(
            "消費の見込みは、よく似た %(days)s 日のご自宅の記録から求めました。",
            days=told["use_days"],
        )
    )
    if not told["sun_days"]:
        return use + str(_("発電の記録がないので、パネルの大きさから見積もりました。"))
    if told["sky"] is None:
        sun = _(
            "発電の見込みは、天気予報を使わず、"
            "ご自宅の最近 %(days)s 日の記録と太陽の位置から求めました。",
            days=told["sun_days"],
        )
    else:
        sun = _(
            "発電の見込みは、天気予報（%(sky)s）と、"
            "ご自宅の最近 %(days)s 日の記録、太陽の位置から求めました。",
            sky=SKIES[told["sky"]],
            days=told["sun_days"],
        )
    return use + str(sun)


WARNINGS: Mapping[str, object] = {
    "02": _("暴風雪警報"),
    "03": _("大雨警報"),
    "04": _("洪水警報"),
    "05": _("暴風警報"),
    "06": _("大雪警報"),
    "08": _("高潮警報"),
    "09": _("土砂災害警報"),
    "32": _("暴風雪特別警報"),
    "33": _("大雨特別警報"),
    "35": _("暴風特別警報"),
    "36": _("大雪特別警報"),
    "38": _("高潮特別警報"),
    "39": _("土砂災害特別警報"),
    "43": _("大雨危険警報"),
    "48": _("高潮危険警報"),
    "49": _("土砂災害危険警報"),
}


def warnings(codes: tuple[str, ...]) -> str:
    """Return the names of warnings."""
    return str(_("、")).join(str(WARNINGS[code]) for code in codes)
