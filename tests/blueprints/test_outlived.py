"""A form that outlived its session comes back filled after signing in again."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from flask import Flask, redirect, render_template_string
from flask.testing import FlaskClient
from flask_login import login_required
from werkzeug.test import TestResponse
from wtforms import PasswordField, SelectMultipleField, StringField
from wtforms.validators import InputRequired

from app.blueprints.forms import Form
from app.extensions import db
from app.models import Session
from app.transaction import transaction
from tests.factories import PASSWORD, CustomerFactory
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
OURS = {"Origin": "http://localhost"}
TARO, HANAKO = "taro@example.org", "hanako@example.org"
TYPED = {
    "site": '山田邸 <別棟> & "離れ"',
    "days": ["mon", "fri"],
    "door_password": "Geheim-88",
    "csrf_token": "x",
}


class SiteForm(Form):
    site = StringField("site", [InputRequired()])
    days = SelectMultipleField("days", choices=["mon", "tue", "fri"])
    door_password = PasswordField("door")


PAGE = """{% extends "layouts/manage.html" %}{% block content %}<form method="post">
{{ form.csrf_token }}{{ form.site }}{{ form.days }}{{ form.door_password }}</form>{% endblock %}"""


@pytest.fixture
def app(own_app: Flask) -> Flask:
    """Add a form of its own to the portal, as later nouns will."""
    app = own_app

    @login_required
    def site() -> Any:
        form = SiteForm(site="自宅")
        if form.validate_on_submit():
            return redirect("/account/", 303)
        return render_template_string(PAGE, form=form), 422 if form.errors else 200

    @login_required
    def save() -> Any:
        return redirect("/account/", 303)

    app.add_url_rule("/site", "site", site, methods=["GET", "POST"])
    app.add_url_rule("/site/save", "save", save, methods=["POST"])
    with app.app_context(), transaction():
        CustomerFactory(email=TARO)
        CustomerFactory(email=HANAKO)
    return app


@pytest.fixture
def lapsed(app: Flask, client: FlaskClient) -> FlaskClient:
    """A browser whose session ran out while a form was open."""
    sign_in(client, TARO)
    with app.app_context(), transaction():
        db.session.execute(db.update(Session).values(last_seen_at=datetime(2025, 1, 1, tzinfo=UTC)))
    return client


def send(client: FlaskClient, url: str = "/site", **more: Any) -> TestResponse:
    return client.post(url, data=TYPED, headers={**OURS, **more})


def hidden(page: TestResponse) -> dict[str, str]:
    fields = re.findall(r'<input(?=[^>]* type="hidden")[^>]*>', page.text)
    named = [re.search(r'name="([^"]*)".*? value="([^"]*)"', field) for field in fields]
    # the language switch has a `next` of its own, before ours
    return {found[1]: unescape(found[2]) for found in named if found}


def sign_in_on(client: FlaskClient, page: TestResponse, email: str = TARO) -> TestResponse:
    action = re.search(r'<form method="post" action="([^"]*sign-in)"', page.text)
    assert action
    fields = {name: hidden(page).get(name, "") for name in ("next", "outlived", "csrf_token")}
    return client.post(action[1], data={**fields, "email": email, "password": PASSWORD})


def test_the_form_comes_back_filled_but_for_passwords(lapsed: FlaskClient) -> None:
    asked = send(lapsed)
    assert asked.status_code == 401
    assert "ログインすると、入力の続きに戻ります" in asked.text
    assert "Geheim-88" not in asked.text
    answer = sign_in_on(lapsed, asked)
    assert (answer.status_code, answer.location) == (303, "/site")
    shown = lapsed.get("/site")
    assert shown.status_code == 200
    assert 'value="山田邸 &lt;別棟&gt; &amp; &#34;離れ&#34;"' in shown.text
    assert re.findall(r'selected value="(\w+)"', shown.text) == ["mon", "fri"]
    assert "Geheim-88" not in shown.text
    assert "入力された内容は残っています" in shown.text


def test_reloading_shows_it_again_and_sending_it_ends_it(app: Flask, lapsed: FlaskClient) -> None:
    sign_in_on(lapsed, send(lapsed))
    lapsed.get("/site")
    assert "別棟" in lapsed.get("/site").text
    assert send(lapsed).location == "/account/"
    assert "自宅" in lapsed.get("/site").text
    with app.app_context():
        assert [row.kept_form for row in db.session.query(Session)] == [None, None]


def test_a_mistyped_password_in_between_loses_nothing(lapsed: FlaskClient) -> None:
    asked = send(lapsed)
    fields = {name: hidden(asked).get(name, "") for name in ("next", "outlived")}
    wrong = lapsed.post("/sign-in", data={**fields, "email": TARO, "password": "Wrong-88"})
    assert wrong.status_code == 422
    sign_in_on(lapsed, wrong)
    assert "別棟" in lapsed.get("/site").text


def test_other_pages_do_not_show_it(lapsed: FlaskClient) -> None:
    sign_in_on(lapsed, send(lapsed))
    assert "別棟" not in lapsed.get("/account/password").text


def test_somebody_else_who_signs_in_does_not_see_it(app: Flask, lapsed: FlaskClient) -> None:
    assert sign_in_on(lapsed, send(lapsed), HANAKO).status_code == 303
    assert "別棟" not in lapsed.get("/site").text
    with app.app_context():
        assert all(row.kept_form is None for row in db.session.query(Session))


def test_a_form_with_an_action_of_its_own_leads_back_to_its_page(lapsed: FlaskClient) -> None:
    asked = send(lapsed, "/site/save", Referer="http://localhost/site?tab=2")
    answer = sign_in_on(lapsed, asked)
    assert answer.location == "/site?tab=2"
    assert "別棟" in lapsed.get("/site?tab=2").text


def test_a_form_of_the_monitor_comes_back_through_the_monitors_sign_in(
    app: Flask, lapsed: FlaskClient
) -> None:
    asked = send(lapsed, "/site/save", Referer="http://localhost/monitor")
    assert 'action="/monitor/sign-in"' in asked.text


@pytest.mark.parametrize("origin", ["http://evil.example.net", "null", ""])
def test_a_foreign_page_cannot_put_words_into_our_forms(lapsed: FlaskClient, origin: str) -> None:
    asked = lapsed.post("/site", data=TYPED, headers={"Origin": origin})
    assert asked.status_code == 401
    assert "outlived" not in hidden(asked)


def test_what_nobody_here_signed_is_not_shown(app: Flask, lapsed: FlaskClient) -> None:
    for forged in ("x", "x.y.z", hidden(send(lapsed))["outlived"][:-2] + "xx"):
        client = app.test_client()
        data = {"email": TARO, "password": PASSWORD, "outlived": forged, "next": "/site"}
        assert client.post("/sign-in", data=data).location == "/site"
        assert "自宅" in client.get("/site").text


def test_too_much_is_not_carried_and_not_an_error(lapsed: FlaskClient) -> None:
    asked = lapsed.post("/site", data={"site": "x" * 40_000}, headers=OURS)
    assert asked.status_code == 401
    assert "outlived" not in hidden(asked)
    assert sign_in_on(lapsed, asked).location == "/site"


def test_a_csrf_token_that_went_with_the_session_leads_the_same_way(
    app: Flask, client: FlaskClient
) -> None:
    """The cookie is gone, signed out in another tab: the form is sent with a token of before."""
    app.config["WTF_CSRF_ENABLED"] = True
    asked = send(client)
    assert asked.status_code == 401
    assert sign_in_on(client, asked).status_code == 303
    assert "別棟" in client.get("/site").text


def test_a_csrf_token_of_another_sign_in_comes_with_a_button_that_sends_again(
    app: Flask, client: FlaskClient
) -> None:
    sign_in(client, TARO)
    app.config["WTF_CSRF_ENABLED"] = True
    page = send(client)
    assert page.status_code == 400
    assert "画面を開いてから時間がたちました" in page.text
    assert "Geheim-88" not in page.text
    again = hidden(page)
    assert again["site"] == TYPED["site"]
    assert client.post("/site", data=again, headers=OURS).location == "/account/"


def test_a_forged_form_gets_no_such_button(app: Flask, client: FlaskClient) -> None:
    sign_in(client, TARO)
    app.config["WTF_CSRF_ENABLED"] = True
    page = client.post("/site", data=TYPED, headers={"Origin": "http://evil.example.net"})
    assert page.status_code == 400
    assert "別棟" not in page.text


def test_signing_out_when_signed_out_already_shows_the_sign_in_page(
    app: Flask, client: FlaskClient
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    page = client.post("/sign-out", headers=OURS)
    assert page.status_code == 401
    assert 'action="/sign-in"' in page.text
