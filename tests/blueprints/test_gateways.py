"""One's gateways: list, search, change, remove."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app.domain import installations, sheet_passwords
from app.extensions import db, hasher
from app.models import AuditEntry, Gateway, Installation, OutboxMail, Sheet
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    PowerConditionerFactory,
)
from tests.signing_in import sign_in

ID = "HDM100000001"
ADDRESS = {
    "site_postal_code": "６００－８２１６",
    "site_prefecture": "京都府",
    "site_city": "京都市下京区",
    "site_street": "東塩小路町1-2",
    "site_building": "",
}


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """A customer with one gateway, whose browser is signed in."""
    with app.app_context(), transaction():
        account = CustomerFactory(email="taro@example.org")
        gateway = GatewayFactory(public_id=ID, first_contact_at=LONG_AGO)
        PowerConditionerFactory(gateway=gateway, serial="P7654321")
        InstallationFactory(account=account, gateway=gateway, site_name="山田邸")
    return sign_in(client, "taro@example.org")


@pytest.fixture
def hanako(app: Flask) -> FlaskClient:
    """A stranger to that gateway."""
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
    return sign_in(app.test_client(), "hanako@example.org")


@pytest.mark.parametrize("path", ["", "/edit", "/remove"])
def test_a_strangers_gateway_is_not_found(
    taro: FlaskClient, hanako: FlaskClient, path: str
) -> None:
    assert taro.get(f"/gateways/{ID}{path}").status_code == 200
    assert hanako.get(f"/gateways/{ID}{path}").status_code == 404
    if path:
        assert hanako.post(f"/gateways/{ID}{path}", data=ADDRESS).status_code == 404
    assert taro.get("/gateways/NOSUCH000001").status_code == 404


def test_a_dealers_person_owns_no_gateways(app: Flask) -> None:
    with app.app_context(), transaction():
        DealerPersonFactory(email="hanako@dealer.example.org")
    dealer = sign_in(app.test_client(), "hanako@dealer.example.org")
    for path in ("/gateways", "/gateways/add", "/gateways/list", "/account/edit"):
        assert dealer.get(path).status_code == 404


def test_a_stranger_finds_nothing_by_searching(taro: FlaskClient, hanako: FlaskClient) -> None:
    assert ID in taro.get("/gateways/list?q=山田邸").text
    assert ID not in hanako.get("/gateways/list?q=山田邸").text


def test_without_a_gateway_the_list_says_what_to_do(hanako: FlaskClient) -> None:
    page = hanako.get("/gateways").text
    assert "登録されているゲートウェイはありません" in page
    assert 'href="/gateways/add"' in page


def test_the_detail_shows_site_gateway_and_units(taro: FlaskClient) -> None:
    page = taro.get(f"/gateways/{ID}").text
    for words in ("山田邸", "〒 600-8216", "HDM-GW1", "2026/04/01 10:00", "P7654321"):
        assert words in page


def test_a_site_is_changed_with_its_words_tidied(app: Flask, taro: FlaskClient) -> None:
    answer = taro.post(
        f"/gateways/{ID}/edit", data={**ADDRESS, "site_name": " 離れ　", "site_building": "２階"}
    )
    assert answer.status_code == 303
    page = taro.get(answer.location).text
    assert "設置先の情報を保存しました。" in page
    assert "離れ" in page
    with app.app_context():
        site = db.session.scalars(select(Installation)).one()
        assert (site.postal_code, site.building) == ("6008216", "2階")
        entry = db.session.scalars(select(AuditEntry).filter_by(action="site.edited")).one()
        assert entry.detail["changed"] == ["site_name", "building"]


def test_a_wrong_field_says_so_and_nothing_typed_is_lost(taro: FlaskClient) -> None:
    answer = taro.post(f"/gateways/{ID}/edit", data={**ADDRESS, "site_name": "", "site_city": "市"})
    assert answer.status_code == 422
    assert "設置先【案件】の名前を入力してください。" in answer.text
    assert 'value="市"' in answer.text


def test_a_postal_code_fills_in_the_address_without_javascript(taro: FlaskClient) -> None:
    data = {"site_name": "離れ", "site_postal_code": "1000001", "lookup": "site"}
    page = taro.post(f"/gateways/{ID}/edit", data=data).text
    assert 'value="千代田区"' in page
    assert 'value="離れ"' in page


def test_removing_says_what_happens_and_ends_access_with_that_request(
    app: Flask, taro: FlaskClient
) -> None:
    assert "30日後に消去します" in taro.get(f"/gateways/{ID}/remove").text
    assert taro.post(f"/gateways/{ID}/remove").status_code == 303
    for path in (f"/gateways/{ID}", f"/monitor/{ID}", f"/gateways/{ID}/remove"):
        assert taro.get(path).status_code == 404
    page = taro.get("/gateways").text
    assert "取り外したゲートウェイ" in page
    assert "山田邸" in page
    with app.app_context():
        assert db.session.scalars(select(OutboxMail.template)).all() == ["gateway_removed"]
        assert "gateway.removed" in db.session.scalars(select(AuditEntry.action)).all()


def test_what_was_removed_is_added_again_with_the_same_sheet_by_its_owner_alone(
    app: Flask, taro: FlaskClient, hanako: FlaskClient
) -> None:
    with app.app_context(), transaction():
        known = hasher.hash(sheet_passwords.normalised("kx7m-w4pt-9hru"))
        db.session.execute(db.update(Sheet).values(password_hash=known))
    taro.post(f"/gateways/{ID}/remove")
    typed = {"gateway_id": ID, "gateway_password": "kx7m-w4pt-9hru"}
    assert hanako.post("/gateways/add", data=typed).status_code == 422
    assert taro.post("/gateways/add", data=typed).status_code == 303


@pytest.fixture
def many(app: Flask) -> FlaskClient:
    """A customer with 5,000 gateways."""
    with app.app_context(), transaction():
        account = CustomerFactory(email="many@example.org")
        gateways = [
            {
                "id": number + 100,
                "public_id": f"MANY{number:08d}",
                "model": "HDM-GW1",
                "serial": f"S{number}",
                "endpoint": "tcp://127.0.0.1:1/1",
                "profile": "sunspec",
                "created_at": LONG_AGO,
                "first_contact_at": LONG_AGO + timedelta(minutes=number),
            }
            for number in range(1, 5001)
        ]
        db.session.execute(insert(Gateway), gateways)
        sites = [
            {
                "gateway_id": number + 100,
                "account_id": account.id,
                "site_name": f"棟{number:04d}",
                "opened_at": LONG_AGO,
                "claimed_from": "",
                "postal_code": "6008216",
                "prefecture": "京都府",
                "city": "京都市",
                "street": f"{5001 - number:04d}番地",
                "building": "",
                "zone": "Asia/Tokyo",
            }
            for number in range(1, 5001)
        ]
        db.session.execute(insert(Installation), sites)
    return sign_in(app.test_client(), "many@example.org")


def test_five_thousand_rows_cost_as_many_queries_as_one(
    taro: FlaskClient, many: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as few:
        taro.get("/gateways")
    with counted(monkeypatch) as work:
        page = many.get("/gateways")
    assert "5000 件" in page.text
    assert "1 / 250" in page.text
    assert len(work.statements) == len(few.statements)


def test_search_sort_and_paging_work_with_and_without_javascript(many: FlaskClient) -> None:
    for path in ("/gateways", "/gateways/list"):
        assert "MANY00000001" in many.get(path).text
        last = many.get(f"{path}?page=250").text
        assert "MANY00005000" in last
        assert "250 / 250" in last
        assert "MANY00005000" in many.get(f"{path}?page=999").text
        assert "MANY00005000" in many.get(f"{path}?sort=address").text
        assert "MANY00005000" in many.get(f"{path}?sort=contact").text
        found = many.get(f"{path}?q=棟4321 京都").text
        assert "1 件" in found
        assert "MANY00004321" in found
        assert "見つかりませんでした" in many.get(f"{path}?q=%25").text
        assert many.get(f"{path}?sort=drop&page=x&q=%00").status_code == 200
    partial = many.get("/gateways/list?q=棟4321&sort=gateway")
    assert partial.headers["HX-Replace-Url"].startswith("/gateways?q=")
    assert "<html" not in partial.text


def test_the_address_of_what_was_removed_is_erased_in_time(app: Flask, taro: FlaskClient) -> None:
    taro.post(f"/gateways/{ID}/remove")
    with app.app_context(), transaction():
        closed_at = db.session.scalar(select(Installation.closed_at))
        assert closed_at
        assert installations.erase_addresses(closed_at + timedelta(days=29), keep_days=30) == 0
        assert installations.erase_addresses(closed_at + timedelta(days=30), keep_days=30) == 1
        assert installations.erase_addresses(datetime.now(UTC) + timedelta(99), keep_days=30) == 0
    with app.app_context():
        site = db.session.scalars(select(Installation)).one()
        assert (site.site_name, site.postal_code, site.street) == ("山田邸", "", "")
