"""What is asked of the owner, and of the buyer."""

from wtforms import BooleanField

from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..forms import Form


class IssueForm(Form):
    """Whether figures of the last twelve months go along."""

    shares_summary = BooleanField(
        _("直近12か月の発電・消費のまとめ（お名前や住所は含みません）を買主さまにお渡しする")
    )


class CodeForm(Form):
    """The code on the certificate."""

    code = TextField(
        _("譲渡証明書のコード"),
        needed=_("譲渡証明書のコードを入力してください。"),
        help=_(
            "証明書に印刷された20文字です。ハイフン（-）や大文字・小文字の違いは、気にせずにご入力いただけます。"
        ),
        example="ACDE-FGHJ-KMNP-QRTU-VWXY",
        attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )
