"""保守を任せる販売店様の管理, as a household walks through it."""

from datetime import UTC, datetime
from html import unescape
from re import findall

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app import clock
from app.extensions import db
from app.models import (
    Dealer,
    FailureCount,
    Installation,
    MaintenanceLink,
    OutboxMail,
)
from app.transaction import transaction
from tests.blueprints.test_gateways import many  # noqa: F401
from tests.blueprints.test_outlived import sign_in_on
from tests.counting import counted
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
    PowerConditionerFactory,
)
from tests.signing_in import sign_in

ID = "HDM100000001"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LINK, UNLINK = f"/maintenance/link/{ID}", f"/maintenance/unlink/{ID}"
TYPED = {"dealer_no": "４００１", "phone": "０３−１２３４−５６７８", "scope": "set", "ends_on": ""}


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """A customer with a gateway, signed in; the dealer 4001 is there, with a person of its own."""
    with app.app_context(), transaction():
        gateway = GatewayFactory(public_id=ID, first_contact_at=LONG_AGO)
        PowerConditionerFactory(gateway=gateway, serial="P7654321")
        taro = CustomerFactory(email="taro@example.org")
        InstallationFactory(account=taro, gateway=gateway, site_name="山田邸")
        dealer = DealerFactory(dealer_no=4001, name="ひだまり電設", email="d@example.org")
        DealerPersonFactory(email="hanako@example.org", dealer=dealer)
    return sign_in(client, "taro@example.org")


def add_link(app: Flask, dealer_no: int = 4001, **values: object) -> None:
    with app.app_context(), transaction():
        dealer = db.session.scalar(select(Dealer).filter_by(dealer_no=dealer_no))
        installation = db.session.scalars(select(Installation)).first()
        LinkFactory(
            installation=installation,
            dealer=dealer or DealerFactory(dealer_no=dealer_no, name=f"販売店{dealer_no}"),
            **values,
        )


def open_links(app: Flask) -> list[tuple[str, datetime | None]]:
    with app.app_context():
        standing = select(MaintenanceLink).where(MaintenanceLink.ended_at.is_(None)).order_by("id")
        return [(one.scope, one.ends_at) for one in db.session.scalars(standing)]


def hidden(page: str) -> dict[str, str]:
    """Return what the confirmation sends again."""
    found = findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found if name in TYPED}


# ---- menu and searches ----------------------------------------------------------------------


def test_the_menu_offers_both_ways_and_says_what_it_means(taro: FlaskClient) -> None:
    assert 'href="/maintenance"' in taro.get("/manage").text
    page = taro.get("/maintenance").text
    for words in (
        "保守を任せる販売店様の管理メニュー",
        "保守を任せる販売店様登録",
        "保守を任せている販売店様解除",
        "先に販売店様へご相談のうえ",
        'href="/register/dealer/terms"',
    ):
        assert words in page


def test_to_unlink_only_gateways_with_a_dealer_are_found(app: Flask, taro: FlaskClient) -> None:
    assert ID in taro.get("/maintenance/link").text
    assert "保守を任せている販売店様はありません。" in taro.get("/maintenance/unlink").text
    add_link(app)
    for path in ("/maintenance/link", "/maintenance/unlink"):
        page = taro.get(path).text
        assert f'href="{path}/{ID}"' in page
        assert 'data-label="保守販売店数"><span>1</span>' in page
    with app.app_context(), transaction():
        db.session.execute(db.update(MaintenanceLink).values(ends_at=NOW))
    assert ID not in taro.get("/maintenance/unlink").text
    assert 'data-label="保守販売店数"><span>0</span>' in taro.get("/maintenance/link").text


@pytest.mark.parametrize("way", ["link", "unlink"])
def test_five_thousand_gateways_cost_as_many_queries_as_one(
    app: Flask,
    taro: FlaskClient,
    many: FlaskClient,  # noqa: F811
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with app.app_context(), transaction():
        dealer = db.session.scalars(select(Dealer)).one()
        sites = db.session.scalars(select(Installation)).all()
        made = {"dealer_id": dealer.id, "slot": 1, "scope": "set", "began_at": LONG_AGO}
        db.session.execute(
            insert(MaintenanceLink),
            [
                {
                    **made,
                    "gateway_id": one.gateway_id,
                    "installation_id": one.id,
                    "made_by_id": one.account_id,
                }
                for one in sites
            ],
        )
    path = f"/maintenance/{way}"
    with counted(monkeypatch) as few:
        taro.get(path)
    with counted(monkeypatch) as work:
        page = many.get(path)
    assert "5000 件" in page.text
    assert "1 / 250" in page.text
    assert len(work.statements) == len(few.statements)
    for address in (path, f"{path}/list"):
        assert "MANY00005000" in many.get(f"{address}?page=250").text
        assert "MANY00005000" in many.get(f"{address}?sort=address").text
        assert "1 件" in many.get(f"{address}?q=棟4321 京都").text
        assert many.get(f"{address}?sort=drop&page=x&q=%00").status_code == 200
    partial = many.get(f"{path}/list?q=棟4321&sort=gateway")
    assert partial.headers["HX-Replace-Url"].startswith(f"{path}?q=")
    assert "<html" not in partial.text


# ---- linking --------------------------------------------------------------------------------


def test_a_dealer_is_linked_by_form_and_confirmation(app: Flask, taro: FlaskClient) -> None:
    add_link(app, 4002)
    page = taro.get(LINK).text
    for words in ("保守を任せる販売店様の登録", "P7654321", "販売店4002", "先に販売店様へ"):
        assert words in page
    confirmation = taro.post(LINK, data={**TYPED, "scope": "watch", "ends_on": "2026/12/31"})
    assert confirmation.status_code == 200
    for words in (
        "保守を任せる販売店様の登録確認",
        "ひだまり電設",
        "03-1234-5678",
        "見るだけ",
        "2026/12/31",
        "P7654321",
        "販売店4002",
        "個人情報",
    ):
        assert words in confirmation.text
    assert len(open_links(app)) == 1
    sent = hidden(confirmation.text)
    assert sent == {
        "dealer_no": "4001",
        "phone": "03-1234-5678",
        "scope": "watch",
        "ends_on": "2026-12-31",
    }
    # 「前に戻る」 keeps what was typed
    back = taro.post(LINK, data={**sent, "back": "1"}).text
    for value in ('value="4001"', 'value="03-1234-5678"', 'value="2026-12-31"'):
        assert value in back
    # 「登録」 twice
    for _ in "12":
        done = taro.post(LINK, data={**sent, "register": "1"})
        assert done.location == f"{LINK}/4001/done"
    page = taro.get(done.location).text
    for words in ("保守を任せる販売店様登録完了", "ひだまり電設", "メインメニューに戻る"):
        assert words in page
    assert open_links(app)[1:] == [("watch", datetime(2026, 12, 31, 15, tzinfo=UTC))]
    with app.app_context():
        told = db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)).all()
        assert told == ["link_made", "link_made_dealer"]


def test_the_dealer_sees_the_gateway_with_the_next_request_and_not_after_unlinking(
    app: Flask, taro: FlaskClient
) -> None:
    hanako = sign_in(app.test_client(), "hanako@example.org")
    paths = [f"/monitor/{ID}", f"/monitor/{ID}/tiles", f"/dealer/systems/{ID}"]
    assert [hanako.get(path).status_code for path in paths] == [404] * 3
    taro.post(LINK, data={**TYPED, "register": "1"})
    assert [hanako.get(path).status_code for path in paths] == [200] * 3
    assert ID in hanako.get("/dealer/systems").text
    taro.post(f"{UNLINK}/4001")
    assert [hanako.get(path).status_code for path in paths] == [404] * 3
    assert ID not in hanako.get("/dealer/systems").text


def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(
    app: Flask, taro: FlaskClient
) -> None:
    unknown = "販売店IDまたは電話番号が正しくありません。"
    for changes, words in (
        ({"dealer_no": "4999"}, unknown),
        ({"phone": "03-1234-5679"}, unknown),
        ({"dealer_no": ""}, "販売店IDを入力してください。"),
        ({"phone": "12"}, "電話番号の形になっていません。"),
        ({"ends_on": "2026-11-21"}, "今日か、今日より後の日付を入力してください。"),
        ({"ends_on": "2026-02-30"}, "年月日で入力してください。"),
        ({"ends_on": "9999-12-31"}, "年月日で入力してください。"),
        ({"scope": "own"}, "任せる内容を選んでください。"),
    ):
        for button in ({}, {"register": "1"}):
            answer = taro.post(LINK, data={**TYPED, **changes, **button})
            assert answer.status_code == 422, changes
            assert words in answer.text
            typed = {"dealer_no": "4001", "phone": "03-1234-5678"} | changes
            assert f'value="{typed["dealer_no"]}"' in answer.text
            assert f'value="{typed["phone"]}"' in answer.text
    assert open_links(app) == []


def test_a_dealer_linked_already_and_a_sixth_get_a_clear_message(
    app: Flask, taro: FlaskClient
) -> None:
    add_link(app)
    assert "すでに任せています" in taro.post(LINK, data=TYPED).text
    for number in range(2, 6):
        add_link(app, 4000 + number, slot=number)
    assert "これ以上は登録できません" in taro.get(LINK).text
    with app.app_context(), transaction():
        DealerFactory(dealer_no=4006)
    answer = taro.post(LINK, data={**TYPED, "dealer_no": "4006"})
    assert answer.status_code == 422
    assert "5社までです" in answer.text


def test_guessing_is_slowed_and_a_right_answer_is_no_guess(app: Flask, taro: FlaskClient) -> None:
    for _ in range(8):
        assert taro.post(LINK, data=TYPED).status_code == 200
    wrong = {**TYPED, "phone": "03-1234-5679"}
    answers = [taro.post(LINK, data={**wrong, "register": "1"}).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    # while one waits, the right answer is not looked at either
    assert taro.post(LINK, data=TYPED).status_code == 429
    with app.app_context():
        subjects = db.session.scalars(select(FailureCount.subject)).all()
        assert {one.partition(":")[0] for one in subjects} == {"account", "address"}


def test_a_form_that_outlived_its_session_comes_back_filled(app: Flask, taro: FlaskClient) -> None:
    taro.delete_cookie("hidamari")
    sent = {**TYPED, "register": "1"}
    asked = taro.post(LINK, data=sent, headers={"Origin": "http://localhost"})
    answer = sign_in_on(taro, asked, "taro@example.org")
    assert answer.location == LINK
    assert 'value="4001"' in taro.get(LINK).text
    assert open_links(app) == []


# ---- unlinking and changing -----------------------------------------------------------------


def test_a_dealer_is_unlinked_in_words_of_unlinking(app: Flask, taro: FlaskClient) -> None:
    add_link(app)
    add_link(app, 4002, slot=2)
    page = taro.get(UNLINK).text
    for words in ("保守を任せている販売店様の解除", "保守を解除する販売店様", "P7654321"):
        assert words in page
    assert f'href="{UNLINK}/4001"' in page
    for path in (UNLINK, f"{UNLINK}/list"):
        found = taro.get(f"{path}?q=ひだまり").text
        assert f'href="{UNLINK}/4001"' in found
        assert f'href="{UNLINK}/4002"' not in found
        assert "見つかりませんでした" in taro.get(f"{path}?q=さくら").text
    confirmation = taro.get(f"{UNLINK}/4001").text
    for words in ("保守を任せている販売店様の解除確認", "ひだまり電設", "販売店4002", "ただちに"):
        assert words in confirmation
    for _ in "12":
        done = taro.post(f"{UNLINK}/4001")
        assert done.location == f"{UNLINK}/4001/done"
    page = taro.get(done.location).text
    assert "保守を任せている販売店様の解除完了" in page
    assert "登録完了" not in page
    assert len(open_links(app)) == 1
    with app.app_context():
        told = db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)).all()
        assert told == ["link_unlinked", "link_unlinked_dealer"]
    # what is open is not done, and what is done is not open
    assert taro.get(f"{UNLINK}/4002/done").location == f"{UNLINK}/4002"
    assert taro.get(f"{LINK}/4001/done").status_code == 404


def test_unlinking_what_has_lapsed_meanwhile_is_no_fault(app: Flask, taro: FlaskClient) -> None:
    add_link(app, ends_at=NOW)
    assert taro.get(f"{UNLINK}/4001").status_code == 404
    done = taro.post(f"{UNLINK}/4001")
    assert taro.get(done.location).status_code == 200
    with app.app_context():
        assert db.session.scalars(select(OutboxMail)).all() == []


def test_the_gateways_page_shows_its_dealers_and_leads_to_both(
    app: Flask, taro: FlaskClient
) -> None:
    page = taro.get(f"/gateways/{ID}").text
    assert "保守を任せている販売店様はありません。" in page
    assert f'href="{LINK}"' in page
    assert f'href="{UNLINK}"' not in page
    add_link(app, ends_at=datetime(2026, 12, 31, 15, tzinfo=UTC), scope="watch")
    page = taro.get(f"/gateways/{ID}").text
    for words in ("ひだまり電設", "2026/04/01", "見るだけ", "2026/12/31", UNLINK):
        assert words in page
    assert "まだありません" in page
    sign_in(app.test_client(), "hanako@example.org").get(f"/dealer/systems/{ID}")
    page = taro.get(f"/gateways/{ID}").text
    assert "2026/11/22" in page
    assert "佐藤" not in page
    taro.post(f"{UNLINK}/4001")
    page = taro.get(f"/gateways/{ID}").text
    assert "これまでに保守を任せた販売店様" in page
    assert "お客様が解除" in page


def test_scope_and_last_day_are_changed(app: Flask, taro: FlaskClient) -> None:
    add_link(app, ends_at=datetime(2026, 12, 31, 15, tzinfo=UTC))
    path = f"/maintenance/change/{ID}/4001"
    assert 'value="2026-12-31"' in taro.get(path).text
    for ends_on in ("2026-11-21", "x"):
        answer = taro.post(path, data={"scope": "watch", "ends_on": ends_on})
        assert answer.status_code == 422
    assert taro.post(path, data={"scope": "watch", "ends_on": ""}).status_code == 303
    assert open_links(app) == [("watch", None)]
    assert "任せる内容を保存しました。" in taro.get(f"/gateways/{ID}").text


# ---- strangers ------------------------------------------------------------------------------


def test_nobody_else_sees_or_changes_a_households_links(app: Flask, taro: FlaskClient) -> None:
    add_link(app)
    with app.app_context(), transaction():
        CustomerFactory(email="jiro@example.org")
        OperatorFactory(email="operator@example.org")
    pages = [LINK, UNLINK, f"{UNLINK}/list", f"{UNLINK}/4001", f"/maintenance/change/{ID}/4001"]
    assert [taro.get(path).status_code for path in pages] == [200] * 5
    assert taro.get(f"{UNLINK}/4002").status_code == 404
    assert taro.get(f"{UNLINK}/99999999999999999999").status_code == 404
    done = [f"{LINK}/4001/done", f"{UNLINK}/4001/done"]
    for stranger in ("jiro", "hanako", "operator"):
        them = sign_in(app.test_client(), f"{stranger}@example.org")
        for path in pages + done:
            assert them.get(path).status_code == 404, (stranger, path)
        for path in (LINK, f"{UNLINK}/4001", f"/maintenance/change/{ID}/4001"):
            sent = {**TYPED, "register": "1", "scope": "watch"}
            assert them.post(path, data=sent).status_code == 404, (stranger, path)
    for path in ("/maintenance", "/maintenance/link", "/maintenance/unlink"):
        assert them.get(path).status_code == 404
    assert open_links(app) == [("set", None)]
    nobody = app.test_client()
    for path in (*pages, "/maintenance"):
        assert nobody.get(path).location.startswith("/sign-in")


def test_get_changes_nothing(app: Flask, taro: FlaskClient) -> None:
    add_link(app)
    for path in (f"{LINK}?register=1&dealer_no=4001&phone=0312345678", f"{UNLINK}/4001"):
        taro.get(path)
    assert open_links(app) == [("set", None)]
    with app.app_context():
        assert db.session.scalars(select(OutboxMail)).all() == []


def test_english_pages_hold_no_japanese_but_names(app: Flask, taro: FlaskClient) -> None:
    add_link(app, 4002, slot=2)
    taro.post("/language/", data={"language": "en"})
    with app.app_context(), transaction():
        db.session.execute(db.update(Dealer).values(name="Sun & Co"))
        db.session.execute(
            db.update(Installation).values(
                site_name="Home", prefecture="", city="Kyoto", street="1", building=""
            )
        )
    pages = [taro.get(path) for path in ("/maintenance", "/maintenance/link", LINK, UNLINK)]
    pages += [taro.get(f"{UNLINK}/4002"), taro.get(f"/maintenance/change/{ID}/4002")]
    pages += [taro.post(LINK, data=TYPED), taro.get(f"/gateways/{ID}")]
    pages += [taro.get(taro.post(LINK, data={**TYPED, "register": "1"}).location)]
    pages += [taro.get(taro.post(f"{UNLINK}/4002").location)]
    for page in pages:
        main = page.text.partition("<main")[2].partition("</main>")[0]
        assert not findall(r"[\u3041-\u30ff\u4e00-\u9fff]+", main), page.request.path


def test_errors_are_listed_in_the_order_of_the_page(taro: FlaskClient) -> None:
    page = taro.post(LINK, data={"ends_on": "x"}).text
    listed = findall(r'<li><a href="#(\w+)">', page)
    assert listed == ["dealer_no", "phone", "ends_on"]
