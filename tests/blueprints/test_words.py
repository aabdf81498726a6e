"""Words of templates, said as Jinja's own gettext says them."""

from typing import Any

import pytest
from flask import Flask, render_template_string
from flask_babel import force_locale, get_locale, get_translations
from jinja2 import Environment

from app.blueprints import words


class Shouting:
    """A catalogue that knows one language: louder."""

    def ugettext(self, text: str) -> str:
        return text.replace("発電", "GENERATION")


def shouted_in_english() -> Any:
    return Shouting() if str(get_locale()) == "en" else get_translations()


def test_each_language_has_its_own_words(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "get_translations", shouted_in_english)
    with app.test_request_context():
        for locale, said in (
            ("ja", "試しの発電"),
            ("en", "試しのGENERATION"),
            ("ja", "試しの発電"),
        ):
            with force_locale(locale):
                assert render_template_string("{{ _('試しの発電') }}") == said


def test_what_is_put_into_words_is_escaped_and_the_words_are_not(app: Flask) -> None:
    with app.test_request_context():
        said = render_template_string("{{ _('<b>%(name)s</b> 5 %%', name='<i>') }}{{ _('5 %%') }}")
    assert said == "<b>&lt;i&gt;</b> 5 %5 %"


def test_a_text_without_markup_is_left_as_it_is(app: Flask) -> None:
    letter = Environment(autoescape=False)  # a text mail
    letter.globals["_"] = words.say
    with app.test_request_context():
        said = letter.from_string("{{ _('%(name)s 様', name='A & B') }} {{ _('5 %%') }}").render()
    assert said == "A & B 様 5 %"
