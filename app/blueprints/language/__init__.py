"""The language switch on every page, and how a language is chosen."""

from babel import Locale
from flask import Blueprint, has_request_context, redirect, request, session
from flask_login import current_user
from werkzeug.wrappers import Response

from ...domain import accounts
from ...domain.sessions import AccountGlance
from ...transaction import transaction
from ..context import settings
from ..paths import local_path

bp = Blueprint("language", __name__, url_prefix="/language")

LANGUAGES = ("ja", "en")
# parsed once, not with every request
LOCALES = {language: Locale.parse(language) for language in LANGUAGES}


def choose_locale() -> Locale:
    """Return the switch's choice, else the account's, else the browser's, else Japanese."""
    if not has_request_context():
        return LOCALES["ja"]
    chosen = session.get("language")
    if chosen not in LOCALES and not current_user.is_authenticated:
        chosen = request.accept_languages.best_match(LANGUAGES)
    return locale_of(chosen, current_user)


def locale_of(chosen: str | None, account: AccountGlance) -> Locale:
    """Return the language chosen, else the account's, else Japanese."""
    if chosen not in LOCALES:
        chosen = getattr(account, "language", None)
    return LOCALES.get(str(chosen), LOCALES["ja"])


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
