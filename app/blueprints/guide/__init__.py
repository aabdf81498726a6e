"""APIの使い方: how programs read, with an example; a public page."""

from flask import Blueprint, render_template
from limits import parse_many

from ...domain import energy_series
from ..context import settings
from ..problems import PREFIX

bp = Blueprint("guide", __name__, url_prefix="/api")


@bp.get("", strict_slashes=False)
def show() -> str:
    """Show how a program reads."""
    return render_template(
        "guide/show.html",
        address=settings().base_url + PREFIX,
        limits=energy_series.AT_MOST,
        rates=parse_many(settings().api_rate_limit),
    )
