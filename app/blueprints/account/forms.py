"""The forms of one's own account."""

from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from ...extensions import lazy_gettext as _
from ..forms import Form
from ..signin.forms import NewPasswordForm


class PasswordForm(NewPasswordForm):
    """The present password, and a new one twice."""

    current_password = PasswordField(
        _("現在のパスワード"), [InputRequired(_("現在のパスワードを入力してください。"))]
    )


class ConfirmForm(Form):
    """The password again, and where to go then."""

    current_password = PasswordField(
        _("現在のパスワード"), [InputRequired(_("現在のパスワードを入力してください。"))]
    )
    next = HiddenField()


class NewPasskeyForm(Form):
    """A passkey that a device has made, and what its owner calls it."""

    name = StringField(_("パスキーの名前"))
    credential = HiddenField()
