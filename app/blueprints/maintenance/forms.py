"""What is asked to let a dealer look after a gateway. It checks shape only."""

from datetime import date

from wtforms import RadioField

from ...domain import normalise, people
from ...domain.links import SCOPES, Mandate
from ...extensions import lazy_gettext as _
from ..fields import Needed, Shape, TextField
from ..forms import Form

# beyond it a calendar ends, and nobody plans so far
LAST_YEAR = 2099


def is_day(text: str) -> bool:
    """Tell whether it is a day of the calendar."""
    try:
        return date.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


class DealerFields:
    """The dealer, by the numbers it hands on; made first, so that it comes first on the page."""

    dealer_no = TextField(
        _("販売店ID"),
        needed=_("販売店IDを入力してください。"),
        help=_("販売店様からお聞きになった番号です。"),
        example="4001",
        width="s",
        attrs={"inputmode": "numeric", "autocomplete": "off"},
    )
    phone = TextField(
        _("販売店様の電話番号"),
        tidy=normalise.phone,
        needed=_("販売店様の電話番号を入力してください。"),
        checks=[
            (
                people.is_phone,
                _("電話番号の形になっていません。市外局番から入力してください。"),
            )
        ],
        help=_("販売店様からお聞きになった番号です。ハイフンはあってもなくてもかまいません。"),
        example="03-1234-5678",
        width="m",
        attrs={"inputmode": "tel", "autocomplete": "off"},
    )


def _scopes() -> list[tuple[str, str]]:
    return [("set", str(_("見る・設定する"))), ("watch", str(_("見るだけ")))]


class MandateForm(Form):
    """How far a dealer may go, and until when."""

    scope = RadioField(
        _("任せる内容"),
        choices=_scopes,
        default="set",
        # our own words: WTForms' own check speaks of "a valid choice"
        validate_choice=False,
        validators=[
            Needed(_("任せる内容を選んでください。")),
            Shape(8, [(SCOPES.__contains__, _("任せる内容を選んでください。"))]),
        ],
        description=_("どちらを選んでも、機器の状態とお客様のご登録の情報が見えます。"),
    )
    ends_on = TextField(
        _("任せる期限"),
        tidy=normalise.day,
        checks=[(is_day, _("2026/12/31 のように、年月日で入力してください。"))],
        help=_("この日の終わりまで保守を任せます。期限を決めないときは、空のままにしてください。"),
        width="m",
    )

    def mandate(self) -> Mandate:
        """Return the checked mandate."""
        day = self.typed("ends_on")
        return Mandate(self.typed("scope"), date.fromisoformat(day) if day else None)


class LinkForm(DealerFields, MandateForm):
    """Which dealer, how far it may go, and until when."""
