"""The eco programme's pages: introduction, conditions, application, leaving, new rules."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.domain import applications
from app.domain.energy import day_of
from app.extensions import db
from app.models import Account, EcoMembership, Installation, Latest, PollState
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    OperatorFactory,
)
from tests.histories import write_history
from tests.joining import agreed, rules, the_programme
from tests.signing_in import sign_in

ID = "HDM100000001"
DAY = timedelta(days=1)
PAGES = ("", "/withdraw", "/apply", "/apply/rules", "/apply/confirm", "/apply/done")


def settle(app: Flask, *, days: int = 40, email: str = "taro@example.org", **gateway: Any) -> int:
    """Let a household have a sunny home for so many days; return the installation's id."""
    with app.app_context(), transaction():
        now = clock.now()
        account = db.session.scalar(select(Account).filter_by(email=email))
        made: Installation = InstallationFactory(
            account=account or CustomerFactory(email=email),
            gateway=GatewayFactory(
                **{"public_id": ID, "first_contact_at": now - days * DAY} | gateway
            ),
            opened_at=now - days * DAY,
        )
        today, _begins = day_of(now, made.zone)
        if days:
            write_history(made, today - days * DAY, today - DAY)
        return made.id


def began(days: int = 45) -> str:
    return f"{clock.now() - days * DAY:%Y/%m/%d}"


def typed(**changed: str) -> dict[str, str]:
    declared = {
        "operation_began_on": began(),
        "no_other_generator": "y",
        "no_other_scheme": "y",
    }
    return {name: value for name, value in (declared | changed).items() if value}


@pytest.fixture
def version_id(app: Flask) -> int:
    with app.app_context(), transaction():
        return rules(clock.now() - 90 * DAY).id


@pytest.fixture
def taro(app: Flask, version_id: int) -> FlaskClient:
    settle(app)
    return sign_in(app.test_client(), "taro@example.org")


def join(app: Flask, installation_id: int) -> int:
    with app.app_context(), transaction():
        installation = db.session.get_one(Installation, installation_id)
        made = applications.apply(
            installation.account,
            installation.gateway.public_id,
            applications.Declared((clock.now() - 45 * DAY).date(), True, True),
            agreed(clock.now()),
            programme=the_programme(),
            asks_subsidy=False,
            network_address="192.0.2.1",
            now=clock.now(),
        )
        return made.id


def installation_id(app: Flask) -> int:
    with app.app_context():
        return db.session.scalars(select(Installation.id)).one()


def standing(app: Flask) -> EcoMembership | None:
    with app.app_context():
        return db.session.scalar(select(EcoMembership).order_by(EcoMembership.id.desc()))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_everybody_reads_what_the_programme_is(client: FlaskClient, language: str) -> None:
    page = client.get("/eco", headers={"Accept-Language": language}).text
    for words in ("1,100", "3,500", "5,000", "70", "eco@example.org", "0120-000-001", "2026/11/01"):
        assert words in page
    if language == "ja":
        for words in (
            "みんなでつくるエコ活サークル",
            "自家消費して毎年ポイントを獲得",
            "エコな生活で社会貢献",
            "初期費用・利用料 永年無料",
            "寄付",
            "まだ始まっていません",
        ):
            assert words in page
    else:
        assert "Eco Life Circle" in page


def test_the_rules_are_public_once_there_are_any(app: Flask, client: FlaskClient) -> None:
    assert client.get("/eco/rules").status_code == 404
    with app.app_context(), transaction():
        rules(clock.now() + DAY, version="1")
    assert "第1版" in client.get("/eco/rules").text
    with app.app_context(), transaction():
        rules(clock.now() - DAY, version="0.9")
    assert "いまの会員規約（第0.9版）" in client.get("/eco/rules").text


def test_who_applies_reads_the_rules_confirms_and_is_a_member(
    app: Flask, taro: FlaskClient, version_id: int
) -> None:
    page = taro.get(f"/eco/gateways/{ID}/apply").text
    assert "お使いの機器（HDM-GW1）は対象です。" in page
    assert "これまでの計測は100%です。" in page
    answer = taro.post(f"/eco/gateways/{ID}/apply", data=typed())
    assert answer.location == f"/eco/gateways/{ID}/apply/rules"
    page = taro.get(answer.location).text
    assert "環境価値" in page
    assert "同意する" in page
    assert f'href="/eco/gateways/{ID}/apply"' in page
    answer = taro.post(answer.location, data={"terms_version": version_id})
    assert answer.location == f"/eco/gateways/{ID}/apply/confirm"
    page = taro.get(answer.location).text
    for words in ("申込を確定する", "前に戻る", began(), "今日からご参加いただけます"):
        assert words in page
    assert standing(app) is None
    answer = taro.post(answer.location)
    assert answer.location == f"/eco/gateways/{ID}/apply/done"
    assert "ようこそ" in taro.get(answer.location).text
    # pressed twice
    assert taro.post(f"/eco/gateways/{ID}/apply/confirm").location == answer.location
    made = standing(app)
    assert made is not None
    assert made.member_from is not None
    assert "ご参加中" in taro.get("/eco/gateways").text
    assert taro.get(f"/eco/gateways/{ID}/apply").location == f"/eco/gateways/{ID}"


def test_going_back_keeps_what_was_typed(taro: FlaskClient) -> None:
    taro.post(f"/eco/gateways/{ID}/apply", data=typed())
    page = taro.get(f"/eco/gateways/{ID}/apply").text
    assert f'value="{began().replace("/", "-")}"' in page
    assert page.count(" checked") == 2


def test_the_next_person_at_the_same_browser_begins_anew(
    app: Flask, taro: FlaskClient, version_id: int
) -> None:
    taro.post(f"/eco/gateways/{ID}/apply", data=typed())
    taro.post(f"/eco/gateways/{ID}/apply/rules", data={"terms_version": version_id})
    with app.app_context(), transaction():
        hanako = CustomerFactory(email="hanako@example.org")
        db.session.scalars(select(Installation)).one().account = hanako
    taro.post("/sign-out")
    buyer = sign_in(taro, "hanako@example.org")
    assert buyer.post(f"/eco/gateways/{ID}/apply/confirm").location.endswith("/apply")
    assert standing(app) is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"operation_began_on": ""}, "稼働開始日を入力してください。"),
        ({"operation_began_on": "いつか"}, "年月日で入力してください。"),
        ({"operation_began_on": "future"}, "今日より後になっています。"),
        ({"operation_began_on": "2001/01/01"}, "年を過ぎているため"),
        ({"operation_began_on": "after"}, "稼働開始日より前に、発電の記録があります。"),
        ({"no_other_generator": ""}, "ほかの発電設備がないことを、ご申告ください。"),
        ({"no_other_scheme": ""}, "ほかの制度に参加していないことを、ご申告ください。"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    app: Flask, taro: FlaskClient, wrong: dict[str, str], words: str
) -> None:
    if wrong.get("operation_began_on") == "after":
        wrong = {"operation_began_on": began(3)}
    if wrong.get("operation_began_on") == "future":
        wrong = {"operation_began_on": began(-3)}
    sent = typed(**wrong)
    answer = taro.post(f"/eco/gateways/{ID}/apply", data=sent)
    assert answer.status_code == 422
    assert words in answer.text
    assert answer.text.count(" checked") == sum(name.startswith("no_") for name in sent)
    assert standing(app) is None


def test_no_step_is_skipped(app: Flask, taro: FlaskClient) -> None:
    for step in ("rules", "confirm"):
        for answer in (
            taro.get(f"/eco/gateways/{ID}/apply/{step}"),
            taro.post(f"/eco/gateways/{ID}/apply/{step}", data={"terms_version": "1"}),
        ):
            assert answer.location == f"/eco/gateways/{ID}/apply"
    taro.post(f"/eco/gateways/{ID}/apply", data=typed())
    assert taro.post(f"/eco/gateways/{ID}/apply/confirm").status_code == 303
    assert taro.get(f"/eco/gateways/{ID}/apply/done").location == f"/eco/gateways/{ID}"
    assert standing(app) is None


def test_rules_that_came_meanwhile_are_read_first(
    app: Flask, taro: FlaskClient, version_id: int
) -> None:
    taro.post(f"/eco/gateways/{ID}/apply", data=typed())
    taro.post(f"/eco/gateways/{ID}/apply/rules", data={"terms_version": version_id})
    with app.app_context(), transaction():
        newer = rules(clock.now() - DAY).id
    answer = taro.post(f"/eco/gateways/{ID}/apply/confirm")
    assert answer.location == f"/eco/gateways/{ID}/apply/rules"
    assert "会員規約が新しくなりました" in taro.get(answer.location).text
    stale = taro.post(answer.location, data={"terms_version": version_id})
    assert stale.status_code == 422
    assert standing(app) is None
    taro.post(answer.location, data={"terms_version": newer})
    taro.post(f"/eco/gateways/{ID}/apply/confirm")
    assert standing(app) is not None


def test_on_the_first_days_an_application_waits(app: Flask, version_id: int) -> None:
    settle(app, days=0)
    with app.app_context(), transaction():
        gateway_id = db.session.scalars(select(Installation.gateway_id)).one()
        db.session.add(PollState(gateway_id=gateway_id, next_poll_at=clock.now()))
        db.session.add(Latest(gateway_id=gateway_id, pv_now_w=900.0))
    taro = sign_in(app.test_client(), "taro@example.org")
    taro.post(f"/eco/gateways/{ID}/apply", data=typed(operation_began_on=began(1)))
    taro.post(f"/eco/gateways/{ID}/apply/rules", data={"terms_version": version_id})
    page = taro.get(f"/eco/gateways/{ID}/apply/confirm").text
    assert "通信の記録が足りるまでお待ちいただきます" in page
    answer = taro.post(f"/eco/gateways/{ID}/apply/confirm")
    assert "申込を受け付けました" in taro.get(answer.location).text
    assert "通信の記録がたまるまで" in taro.get(f"/eco/gateways/{ID}").text
    made = standing(app)
    assert made is not None
    assert made.member_from is None


def test_who_cannot_join_reads_why_and_finds_no_form(app: Flask, version_id: int) -> None:
    settle(app, model="XYZ-1")
    taro = sign_in(app.test_client(), "taro@example.org")
    for page in ("", "/apply"):
        told = taro.get(f"/eco/gateways/{ID}{page}").text
        assert "お使いの機器（XYZ-1）は、いまは対象ではありません。" in told
        assert "いまは、お申し込みいただけません" in told
        assert "operation_began_on" not in told
    taro.post(f"/eco/gateways/{ID}/apply", data=typed())
    assert taro.get(f"/eco/gateways/{ID}/apply/rules").status_code == 303


def test_the_third_declaration_is_asked_where_the_operator_wants_it(
    app: Flask, taro: FlaskClient, version_id: int
) -> None:
    assert "no_subsidy" not in taro.get(f"/eco/gateways/{ID}/apply").text
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"eco_ask_subsidy": True})
    assert taro.post(f"/eco/gateways/{ID}/apply", data=typed()).status_code == 422
    taro.post(f"/eco/gateways/{ID}/apply", data=typed(no_subsidy="y"))
    taro.post(f"/eco/gateways/{ID}/apply/rules", data={"terms_version": version_id})
    taro.post(f"/eco/gateways/{ID}/apply/confirm")
    made = standing(app)
    assert made is not None
    assert made.declared_no_subsidy


def test_a_member_is_told_what_leaving_means_and_leaves(app: Flask, taro: FlaskClient) -> None:
    join(app, installation_id(app))
    page = taro.get(f"/eco/gateways/{ID}/withdraw").text
    assert "昨日までの自家消費が、ポイントの対象です。" in page
    made = standing(app)
    assert made is not None
    assert made.ended_at is None
    answer = taro.post(f"/eco/gateways/{ID}/withdraw", follow_redirects=True)
    assert "脱退の手続きが終わりました" in answer.text
    assert "お客様のお手続きによる脱退" in answer.text
    assert taro.get(f"/eco/gateways/{ID}/withdraw").status_code == 404


def test_new_rules_are_asked_on_the_programmes_page_and_nothing_else_waits(
    app: Flask, taro: FlaskClient
) -> None:
    join(app, installation_id(app))
    assert taro.get("/eco/rules/agree").location == "/eco/gateways"
    with app.app_context(), transaction():
        newer = rules(clock.now() - timedelta(hours=1)).id
    for page in ("/manage", f"/monitor/{ID}", f"/gateways/{ID}"):
        assert taro.get(page).status_code == 200
    assert "会員規約が新しくなりました" in taro.get("/eco/gateways").text
    assert "同意する" in taro.get("/eco/rules/agree").text
    assert taro.post("/eco/rules/agree", data={"terms_version": newer - 1}).status_code == 422
    answer = taro.post("/eco/rules/agree", data={"terms_version": newer}, follow_redirects=True)
    assert "ありがとうございます" in answer.text
    assert "会員規約が新しくなりました" not in answer.text


def test_it_is_offered_in_the_menu_and_on_the_live_screen_but_not_in_the_tiles(
    app: Flask, taro: FlaskClient
) -> None:
    offer = "自家消費した電気で、毎年ポイントがたまります"
    assert offer in taro.get("/manage").text
    assert offer in taro.get(f"/monitor/{ID}").text
    assert offer not in taro.get(f"/monitor/{ID}/tiles").text
    join(app, installation_id(app))
    assert offer not in taro.get("/manage").text
    assert offer not in taro.get(f"/monitor/{ID}").text


def test_nothing_is_offered_before_there_are_rules(app: Flask) -> None:
    settle(app)
    taro = sign_in(app.test_client(), "taro@example.org")
    assert "eco-offer" not in taro.get("/manage").text
    assert "まだ始まっていません" in taro.get("/eco/gateways").text
    assert "まだ始まっていません" in taro.get(f"/eco/gateways/{ID}").text
    assert taro.get(f"/eco/gateways/{ID}/apply").location == f"/eco/gateways/{ID}"


def test_a_stranger_finds_nothing(app: Flask, taro: FlaskClient) -> None:
    join(app, installation_id(app))
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
        DealerPersonFactory(email="dealer@example.org")
        OperatorFactory(email="operator@example.org")
    nobody = app.test_client()
    for page in PAGES:
        assert nobody.get(f"/eco/gateways/{ID}{page}").location.startswith("/sign-in")
    for who in ("hanako", "dealer", "operator"):
        stranger = sign_in(app.test_client(), f"{who}@example.org")
        assert stranger.get("/eco").status_code == 200
        for page in PAGES:
            assert stranger.get(f"/eco/gateways/{ID}{page}").status_code == 404
        for page in ("/withdraw", "/apply", "/apply/rules", "/apply/confirm"):
            assert stranger.post(f"/eco/gateways/{ID}{page}", data=typed()).status_code == 404
    made = standing(app)
    assert made is not None
    assert made.ended_at is None


def test_the_list_takes_the_same_work_however_many_gateways_there_are(
    app: Flask, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taro.get("/eco/gateways")
    with counted(monkeypatch) as few:
        taro.get("/eco/gateways")
    for number in range(2, 25):
        settle(app, days=1, public_id=f"HDM1000000{number:02d}")
    with counted(monkeypatch) as many:
        page = taro.get("/eco/gateways")
    assert "1 / 2" in page.text
    assert many.amounts == few.amounts
