"""What settings, their values and what became of a change are called, on pages and in mails."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..domain import plan_orders, setting_lapses, storms
from ..domain.setting_offers import EVERY_DAY, Mode
from ..extensions import lazy_gettext as _


class ModeWords(NamedTuple):
    """An operating mode in a household's words: its name, for what, and what it does."""

    name: Any
    aim: Any
    does: Any


NAMES: Mapping[str, Any] = {
    "mode": _("運転モード"),
    "charge_windows": _("充電する時間帯"),
    "discharge_windows": _("放電する時間帯"),
    "reserve_pct": _("停電に備えて残す量"),
    "min_soc_pct": _("ふだん使うときの下限"),
    "max_soc_pct": _("ふだん充電するときの上限"),
    "grid_charge_pct": _("買った電気で充電する上限"),
    "contract_current_a": _("契約電流"),
}

# what stands under the name where it is chosen
MEANINGS: Mapping[str, Any] = {
    "mode": _("蓄電池を何のために使うかを選びます。"),
    "charge_windows": _("この時間帯に、蓄電池を充電します。"),
    "discharge_windows": _("この時間帯に、蓄電池の電気を家で使います。"),
    "reserve_pct": _("停電のときのために、ふだんは使わずに残しておく量です。"),
    "min_soc_pct": _("ふだんは、ここまで減ったら使うのをやめます。"),
    "max_soc_pct": _("ふだんは、ここまでたまったら充電をやめます。"),
    "grid_charge_pct": _(
        "夜などに、買った電気でここまで充電します。0 % は、買った電気で充電しません。"
    ),
    "contract_current_a": _(
        "電力会社との契約で、一度に使える電気の大きさです。"
        "電力会社の検針票や会員ページ、分電盤のブレーカーで確かめられます。"
    ),
}

MODES: Mapping[str, ModeWords] = {
    Mode.ECONOMIC: ModeWords(
        _("経済モード"),
        _("電気代を安く"),
        _("電気の安い夜に充電し、朝と夕方に使います。昼の太陽光は、家で使い、余りを売ります。"),
    ),
    Mode.GREEN: ModeWords(
        _("グリーンモード"),
        _("太陽光をわが家で"),
        _(
            "太陽光の電気をまず家で使い、余りを蓄電池にためて、日が暮れてから使います。"
            "ためきれない分だけを売ります。"
        ),
    ),
    Mode.SAFE: ModeWords(
        _("安心モード"),
        _("停電に備える"),
        _("蓄電池をいつもいっぱいに保ちます。ためた電気は、停電のときに使います。"),
    ),
    Mode.CHARGE: ModeWords(
        _("強制充電"),
        _("いますぐためる"),
        _("買った電気も使って、いますぐ充電します。そのあいだは、電気代が増えることがあります。"),
    ),
    Mode.STANDBY: ModeWords(
        _("待機"),
        _("蓄電池を休ませる"),
        _("充電も放電もしません。家の電気は、太陽光と買った電気でまかないます。"),
    ),
}
NO_MODE = ModeWords("—", "", "")

DAYS = (_("月曜"), _("火曜"), _("水曜"), _("木曜"), _("金曜"), _("土曜"), _("日曜"))

# why a setting does not stand as it was wanted: domain/setting_writes.py
WHY: Mapping[str, Any] = {
    "ignored": _(
        "機器は受け付けましたが、値が変わりませんでした。くり返すときは、販売店にご相談ください。"
    ),
    "refused": _("機器がこの変更を受け付けませんでした。くり返すときは、販売店にご相談ください。"),
    "not_offered": _("この機器では、いまは選べない値です。"),
    "other_device": _(
        "登録されているものとは別の機器が応答したため、書き込みませんでした。"
        "機器を交換したときや、くり返すときは、販売店にご相談ください。"
    ),
    "unreached": _("機器と通信できず、書き込めませんでした。値は変わっていません。"),
    "broken_off": _("書き込みの途中で通信が切れ、値は変わりませんでした。"),
    "unknown": _("書き込めたかどうかを、機器に確かめられませんでした。"),
    "changed": _("別の人が変更したため、そのままにしました。"),
    "overtaken": _("あとから別の変更を受け付けたため、書き込みませんでした。"),
    "closed": _("ゲートウェイの登録が終わったため、書き込みませんでした。"),
    "over": _("終わりの時刻を過ぎたため、書き込みませんでした。"),
    "no_right": _("変更する権限がなくなったため、書き込みませんでした。"),
}

# who it was, where it was nobody
AUTOMATISMS: Mapping[str, Any] = {
    setting_lapses.SOURCE: _("自動（期限）"),
    storms.SOURCE: _("自動（気象警報）"),
    plan_orders.SOURCE: _("自動（明日の計画）"),
}


def mode_words(mode: object) -> ModeWords:
    """Return the words for an operating mode."""
    return MODES.get(str(mode), NO_MODE)


def setting_name(key: str) -> object:
    """Return what a setting is called."""
    return NAMES.get(key, key)


def setting_value(key: str, value: Any) -> str:
    """Return a value as people read it; unknown is an em dash."""
    if value is None:
        return "—"
    if key == "mode":
        return str(mode_words(value).name)
    if key.endswith("_windows"):
        return str(_("、")).join(map(window_words, value)) or str(_("なし"))
    if key == "contract_current_a":
        return f"{value} A" if value else str(_("わからない"))
    if key == "grid_charge_pct" and value == 0:
        return str(_("0 %（充電しない）"))
    return f"{value} %"


def window_words(window: Mapping[str, int]) -> str:
    """Return a time of day as 23:00–7:00, with its weekdays if it is not for every day."""
    times = f"{clock_words(window['start'])}–{clock_words(window['end'])}"
    if window["days"] == EVERY_DAY:
        return times
    days = str(_("・")).join(str(day) for bit, day in enumerate(DAYS) if window["days"] >> bit & 1)
    return str(_("%(times)s（%(days)s）", times=times, days=days))


def clock_words(minute: int) -> str:
    """Return a minute of the day as 7:00; the end of the day is 24:00."""
    return f"{minute // 60}:{minute % 60:02d}"


def setting_who(order: Any, *, reader_id: int | None = None) -> str:
    """Return who asked for a change. `reader_id` is the account that reads it."""
    if order.by == "automatism":
        return str(AUTOMATISMS.get(order.source, _("自動")))
    if order.actor_id == reader_id and reader_id is not None:
        return str(_("あなた"))
    if order.by == "dealer":
        return str(_("販売店 %(name)s", name=order.dealer.name))
    return str(_("運営者")) if order.by == "operator" else str(_("お客様"))


def setting_why(code: str) -> object:
    """Return why a setting does not stand as it was wanted, in a household's words."""
    return WHY.get(code, "")
