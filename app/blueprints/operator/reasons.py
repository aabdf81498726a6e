"""The reason that an operator gives for an action; the audit log keeps it."""

from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..forms import Form


class ReasonForm(Form):
    """Why it is done."""

    reason = TextField(
        _("理由"),
        needed=_("理由を入力してください。"),
        longest=200,
        help=_("監査ログに残ります。お名前やメールアドレスなどの個人情報は書かないでください。"),
    )
