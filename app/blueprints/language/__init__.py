"""The language switch on every page, and how a language is chosen."""

from flask import Blueprint, has_request_context, redirect, request, session
from flask_login import current_user
from werkzeug.wrappers import Response

from ...domain import accounts
from ...transaction import transaction
from ..context import settings
from ..paths import local_path

bp = Blueprint("language", __name__, url_prefix="/language")

LANGUAGES = ("ja", "en")


def choose_locale() -> str:
    """Return the switch's choice, else the account's, else the browser's, else Japanese."""
    if not has_request_context():
        return "ja"
    chosen = session.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    if current_user.is_authenticated:
        return str(current_user.language)
    return request.accept_languages.best_match(LANGUAGES) or "ja"


def choose_zone() -> str:
    """Return the zone times are shown in."""
    return settings().site_zone


@bp.post("/")
def switch() -> Response:
    """Change the language of this browser and of the account that is signed in."""
    language = request.form.get("language")
    if language in LANGUAGES:
        session["language"] = language
        if current_user.is_authenticated:
            with transaction():
                accounts.set_language(current_user, language)
    return redirect(local_path(request.form.get("next")))
