"""The operator's campaigns, and what newcomers see of them."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.domain import campaigns
from app.domain.campaigns import Plan
from app.extensions import db
from app.models import AuditEntry, Campaign
from app.transaction import transaction
from tests.factories import CustomerFactory, DealerPersonFactory, OperatorFactory
from tests.signing_in import sign_in

TYPED = {
    "begins_at": "2026-01-01T00:00",
    "ends_at": "2100-01-01T00:00",
    "body_ja": "# 冬の{SERVICE_NAME}応援\r\n\r\n本文<b>",
    "body_en": "# Winter\r\n\r\nText",
}


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    return sign_in(app.test_client(), "operator@example.org")


def test_a_new_campaign_begins_with_the_text_of_the_content_folder(operator: FlaskClient) -> None:
    page = operator.get("/operator/campaigns/new").text
    assert "# ご自宅の太陽光発電と蓄電池を、スマートフォンで" in page
    assert "# Your solar panels and battery, on your phone" in page


def test_newcomers_see_a_campaign_from_its_publication_until_it_is_withdrawn(
    app: Flask, operator: FlaskClient, client: FlaskClient
) -> None:
    answer = operator.post("/operator/campaigns/new", data=TYPED)
    assert answer.status_code == 303
    path = answer.location
    page = operator.get(path).text
    assert "冬の遠隔モニタリングサービス応援" in page
    assert "下書き" in page
    assert client.get("/").location == "/register"
    assert operator.post(f"{path}/publish").status_code == 303
    shown = client.get("/").text
    assert "<h2>冬の遠隔モニタリングサービス応援</h2>" in shown
    assert "本文&lt;b&gt;" in shown
    english = client.get("/", headers={"Accept-Language": "en"}).text
    assert "<h2>Winter</h2>" in english
    assert "公開中" in operator.get("/operator/campaigns").text
    assert operator.post(f"{path}/withdraw").status_code == 303
    assert client.get("/").location == "/register"
    with app.app_context():
        actions = db.session.scalars(select(AuditEntry.action)).all()
        assert {"campaign.written", "campaign.published", "campaign.withdrawn"} <= set(actions)


def test_a_campaign_is_previewed_before_it_is_saved(app: Flask, operator: FlaskClient) -> None:
    page = operator.post("/operator/campaigns/new", data={**TYPED, "preview": "1"}).text
    assert "<h2>冬の遠隔モニタリングサービス応援</h2>" in page
    assert "# 冬の{SERVICE_NAME}応援" in page
    with app.app_context():
        assert db.session.scalars(select(Campaign)).all() == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"begins_at": ""}, "始まりの日時を入力してください。"),
        ({"begins_at": "x"}, "日付と時刻を"),
        ({"ends_at": "2025-12-31T00:00"}, "始まりの日時より後にしてください。"),
        ({"body_ja": ""}, "日本語の本文を入力するか"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    app: Flask, operator: FlaskClient, wrong: dict[str, str], words: str
) -> None:
    with app.app_context(), transaction():
        now = clock.now()
        made = campaigns.write(None, Plan("# 元", "", now, None), now=now).id
    for path in ("new", f"{made}/edit"):
        answer = operator.post(f"/operator/campaigns/{path}", data={**TYPED, **wrong})
        assert answer.status_code == 422
        assert words in answer.text
        assert "# Winter" in answer.text


def test_a_change_that_another_made_meanwhile_is_not_overwritten_unseen(
    app: Flask, operator: FlaskClient
) -> None:
    path = operator.post("/operator/campaigns/new", data=TYPED).location
    page = operator.get(f"{path}/edit").text
    seen = re.search(r'name="seen"[^>]*value="([^"]+)"', page)
    assert seen
    mine = {**TYPED, "body_ja": "# 私の", "seen": seen[1]}
    assert operator.post(f"{path}/edit", data=mine).status_code == 303
    theirs = {**mine, "body_ja": "# 他の人の"}
    answer = operator.post(f"{path}/edit", data=theirs)
    assert answer.status_code == 409
    assert "ほかの人がキャンペーンを変更しました" in answer.text
    assert "# 他の人の" in answer.text
    for rubbish in ("", "x", "2026-01-01"):
        assert operator.post(f"{path}/edit", data={**mine, "seen": rubbish}).status_code == 409
    with app.app_context():
        assert db.session.scalar(select(Campaign.body_ja)) == "# 私の"


def test_to_everybody_but_operators_there_are_no_such_pages(
    app: Flask, operator: FlaskClient, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        now = clock.now()
        made = campaigns.write(None, Plan("# 元", "", now, now + timedelta(1)), now=now).id
        CustomerFactory(email="taro@example.org")
        DealerPersonFactory(email="dealer@example.org")
    strangers = [sign_in(app.test_client(), f"{who}@example.org") for who in ("taro", "dealer")]
    pages = ("", "/new", f"/{made}", f"/{made}/edit")
    for path in pages:
        assert operator.get(f"/operator/campaigns{path}").status_code == 200
        assert client.get(f"/operator/campaigns{path}").location.startswith("/sign-in")
        for stranger in strangers:
            assert stranger.get(f"/operator/campaigns{path}").status_code == 404
    for path in ("/new", f"/{made}/edit", f"/{made}/publish", f"/{made}/withdraw"):
        for stranger in strangers:
            assert stranger.post(f"/operator/campaigns{path}", data=TYPED).status_code == 404
    for path in ("/999", "/999/edit"):
        assert operator.get(f"/operator/campaigns{path}").status_code == 404
    for path in ("/999/publish", "/999/withdraw"):
        assert operator.post(f"/operator/campaigns{path}").status_code == 404
    assert client.get("/").location == "/register"


def test_the_form_says_what_has_to_be_filled_in(operator: FlaskClient) -> None:
    page = operator.get("/operator/campaigns/new").text
    for name, word in (("begins_at", "必須"), ("ends_at", "任意")):
        label = page[page.index(f'for="{name}"') :]
        assert word in label[: label.index("<input")]
