"""The macros of forms and of the live screen, as a screen reader and a field check meet them."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask, render_template_string
from werkzeug.datastructures import MultiDict

from tests.templates.style_page import SampleForm, create_style_app

IMPORTS = (
    '{% from "macros/form.html" import field, fieldset, error_summary, actions, steps %}'
    '{% from "macros/monitor.html" import tile %}{% from "macros/flow.html" import energy_flow %}'
    '{% from "macros/page.html" import table, units_table, review_list, status_badge %}'
)


@pytest.fixture(scope="module")
def style_app() -> Flask:
    return create_style_app()


@pytest.fixture
def in_request(style_app: Flask) -> Iterator[None]:
    with style_app.test_request_context():
        yield


def render(source: str, **names: object) -> str:
    return render_template_string(IMPORTS + source, **names)


def sample(**typed: str) -> SampleForm:
    form = SampleForm(MultiDict(typed), meta={"csrf": False})
    if typed:
        form.validate()
    return form


class Tags(HTMLParser):
    """Collect every tag with its attributes, and how deep it stands."""

    VOID = ("input", "br", "img", "meta", "link", "hr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.roots = 0
        self.depth = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.roots += self.depth == 0
        self.depth += tag not in self.VOID

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def one(self, tag: str) -> dict[str, str | None]:
        (attrs,) = [attrs for name, attrs in self.found if name == tag]
        return attrs

    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.found if "id" in attrs]


@pytest.mark.usefixtures("in_request")
class TestField:
    def test_a_needed_field_says_so_in_words_and_to_screen_readers(self) -> None:
        html = render("{{ field(form.email) }}", form=sample())
        assert "必須" in html
        assert Tags(html).one("input")["aria-required"] == "true"

    def test_a_field_that_may_stay_empty_says_so(self) -> None:
        html = render("{{ field(form.building) }}", form=sample())
        assert "任意" in html
        assert "必須" not in html

    def test_a_sign_in_field_may_go_without_either_word(self) -> None:
        html = render("{{ field(form.email, required='none') }}", form=sample())
        assert "必須" not in html
        assert "任意" not in html

    def test_the_browsers_own_checks_stay_out_of_the_way(self) -> None:
        attrs = Tags(render("{{ field(form.email) }}", form=sample())).one("input")
        assert not {"required", "maxlength", "minlength", "placeholder"} & attrs.keys()

    def test_support_text_and_example_are_tied_to_the_input(self) -> None:
        html = render(
            "{{ field(form.postal, help='住所が入ります。', example='600-8530') }}", form=sample()
        )
        tags = Tags(html)
        assert "例：600-8530" in html
        described = (tags.one("input")["aria-describedby"] or "").split()
        assert described == ["postal-help", "postal-error"]
        assert set(described) <= set(tags.ids())

    def test_a_good_field_has_an_empty_place_for_its_error(self) -> None:
        html = render("{{ field(form.email) }}", form=sample())
        assert re.search(r'<p class="field__error" id="email-error"[^>]*></p>', html)
        assert "aria-invalid" not in html

    def test_an_error_stands_at_its_field_and_keeps_what_was_typed(self) -> None:
        html = render(
            "{{ field(form.email) }}{{ field(form.building) }}",
            form=sample(email="", building="あ<b>"),
        )
        assert "メールアドレスを入力してください。" in html
        assert 'aria-invalid="true"' in html
        assert "あ&lt;b&gt;" in html

    @pytest.mark.parametrize(
        "name", ["email", "prefecture", "kind", "memo", "new_password", "remember"]
    )
    def test_every_kind_of_field_is_one_element_that_can_be_rendered_again(self, name: str) -> None:
        tags = Tags(
            render(
                "{{ field(form[name], rules='manual' if name == 'new_password') }}",
                form=sample(),
                name=name,
            )
        )
        assert tags.roots == 1
        assert tags.found[0][1]["id"] == f"field-{name}"
        assert len(tags.ids()) == len(set(tags.ids()))

    def test_leaving_a_checked_field_asks_for_that_field_alone(self) -> None:
        attrs = Tags(render("{{ field(form.email, check_url='/check') }}", form=sample())).one(
            "input"
        )
        assert attrs["hx-post"] == "/check"
        assert attrs["hx-target"] == "#field-email"
        assert attrs["hx-swap"] == "outerMorph"

    def test_a_password_is_never_sent_back(self) -> None:
        html = render("{{ field(form.new_password) }}", form=sample(new_password="Geheim123"))
        assert "Geheim123" not in html

    def test_the_rules_of_a_new_password_are_written_out(self) -> None:
        html = render("{{ field(form.new_password, rules='manual') }}", form=sample())
        assert html.count("data-rule=") == 4
        modern = render("{{ field(form.new_password, rules='modern') }}", form=sample())
        assert modern.count("data-rule=") == 1


@pytest.mark.usefixtures("in_request")
class TestFormParts:
    def test_the_summary_links_each_error_to_its_field(self) -> None:
        html = render("{{ error_summary(form) }}", form=sample(email=""))
        assert 'href="#family_name"' in html
        assert 'href="#email"' in html
        assert "data-focus-first-error" in html

    def test_there_is_no_summary_without_errors(self) -> None:
        assert render("{{ error_summary(form) }}", form=sample()).strip() == ""

    def test_enter_presses_the_primary_button(self) -> None:
        html = render("{{ actions('登録', back_name='back') }}")
        assert html.index("登録") < html.index("前に戻る")

    def test_the_steps_say_where_one_is_and_what_comes_next(self) -> None:
        html = render("{{ steps(2, ['規約', '入力', '確認'], 5) }}")
        assert re.search(r'aria-current="step">\s*<span class="steps__dot">2<', html)
        assert "次は「確認」" in html
        assert "約5分" in html


@pytest.mark.usefixtures("in_request")
class TestPageParts:
    def test_an_unknown_value_is_a_dash(self) -> None:
        assert "—" in render("{{ review_list([('建物名', '')]) }}")

    def test_no_units_is_a_sentence(self) -> None:
        assert "パワーコンディショナ構成情報はありません。" in render("{{ units_table([]) }}")

    def test_each_cell_of_a_table_knows_its_heading_for_the_card_on_a_phone(self) -> None:
        html = render("{{ table('一覧', ['形式', '製造番号'], [['HDM', '<1>']]) }}")
        assert 'data-label="製造番号"' in html
        assert "&lt;1&gt;" in html

    def test_a_state_is_a_word_and_a_shape_beside_its_colour(self) -> None:
        html = render("{{ status_badge('fault', '異常') }}")
        assert "異常" in html
        assert "<svg" in html


@pytest.mark.usefixtures("in_request")
class TestLive:
    def test_a_tile_shows_now_in_kw_and_today_in_kwh(self) -> None:
        html = render("{{ tile('pv', '発電', 4230, 12840) }}")
        assert ">4.2<" in html
        assert ">12.8<" in html

    def test_unknown_is_a_dash_with_its_reason_never_zero(self) -> None:
        html = render("{{ tile('pv', '発電', none, none, reason='通信できません。') }}")
        assert ">—<" in html
        assert "通信できません。" in html
        assert "0.0" not in html

    def test_zero_is_zero_and_never_minus_zero(self) -> None:
        assert ">0.0<" in render("{{ tile('sell', '売電', -20, 0) }}")

    @pytest.mark.parametrize(
        ("watts", "words"),
        [
            ({"grid_w": 800}, "買電 0.8 kW"),
            ({"grid_w": -800}, "売電 0.8 kW"),
            ({"grid_w": 20}, "電力会社 0.0 kW"),
            ({"battery_w": 1200}, "放電 1.2 kW"),
            ({"battery_w": -1200}, "充電 1.2 kW"),
            ({"battery_w": None}, "蓄電池 — kW"),
            ({"soc_pct": 82}, "蓄電残量 82 %"),
        ],
    )
    def test_the_flow_picture_tells_its_story_in_words(
        self, watts: dict[str, float | None], words: str
    ) -> None:
        assert words in render("{{ energy_flow(**watts) }}", watts=watts)

    @pytest.mark.parametrize(("watts", "speed"), [(60, 1), (900, 2), (3000, 3), (9000, 4)])
    def test_more_power_runs_faster(self, watts: int, speed: int) -> None:
        assert f"flow__active--{speed}" in render("{{ energy_flow(pv_w=w) }}", w=watts)

    def test_a_line_moves_exactly_when_its_figure_is_not_zero(self) -> None:
        assert "flow__active" not in render("{{ energy_flow(pv_w=49, grid_w=-49, battery_w=0) }}")
        assert "flow__active" in render("{{ energy_flow(pv_w=51) }}")

    def test_buying_and_selling_run_in_opposite_directions(self) -> None:
        buying = re.search(r'flow__dots" d="([^"]+)', render("{{ energy_flow(grid_w=900) }}"))
        selling = re.search(r'flow__dots" d="([^"]+)', render("{{ energy_flow(grid_w=-900) }}"))
        assert buying
        assert selling
        assert buying[1] == "M317 252H282"
        assert selling[1] == "M282 252H317"
