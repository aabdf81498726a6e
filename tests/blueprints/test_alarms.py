"""異常: a household's page, a dealer's inbox, the operator's view."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from app import clock
from app.domain import alarm_lists
from app.extensions import db
from app.models import (
    Alarm,
    AlarmCare,
    AlarmComment,
    AuditEntry,
    Dealer,
    Incident,
    Installation,
    Latest,
    MaintenanceLink,
    PollState,
)
from app.profiles import alarm_words
from app.profiles.sunspec_models import model
from app.profiles.sunspec_plan import _bit_names
from app.transaction import transaction
from tests.blueprints.test_gateways import many  # noqa: F401
from tests.counting import counted
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
)
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)  # 18:05 in Tokyo
ID = "HDM100000001"
PAGE = f"/alarms/{ID}"
HOUR = timedelta(hours=1)
Raise = Callable[..., int]


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """A customer whose gateway a dealer looks after."""
    with app.app_context(), transaction():
        account = CustomerFactory(email="taro@example.org")
        gateway = GatewayFactory(public_id=ID, first_contact_at=LONG_AGO)
        home = InstallationFactory(account=account, gateway=gateway, site_name="山田邸")
        person = DealerPersonFactory(email="hanako@example.org")
        LinkFactory(installation=home, dealer=person.dealer)
        db.session.add(Latest(gateway_id=gateway.id, taken_at=NOW))
        db.session.add(PollState(gateway_id=gateway.id, next_poll_at=NOW))
    return sign_in(client, "taro@example.org")


@pytest.fixture
def hanako(app: Flask, taro: FlaskClient) -> FlaskClient:
    """The dealer's person."""
    return sign_in(app.test_client(), "hanako@example.org")


@pytest.fixture
def jiro(app: Flask, taro: FlaskClient) -> FlaskClient:
    """A person of a dealer that looks after another gateway."""
    with app.app_context(), transaction():
        person = DealerPersonFactory(email="jiro@example.org")
        LinkFactory(dealer=person.dealer)
    return sign_in(app.test_client(), "jiro@example.org")


@pytest.fixture
def operator(app: Flask, taro: FlaskClient) -> FlaskClient:
    with app.app_context(), transaction():
        OperatorFactory(email="op@example.org")
    return sign_in(app.test_client(), "op@example.org")


@pytest.fixture
def raised(app: Flask, taro: FlaskClient) -> Raise:
    """Return what raises an alarm at the customer's gateway; it gives its id."""

    def raise_alarm(code: str = "inverter.over_temp", **values: Any) -> int:
        with app.app_context(), transaction():
            home = db.session.scalars(
                select(Installation).where(Installation.gateway.has(public_id=ID))
            ).one()
            moments = {"first_seen_at": NOW - HOUR, "raised_at": NOW - HOUR}
            alarm = Alarm(
                installation_id=home.id,
                gateway_id=home.gateway_id,
                code=code,
                **{**moments, **values},
            )
            db.session.add(alarm)
            db.session.flush()
            return alarm.id

    return raise_alarm


def actions(app: Flask) -> list[str]:
    with app.app_context():
        found = select(AuditEntry.action).where(AuditEntry.subject.in_(["alarm", "incident"]))
        return list(db.session.scalars(found.order_by(AuditEntry.id)))


# ---- the household's page -------------------------------------------------------------------


def test_a_fault_is_told_in_a_households_words(taro: FlaskClient, raised: Raise) -> None:
    raised()
    raised("dc1.ground_fault", cleared_at=NOW)
    page = taro.get(PAGE).text
    for words in ("温度が高すぎます", "吸気口や排気口", "2026/11/22 17:05", "漏電の検出", "山田邸"):
        assert words in page
    assert f'href="{PAGE}"' in taro.get(f"/monitor/{ID}").text
    assert f'href="{PAGE}"' in taro.get(f"/gateways/{ID}").text


def test_without_alarms_the_page_says_so(taro: FlaskClient) -> None:
    page = taro.get(PAGE).text
    assert "いま続いている異常はありません" in page
    assert "これまでに異常はありません。" in page


def test_english_readers_read_english(taro: FlaskClient, raised: Raise) -> None:
    raised()
    taro.post("/language/", data={"language": "en"})
    page = taro.get(PAGE).text
    assert "Too hot" in page
    assert "温度" not in page


def test_an_owner_mutes_one_fault_and_hears_of_it_again(
    app: Flask, taro: FlaskClient, raised: Raise
) -> None:
    alarm_id = raised()
    answer = taro.post(f"{PAGE}/{alarm_id}/mute")
    assert answer.status_code == 303
    page = taro.get(answer.location).text
    assert "この異常のお知らせを止めました。" in page
    assert "この異常のメールは止めています。" in page
    taro.post(f"{PAGE}/{alarm_id}/mute")
    taro.post(f"{PAGE}/{alarm_id}/unmute")
    assert "この異常のメールは止めています。" not in taro.get(PAGE).text
    assert actions(app) == ["alarm.muted", "alarm.unmuted"]


def test_what_is_over_cannot_be_muted(taro: FlaskClient, raised: Raise) -> None:
    assert taro.post(f"{PAGE}/{raised(cleared_at=NOW)}/mute").status_code == 404
    assert taro.post(f"{PAGE}/99999/mute").status_code == 404


def test_a_stranger_finds_no_alarms_and_mutes_none(
    app: Flask, taro: FlaskClient, jiro: FlaskClient, raised: Raise
) -> None:
    alarm_id = raised()
    with app.app_context(), transaction():
        other = CustomerFactory(email="other@example.org")
        own = InstallationFactory(account=other, gateway=GatewayFactory(public_id="HDM100000009"))
        assert own.id
    stranger = sign_in(app.test_client(), "other@example.org")
    assert stranger.get(PAGE).status_code == 404
    assert stranger.post(f"{PAGE}/{alarm_id}/mute").status_code == 404
    # nor by way of a gateway of one's own
    assert stranger.post(f"/alarms/HDM100000009/{alarm_id}/mute").status_code == 404
    assert jiro.get(PAGE).status_code == 404
    assert taro.get(PAGE).status_code == 200


def test_the_next_owner_sees_nothing_of_what_was_before(
    app: Flask, taro: FlaskClient, raised: Raise
) -> None:
    raised("inverter.memory_loss", cleared_at=NOW - HOUR)
    with app.app_context(), transaction():
        home = db.session.scalars(
            select(Installation).where(Installation.gateway.has(public_id=ID))
        ).one()
        home.closed_at = NOW - HOUR
        db.session.flush()
        InstallationFactory(
            account=CustomerFactory(email="next@example.org"),
            gateway=home.gateway,
            claimed_sheet_id=None,
            opened_at=NOW - HOUR,
        )
    page = sign_in(app.test_client(), "next@example.org").get(PAGE)
    assert page.status_code == 200
    assert "記憶の異常" not in page.text
    assert taro.get(PAGE).status_code == 404


def test_the_past_has_pages(app: Flask, taro: FlaskClient, raised: Raise) -> None:
    for number in range(25):
        raised(
            f"x.old_{number:02d}",
            raised_at=NOW - HOUR * (number + 1),
            cleared_at=NOW - HOUR * number,
        )
    page = taro.get(PAGE).text
    assert "x.old_19" in page
    assert "x.old_20" not in page
    (older,) = [
        part.split('"')[0] for part in page.split('href="') if part.startswith(f"{PAGE}?before=")
    ]
    assert "x.old_24" in taro.get(older).text


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        ("service", "当サービスの障害です"),
        ("network", "ネットワークの障害のようです"),
        ("area", "地域の通信障害のようです"),
        ("model", "同じ形式の機器に共通する障害のようです"),
    ],
)
def test_households_read_what_an_incident_is_on_both_screens(
    app: Flask, taro: FlaskClient, raised: Raise, cause: str, sentence: str
) -> None:
    with app.app_context(), transaction():
        incident = Incident(cause=cause, key="x", since=NOW - HOUR, opened_at=NOW - HOUR)
        db.session.add(incident)
        db.session.flush()
        incident_id = incident.id
        db.session.execute(update(Latest).values(incident=cause, taken_at=NOW - HOUR))
    raised("lost", incident_id=incident_id)
    for path in (f"/monitor/{ID}", f"/monitor/{ID}/tiles", PAGE):
        page = taro.get(path).text
        assert sentence in page, path
        assert "ルーターとゲートウェイ" not in page
    # once it answers, nothing of it is said
    with app.app_context(), transaction():
        db.session.execute(update(Latest).values(taken_at=NOW))
    assert sentence not in taro.get(f"/monitor/{ID}").text


def test_the_codes_of_every_sunspec_bit_have_words() -> None:
    points = [model(103).points["Evt1"], model(701).points["Alrm"], model(802).points["Evt1"]]
    points += [model(160).group["DCEvt"], model(714).group["DCAlrm"]]  # type: ignore[index]
    names = {name.rpartition(".")[2] for point in points for _bit, name in _bit_names(point, "x")}
    assert {name for name in names if not name.startswith("bit_")} <= set(alarm_words.WORDS)
    for language in ("ja", "en"):
        assert all(alarm_words.words_of("maker.new_code", language))


# ---- the dealer's inbox ---------------------------------------------------------------------


def test_the_inbox_shows_the_worst_first(hanako: FlaskClient, raised: Raise) -> None:
    raised("inverter.ground_fault")
    raised("lost")
    raised("inverter.memory_loss")
    # the newest, but it mostly passes by itself
    raised("inverter.over_frequency")
    raised("battery.fan_error", cleared_at=NOW)
    page = hanako.get("/dealer/alarms").text
    assert "4 件" in page
    places = [page.index(name) for name in ("漏電の検出", "通信断", "記憶の異常", "周波数")]
    assert places == sorted(places)
    assert "冷却ファンの異常" not in page
    assert "冷却ファンの異常" in hanako.get("/dealer/alarms/list?state=cleared").text
    assert 'href="/dealer/alarms"' in hanako.get("/manage").text


def test_what_is_acknowledged_goes_down_and_is_found_by_its_state(
    app: Flask, hanako: FlaskClient, raised: Raise
) -> None:
    raised("inverter.memory_loss")
    alarm_id = raised("lost")
    answer = hanako.post(f"/dealer/alarms/{alarm_id}/acknowledge")
    assert "確認済み（2026/11/22 18:05）" in hanako.get(answer.location).text
    hanako.post(f"/dealer/alarms/{alarm_id}/acknowledge")
    page = hanako.get("/dealer/alarms").text
    assert page.index("記憶の異常") < page.index(f"/dealer/alarms/{alarm_id}")
    assert "1 件" in hanako.get("/dealer/alarms/list?state=acknowledged").text
    assert "記憶の異常" in hanako.get("/dealer/alarms/list?state=new").text
    assert actions(app) == ["alarm.acknowledged"]


def test_a_dealer_mutes_for_itself_alone(app: Flask, hanako: FlaskClient, raised: Raise) -> None:
    alarm_id = raised()
    hanako.post(f"/dealer/alarms/{alarm_id}/mute")
    assert "1 件" in hanako.get("/dealer/alarms/list?state=muted").text
    with app.app_context():
        assert db.session.get_one(Alarm, alarm_id).muted_at is None
        assert db.session.scalars(select(AlarmCare)).one().muted_at == NOW
    hanako.post(f"/dealer/alarms/{alarm_id}/unmute")
    assert "0 件" in hanako.get("/dealer/alarms/list?state=muted").text


def test_a_comment_is_for_colleagues(app: Flask, hanako: FlaskClient, raised: Raise) -> None:
    alarm_id = raised()
    path = f"/dealer/alarms/{alarm_id}"
    answer = hanako.post(f"{path}/comments", data={"words": "<b>部品を 手配</b>"})
    assert "&lt;b&gt;部品を 手配&lt;/b&gt;" in hanako.get(answer.location).text
    refused = hanako.post(f"{path}/comments", data={"words": " "})
    assert refused.status_code == 422
    assert "コメントを入力してください。" in refused.text
    long = hanako.post(f"{path}/comments", data={"words": "長" * 501})
    assert long.status_code == 422
    assert "長" * 501 in long.text
    # another dealer of the same gateway reads none of it
    with app.app_context(), transaction():
        home = db.session.scalars(
            select(Installation).where(Installation.gateway.has(public_id=ID))
        ).one()
        person = DealerPersonFactory(email="saburo@example.org")
        LinkFactory(installation=home, dealer=person.dealer, slot=2)
    other = sign_in(app.test_client(), "saburo@example.org")
    page = other.get(path)
    assert page.status_code == 200
    assert "部品を" not in page.text


@pytest.mark.parametrize("what", ["", "/acknowledge", "/mute", "/unmute", "/comments"])
def test_another_dealers_alarm_does_not_exist(
    app: Flask, jiro: FlaskClient, taro: FlaskClient, raised: Raise, what: str
) -> None:
    path = f"/dealer/alarms/{raised()}{what}"
    ask = jiro.post if what else jiro.get
    assert ask(path).status_code == 404
    assert (taro.post if what else taro.get)(path).status_code == 404
    with app.app_context():
        assert not db.session.scalars(select(AlarmCare)).all()
        assert not db.session.scalars(select(AlarmComment)).all()


def test_the_inbox_ends_with_the_link(app: Flask, hanako: FlaskClient, raised: Raise) -> None:
    path = f"/dealer/alarms/{raised()}"
    assert hanako.get(path).status_code == 200
    with app.app_context(), transaction():
        db.session.execute(update(MaintenanceLink).values(ended_at=NOW, how_ended="unlinked"))
    assert hanako.get(path).status_code == 404
    assert "0 件" in hanako.get("/dealer/alarms").text


def test_words_find_alarms_by_site_id_and_customer(hanako: FlaskClient, raised: Raise) -> None:
    raised()
    for words in ("山田邸", ID.lower(), "やまだ", "山田 太郎", "京都"):
        assert "1 件" in hanako.get("/dealer/alarms/list", query_string={"q": words}).text
    answer = hanako.get("/dealer/alarms/list?q=鈴木&state=new")
    assert "0 件" in answer.text
    assert "state=new" in answer.headers["HX-Replace-Url"]


def test_five_thousand_alarms_cost_as_many_queries_as_one(
    app: Flask,
    hanako: FlaskClient,
    raised: Raise,
    many: FlaskClient,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised()
    with counted(monkeypatch) as few:
        assert "1 件" in hanako.get("/dealer/alarms").text
    with app.app_context(), transaction():
        dealer_id = db.session.scalars(
            select(Dealer.id).join(MaintenanceLink, MaintenanceLink.dealer_id == Dealer.id)
        ).one()
        sites = db.session.scalars(
            select(Installation).where(Installation.site_name.startswith("棟"))
        ).all()
        db.session.execute(
            insert(MaintenanceLink),
            [
                {
                    "dealer_id": dealer_id,
                    "slot": 1,
                    "scope": "set",
                    "began_at": LONG_AGO,
                    "gateway_id": one.gateway_id,
                    "installation_id": one.id,
                    "made_by_id": one.account_id,
                }
                for one in sites
            ],
        )
        db.session.execute(
            insert(Alarm),
            [
                {
                    "installation_id": one.id,
                    "gateway_id": one.gateway_id,
                    "code": "lost",
                    "first_seen_at": LONG_AGO,
                    "raised_at": LONG_AGO,
                }
                for one in sites
            ],
        )
    with counted(monkeypatch) as work:
        page = hanako.get("/dealer/alarms")
    assert "5001 件" in page.text
    assert "1 / 251" in page.text
    assert len(work.statements) == len(few.statements)
    assert "温度が高すぎます" in hanako.get("/dealer/alarms?page=999").text


# ---- the operator's view --------------------------------------------------------------------


def test_operators_see_all_alarms_and_find_them_by_gateway(
    app: Flask, operator: FlaskClient, raised: Raise
) -> None:
    raised()
    page = operator.get("/operator/alarms").text
    assert "温度が高すぎます" in page
    assert ID in operator.get(f"/operator/alarms/list?gateway={ID[:6].lower()}").text
    assert ID not in operator.get("/operator/alarms/list?gateway=ZZZ").text
    assert ID not in operator.get("/operator/alarms/list?state=cleared").text
    assert 'href="/operator/alarms"' in operator.get("/manage").text


def test_an_incident_is_one_row_with_its_gateways_and_is_acknowledged_once(
    app: Flask, operator: FlaskClient, hanako: FlaskClient, raised: Raise
) -> None:
    with app.app_context(), transaction():
        incident = Incident(cause="area", key="京都府", since=NOW, opened_at=NOW, gateways=4321)
        db.session.add(incident)
        db.session.flush()
        incident_id = incident.id
    raised("lost", incident_id=incident_id)
    for path in ("/operator/alarms", "/operator/incidents"):
        page = operator.get(path).text
        assert "地域の通信障害" in page
        assert "4321 台" in page
    path = f"/operator/incidents/{incident_id}"
    assert ID in operator.get(path).text
    for _ in range(2):
        answer = operator.post(f"{path}/acknowledge")
    assert "確認済み（2026/11/22 18:05）" in operator.get(answer.location).text
    assert actions(app) == ["incident.acknowledged"]
    assert operator.get("/operator/incidents/999").status_code == 404
    assert hanako.get(path).status_code == 404
    assert hanako.post(f"{path}/acknowledge").status_code == 404
    assert "地域の通信障害" in hanako.get("/dealer/alarms").text


def test_states_of_the_inbox_are_those_it_knows(hanako: FlaskClient, raised: Raise) -> None:
    raised()
    for state in (*alarm_lists.STATES, "", "nonsense"):
        assert hanako.get(f"/dealer/alarms?state={state}").status_code == 200
