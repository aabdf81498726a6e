"""明日の計画 and 停電リハーサル as a browser gets them."""

import html
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.blueprints.plans import words
from app.domain import settings, weather
from app.extensions import db
from app.jobs import planning
from app.models import AuditEntry, DealerLook, Gateway, Installation, Latest, Plan, PlanChoice
from app.profiles.settings import Number, Offer, Settings
from app.transaction import transaction
from tests.counting import counted
from tests.domain.test_weather import FORECAST, WARNING
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
)
from tests.histories import write_history
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)  # 17:05 in Tokyo
TODAY = date(2026, 11, 23)
ID = "HDM100000001"
PAGE = f"/monitor/{ID}/tomorrow"
CHOICES = f"{PAGE}/choices"
REHEARSAL = f"/monitor/{ID}/rehearsal"
CHOSEN = {
    "night": "y",
    "tariff": "tepco-smart-life",
    "sell_yen": "８．５",
    "night_begins": "1380",
    "night_ends": "420",
}


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """The owner of a home with some weeks of history, signed in."""
    with app.app_context(), transaction():
        home = InstallationFactory(
            account=CustomerFactory(email="taro@example.org"),
            gateway=GatewayFactory(public_id=ID, ratings={"battery_wh": 9800.0}),
            opened_at=NOW - timedelta(days=60),
        )
        write_history(home, TODAY - timedelta(days=40), TODAY, until=NOW.timestamp())
        db.session.add(Latest(gateway_id=home.gateway_id, taken_at=NOW, soc_pct=55.0))
    return sign_in(client, "taro@example.org")


def text(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


def plan_now(app: Flask) -> None:
    with app.app_context():
        planning.plan_shard(list(db.session.scalars(select(PlanChoice.installation_id))))


@pytest.mark.parametrize("path", [PAGE, CHOICES, REHEARSAL, f"{REHEARSAL}/part"])
def test_a_strangers_home_is_not_found(app: Flask, taro: FlaskClient, path: str) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
    hanako = sign_in(app.test_client(), "hanako@example.org")
    assert taro.get(path).status_code == 200
    assert hanako.get(path).status_code == 404
    if path == CHOICES:
        assert hanako.post(path, data=CHOSEN).status_code == 404
        with app.app_context():
            assert db.session.scalars(select(PlanChoice)).all() == []


def test_until_something_is_chosen_nothing_is_planned(app: Flask, taro: FlaskClient) -> None:
    said = text(taro.get(PAGE).text)
    assert "計画は立てていません" in said
    assert "天気予報の取得元が設定されていません" in said
    plan_now(app)
    with app.app_context():
        assert db.session.scalars(select(Plan)).all() == []


def test_the_choices_tell_plans_with_their_sources_and_what_is_paid_for_sold_power(
    taro: FlaskClient,
) -> None:
    said = text(taro.get(CHOICES).text)
    assert "九州電力 電化でナイト・セレクト22" in said
    assert "2026/09/23 時点" in said
    assert "4年間は 24 円、その後は 8.3 円" in said
    assert "26 円（出力制御の対応が必要な地域は 28 円）" in said


def test_what_is_chosen_is_kept_planned_and_told(app: Flask, taro: FlaskClient) -> None:
    answer = taro.post(CHOICES, data=CHOSEN)
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert "計画を立てています" in text(taro.get(PAGE).text)
    plan_now(app)
    page = taro.get(PAGE).text
    said = text(page)
    assert "2026/11/24 の計画" in said
    assert "明日は、発電" in said
    assert "よく似た" in said
    assert "天気予報を使わず" in said
    assert "過去の日で試した結果" in said
    assert "出典：東京電力エナジーパートナー" in said
    found = re.search(r"data-chart='([^']+)'", page)
    assert found
    chart = json.loads(html.unescape(found[1]))
    assert {len(one["values"]) for one in chart["series"]} == {60}
    assert chart["labels"][0] == "18:00"
    form = taro.get(CHOICES).text
    assert re.search(r'name="night"[^>]*checked|checked[^>]*name="night"', form)
    assert 'value="8.5"' in form
    with app.app_context():
        entry = db.session.scalars(select(AuditEntry).filter_by(action="plans.chosen")).one()
        assert entry.detail == {"storm": False, "night": True, "cost": False}


@pytest.mark.parametrize("offers", [(Number("reserve_pct", 0, 100),), None], ids=["read", "none"])
def test_a_device_that_cannot_be_set_so_is_told_before_the_evening(
    app: Flask, taro: FlaskClient, offers: tuple[Offer, ...] | None
) -> None:
    taro.post(CHOICES, data=CHOSEN)
    plan_now(app)
    sentence = "この機器では、この計画のとおりに設定できません"
    assert sentence not in text(taro.get(PAGE).text)
    with app.app_context(), transaction():
        gateway = db.session.scalars(select(Gateway).filter_by(public_id=ID)).one()
        gateway_id = gateway.id
        if offers:
            settings.keep(gateway_id, Settings(offers, {"reserve_pct": 30}), NOW)
        else:
            gateway.profile = "solax-j1"
    said = text(taro.get(PAGE).text)
    assert sentence in said
    assert "反映します" not in said
    if offers:
        able = (*offers, Number("grid_charge_pct", 0, 100))
        with app.app_context(), transaction():
            settings.keep(gateway_id, Settings(able, {"reserve_pct": 30}), NOW)
        assert sentence not in text(taro.get(PAGE).text)


@pytest.mark.parametrize(
    ("handed", "sentence"),
    [
        ("later", "3:30 に、機器の充電を始めます"),
        ("missed", "時刻までに機器を設定できなかったので"),
        ("hand_wins", "お客様がご自分で設定を変えた日なので"),
    ],
)
def test_how_a_plan_stands_with_the_device_is_told(
    app: Flask, taro: FlaskClient, handed: str, sentence: str
) -> None:
    taro.post(CHOICES, data=CHOSEN)
    plan_now(app)
    with app.app_context(), transaction():
        plan = db.session.scalars(select(Plan)).one()
        plan.handed, plan.place_at = handed, NOW + timedelta(hours=10, minutes=25)
    assert sentence in text(taro.get(PAGE).text)


def test_switched_off_the_plan_is_gone_from_the_page(app: Flask, taro: FlaskClient) -> None:
    taro.post(CHOICES, data=CHOSEN)
    plan_now(app)
    without = {name: value for name, value in CHOSEN.items() if name != "night"}
    taro.post(CHOICES, data=without)
    assert "計画は立てていません" in text(taro.get(PAGE).text)
    with app.app_context():
        assert db.session.scalars(select(PlanChoice)).one().due_at is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tariff": ""}, "料金プランを選ぶか"),
        ({"tariff": "no-such"}, "料金プランを選ぶか"),
        (
            {"tariff": "", "day_yen": "35", "night_yen": "20", "night_ends": "1380"},
            "ちがう時刻を選んでください",
        ),
        ({"sell_yen": "nan"}, "数字で入力してください"),
        ({"sell_yen": "-3"}, "数字で入力してください"),
        ({"battery_kwh": "1e3"}, "数字で入力してください"),
        ({"panels_tilt": "91"}, "数字で入力してください"),
        ({"area": "130000/130010"}, "一覧にある地域から"),
        ({"area": "260000/999999"}, "一覧にある地域から"),
    ],
)
def test_what_will_not_do_is_said_and_nothing_typed_is_lost(
    app: Flask, taro: FlaskClient, changed: dict[str, str], said: str
) -> None:
    answer = taro.post(CHOICES, data={**CHOSEN, "panels_kw": "5.5", **changed})
    assert answer.status_code == 422
    assert said in text(answer.text)
    assert 'value="5.5"' in answer.text
    with app.app_context():
        assert db.session.scalars(select(PlanChoice)).all() == []


def test_ones_own_prices_do_without_a_plan_of_a_supplier(app: Flask, taro: FlaskClient) -> None:
    own = {**CHOSEN, "tariff": "", "day_yen": "35", "night_yen": "20"}
    assert taro.post(CHOICES, data=own).status_code == 303
    plan_now(app)
    assert "料金：ご自宅の料金" in text(taro.get(PAGE).text)


def test_the_sky_and_the_warnings_of_ones_area_are_told(
    app: Flask, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = app.extensions["settings"]
    changed = settings.model_copy(update={"weather_source": "jma"})
    monkeypatch.setitem(app.extensions, "settings", changed)
    monkeypatch.setitem(app.extensions, "spoken_settings", {})
    assert "いま確認できていません" in text(taro.get(PAGE).text)
    with app.app_context(), transaction():
        weather.keep_forecast("260000", weather.read_forecast(FORECAST), NOW)
        weather.keep_warnings("260000", weather.read_warnings(WARNING, NOW), NOW)
    assert ">南部</option>" in taro.get(CHOICES).text
    taro.post(CHOICES, data={**CHOSEN, "area": "260000/260010"})
    plan_now(app)
    said = text(taro.get(PAGE).text)
    assert "天気予報（雨または雪）" in said
    assert "暴風警報" in said
    assert "暴風雪" not in said


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("too_little", "いまは 5 日分です。"),
        ("no_battery", "蓄電池の容量が分かりません"),
        ("no_charge", "いまの蓄電残量が分かりません"),
        ("no_prices", "電気の料金が分かりません"),
        ("failed", "計画を立てられませんでした"),
    ],
)
def test_why_there_is_no_plan_is_said(
    app: Flask, taro: FlaskClient, outcome: str, said: str
) -> None:
    taro.post(CHOICES, data=CHOSEN)
    with app.app_context(), transaction():
        home = db.session.scalars(select(Installation)).one()
        content = {"days": 5} if outcome == "too_little" else {}
        db.session.add(
            Plan(installation_id=home.id, day=TODAY, made_at=NOW, outcome=outcome, content=content)
        )
    assert said in text(taro.get(PAGE).text)


def test_the_rehearsal_answers_with_and_without_javascript(taro: FlaskClient) -> None:
    said = text(taro.get(REHEARSAL).text)
    # half of 9.8 kWh at 400 W
    assert "約11時間30分" in said
    assert "残量が 30 %" in said
    part = taro.get(f"{REHEARSAL}/part?reserve=100&sun=1")
    assert "太陽の電気は、少なめに" in text(part.text)
    assert part.headers["HX-Replace-Url"] == f"{REHEARSAL}?reserve=100&sun=1"
    assert "<html" not in part.text
    assert "残量が 100 %" in text(taro.get(f"{REHEARSAL}?reserve=900").text)
    assert taro.get(f"{REHEARSAL}?reserve=x").status_code == 200


def test_a_dealer_that_looks_leaves_a_receipt_and_cannot_choose(
    app: Flask, taro: FlaskClient
) -> None:
    with app.app_context(), transaction():
        person = DealerPersonFactory(email="dealer@example.org")
        LinkFactory(
            installation=db.session.scalars(select(Installation)).one(), dealer=person.dealer
        )
    dealer = sign_in(app.test_client(), "dealer@example.org")
    assert dealer.get(REHEARSAL).status_code == 200
    page = dealer.get(PAGE)
    assert page.status_code == 200
    assert CHOICES not in page.text
    assert dealer.get(CHOICES).status_code == 404
    with app.app_context():
        assert db.session.scalars(select(DealerLook)).one()


def test_a_page_asks_the_database_a_few_times(
    taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (PAGE, REHEARSAL):
        taro.get(path)
        with counted(monkeypatch) as work:
            taro.get(path)
        assert len(work.statements) <= 12, path


def test_the_shipped_folder_of_tariffs_is_the_one_of_the_content(app: Flask) -> None:
    assert (Path(app.extensions["settings"].content_dir) / "tariffs").is_dir()


def test_every_warning_that_is_acted_on_has_a_name() -> None:
    assert {code: str(name) for code, name in words.WARNINGS.items()} == weather.GRAVE
