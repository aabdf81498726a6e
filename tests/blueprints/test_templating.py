"""How templates are rendered."""

from collections.abc import Iterator

import pytest
from flask import Flask, render_template, render_template_string
from flask_babel import force_locale
from jinja2 import DictLoader
from markupsafe import Markup

from app.blueprints import words


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a catalogue that says everything in the language's name and capitals."""

    class Loud:
        def ugettext(self, text: str) -> str:
            return f"{words.language()} {text.upper()}"

    words._translated.cache_clear()
    monkeypatch.setattr(words, "get_translations", Loud)
    yield
    words._translated.cache_clear()


def test_a_template_says_its_words_in_the_language_of_each_request(
    own_app: Flask, catalogue: None
) -> None:
    app = own_app
    inner = "{% macro inner(a) %}{{ _('in <b>') if a else _('out') }} {{ a }}{% endmacro %}"
    outer = "{% from 'inner.html' import inner %}{{ inner('<i>') }}{{ _('5 %%') }}"
    app.jinja_env.loader = DictLoader({"inner.html": inner, "outer.html": outer})
    with app.test_request_context():
        for locale in ("ja", "en", "ja"):
            with force_locale(locale):
                said = render_template("outer.html")
                assert said == f"{locale} IN <B> &lt;i&gt;{locale} 5 %"


def test_in_a_letter_of_text_words_are_not_escaped(app: Flask, catalogue: None) -> None:
    letters = app.jinja_env.overlay(
        loader=DictLoader({"letter.txt": "{{ _('a & b') }} {{ _('5 %%') }}"}), autoescape=False
    )
    with app.test_request_context():
        for locale in ("ja", "en"):
            with force_locale(locale):
                said = letters.get_template("letter.txt").render()
                assert said == f"{locale} A & B {locale} 5 %"


def test_an_imported_macro_sees_what_every_template_sees(app: Flask) -> None:
    env = app.jinja_env
    with app.test_request_context():
        macro = "{% from 'macros/monitor.html' import figure %}{{ figure('1', 'kW') }}"
        assert "<span" in env.from_string(macro).render()
        own = env.from_string("{{ asset }}{{ more }}", globals={"more": "1", "asset": "2"})
        assert own.render() == "21"
    assert "more" not in env.globals
    assert env.globals["asset"] != "2"


def test_what_goes_out_is_escaped_once_and_markup_not_at_all(app: Flask) -> None:
    class Shown:
        def __html__(self) -> str:
            return "<u>"

    class Word(str):
        pass

    source = (
        "{{ a }}{{ b }}{{ c }}{{ d }}{{ e }}{{ a | safe }}{% set f %}{{ a }}{% endset %}{{ f }}"
    )
    values = {"a": "<&", "b": Markup("<b>"), "c": 5, "d": Shown(), "e": Word("<i>")}
    with app.test_request_context():
        said = render_template_string(source, **values)
    assert said == "&lt;&amp;<b>5<u>&lt;i&gt;<&&lt;&amp;"
