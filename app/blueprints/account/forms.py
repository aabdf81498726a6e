"""The forms of one's own account."""

from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    PasswordField,
    RadioField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from ...domain import api_tokens
from ...extensions import lazy_gettext as _
from ..forms import Form
from ..registration.forms import RegistrationForm
from ..signin.forms import NewPasswordForm


class PresentPassword:
    """Ask for the present password again, before what cannot be taken back."""

    current_password = PasswordField(
        _("現在のパスワード"), [InputRequired(_("現在のパスワードを入力してください。"))]
    )


class PasswordForm(PresentPassword, NewPasswordForm):
    """The present password, and a new one twice."""


class EmailForm(PresentPassword, Form):
    """A new mail address, twice, and the present password."""

    email = RegistrationForm.email
    email_again = RegistrationForm.email_again

    def validate_email_again(self, field: Field) -> None:
        """Compare the two addresses.

        Raises:
            ValidationError: They differ.
        """
        if field.data != self["email"].data:
            raise ValidationError(_("上のメールアドレスと異なります。どちらかをご確認ください。"))


class ClosingForm(PresentPassword, Form):
    """The present password, and that one has read what will happen."""

    understood = BooleanField(
        _("上の内容を確認し、退会します"),
        [InputRequired(_("内容をご確認のうえ、チェックを入れてください。"))],
    )


class ConfirmForm(PresentPassword, Form):
    """The password again, and where to go then."""

    next = HiddenField()


class NewPasskeyForm(Form):
    """A passkey that a device has made, and what its owner calls it."""

    name = StringField(_("パスキーの名前"))
    credential = HiddenField()


# what a token may read, in the order of `api_tokens.SCOPES`
SCOPES = {
    api_tokens.LATEST: _("いまのようす"),
    api_tokens.HISTORY: _("これまでの実績"),
    api_tokens.ALARMS: _("異常"),
}


def _number(typed: object) -> int:
    """Return a number that was sent; what is none is no lifetime."""
    return int(str(typed)) if str(typed) in map(str, api_tokens.LIFETIMES) else 0


class NewTokenForm(Form):
    """What a token is called, what it may read, and how long."""

    name = StringField(
        _("トークンの名前"), [InputRequired(_("トークンの名前を、40文字以内で入力してください。"))]
    )
    scopes = SelectMultipleField(
        _("読み取れるもの"),
        [InputRequired(_("読み取れるものを、1つ以上選択してください。"))],
        choices=list(SCOPES.items()),
        # our own words: WTForms' own check speaks of "a valid choice"
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    days = RadioField(
        _("有効期間"),
        [InputRequired(_("有効期間を選択してください。"))],
        choices=[(days, _("%(days)s日間", days=days)) for days in api_tokens.LIFETIMES],
        default=90,
        validate_choice=False,
        coerce=_number,
    )
