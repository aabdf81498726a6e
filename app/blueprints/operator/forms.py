"""What operators fill in."""

from flask_wtf.file import FileField
from wtforms import ValidationError

from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..forms import Form

# below the portal's limit for a whole request, so that the answer is a message and no error page
LONGEST_FILE = 900_000


class ReasonForm(Form):
    """Why somebody at the desk does what is asked."""

    reason = TextField(
        _("理由"),
        longest=200,
        needed=_("理由を入力してください。"),
        help=_("監査ログに残ります。お客様のお名前や電話番号は書かないでください。"),
        example=_("用紙をなくしたとのお電話（受付番号 1234）"),
    )


class ImportForm(Form):
    """A file of gateways."""

    file = FileField(
        _("CSVファイル"),
        description=_("文字コードは UTF-8 か Shift_JIS、1行目は見出しです。"),
    )
    content = b""

    def validate_file(self, field: FileField) -> None:
        """Read the file, as much as is taken.

        Raises:
            ValidationError: There is none, or it is too long.
        """
        if not field.data:
            raise ValidationError(_("ファイルを選んでください。"))
        self.content = field.data.read(LONGEST_FILE + 1)
        if len(self.content) > LONGEST_FILE:
            raise ValidationError(
                _("ファイルが大きすぎます。%(size)s KB までに分けてください。", size=900)
            )

    @property
    def file_name(self) -> str:
        """Return what the browser calls the file."""
        return str(self.file.data.filename or "")
