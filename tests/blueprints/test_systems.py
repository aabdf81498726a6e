"""A dealer's portal: the list of what it looks after, one system, the file."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app import clock
from app.domain import live
from app.extensions import db
from app.models import (
    Account,
    Dealer,
    DealerLook,
    Heartbeat,
    Installation,
    Latest,
    MaintenanceLink,
    OutboxMail,
    PollState,
)
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
SYSTEM = f"/dealer/systems/{ID}"
Add = Callable[..., str]


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def hanako(app: Flask, client: FlaskClient) -> FlaskClient:
    """A dealer's person, signed in."""
    with app.app_context(), transaction():
        DealerPersonFactory(email="hanako@example.org")
    return sign_in(client, "hanako@example.org")


@pytest.fixture
def add(app: Flask, hanako: FlaskClient) -> Add:
    """Return what adds a system that the dealer looks after, by name; it gives its ID."""

    def add_system(
        site_name: str = "山田邸",
        *,
        customer: dict[str, object] | None = None,
        latest: dict[str, object] | None = None,
        link: dict[str, object] | None = None,
        **site: object,
    ) -> str:
        with app.app_context(), transaction():
            dealer = db.session.scalars(select(Dealer)).one()
            number = db.session.query(Installation).count() + 1
            home = InstallationFactory(
                account=CustomerFactory(**(customer or {})),
                gateway=GatewayFactory(public_id=f"HDM1{number:08d}"),
                site_name=site_name,
                **site,
            )
            shown = {"taken_at": NOW - timedelta(seconds=20), "installation_id": home.id}
            shown |= {"day": date(2026, 11, 22), "soc_pct": 82.0}
            db.session.add(Latest(gateway_id=home.gateway_id, **{**shown, **(latest or {})}))
            due = NOW + timedelta(seconds=50)
            db.session.add(PollState(gateway_id=home.gateway_id, next_poll_at=due))
            LinkFactory(installation=home, dealer=dealer, **(link or {}))
            return str(home.gateway.public_id)

    return add_system


FAULT = {"alarms": ["inverter.OVER_TEMP"]}
LOST = {"taken_at": NOW - timedelta(hours=1)}
NEW = {"taken_at": None}


def order(page: str, *names: str) -> list[str]:
    """Return the names in the order in which the page has them."""
    return sorted((name for name in names if name in page), key=page.index)


# ---- the list -------------------------------------------------------------------------------


def test_systems_stand_worst_first_with_state_age_and_customer(
    add: Add, hanako: FlaskClient
) -> None:
    add("良い家")
    add("異常の家", latest=FAULT)
    add("通信断の家", latest=LOST)
    add("未接続の家", latest=NEW, customer={"company_name": "日向商店"})
    page = hanako.get("/dealer/systems").text
    names = ("良い家", "異常の家", "通信断の家", "未接続の家")
    assert order(page, *names) == ["通信断の家", "異常の家", "未接続の家", "良い家"]
    for words in (
        "4 件（通信断 1・異常 1・未接続 1・正常動作中 1）",
        "1時間前の値です",
        "山田 太郎 様",
        "日向商店",
        "蓄電池 82 %",
    ):
        assert words in page
    assert 'href="/dealer/systems"' in hanako.get("/manage").text


def test_words_find_site_id_address_and_the_customers_names(add: Add, hanako: FlaskClient) -> None:
    add("本社", customer={"company_name": "日向商店"}, prefecture="長野県", city="松本市")
    add("自宅", customer={"family_name": "鈴木", "family_kana": "スズキ", "given_name": "一郎"})
    for words, found, missed in (
        ("本社", "本社", "自宅"),
        ("hdm100000002", "自宅", "本社"),
        ("松本", "本社", "自宅"),
        ("日向", "本社", "自宅"),
        ("鈴木一郎", "自宅", "本社"),
        ("鈴木 一郎", "自宅", "本社"),
        ("すずき", "自宅", "本社"),
        ("ｽｽﾞｷ", "自宅", "本社"),
    ):
        page = hanako.get("/dealer/systems/list", query_string={"q": words}).text
        assert f">{found}</a>" in page, words
        assert f">{missed}</a>" not in page, words
    assert "見つかりませんでした" in hanako.get("/dealer/systems?q=%25").text


def test_filters_stand_in_the_address_and_count_what_there_is(
    add: Add, hanako: FlaskClient
) -> None:
    add("良い家", prefecture="長野県")
    add("異常の家", latest=FAULT)
    add("通信断の家", latest=LOST, prefecture="長野県")
    add("通信断の蔵", latest=LOST)
    answer = hanako.get("/dealer/systems/list?state=lost&prefecture=長野県")
    assert order(answer.text, "良い家", "異常の家", "通信断の家", "通信断の蔵") == ["通信断の家"]
    assert answer.headers["HX-Replace-Url"].startswith("/dealer/systems?state=lost&prefecture=")
    assert "<html" not in answer.text
    page = hanako.get(answer.headers["HX-Replace-Url"]).text
    assert '<option value="lost" selected>' in page
    assert '<option value="長野県" selected>' in page
    assert '<option value="大阪府"' not in page
    assert "ブックマーク" in page
    # what makes no sense asks for nothing
    page = hanako.get("/dealer/systems?state=drop&prefecture=x&page=x&q=%00").text
    assert "4 件" in page


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "beat",
    [
        None,
        {"at": NOW, "back_at": LONG_AGO},
        {"at": NOW - timedelta(minutes=50), "back_at": LONG_AGO},
        {"at": NOW, "back_at": NOW - timedelta(minutes=5)},
    ],
    ids=["never", "at work", "away", "just back"],
)
def test_the_state_that_is_sorted_by_is_the_state_that_is_shown(
    app: Flask, add: Add, hanako: FlaskClient, beat: dict[str, datetime] | None
) -> None:
    opened = {"opened_at": NOW - timedelta(minutes=10)}
    for number, latest in enumerate(
        (
            {},
            FAULT,
            LOST,
            NEW,
            {"state": "fault"},
            {**FAULT, **LOST},
            {"taken_at": NOW - timedelta(minutes=14, seconds=59)},
            {"taken_at": NOW - timedelta(minutes=15)},
            {**FAULT, "taken_at": NOW - timedelta(minutes=11)},
        )
    ):
        add(f"家{number}", latest=latest)
        add(f"新居{number}", latest=latest, **opened)
    with app.app_context(), transaction():
        if beat:
            db.session.add(Heartbeat(name="poller", **beat))
    listed = 0
    for state in live.RANKS:
        page = hanako.get(f"/dealer/systems?state={state.value}").text
        rows = page.count('class="status ')
        assert page.count(f'class="status status--{state.value}"') == rows
        listed += rows
    assert listed == 18


def test_without_a_system_the_list_says_what_to_do(hanako: FlaskClient) -> None:
    page = hanako.get("/dealer/systems").text
    assert "保守を任されているゲートウェイは、まだありません。" in page
    assert 'href="/dealer"' in page


@pytest.fixture
def chain(app: Flask, hanako: FlaskClient, many: FlaskClient) -> FlaskClient:  # noqa: F811
    """The dealer looks after 5,000 systems."""
    with app.app_context(), transaction():
        dealer_id = db.session.scalars(select(Dealer.id)).one()
        sites = db.session.scalars(select(Installation)).all()
        same = {"dealer_id": dealer_id, "slot": 1, "scope": "set", "began_at": LONG_AGO}
        db.session.execute(
            insert(MaintenanceLink),
            [
                {
                    **same,
                    "gateway_id": one.gateway_id,
                    "installation_id": one.id,
                    "made_by_id": one.account_id,
                }
                for one in sites
            ],
        )
    return hanako


def test_five_thousand_systems_cost_as_many_queries_as_one(
    app: Flask, chain: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), transaction():
        few_links = LinkFactory()
        DealerPersonFactory(email="small@example.org", dealer=few_links.dealer)
    small = sign_in(app.test_client(), "small@example.org")
    with counted(monkeypatch) as few:
        assert "1 件" in small.get("/dealer/systems").text
    with counted(monkeypatch) as work:
        page = chain.get("/dealer/systems")
    assert "5000 件" in page.text
    assert "1 / 250" in page.text
    assert len(work.statements) == len(few.statements)
    for path in ("/dealer/systems", "/dealer/systems/list"):
        assert "MANY00005000" in chain.get(f"{path}?page=250").text
        assert "MANY00005000" in chain.get(f"{path}?page=999").text
        assert "1 件" in chain.get(f"{path}?q=棟4321 京都").text
    file = chain.get("/dealer/systems.csv").get_data(as_text=True)
    assert file.count("\r\n") == 5001


# ---- one system -----------------------------------------------------------------------------


def test_the_detail_shows_the_customers_registration_data(add: Add, hanako: FlaskClient) -> None:
    add(
        customer={"email": "taro@example.org", "company_name": "日向商店"},
        link={"scope": "watch", "ends_at": datetime(2026, 12, 31, 15, tzinfo=UTC)},
    )
    page = hanako.get(SYSTEM).text
    for words in (
        "正常動作中",
        "山田 太郎",
        "ヤマダ タロウ",
        "03-1234-5678",
        "taro@example.org",
        "日向商店",
        "〒 600-8216",
        "HDM-GW1",
        "見るだけ",
        "2026/12/31",
        f'href="/monitor/{ID}"',
        f'href="{SYSTEM}/decline"',
    ):
        assert words in page


def test_a_look_is_written_down_once_a_day_and_by_no_poll(
    app: Flask, add: Add, hanako: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()

    def looks() -> int:
        with app.app_context():
            return db.session.query(DealerLook).count()

    for path in (f"/monitor/{ID}/tiles", "/dealer/systems", f"{SYSTEM}/decline"):
        assert hanako.get(path).status_code == 200
    assert looks() == 0
    for path in (f"/monitor/{ID}", SYSTEM, SYSTEM):
        hanako.get(path)
    assert looks() == 1
    with counted(monkeypatch) as work:
        hanako.get(SYSTEM)
    assert not [one for one in work.statements if not one.startswith("SELECT")]
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=6))
    hanako.get(SYSTEM)
    assert looks() == 2


def test_the_live_screen_leads_a_dealer_back_to_its_list(add: Add, hanako: FlaskClient) -> None:
    add()
    page = hanako.get(f"/monitor/{ID}").text
    assert 'href="/dealer/systems"' in page
    assert f'href="{SYSTEM}"' in page
    assert hanako.get("/monitor").location == "/dealer/systems"


def test_a_dealer_declines_and_sees_it_no_more(app: Flask, add: Add, hanako: FlaskClient) -> None:
    add(customer={"email": "taro@example.org"})
    assert "すぐにご覧いただけなくなります" in hanako.get(f"{SYSTEM}/decline").text
    answer = hanako.post(f"{SYSTEM}/decline")
    assert answer.location == "/dealer/systems"
    assert "保守を辞退しました。" in hanako.get(answer.location).text
    for path in (SYSTEM, f"/monitor/{ID}", f"{SYSTEM}/decline"):
        assert hanako.get(path).status_code == 404
    assert hanako.post(f"{SYSTEM}/decline").status_code == 404
    with app.app_context():
        told = [(row.template, row.to) for row in db.session.scalars(select(OutboxMail))]
        assert told == [("link_declined", "taro@example.org")]


def test_an_earlier_link_is_told_to_its_dealer(app: Flask, add: Add, hanako: FlaskClient) -> None:
    add()
    with app.app_context(), transaction():
        now = db.session.scalars(select(MaintenanceLink)).one()
        LinkFactory(
            installation=now.installation,
            dealer=now.dealer,
            began_at=LONG_AGO - timedelta(days=60),
            ended_at=LONG_AGO - timedelta(days=30),
            how_ended="declined",
        )
    page = hanako.get(SYSTEM).text
    assert "以前に任されていた期間" in page
    assert "販売店様が辞退" in page


# ---- strangers ------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "ended",
    [
        {"ended_at": NOW, "how_ended": "unlinked"},
        {"ended_at": NOW, "how_ended": "declined"},
        {"ends_at": NOW},
    ],
    ids=["unlinked", "declined", "lapsed"],
)
def test_access_ends_with_the_link(
    app: Flask, add: Add, hanako: FlaskClient, ended: dict[str, object]
) -> None:
    add()
    paths = [SYSTEM, f"{SYSTEM}/decline", f"/monitor/{ID}", f"/monitor/{ID}/tiles"]
    assert [hanako.get(path).status_code for path in paths] == [200] * 4
    with app.app_context(), transaction():
        db.session.execute(db.update(MaintenanceLink).values(**ended))
    assert [hanako.get(path).status_code for path in paths] == [404] * 4
    assert hanako.post(f"{SYSTEM}/decline").status_code == 404
    for path in ("/dealer/systems", "/dealer/systems/list", "/dealer/systems.csv"):
        assert ID not in hanako.get(path).text


def test_access_ends_with_the_dealer_with_the_installation_and_with_the_account(
    app: Flask, add: Add, hanako: FlaskClient
) -> None:
    add()
    paths = [SYSTEM, f"/monitor/{ID}", f"/monitor/{ID}/tiles", "/dealer/systems"]
    for model, ended, back, status in (
        (Dealer, {"closed_at": NOW}, {"closed_at": None}, 404),
        (Installation, {"closed_at": NOW}, {"closed_at": None}, 404),
        (Account, {"locked_at": NOW}, {"locked_at": None}, 302),
    ):
        with app.app_context(), transaction():
            db.session.execute(db.update(model).values(**ended))
        answers = [hanako.get(path) for path in paths]
        seen = [answer.status_code for answer in answers[:3]]
        assert seen == [status] * 3, model
        assert ID not in answers[3].text
        with app.app_context(), transaction():
            db.session.execute(db.update(model).values(**back))
        assert hanako.get(SYSTEM).status_code == 200


def test_to_everybody_else_a_dealers_systems_do_not_exist(app: Flask, add: Add) -> None:
    add(customer={"email": "taro@example.org"})
    with app.app_context(), transaction():
        DealerPersonFactory(email="stranger@example.org")
        OperatorFactory(email="operator@example.org")
        CustomerFactory(email="jiro@example.org")
    listed = ("/dealer/systems", "/dealer/systems/list", "/dealer/systems.csv")
    for name in ("stranger", "operator", "taro", "jiro"):
        them = sign_in(app.test_client(), f"{name}@example.org")
        assert them.get(SYSTEM).status_code == 404, name
        assert them.get(f"{SYSTEM}/decline").status_code == 404, name
        assert them.post(f"{SYSTEM}/decline").status_code == 404, name
        for path in listed:
            answer = them.get(path)
            assert answer.status_code == (200 if name == "stranger" else 404), (name, path)
            assert ID not in answer.text
    nobody = app.test_client()
    for path in (*listed, SYSTEM, f"{SYSTEM}/decline"):
        assert nobody.get(path).location.startswith("/sign-in")
    assert nobody.get("/dealer/systems/%00%00%00%00%00%00%00%00%00%00%00%00").status_code == 302


def test_what_is_no_gateways_id_is_not_looked_for(add: Add, hanako: FlaskClient) -> None:
    assert hanako.get(f"/dealer/systems/{'%00' * 12}").status_code == 404


# ---- the file -------------------------------------------------------------------------------


def test_the_file_holds_what_the_list_finds_and_no_formulas(add: Add, hanako: FlaskClient) -> None:
    add("=HYPERLINK(1)", customer={"company_name": "＋株式会社", "phone": "+16502530000"})
    add("通信断の家", latest=LOST, link={"ends_at": datetime(2026, 12, 31, 15, tzinfo=UTC)})
    answer = hanako.get("/dealer/systems.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="systems-20261122.csv"'
    raw = answer.get_data()
    assert raw.startswith(b"\xef\xbb\xbf")
    text = raw.decode("utf-8-sig")
    assert text.count("\n") == text.count("\r\n") == 3
    head, lost, fine = csv.reader(io.StringIO(text))
    assert head[:3] == ["状態", "ゲートウェイID", "設置先【案件】"]
    assert lost[:3] == ["通信断", "HDM100000002", "通信断の家"]
    assert lost[-2:] == ["2026/12/31", "2026/11/22 17:05"]
    assert fine[2] == "'=HYPERLINK(1)"
    assert fine[8:10] == ["'＋株式会社", "'+1 650-253-0000"]
    only = hanako.get("/dealer/systems.csv?state=lost").get_data(as_text=True)
    assert "HDM100000002" in only
    assert "HDM100000001" not in only


def test_english_pages_hold_no_japanese_but_names(add: Add, hanako: FlaskClient) -> None:
    hanako.post("/language/", data={"language": "en"})
    place = {"prefecture": "", "city": "Kyoto", "street": "1"}
    names = {"family_name": "T", "given_name": "Y", "family_kana": "T", "given_kana": "Y"}
    add("Home", customer={**names, **place}, **place)
    for path in ("/dealer/systems", SYSTEM, f"{SYSTEM}/decline"):
        main = hanako.get(path).text.partition("<main")[2].partition("</main>")[0]
        assert not [sign for sign in main if "\u3041" <= sign <= "\u9fff"], path
    file = hanako.get("/dealer/systems.csv").get_data(as_text=True)
    assert "Home" in file
    assert not [sign for sign in file if "\u3041" <= sign <= "\u9fff"]
