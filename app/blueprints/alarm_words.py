"""What alarms and incidents are called on pages and in mails."""

from typing import NamedTuple

from ..domain import alarm_lists
from ..extensions import lazy_gettext as _
from .words import language


class IncidentWords(NamedTuple):
    """A cause in a household's words, and as dealers and operators list it."""

    title: object
    text: object
    name: object


INCIDENTS = {
    "service": IncidentWords(
        _("当サービスの障害です"),
        _("お客様の機器の異常ではありません。復旧まで、しばらくお待ちください。"),
        _("当サービスの障害"),
    ),
    "network": IncidentWords(
        _("ネットワークの障害のようです"),
        _(
            "同じネットワークの多くのゲートウェイと通信できていません。"
            "お客様の機器の異常ではないと思われます。復旧まで、しばらくお待ちください。"
        ),
        _("ネットワークの障害"),
    ),
    "area": IncidentWords(
        _("地域の通信障害のようです"),
        _(
            "同じ地域の多くのゲートウェイと通信できていません。停電や回線の障害が考えられます。"
            "復旧まで、しばらくお待ちください。"
        ),
        _("地域の通信障害"),
    ),
    "model": IncidentWords(
        _("同じ形式の機器に共通する障害のようです"),
        _(
            "同じ形式の多くのゲートウェイと通信できていません。原因を調べています。"
            "復旧まで、しばらくお待ちください。"
        ),
        _("同じ形式の機器に共通する障害"),
    ),
}
# the mail log names letters without what they are about
NO_WORDS = IncidentWords("", "", "")


def alarm_words(code: str) -> alarm_lists.Words:
    """Return name, meaning and what to do of an alarm's code, in the language of the page."""
    return alarm_lists.words_of(code, language() or "ja")


def incident_words(cause: str) -> IncidentWords:
    """Return the words for the cause of an incident."""
    return INCIDENTS.get(cause, NO_WORDS)
