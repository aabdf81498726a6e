"""The live screen as a browser gets it."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.extensions import db
from app.models import Account, Latest, PollState
from app.transaction import transaction
from tests.counting import counted
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)  # 18:05 in Tokyo


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def add_home(
    app: Flask, email: str = "taro@example.org", public_id: str = "HDM100000001", **latest: object
) -> str:
    """Add a home with values of this minute, but for what `latest` says; return its public ID."""
    values: dict[str, object] = {
        "taken_at": NOW - timedelta(seconds=20),
        "state": "running",
        "pv_now_w": 3210.0,
        "load_now_w": 1234.0,
        "sold_now_w": 1200.0,
        "bought_now_w": 0.0,
        "battery_now_w": -776.0,
        "soc_pct": 82.4,
        "day": date(2026, 11, 22),
        "pv_today_wh": 7654.0,
        "load_today_wh": None,
    }
    with app.app_context(), transaction():
        account = db.session.query(Account).filter_by(email=email).one_or_none()
        home = InstallationFactory(
            account=account or CustomerFactory(email=email),
            gateway=GatewayFactory(public_id=public_id),
            site_name=f"家 {public_id[-1]}",
        )
        values["installation_id"] = home.id
        db.session.add(Latest(gateway_id=home.gateway_id, **{**values, **latest}))
        due = NOW + timedelta(seconds=50)
        db.session.add(PollState(gateway_id=home.gateway_id, next_poll_at=due))
    return public_id


def tiles(client: FlaskClient, public_id: str) -> str:
    answer = client.get(f"/monitor/{public_id}/tiles")
    assert answer.status_code == 200
    return answer.text


def tile(html: str, kind: str) -> str:
    """Return a tile's text."""
    found = re.search(rf'<section class="tile tile--{kind}.*?</section>', html, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


@pytest.mark.both_databases
def test_the_page_shows_state_moment_and_the_five_tiles(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app)
    sign_in(client, "taro@example.org")
    page = client.get(f"/monitor/{public_id}").text
    assert "<title>正常動作中 – 家 1 | 遠隔モニタリングサービス</title>" in page
    assert "2026/11/22 18:04" in page
    assert "蓄電池 82 %・電気を売っています" in page
    assert tile(page, "pv") == "発電 現在(平均値) 3.2 kW 本日累計 7.7 kWh"
    assert tile(page, "load") == "消費 現在(平均値) 1.2 kW 本日累計 — kWh"
    assert tile(page, "battery").startswith("蓄電池 現在(平均値) 0.8 kW 充電 蓄電残量 82 %")
    assert tile(page, "sell").startswith("売電 現在(平均値) 1.2 kW")
    assert tile(page, "buy").startswith("買電 現在(平均値) 0.0 kW")
    labels = re.findall(r'tile__label">.*?<span>(\w+)</span></h2>', page)
    assert labels == ["発電", "消費", "蓄電池", "売電", "買電"]


def test_the_tiles_are_the_pages_own_partial_with_the_title_for_the_tab(
    app: Flask, client: FlaskClient
) -> None:
    public_id = add_home(app)
    sign_in(client, "taro@example.org")
    partial = tiles(client, public_id)
    head, _, body = partial.partition("</head>")
    assert "<title>正常動作中 – 家 1" in head
    assert body.strip() in client.get(f"/monitor/{public_id}").text


def test_an_unchanged_screen_is_a_304_until_its_age_changes(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_id = add_home(app)
    sign_in(client, "taro@example.org")
    url = f"/monitor/{public_id}/tiles"
    tag = client.get(url).headers["HX-PTag"]
    assert f'hx-ptag="{tag}"' in client.get(f"/monitor/{public_id}").text
    again = client.get(url, headers={"HX-PTag": tag})
    assert (again.status_code, again.text, again.headers["HX-PTag"]) == (304, "", tag)
    assert client.get(url, headers={"HX-PTag": tag, "Accept-Language": "en"}).status_code == 304
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=60))
    later = client.get(url, headers={"HX-PTag": tag})
    assert later.status_code == 200
    assert "1分前の値です" in later.text


def test_a_stale_value_tells_its_age_and_nothing_flows_once_contact_is_lost(
    app: Flask, client: FlaskClient
) -> None:
    public_id = add_home(app, taken_at=NOW - timedelta(hours=2))
    sign_in(client, "taro@example.org")
    html = tiles(client, public_id)
    assert "通信断" in html
    assert "ルーターとゲートウェイの電源" in html
    assert "2時間前の値です" in tile(html, "pv")
    assert "flow__dots" not in html
    assert "電気を売っています" not in html


def test_what_is_unknown_is_a_dash_with_its_reason(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app, load_now_w=None, battery_now_w=None, soc_pct=None)
    sign_in(client, "taro@example.org")
    html = tiles(client, public_id)
    assert "— kW 機器から値が届いていません" in tile(html, "load")
    assert "蓄電残量 — %" in tile(html, "battery")


def test_a_gateway_that_never_answered_says_what_is_awaited(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        home = InstallationFactory(account=CustomerFactory(email="new@example.org"))
        public_id = home.gateway.public_id
    sign_in(client, "new@example.org")
    html = tiles(client, public_id)
    assert "未接続" in html
    assert "最初の通信を待っています" in html
    assert tile(html, "pv") == "発電 現在(平均値) — kW まだ通信していません 本日累計 — kWh"


def test_an_alarm_is_told_with_whom_to_call(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app, alarms=["inverter.OVER_TEMP"])
    sign_in(client, "taro@example.org")
    html = tiles(client, public_id)
    assert "機器が異常を知らせています" in html
    assert "0120-000-000" in html
    assert "inverter.OVER_TEMP" in html


@pytest.mark.both_databases
def test_a_strangers_gateway_is_not_found(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app)
    with app.app_context(), transaction():
        CustomerFactory(email="stranger@example.org")
    sign_in(client, "stranger@example.org")
    for path in (f"/monitor/{public_id}", f"/monitor/{public_id}/tiles", "/monitor/NOSUCHID0000"):
        assert client.get(path).status_code == 404


def test_who_is_not_signed_in_is_led_to_the_sign_in_page(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app)
    answer = client.get(f"/monitor/{public_id}")
    assert answer.status_code in (302, 303)
    assert "/monitor/sign-in" in answer.headers["Location"]


def test_an_anonymous_poll_leads_the_whole_page_to_the_sign_in(
    app: Flask, client: FlaskClient
) -> None:
    public_id = add_home(app)
    answer = client.get(f"/monitor/{public_id}/tiles", headers={"HX-Request": "true"})
    assert "/monitor/sign-in" in answer.headers["HX-Redirect"]
    assert "tile" not in answer.text


def test_a_look_is_noted_every_ten_seconds_at_most_and_has_the_gateway_asked(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_id = add_home(app)
    sign_in(client, "taro@example.org")

    def watched() -> tuple[datetime | None, datetime]:
        with app.app_context():
            state = db.session.query(PollState).one()
            return state.watched_until, state.next_poll_at

    tiles(client, public_id)
    assert watched() == (NOW + timedelta(seconds=30), NOW)
    for seconds, until in ((5, 30), (10, 30), (12, 42)):
        monkeypatch.setattr(clock, "now", lambda s=seconds: NOW + timedelta(seconds=s))
        tiles(client, public_id)
        assert watched()[0] == NOW + timedelta(seconds=until)


def test_tiles_read_who_is_signed_in_and_what_is_shown_by_one_statement(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_id = add_home(app)
    sign_in(client, "taro@example.org")
    tiles(client, public_id)
    with counted(monkeypatch) as work:
        tiles(client, public_id)
    assert len(work.statements) == 1, work.statements


def test_the_only_gateway_needs_no_choice(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app)
    sign_in(client, "taro@example.org")
    assert client.get("/monitor").headers["Location"] == f"/monitor/{public_id}"
    assert "ほかのゲートウェイを選ぶ" not in client.get(f"/monitor/{public_id}").text


def test_among_several_gateways_one_chooses_and_searches(app: Flask, client: FlaskClient) -> None:
    one = add_home(app)
    other = add_home(app, public_id="HDM100000002", taken_at=None)
    sign_in(client, "taro@example.org")
    page = client.get("/monitor").text
    assert page.index(other) < page.index(one)
    assert "2 件" in page
    assert "ほかのゲートウェイを選ぶ" in client.get(f"/monitor/{one}").text
    found = client.get("/monitor/choices?q=0002").text
    assert (other in found, one in found) == (True, False)
    assert "見つかりませんでした" in client.get("/monitor?q=nowhere").text


def test_without_a_gateway_the_page_says_what_to_do(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="new@example.org")
    sign_in(client, "new@example.org")
    assert "ゲートウェイがまだありません" in client.get("/monitor").text


def test_a_name_is_text_and_nothing_else(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app, alarms=["<script>"])
    sign_in(client, "taro@example.org")
    assert "<script>" not in tiles(client, public_id)


def test_the_language_of_the_account_is_that_of_the_tiles(app: Flask, client: FlaskClient) -> None:
    public_id = add_home(app)
    sign_in(client, "taro@example.org")
    tag = client.get(f"/monitor/{public_id}/tiles").headers["HX-PTag"]
    client.post("/language/", data={"language": "en"})
    answer = client.get(f"/monitor/{public_id}/tiles", headers={"HX-PTag": tag})
    assert answer.status_code == 200


@pytest.mark.parametrize("public_id", ["%00DM100000001", "HDM10000000%EF", "hdm100000001"])
@pytest.mark.parametrize("part", ["", "/tiles"])
def test_what_is_no_gateway_id_is_not_found_on_any_database(
    app: Flask, client: FlaskClient, public_id: str, part: str
) -> None:
    add_home(app)
    sign_in(client, "taro@example.org")
    assert client.get(f"/monitor/{public_id}{part}").status_code == 404


def test_whatever_is_searched_for_is_only_searched_for(app: Flask, client: FlaskClient) -> None:
    add_home(app)
    add_home(app, public_id="HDM100000002")
    sign_in(client, "taro@example.org")
    for words in ("%00", "%ED%A0%80", "%25", "%27%22%3B--", "%E2%80%AE" * 50):
        assert client.get(f"/monitor/choices?q={words}&page=9999999999999999999").status_code == 200
    # as people type it: in full width
    assert "家 2" in client.get("/monitor/choices?q=%EF%BC%92").text
