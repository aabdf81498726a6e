"""商品マニュアル: a public page made of Markdown files that the operator may replace."""

from flask import Blueprint, render_template
from flask_babel import get_locale

from ...domain import texts
from ...domain.errors import NotFound
from ..context import settings, spoken
from .chapters import Chapter, chapters

bp = Blueprint("manual", __name__, url_prefix="/manual")


@bp.get("", strict_slashes=False)
def show() -> str:
    """Show the manual in the reader's language.

    Raises:
        NotFound: The content folder holds none.
    """
    text = texts.read(settings().content_dir / "manual", "manual", str(get_locale()))
    if text is None:
        raise NotFound
    return render_template("manual/show.html", chapters=_filled(text))


def _filled(text: str) -> list[Chapter]:
    chosen = spoken()
    named = (
        "registration_url_days",
        "reset_url_hours",
        "transfer_days",
        "erase_after_days",
        "session_idle_days_customer",
    )
    names = chosen.names | {name.upper(): str(getattr(chosen, name)) for name in named}
    return chapters(texts.fill(text, names))
