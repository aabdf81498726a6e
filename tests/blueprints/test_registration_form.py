"""The form's fields: shape only, every error at its field, no rubbish ever a 500."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.blueprints.registration.forms import RegistrationForm
from app.config import Settings
from tests.counting import counted
from tests.registering import ADDRESS, FILLED, agree, fill, hidden, provision, values

NAMES = [name for name in FILLED if name != "gateway_password"]

rubbish = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.sampled_from(
        [
            "\x00",
            "\ud800",
            "a" * 10_000,
            "\u0316\u0301" * 5_000,
            "😀👨‍👩‍👧‍👦",
            "\u202eevil\u202c",
            "مرحبا",
            "<script>alert(1)</script>",
            "' or 1=1 --",
            "{{ 7 * 7 }}",
            "\r\nBcc: x@example.org",
            "ﷺ" * 60,
            "٠٣١٢٣٤٥٦٧٨",
        ]
    ),
)


def form_of(**typed: str) -> RegistrationForm:
    return RegistrationForm(MultiDict(FILLED | typed))


def errors_of(form: RegistrationForm, name: str) -> Any:
    group, _underscore, inner = name.partition("_")
    return form.errors.get(group, {}).get(inner) if inner in ADDRESS else form.errors.get(name)


@pytest.fixture(scope="module")
def bare() -> Flask:
    """An application to translate in; forms never ask a database."""
    from app import create_app

    return create_app(Settings(_env_file=None, testing=True))  # type: ignore[call-arg]


@pytest.mark.parametrize("name", NAMES)
@given(text=rubbish)
def test_rubbish_is_a_valid_value_or_an_error_at_its_field(
    bare: Flask, name: str, text: str
) -> None:
    with bare.test_request_context():
        form = form_of(**{name: text})
        if form.validate():
            entry = form.to_entry()
            for field, value in vars(entry).items():
                value.encode()
                assert "\x00" not in value
                assert len(value) <= 254, field
        else:
            at_fault = {name, "email_again"} if name == "email" else {name}
            found = {one for one in FILLED if errors_of(form, one)}
            assert found
            assert found <= at_fault | {"gateway_password"}


@given(text=rubbish)
def test_what_is_shown_back_is_taken_unchanged(bare: Flask, text: str) -> None:
    with bare.test_request_context():
        once = form_of(**dict.fromkeys(NAMES, text)).typed()
        again = RegistrationForm(data=once).typed()
        assert again == once


@pytest.mark.parametrize(
    "text",
    ["\x00", pytest.param("a" * 10_000, id="long"), "😀", "\u202e", "�", "' or 1=1"],
)
@pytest.mark.both_databases
def test_rubbish_in_every_field_comes_back_as_a_page(
    app: Flask, client: FlaskClient, text: str
) -> None:
    provision(app)
    agree(client)
    page = fill(client, **dict.fromkeys(FILLED, text))
    assert page.status_code == 422
    assert client.get("/register/form").status_code == 200
    for name in NAMES:
        group, _underscore, inner = name.partition("_")
        address = f"/postal/{group}/{inner}"
        url = address if inner in ADDRESS else f"/register/form/check/{name}"
        assert client.post(url, data=dict.fromkeys(FILLED, text)).status_code == 200


def test_longest_names_pass_and_one_more_does_not(bare: Flask) -> None:
    with bare.test_request_context():
        assert form_of(family_name="寿" * 64).validate()
        form = form_of(family_name="寿" * 65)
        assert not form.validate()
        assert str(form.family_name.errors[0]) == "64文字以内で入力してください。"


def test_all_but_building_and_company_are_required(bare: Flask) -> None:
    with bare.test_request_context():
        form = RegistrationForm(MultiDict(dict.fromkeys(FILLED, "")))
        assert not form.validate()
        optional = {name for name in FILLED if not errors_of(form, name)}
        assert optional == {"company_name", "department", "home_building", "site_building"}


def test_every_error_is_at_its_field_and_in_the_summary(app: Flask, client: FlaskClient) -> None:
    provision(app)
    agree(client)
    page = fill(client, family_kana="山田", email_again="other@example.org", home_city="")
    assert page.status_code == 422
    for name in ("family_kana", "email_again", "home_city"):
        assert f'href="#{name}"' in page.text
        assert f'id="{name}-error"' in page.text
    assert page.text.count('aria-invalid="true"') == 3
    assert "市町村区（お客様の住所）：" in page.text
    assert values(page)["family_kana"] == "山田"


def test_every_field_says_whether_it_is_required(app: Flask, client: FlaskClient) -> None:
    provision(app)
    page = agree(client)
    assert page.text.count(">必須<") == len(FILLED) - 4
    assert page.text.count(">任意<") == 4
    assert "placeholder" not in page.text
    for words in ('autocomplete="family-name"', 'inputmode="tel"', 'autocomplete="section-site'):
        assert words in page.text


def test_a_field_is_checked_alone_without_a_query(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as work:
        page = client.post("/register/form/check/family_kana", data={"family_kana": "ﾔﾏﾀﾞ"})
        assert 'id="field-family_kana"' in page.text
        assert 'value="ヤマダ"' in page.text
        assert "aria-invalid" not in page.text
        page = client.post("/register/form/check/family_kana", data={"family_kana": "山田"})
        assert "カタカナで入力してください。" in page.text
        page = client.post("/postal/home/postal_code", data={"home_postal_code": "12"})
        assert "7桁" in page.text
    assert work.amounts == (0, 0)


def test_what_is_no_field_is_not_found(client: FlaskClient) -> None:
    for path in ("/register/form/check/nothing", "/register/form/check/home", "/postal/nowhere",
                 "/postal/home/nothing", "/postal/nowhere/city"):  # fmt: skip
        assert client.post(path).status_code == 404


def test_the_checked_field_is_the_same_markup_as_on_the_page(
    app: Flask, client: FlaskClient
) -> None:
    provision(app)
    page = agree(client)
    for url, name in [("/register/form/check/phone", "phone"), ("/postal/site/city", "site_city")]:
        alone = client.post(url, data=FILLED).text.strip()
        assert alone.startswith("<div")
        assert alone.replace(f' value="{FILLED[name]}"', ' value=""') in page.text


# --- postal codes


def test_a_postal_code_fills_in_the_address(client: FlaskClient) -> None:
    page = client.post("/postal/home", data={"home_postal_code": "１００ー０００１"})
    shown = values(page)
    assert page.text.strip().startswith('<div class="address" id="address-home">')
    assert shown["home_postal_code"] == "100-0001"
    assert (shown["home_prefecture"], shown["home_city"]) == ("東京都", "千代田区")
    assert shown["home_street"] == "千代田"


def test_an_office_code_fills_in_the_office(client: FlaskClient) -> None:
    shown = values(client.post("/postal/site", data={"site_postal_code": "600-8530"}))
    assert shown["site_street"] == "塩小路通堀川東入 南不動堂町801"


def test_a_code_of_two_prefectures_names_both_and_keeps_what_was_typed(client: FlaskClient) -> None:
    page = client.post("/postal/home", data={"home_postal_code": "498-0000", "home_city": "弥富市"})
    assert "愛知県弥富市" in page.text
    assert "三重県桑名郡木曽岬町" in page.text
    assert values(page)["home_city"] == "弥富市"


def test_a_street_that_was_typed_stays(client: FlaskClient) -> None:
    data = {"home_postal_code": "100-0001", "home_street": "千代田1-1", "home_building": "宮殿"}
    shown = values(client.post("/postal/home", data=data))
    assert (shown["home_street"], shown["home_building"]) == ("千代田1-1", "宮殿")


def test_another_code_replaces_what_the_first_one_filled_in(client: FlaskClient) -> None:
    first = client.post("/postal/home", data={"home_postal_code": "600-8530"})
    filled = values(first) | hidden(first)
    second = values(client.post("/postal/home", data=filled | {"home_postal_code": "100-0001"}))
    assert (second["home_prefecture"], second["home_city"]) == ("東京都", "千代田区")
    assert second["home_street"] == "千代田"


def test_a_code_of_two_prefectures_takes_away_what_is_in_neither(client: FlaskClient) -> None:
    data = {"home_postal_code": "498-0000", "home_prefecture": "京都府", "home_city": "下京区"}
    shown = values(client.post("/postal/home", data=data))
    assert (shown["home_prefecture"], shown["home_city"]) == ("", "")


def test_a_code_that_is_not_in_the_table_never_blocks(app: Flask, client: FlaskClient) -> None:
    provision(app)
    agree(client)
    page = client.post("/postal/home", data={"home_postal_code": "000-0000"})
    assert "見つかりませんでした" in page.text
    assert fill(client, home_postal_code="000-0000").request.path == "/register/confirm"


def test_without_javascript_a_button_looks_the_code_up(app: Flask, client: FlaskClient) -> None:
    provision(app)
    agree(client)
    typed = FILLED | {f"home_{name}": "" for name in ADDRESS} | {"home_postal_code": "1000001"}
    page = client.post("/register/form", data=typed | {"lookup": "home"})
    assert page.status_code == 200
    shown = values(page)
    assert (shown["home_prefecture"], shown["home_city"]) == ("東京都", "千代田区")
    assert shown["family_name"] == "山田"
    assert 'aria-invalid="true"' not in page.text


def test_without_javascript_a_button_copies_the_address(app: Flask, client: FlaskClient) -> None:
    provision(app)
    agree(client)
    typed = FILLED | {f"site_{name}": "" for name in ADDRESS} | {"home_building": "ひだまりハイツ"}
    shown = values(client.post("/register/form", data=typed | {"copy": "1"}))
    assert {name: shown[f"site_{name}"] for name in ADDRESS} == ADDRESS | {
        "building": "ひだまりハイツ"
    }


def test_enter_presses_next(app: Flask, client: FlaskClient) -> None:
    provision(app)
    page = agree(client)
    # buttons belong to the form from within it, or by its id
    inside = page.text.index('id="registration-form"')
    buttons = [
        button
        for button in re.finditer(r"<button[^>]*>", page.text)
        if button.start() > inside or 'form="registration-form"' in button[0]
    ]
    assert "name=" not in buttons[0][0]
