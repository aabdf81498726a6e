"""The forms of one's own account."""

from wtforms import PasswordField
from wtforms.validators import InputRequired

from ...extensions import lazy_gettext as _
from ..signin.forms import NewPasswordForm


class PasswordForm(NewPasswordForm):
    """The present password, and a new one twice."""

    current_password = PasswordField(
        _("現在のパスワード"), [InputRequired(_("現在のパスワードを入力してください。"))]
    )
