"""The forms of signing in: they check shape and never query."""

from wtforms import EmailField, HiddenField, PasswordField, StringField, TelField
from wtforms.validators import EqualTo, InputRequired, ValidationError

from ...extensions import lazy_gettext as _
from ..forms import Form


class SignInForm(Form):
    """User ID and password, and where to go then."""

    email = StringField(
        _("ユーザID（メールアドレス）"), [InputRequired(_("ユーザIDを入力してください。"))]
    )
    password = PasswordField(_("パスワード"), [InputRequired(_("パスワードを入力してください。"))])
    next = HiddenField()
    # fields of a form that outlived its session, signed
    outlived = HiddenField()


class CarryingForm(Form):
    """A form behind the sign-in page's, which takes along what that one carries."""

    next = HiddenField()
    outlived = HiddenField()


class SecondStepForm(CarryingForm):
    """The code of the authenticator app, or a recovery code where there is no app at hand."""

    code = StringField(_("確認コード（6桁の数字）"))
    recovery_code = StringField(_("リカバリーコード（12文字）"))

    def validate_code(self, code: StringField) -> None:
        """Ask for one of the two."""
        if not (code.data or self.typed("recovery_code")):
            raise ValidationError(_("確認コードを入力してください。"))


class SetUpForm(CarryingForm):
    """A first code, which shows that the app was set up right."""

    code = StringField(
        _("確認コード（6桁の数字）"), [InputRequired(_("確認コードを入力してください。"))]
    )


class PasskeyForm(CarryingForm):
    """What a device has signed."""

    credential = HiddenField()


class ForgottenPasswordForm(Form):
    """The address that a URL for a new password goes to."""

    email = EmailField(
        _("ユーザID（メールアドレス）"), [InputRequired(_("ユーザIDを入力してください。"))]
    )


class NewPasswordForm(Form):
    """A new password, twice."""

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


class ForgottenIdForm(Form):
    """What a household has at hand when it has forgotten its user ID."""

    gateway_id = StringField(
        _("ゲートウェイID"), [InputRequired(_("ゲートウェイIDを入力してください。"))]
    )
    phone = TelField(_("電話番号"), [InputRequired(_("電話番号を入力してください。"))])
