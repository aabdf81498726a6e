"""The console: who may come in, what is found, what one row shows."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from app import clock
from app.domain import sheets, terms
from app.extensions import db
from app.models import Account, Dealer, Gateway, Installation
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    DealerRegistrationFactory,
    GatewayFactory,
    InstallationFactory,
    OperatorFactory,
    PowerConditionerFactory,
    RegistrationFactory,
    SheetFactory,
    TermsVersionFactory,
)
from tests.signing_in import sign_in

ID = "HDM100000001"
PAGES = (
    "/operator/search",
    "/operator/search/found",
    "/operator/customers",
    "/operator/customers/list",
    "/operator/dealers",
    "/operator/dealers/list",
    "/operator/gateways",
    "/operator/gateways/list",
    "/operator/imports",
    "/operator/attempts",
)


@pytest.fixture
def ids(app: Flask) -> dict[str, int]:
    """A customer with a gateway, a dealer with a person, a newcomer, an operator."""
    with app.app_context(), transaction():
        taro = CustomerFactory(email="taro@example.org", phone="+81312340001")
        gateway = GatewayFactory(public_id=ID, serial="A0123456", told_serial="B999")
        PowerConditionerFactory(gateway=gateway, serial="P7654321")
        InstallationFactory(account=taro, gateway=gateway, site_name="山田邸")
        terms.agree(
            TermsVersionFactory(version="3.1"),
            account_id=taro.id,
            agreed_at=LONG_AGO,
            network_address="192.0.2.1",
        )
        dealer = DealerFactory(dealer_no=4017, name="日向電機", name_kana="ヒュウガデンキ")
        person = DealerPersonFactory(email="dealer@example.org", dealer=dealer)
        newcomer = RegistrationFactory(email="newcomer@example.org", created_at=clock.now())
        waiting = DealerRegistrationFactory(
            email="newshop@example.org", name="新規電設", created_at=clock.now()
        )
        OperatorFactory(email="operator@example.org")
        return {
            "customer": taro.id,
            "dealer": dealer.id,
            "person": person.id,
            "registration": newcomer.id,
            "dealer_registration": waiting.id,
        }


@pytest.fixture
def operator(app: Flask, ids: dict[str, int]) -> FlaskClient:
    return sign_in(app.test_client(), "operator@example.org")


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "name", ["A%00BCDEFGHIJK", "hdm100000001", "%25%25%25%25%25%25%25%25%25%25%25%25"]
)
def test_what_has_no_shape_of_an_id_is_no_gateway(operator: FlaskClient, name: str) -> None:
    assert operator.get(f"/operator/gateways/{name}").status_code == 404
    assert operator.post(f"/operator/gateways/{name}/free").status_code == 404


def details(ids: dict[str, int]) -> list[str]:
    """Return the pages about the rows of `ids`."""
    return [
        f"/operator/customers/{ids['customer']}",
        f"/operator/dealers/{ids['dealer']}",
        f"/operator/gateways/{ID}",
        f"/operator/registrations/customer/{ids['registration']}",
        f"/operator/registrations/dealer/{ids['dealer_registration']}",
    ]


def test_to_everybody_else_the_console_does_not_exist(app: Flask, ids: dict[str, int]) -> None:
    for email in ("taro@example.org", "dealer@example.org"):
        stranger = sign_in(app.test_client(), email)
        for path in (*PAGES, *details(ids)):
            assert stranger.get(path).status_code == 404, path


def test_who_is_not_signed_in_is_asked_to(client: FlaskClient, ids: dict[str, int]) -> None:
    for path in (*PAGES, *details(ids)):
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/sign-in")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_is_there_for_operators(
    operator: FlaskClient, ids: dict[str, int], language: str
) -> None:
    operator.post("/language/", data={"language": language})
    for path in ("/manage", *PAGES, *details(ids)):
        assert operator.get(path).status_code == 200, path


def test_what_is_not_there_is_not_found(operator: FlaskClient, ids: dict[str, int]) -> None:
    for path in (
        "/operator/customers/999999",
        f"/operator/customers/{ids['person']}",
        "/operator/dealers/999999",
        "/operator/gateways/NOSUCH000001",
        "/operator/registrations/customer/999999",
        "/operator/registrations/nobody/1",
        "/operator/nonsense",
    ):
        assert operator.get(path).status_code == 404, path


def test_the_menu_leads_to_the_search(operator: FlaskClient) -> None:
    page = operator.get("/manage").text
    assert 'action="/operator/search"' in page
    assert 'href="/operator/imports"' in page


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("taro@example.org", "/operator/customers/"),
        ("TARO@", "/operator/customers/"),
        ("０３－１２３４－０００１", "/operator/customers/"),
        ("山田太郎", "/operator/customers/"),
        ("やまだ", "/operator/customers/"),
        ("hdm1", f"/operator/gateways/{ID}"),
        ("A0123", f"/operator/gateways/{ID}"),
        ("山田邸", f"/operator/gateways/{ID}"),
        ("taro@example.org", f"/operator/gateways/{ID}"),
        ("4017", "/operator/dealers/"),
        ("日向", "/operator/dealers/"),
        ("ひゅうが", "/operator/dealers/"),
        ("newcomer@", "/operator/registrations/customer/"),
        ("newshop@example.org", "/operator/registrations/dealer/"),
        ("新規電設", "/operator/registrations/dealer/"),
    ],
)
def test_one_box_finds_everything(
    operator: FlaskClient, ids: dict[str, int], words: str, found: str
) -> None:
    for path in ("/operator/search", "/operator/search/found"):
        assert f'href="{found}' in operator.get(path, query_string={"q": words}).text


def test_odd_words_find_nothing_and_break_nothing(operator: FlaskClient) -> None:
    for words in ("%", "_", "\0", "'; --", "9" * 30, "=1+1", "<script>", "a" * 5000, "1" * 8):
        page = operator.get("/operator/search", query_string={"q": words})
        assert page.status_code == 200
        assert "見つかりませんでした" in page.text or "ここに、見つかった" in page.text


def test_typing_keeps_the_pages_address(operator: FlaskClient) -> None:
    answer = operator.get("/operator/search/found?q=taro")
    assert answer.headers["HX-Replace-Url"] == "/operator/search?q=taro"
    assert "<html" not in answer.text
    answer = operator.get("/operator/customers/list?q=taro&sort=name")
    assert answer.headers["HX-Replace-Url"] == "/operator/customers?q=taro&sort=name"
    assert "<html" not in answer.text


def test_a_customers_page_tells_everything_the_desk_is_asked(
    operator: FlaskClient, ids: dict[str, int]
) -> None:
    page = operator.get(f"/operator/customers/{ids['customer']}").text
    for words in ("山田 太郎", "taro@example.org", "〒 600-8216", ID, "山田邸", "3.1", "利用中"):
        assert words in page


def test_a_gateways_page_shows_where_the_device_says_something_else(operator: FlaskClient) -> None:
    page = operator.get(f"/operator/gateways/{ID}").text
    assert "機器の申告が、取り込みの内容と違います" in page
    for words in ("A0123456", "B999", "P7654321", "第1版", "使用済み"):
        assert words in page


def test_a_gateways_page_tells_the_tries_and_who_waits(app: Flask, operator: FlaskClient) -> None:
    with app.app_context(), transaction():
        gateway = GatewayFactory(public_id="HDM200000002")
        RegistrationFactory(email="soon@example.org", sheet=SheetFactory(gateway=gateway))
        sheets.record_attempt(
            gateway.public_id, proved=False, network_address="198.51.100.7", now=clock.now()
        )
    page = operator.get("/operator/gateways/HDM200000002").text
    assert "198.51.100.7" in page
    assert "soon@example.org" in page
    assert "いまは、だれも登録していません。" in page


def test_a_dealers_page_tells_its_people(operator: FlaskClient, ids: dict[str, int]) -> None:
    page = operator.get(f"/operator/dealers/{ids['dealer']}").text
    for words in ("日向電機", "4017", "佐藤 花子", "dealer@example.org"):
        assert words in page


@pytest.fixture
def many(app: Flask, operator: FlaskClient) -> FlaskClient:
    """An operator over 5,000 customers, each with a gateway, and as many dealers."""
    address = {
        "postal_code": "6008216",
        "prefecture": "京都府",
        "city": "京都市",
        "street": "1番地",
        "building": "",
    }
    person = {"given_name": "客", "family_kana": "ヤマ", "given_kana": "キャク"}
    with app.app_context(), transaction():
        numbers = range(1, 5001)
        db.session.execute(
            insert(Account),
            [
                {
                    "id": number + 1000,
                    "role": "customer",
                    "email": f"many{number:05d}@example.org",
                    "password_hash": "",
                    "language": "ja",
                    "created_at": LONG_AGO,
                    "password_changed_at": LONG_AGO,
                    "family_name": f"山{number:05d}",
                    "phone": "+81312349999",
                    "company_name": "",
                    "department": "",
                    **person,
                    **address,
                }
                for number in numbers
            ],
        )
        db.session.execute(
            insert(Gateway),
            [
                {
                    "id": number + 1000,
                    "public_id": f"MANY{number:08d}",
                    "model": "HDM-GW1",
                    "serial": f"M{number:05d}",
                    "endpoint": "tcp://127.0.0.1:1/1",
                    "profile": "sunspec",
                    "created_at": LONG_AGO,
                    "first_contact_at": LONG_AGO + timedelta(minutes=number),
                }
                for number in numbers
            ],
        )
        db.session.execute(
            insert(Installation),
            [
                {
                    "gateway_id": number + 1000,
                    "account_id": number + 1000,
                    "site_name": f"棟{number:05d}",
                    "opened_at": LONG_AGO,
                    "claimed_from": "",
                    "zone": "Asia/Tokyo",
                    **address,
                }
                for number in numbers
            ],
        )
        db.session.execute(
            insert(Dealer),
            [
                {
                    "dealer_no": number + 100_000,
                    "name": f"店{number:05d}",
                    "name_kana": "ミセ",
                    "phone": "+81312349999",
                    "email": f"shop{number:05d}@example.org",
                    "language": "ja",
                    "created_at": LONG_AGO,
                    "approved_at": LONG_AGO,
                    **address,
                }
                for number in numbers
            ],
        )
    return operator


@pytest.mark.parametrize(
    "path",
    [
        "/operator/customers",
        "/operator/dealers",
        "/operator/gateways",
        "/operator/search?q=example.org",
        "/operator/search?q=山",
        "/operator/search?q=m",
    ],
)
def test_five_thousand_rows_cost_as_many_queries_as_few(
    app: Flask, operator: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with app.app_context(), transaction():
        # few, but of each kind one that is found: how much is asked depends on what an index finds
        CustomerFactory(email="m@example.org", family_name="山")
        GatewayFactory(public_id="M00000000001")
        DealerFactory(email="m@example.org", name="山店")
    with counted(monkeypatch) as few:
        assert operator.get(path).status_code == 200
    many.__wrapped__(app, operator)  # type: ignore[attr-defined]
    with counted(monkeypatch) as work:
        assert operator.get(path).status_code == 200
    assert len(work.statements) == len(few.statements)


@pytest.mark.parametrize(
    ("noun", "first", "last", "word"),
    [
        ("customers", "山05000", "many00001@", "many04321@"),
        ("dealers", "店05000", "shop00001@", "104321"),
        ("gateways", "MANY00005000", "MANY00000001", "MANY00004321"),
    ],
)
def test_search_sort_and_paging_work_with_and_without_javascript(
    many: FlaskClient, noun: str, first: str, last: str, word: str
) -> None:
    for path in (f"/operator/{noun}", f"/operator/{noun}/list"):
        assert first in many.get(path).text
        assert last in many.get(f"{path}?page=250").text
        assert many.get(f"{path}?page=9999").status_code == 200
        for sort in ("name", "email", "number", "gateway", "contact", "drop table"):
            assert many.get(f"{path}?sort={sort}").status_code == 200
        assert "1 件" in many.get(f"{path}?q={word}").text
        assert "見つかりませんでした" in many.get(f"{path}?q=ありません").text
        assert many.get(f"{path}?page=x&q=%00").status_code == 200


@pytest.mark.parametrize(
    "words", ["/operator/gateways/list?q=MANY0000", "/operator/customers/list?q=many0"]
)
def test_what_begins_so_is_asked_of_an_index(
    app: Flask, many: FlaskClient, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    with counted(monkeypatch) as work:
        many.get(words)
    [counting] = [one for one in work.statements if "count(" in one and "account_id IN" not in one]
    with app.app_context():
        if db.engine.dialect.name != "sqlite":
            pytest.skip("the plan is read from SQLite")
        values = ["customer"] * counting.count("?")
        plan = db.session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {counting}", tuple(values)
        )
        told = " ".join(str(row) for row in plan)
    assert "SCAN gateways" not in told
    assert "SCAN accounts" not in told
    assert "USING" in told
