"""How templates are rendered."""

from flask import Flask


def test_an_imported_macro_sees_what_every_template_sees(app: Flask) -> None:
    env = app.jinja_env
    with app.test_request_context():
        macro = "{% from 'macros/monitor.html' import figure %}{{ figure('1', 'kW') }}"
        assert "<span" in env.from_string(macro).render()
        own = env.from_string("{{ asset }}{{ more }}", globals={"more": "1", "asset": "2"})
        assert own.render() == "21"
    assert "more" not in env.globals
    assert env.globals["asset"] != "2"
