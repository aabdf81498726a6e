"""What alarm codes mean to a household, and what to do, in both languages.

Codes are the profiles' names of alarm bits ("inverter.over_temp"), of which the last part counts
here, and the portal's own: "lost", "unit_silent" and "fault". The SunSpec names come from the
symbols of models 103, 160, 701, 714 and 802. A profile of another maker adds its names to `WORDS`;
a code that has none reads as `UNKNOWN`.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Words(NamedTuple):
    """An alarm's name, what it means, and what to do, in one language."""

    name: str
    meaning: str
    todo: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a code is called, what it means and what to do about it, in Japanese and English."""

    ja: Words
    en: Words


CALL = (
    "お買い上げの販売店、または下記のお問い合わせ先へご連絡ください。",
    "Please contact the dealer you bought the system from, or the help desk below.",
)
WAIT = (
    "多くは自動で元に戻ります。1日たっても直らないときは、販売店へご連絡ください。",
    "It usually recovers by itself. If it has not after a day, please contact your dealer.",
)
KEEP_OFF = (
    "機器に触れずに、お買い上げの販売店へすぐにご連絡ください。",
    "Do not touch the equipment, and contact your dealer right away.",
)
GRID = (
    "停電していないか、分電盤のブレーカーが落ちていないかをご確認ください。"
    "どちらでもないときは、販売店へご連絡ください。",
    "Check for a power cut and for a tripped breaker in your distribution board. "
    "If it is neither, please contact your dealer.",
)
HEAT = (
    "機器のまわりに物を置いていないか、吸気口や排気口がふさがれていないかをご確認ください。"
    "直らないときは、販売店へご連絡ください。",
    "Make sure that nothing stands against the equipment or covers its vents. "
    "If that does not help, please contact your dealer.",
)
LINE = (
    "ルーターとゲートウェイの電源が入っているか、LANケーブルが抜けていないかをご確認ください。"
    "直らないときは、販売店へご連絡ください。",
    "Check that your router and the gateway have power and that the LAN cable is plugged in. "
    "If that does not help, please contact your dealer.",
)
SWITCH = (
    "パワーコンディショナの運転スイッチと電源をご確認ください。"
    "直らないときは、販売店へご連絡ください。",
    "Check the power conditioner's switch and its power supply. "
    "If that does not help, please contact your dealer.",
)


def _alarm(ja: tuple[str, str], en: tuple[str, str], todo: tuple[str, str] = CALL) -> Alarm:
    return Alarm(Words(*ja, todo[0]), Words(*en, todo[1]))


UNKNOWN = _alarm(
    ("機器の異常", "機器が異常を知らせています。"),
    ("Equipment fault", "The equipment reports a fault."),
)

WORDS: dict[str, Alarm] = {
    # the portal's own
    "lost": _alarm(
        (
            "通信断",
            "ゲートウェイと15分以上通信できていません。発電や蓄電は続いていることがあります。",
        ),
        (
            "No contact",
            "We have not reached the gateway for more than 15 minutes. "
            "Your system may well be working all the same.",
        ),
        LINE,
    ),
    "unit_silent": _alarm(
        (
            "パワーコンディショナの応答なし",
            "ゲートウェイとは通信できていますが、パワーコンディショナから値が届いていません。",
        ),
        (
            "No answer from a power conditioner",
            "The gateway answers, but one of its power conditioners sends no values.",
        ),
        SWITCH,
    ),
    "fault": UNKNOWN,
    # electrical safety
    "ground_fault": _alarm(
        ("漏電の検出", "電気が本来の回路の外へもれている可能性があり、機器が運転を止めました。"),
        (
            "Ground fault",
            "Current may be leaking out of its circuit, and the equipment has stopped.",
        ),
        KEEP_OFF,
    ),
    "arc_detection": _alarm(
        ("火花の検出", "太陽電池の配線で火花が出た可能性があり、機器が運転を止めました。"),
        ("Arc detected", "There may be sparks in the solar wiring, and the equipment has stopped."),
        KEEP_OFF,
    ),
    "cabinet_open": _alarm(
        ("扉が開いています", "機器の扉、またはカバーが開いています。"),
        ("Cabinet open", "A door or cover of the equipment is open."),
        KEEP_OFF,
    ),
    "open_door_error": _alarm(
        ("蓄電池の扉が開いています", "蓄電池の扉、またはカバーが開いています。"),
        ("Battery door open", "A door or cover of the battery is open."),
        KEEP_OFF,
    ),
    # the grid's side
    "ac_disconnect": _alarm(
        ("交流側の切り離し", "機器が家の電気の回路から切り離されています。"),
        ("AC disconnected", "The equipment is cut off from your home's wiring."),
        GRID,
    ),
    "grid_disconnect": _alarm(
        ("電力系統からの切り離し", "機器が電力会社の電気から切り離されています。"),
        ("Grid disconnected", "The equipment is cut off from the public grid."),
        GRID,
    ),
    "over_frequency": _alarm(
        ("周波数が高すぎます", "電力会社から来る電気の周波数が高く、機器が運転を止めています。"),
        (
            "Grid frequency too high",
            "The grid's frequency is too high, and the equipment has paused.",
        ),
        WAIT,
    ),
    "under_frequency": _alarm(
        ("周波数が低すぎます", "電力会社から来る電気の周波数が低く、機器が運転を止めています。"),
        (
            "Grid frequency too low",
            "The grid's frequency is too low: the equipment has paused.",
        ),
        WAIT,
    ),
    "ac_over_volt": _alarm(
        ("電圧が高すぎます", "電力会社から来る電気の電圧が高く、機器が運転を止めています。"),
        ("Grid voltage too high", "The grid's voltage is too high, and the equipment has paused."),
        WAIT,
    ),
    "ac_under_volt": _alarm(
        ("電圧が低すぎます", "電力会社から来る電気の電圧が低く、機器が運転を止めています。"),
        ("Grid voltage too low", "The grid's voltage is too low, and the equipment has paused."),
        GRID,
    ),
    # the solar side
    "dc_disconnect": _alarm(
        ("直流側の切り離し", "太陽電池、または蓄電池が機器から切り離されています。"),
        ("DC disconnected", "The solar panels or the battery are cut off from the equipment."),
        SWITCH,
    ),
    "dc_over_volt": _alarm(
        ("直流の電圧が高すぎます", "太陽電池、または蓄電池の電圧が高すぎます。"),
        ("DC voltage too high", "The voltage of the solar panels or the battery is too high."),
    ),
    "input_over_voltage": _alarm(
        ("入力の電圧が高すぎます", "太陽電池、または蓄電池の電圧が高すぎます。"),
        ("Input voltage too high", "The voltage of the solar panels or the battery is too high."),
    ),
    "input_under_voltage": _alarm(
        ("入力の電圧が低すぎます", "太陽電池、または蓄電池の電圧が低すぎます。"),
        ("Input voltage too low", "The voltage of the solar panels or the battery is too low."),
        WAIT,
    ),
    "input_over_current": _alarm(
        ("入力の電流が多すぎます", "太陽電池、または蓄電池からの電流が多すぎます。"),
        ("Input current too high", "Too much current comes from the solar panels or the battery."),
    ),
    "blown_string_fuse": _alarm(
        ("太陽電池のヒューズ切れ", "太陽電池の一部のヒューズが切れ、発電が減っています。"),
        ("Blown string fuse", "A fuse of some solar panels has blown, and you generate less."),
    ),
    "blown_fuse": _alarm(
        ("ヒューズ切れ", "機器のヒューズが切れています。"),
        ("Blown fuse", "A fuse of the equipment has blown."),
    ),
    # temperature
    "over_temp": _alarm(
        ("温度が高すぎます", "機器の温度が上がり、運転を止めるか弱めています。"),
        ("Too hot", "The equipment has become too hot and has stopped or slowed down."),
        HEAT,
    ),
    "under_temp": _alarm(
        ("温度が低すぎます", "機器の温度が下がり、運転を止めています。"),
        ("Too cold", "The equipment has become too cold and has stopped."),
        WAIT,
    ),
    "over_temp_alarm": _alarm(
        ("蓄電池の温度が高すぎます", "蓄電池の温度が上がり、充電や放電を止めています。"),
        ("Battery too hot", "The battery has become too hot and no longer charges or discharges."),
        HEAT,
    ),
    "under_temp_alarm": _alarm(
        ("蓄電池の温度が低すぎます", "蓄電池の温度が下がり、充電や放電を止めています。"),
        (
            "Battery too cold",
            "The battery is too cold and no longer charges or discharges.",
        ),
        WAIT,
    ),
    "temperature_imbalance_alarm": _alarm(
        ("蓄電池の温度のばらつき", "蓄電池の中で温度に差が出ています。"),
        ("Uneven battery temperature", "Parts of the battery differ too much in temperature."),
    ),
    "fan_error": _alarm(
        ("冷却ファンの異常", "蓄電池の冷却ファンが動いていません。"),
        ("Fan fault", "A fan that cools the battery does not turn."),
        HEAT,
    ),
    # the battery
    "over_charge_current_alarm": _alarm(
        ("充電の電流が多すぎます", "蓄電池への充電の電流が多すぎます。"),
        ("Charge current too high", "Too much current flows into the battery."),
    ),
    "over_discharge_current_alarm": _alarm(
        ("放電の電流が多すぎます", "蓄電池からの放電の電流が多すぎます。"),
        ("Discharge current too high", "Too much current is drawn from the battery."),
        (
            "同時に使う電気製品を減らしてください。直らないときは、販売店へご連絡ください。",
            "Use fewer appliances at a time. If that does not help, please contact your dealer.",
        ),
    ),
    "over_volt_alarm": _alarm(
        ("蓄電池の電圧が高すぎます", "蓄電池の電圧が高すぎます。"),
        ("Battery voltage too high", "The battery's voltage is too high."),
    ),
    "under_volt_alarm": _alarm(
        ("蓄電池の電圧が低すぎます", "蓄電池の電圧が低すぎます。"),
        ("Battery voltage too low", "The battery's voltage is too low."),
    ),
    "under_soc_min_alarm": _alarm(
        ("蓄電池の残量が少なすぎます", "蓄電池の残量が、下限より少なくなっています。"),
        ("Battery nearly empty", "The battery holds less than its lower limit."),
        WAIT,
    ),
    "over_soc_max_alarm": _alarm(
        ("蓄電池の残量が多すぎます", "蓄電池の残量が、上限より多くなっています。"),
        ("Battery overfull", "The battery holds more than its upper limit."),
        WAIT,
    ),
    "contactor_error": _alarm(
        ("蓄電池の接点の異常", "蓄電池をつなぐ部品が正しく動いていません。"),
        ("Battery contactor fault", "The part that connects the battery does not work properly."),
    ),
    "communication_error": _alarm(
        ("蓄電池の通信の異常", "機器の中で、蓄電池との通信ができていません。"),
        ("Battery communication fault", "The equipment cannot talk to its battery."),
        SWITCH,
    ),
    "configuration_alarm": _alarm(
        ("設定の異常", "蓄電池の設定に誤りがあります。"),
        ("Configuration fault", "The battery is not set up properly."),
    ),
    "other_alarm": _alarm(
        ("蓄電池の異常", "蓄電池が異常を知らせています。"),
        ("Battery fault", "The battery reports a fault."),
    ),
    # the equipment itself
    "manual_shutdown": _alarm(
        ("手動で停止しています", "機器が手動で止められています。"),
        ("Stopped by hand", "Somebody has switched the equipment off."),
        SWITCH,
    ),
    "memory_loss": _alarm(
        ("記憶の異常", "機器が設定や記録の一部を失っています。"),
        ("Memory fault", "The equipment has lost some of its settings or records."),
    ),
    "hw_test_failure": _alarm(
        ("自己診断の異常", "機器の自己診断で異常が見つかりました。"),
        ("Self-test failed", "The equipment found a fault when it tested itself."),
    ),
    "test_failed": _alarm(
        ("自己診断の異常", "機器の自己診断で異常が見つかりました。"),
        ("Self-test failed", "The equipment found a fault when it tested itself."),
    ),
    "manufacturer_alrm": UNKNOWN,
}

#: Last parts of codes: what may hurt somebody, and what mostly passes by itself.
DANGEROUS = frozenset(name for name, alarm in WORDS.items() if alarm.ja.todo == KEEP_OFF[0])
PASSING = frozenset(name for name, alarm in WORDS.items() if alarm.ja.todo == WAIT[0])


def words_of(code: str, language: str) -> Words:
    """Return the words for a code in a language, "ja" or "en"."""
    found = WORDS.get(code.rpartition(".")[2], UNKNOWN)
    return found.en if language == "en" else found.ja
