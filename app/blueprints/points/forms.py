"""What members fill in about their points."""

from wtforms import HiddenField

from ...domain import normalise
from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..forms import Form


class MissingForm(Form):
    """What a member knows of a time that is missing."""

    words = TextField(
        _("お知らせの内容"),
        longest=500,
        needed=_("お知らせの内容を入力してください。"),
        help=_("いつごろ、どのようなことがあったかをお書きください。"),
        example=_("8月10日から12日まで、ルーターの交換で通信できませんでした。"),
    )


class QuantityForm(Form):
    """How many of a gift."""

    quantity = TextField(
        _("個数"),
        longest=6,
        needed=_("個数を入力してください。"),
        width="xs",
        attrs={"inputmode": "numeric"},
    )


class OrderForm(Form):
    """What was confirmed; `once` names the press of the button."""

    # PostgreSQL keeps no NUL
    once = HiddenField(filters=[lambda text: normalise.line(text or "")])
