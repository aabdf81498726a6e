"""Say a template's words quickly: the live screen has thirty of them, for every home and poll."""

from functools import lru_cache
from typing import Any

from flask import Flask
from flask_babel import get_locale, get_translations
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup


@lru_cache(maxsize=4096)
def _translated(locale: str, text: str) -> str:
    """Return the translation; `locale` is the one in force and only tells the answers apart."""
    said: str = get_translations().ugettext(text)
    return said


@lru_cache(maxsize=4096)
def _plain(locale: str, text: str) -> Markup:
    """Return a translation without variables, formatted once (`%%` becomes `%`)."""
    return Markup(_translated(locale, text)) % {}  # noqa: S704  # our own words


@pass_context
def say(context: Context, text: str, **variables: Any) -> str:
    """Translate `text`, as Jinja's own `gettext` does, without asking the catalogue each time."""
    locale = str(get_locale())
    if not context.eval_ctx.autoescape:
        return _translated(locale, text) % variables
    if variables:
        return Markup(_translated(locale, text)) % variables  # noqa: S704  # it escapes them
    return _plain(locale, text)


def say_quickly(app: Flask) -> None:
    """Let templates translate by `say`. Plural forms keep going through the catalogue."""
    app.jinja_env.globals.update(gettext=say, _=say)
