"""The form of 本登録."""

from wtforms import PasswordField, TelField
from wtforms.validators import EqualTo, InputRequired, Length, ValidationError

from ...domain import passwords, people
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ..context import settings
from ..forms import Form


class ActivationForm(Form):
    """A new password, twice, and the phone number given at registration."""

    password = PasswordField(
        _("新しいパスワード"), [InputRequired(_("新しいパスワードを入力してください。"))]
    )
    password_again = PasswordField(
        _("新しいパスワード（確認）"),
        [
            InputRequired(_("確認のため、もう一度入力してください。")),
            EqualTo("password", _("新しいパスワードと一致していません。")),
        ],
    )
    phone = TelField(
        _("電話番号"),
        [
            InputRequired(_("電話番号を入力してください。")),
            Length(max=64, message=_("電話番号が長すぎます。もう一度ご確認ください。")),
        ],
    )

    def validate_password(self, field: PasswordField) -> None:
        """Refuse a weak password together with whatever else is wrong.

        Raises:
            ValidationError: It is too weak, or too common.
        """
        try:
            passwords.check(self.typed("password"), rule=settings().password_rule)
        except Rejected as refusal:
            raise ValidationError(str(refusal)) from refusal

    def validate_phone(self, field: TelField) -> None:
        """Refuse what is no phone number.

        Raises:
            ValidationError: It is none.
        """
        if not people.is_phone(field.data or ""):
            raise ValidationError(_("電話番号の形になっていません。市外局番から入力してください。"))
