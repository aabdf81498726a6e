"""Say a template's words quickly: the live screen has thirty of them, for every home and poll.

Those without variables are put in when a template is compiled (`templating`), the others here.
"""

from functools import lru_cache
from typing import Any

from flask import Flask, g
from flask_babel import get_locale, get_translations
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup


def language() -> str:
    """Return the language in force, "" where there is none.

    From where Flask-Babel keeps it, once asked: to ask it for each word takes as long as saying it.
    """
    try:
        found: str = g._flask_babel.babel_locale.language
    except (AttributeError, RuntimeError):
        locale = get_locale()
        found = locale.language if locale else ""
    return found


@lru_cache(maxsize=4096)
def _translated(_language: str, text: str) -> str:
    """Return the translation; `_language` is the one in force and only tells the answers apart."""
    said: str = get_translations().ugettext(text)
    return said


def put(text: str, variables: dict[str, Any], *, as_markup: bool) -> str:
    """Translate `text` and put its variables in (`%%` becomes `%`), escaped in markup."""
    said = _translated(language(), text)
    return (Markup(said) if as_markup else said) % variables  # noqa: S704  # our own words


@pass_context
def say(context: Context, text: str, **variables: Any) -> str:
    """Translate `text`, as Jinja's own `gettext` does, without asking the catalogue each time."""
    return put(text, variables, as_markup=bool(context.eval_ctx.autoescape))


def say_quickly(app: Flask) -> None:
    """Let templates translate by `say`. Plural forms keep going through the catalogue."""
    app.jinja_env.globals.update(gettext=say, _=say)
