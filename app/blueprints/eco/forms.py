"""What a customer declares to join the programme."""

from datetime import date
from typing import Any

from wtforms import BooleanField
from wtforms.validators import DataRequired

from ...domain import normalise
from ...domain.applications import Declared
from ...extensions import lazy_gettext as _
from ..context import settings
from ..fields import TextField
from ..forms import Form
from ..maintenance.forms import is_day


class DeclarationForm(Form):
    """稼働開始日 and the declarations; the third one where the operator asks for it."""

    operation_began_on = TextField(
        _("稼働開始日"),
        tidy=normalise.day,
        needed=_("稼働開始日を入力してください。"),
        checks=[(is_day, _("2026/06/15 のように、年月日で入力してください。"))],
        help=_(
            "太陽光発電を使い始めた日です。電力会社からの「受給開始」のお知らせや、"
            "保証書でご確認いただけます。"
        ),
        example="2026/06/15",
        width="m",
    )
    no_other_generator = BooleanField(
        _("同じ場所に、ほかの発電設備（エネファーム、別の太陽光発電など）はありません。"),
        [DataRequired(_("ほかの発電設備がないことを、ご申告ください。"))],
    )
    no_other_scheme = BooleanField(
        _("ほかのJ-クレジットのプロジェクトや、同じような制度には参加していません。"),
        [DataRequired(_("ほかの制度に参加していないことを、ご申告ください。"))],
    )
    no_subsidy = BooleanField(
        _("環境価値を譲り渡す条件の補助金は、受けていません。"),
        [DataRequired(_("補助金を受けていないことを、ご申告ください。"))],
    )

    def __init__(self, *args: Any, **of_form: Any) -> None:
        """Leave out what is not asked."""
        super().__init__(*args, **of_form)
        if not settings().eco_ask_subsidy:
            del self.no_subsidy

    def to_declared(self) -> Declared:
        """Return the checked declarations."""
        return Declared(
            operation_began_on=date.fromisoformat(self.typed("operation_began_on")),
            no_other_generator=bool(self.no_other_generator.data),
            no_other_scheme=bool(self.no_other_scheme.data),
            no_subsidy=bool(self.no_subsidy.data) if "no_subsidy" in self else None,
        )
