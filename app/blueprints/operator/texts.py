"""A text in both languages, as operators paste or upload it."""

from typing import Any

from werkzeug.datastructures import FileStorage
from wtforms import FileField, TextAreaField

from ...extensions import lazy_gettext as _
from ..fields import Needed, Shape
from ..forms import Form

# two texts of this length, in three bytes a character, are what a form may hold (500,000 bytes)
LONGEST = 50_000
INSTEAD = _("UTF-8 のテキスト。選ぶと、上の欄の代わりになります。")


def tidy(text: str | None) -> str:
    """Return a text with the line ends of files; no NUL, which PostgreSQL does not take."""
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()


class BodyField(TextAreaField):
    """A text in Markdown; without `needed`, the words that ask for it, it may stay empty."""

    def __init__(
        self, label: Any, *, needed: object = None, help: Any = "", **of_form: Any
    ) -> None:
        super().__init__(
            label,
            validators=[*([Needed(needed)] if needed else []), Shape(LONGEST, [])],
            filters=[tidy],
            description=help,
            render_kw={"rows": "12", "spellcheck": "false"},
            **of_form,
        )


class TextForm(Form):
    """What forms of texts share: a file in the place of what is pasted; it wins."""

    file_ja = FileField(_("日本語の本文のファイル"), description=INSTEAD)
    file_en = FileField(_("英語の本文のファイル"), description=INSTEAD)

    def check(self) -> bool:
        """Take the files in, then check everything."""
        for language in ("ja", "en"):
            sent = self[f"file_{language}"]
            if not isinstance(sent.data, FileStorage) or not sent.data.filename:
                continue
            try:
                self[f"body_{language}"].data = tidy(sent.data.read().decode("utf-8-sig"))
            except UnicodeDecodeError:
                sent.process_errors = [_("ファイルは UTF-8 のテキストにしてください。")]
        return bool(self.validate())
