"""What the rules say no with. A refusal is a named exception that carries its field."""

from typing import ClassVar

from ..extensions import lazy_gettext as _


class Rejected(Exception):
    """Refuse what was asked; subclasses name the reason, the field it belongs to and its words."""

    field: ClassVar[str | None] = None
    message: ClassVar[object] = _("この操作は受け付けられませんでした。")

    def __str__(self) -> str:
        return str(self.message)


class NotFound(Exception):
    """Say that there is no such thing, or none that the asker may know of: the page is a 404."""
