"""A member's statement and exchange: how each figure came about, and nobody else's."""

from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, insert, select

from app import clock
from app.domain import credit_reports, ledger, point_credits, point_runs
from app.extensions import db
from app.models import (
    Account,
    AuditEntry,
    EcoMembership,
    GiftOrder,
    MissingReport,
    PointTransaction,
)
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    InstallationFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.histories import ten_thousandfold, write_history
from tests.members import DECEMBER, PROGRAMME, check_books, give, join
from tests.signing_in import sign_in

ROWS = 5000


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: DECEMBER)


@pytest.fixture
def member(app: Flask) -> FlaskClient:
    """Taro, whose June was credited in December, and who has 2,000 points besides."""
    with app.app_context(), transaction():
        TermsVersionFactory()
        TermsVersionFactory(kind="dealer")
        home = InstallationFactory(
            account=CustomerFactory(email="taro@example.org"), site_name="日向 & 家"
        )
        CustomerFactory(email="stranger@example.org")
        DealerPersonFactory(email="dealer@example.org")
        OperatorFactory(email="operator@example.org")
        join(home)
        # the first half hour of a day is missing, and so is all that follows July
        write_history(home, date(2026, 6, 1), date(2026, 7, 31))
        write_history(home, date(2026, 12, 1), date(2026, 12, 9))
        give(home.account_id, 2000)
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, DECEMBER, zone="Asia/Tokyo")
    with app.app_context(), transaction():
        for shard in point_runs.claim(DECEMBER, limit=9):
            point_credits.credit(shard, PROGRAMME, DECEMBER)
    return sign_in(app.test_client(), "taro@example.org")


def credit(app: Flask) -> PointTransaction:
    with app.app_context():
        return db.session.scalars(select(PointTransaction).filter_by(kind="credit")).one()


def test_what_no_household_makes_is_shown_as_not_counted(app: Flask) -> None:
    with app.app_context(), transaction():
        TermsVersionFactory()
        home = InstallationFactory(account=CustomerFactory(email="taro@example.org"))
        join(home)
        write_history(home, date(2026, 6, 1), date(2026, 6, 2), change=ten_thousandfold)
        # the half-year that is not credited yet
        write_history(home, date(2026, 12, 1), date(2026, 12, 1), change=ten_thousandfold)
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, DECEMBER, zone="Asia/Tokyo")
    with app.app_context(), transaction():
        for shard in point_runs.claim(DECEMBER, limit=9):
            point_credits.credit(shard, PROGRAMME, DECEMBER)
        summary = credit_reports.summary(date(2026, 6, 1))
        assert (summary.members, summary.bounded) == (1, 1)
    made = credit(app)
    assert made.self_dwh == 2 * 80 * 10_000
    client = sign_in(app.test_client(), "taro@example.org")
    page = client.get(f"/points/{made.id}").text
    assert "数えなかった電気" in page
    assert "2026/06/02" in page
    assert "上限を超えたため数えていない電気" in client.get("/points").text
    assert "not_counted_kwh" in client.get("/points/statement.csv").text


def test_a_statement_shows_the_balance_and_what_came(app: Flask, member: FlaskClient) -> None:
    page = member.get("/points").text
    points = credit(app).points
    assert f"{2000 + points:,}" in page
    assert f"+{points:,}" in page
    assert "2026/06/01 から 2026/11/30 までの分の付与" in page
    assert "日向 &amp; 家" in page
    # this half-year so far, and from when it is credited
    assert "2026/12/01 から 2026/12/10 まで" in page
    assert "2027/06/06" in page
    assert "data-chart" in page


def test_a_credit_tells_how_it_came_about(app: Flask, member: FlaskClient) -> None:
    page = member.get(f"/points/{credit(app).id}").text
    # 61 sunny days
    assert "536.8 kWh" in page
    assert "0.3143 円/kWh" in page
    assert "168.72 円" in page
    assert "183 日" in page
    assert "33.3 %" in page
    assert "2026/08/01" in page
    assert "終日" in page
    # days as everywhere beside them, hours as people count them
    assert "2026/12/10" in page
    assert "年12月" not in page
    assert "2,928.0 時間" in page


def test_strangers_find_neither_statement_nor_order(
    app: Flask, member: FlaskClient, client: FlaskClient
) -> None:
    with app.app_context():
        once = member.post(
            "/points/gifts/e-gift-500/confirm?quantity=1", data={"once": "x"}
        ).location
    theirs = [f"/points/{credit(app).id}", once]
    for email in ("stranger@example.org", "dealer@example.org", "operator@example.org"):
        stranger = sign_in(app.test_client(), email)
        for page in theirs:
            assert stranger.get(page).status_code == 404, (email, page)
        assert stranger.post(f"{theirs[0]}/report", data={"words": "x"}).status_code == 404
    for page in ("/points", "/points/statement.csv", "/points/gifts", "/points/orders"):
        assert client.get(page).status_code == 302
        assert sign_in(app.test_client(), "dealer@example.org").get(page).status_code == 404
    mine = sign_in(app.test_client(), "stranger@example.org")
    assert "日向" not in mine.get("/points").text + mine.get("/points/statement.csv").text
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(MissingReport)) == 0


def test_a_statement_is_had_as_a_file(app: Flask, member: FlaskClient) -> None:
    answer = member.get("/points/statement.csv")
    assert answer.headers["Cache-Control"] == "no-store"
    heading, given, credited = answer.text.splitlines()
    assert heading.startswith("\ufeffid,at,kind,points")
    assert ",returned,2000" in given
    assert f",credit,{credit(app).points},2026-06-01,2026-11-30,日向 & 家,536.8000,0.3143,183," in (
        credited
    )


def test_missing_energy_is_reported_once_and_read_by_operators(
    app: Flask, member: FlaskClient
) -> None:
    page = f"/points/{credit(app).id}"
    empty = member.post(f"{page}/report", data={"words": " "})
    assert empty.status_code == 422
    assert "お知らせの内容を入力してください。" in empty.text
    told = {"words": "8月は<b>ルーター</b>が故障していました"}
    assert member.post(f"{page}/report", data=told).location == page
    assert "お知らせを受け付けています" in member.get(page).text
    again = member.post(f"{page}/report", data=told)
    assert again.status_code == 422
    assert "お知らせをいただいています" in again.text
    # what was typed is not lost
    assert "&lt;b&gt;ルーター" in again.text
    operator = sign_in(app.test_client(), "operator@example.org")
    listed = operator.get("/operator/points/reports").text
    assert "&lt;b&gt;ルーター" in listed
    with app.app_context():
        report_id = db.session.scalars(select(MissingReport.id)).one()
    act = f"/operator/points/reports/{report_id}/handled"
    assert member.post(act).status_code == 404
    assert operator.post(act).status_code == 303
    assert operator.post(act).status_code == 404
    assert "お知らせを受け付けています" not in member.get(page).text


def test_points_are_exchanged_step_by_step(app: Flask, member: FlaskClient) -> None:
    assert "電子ギフト" in member.get("/points/gifts").text
    chosen = member.post("/points/gifts/e-gift-500", data={"quantity": "３"})
    assert chosen.location == "/points/gifts/e-gift-500/confirm?quantity=3"
    confirm = member.get(chosen.location)
    assert "1,500" in confirm.text
    # who goes back finds what was typed
    assert 'value="3"' in member.get("/points/gifts/e-gift-500?quantity=3").text
    with app.app_context():
        # to look changes nothing
        assert db.session.scalar(select(func.count()).select_from(GiftOrder)) == 0
    for _press in range(2):
        done = member.post(chosen.location, data={"once": "one press"})
    page = member.get(done.location).text
    assert "受付済み" in page
    assert "メールでお知らせします" in page
    assert "電子ギフト 500円分 × 3" in member.get("/points/orders").text
    assert "電子ギフト 500円分 × 3 への交換" in member.get("/points").text
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(GiftOrder)) == 1
        account = db.session.scalars(select(Account).filter_by(email="taro@example.org")).one()
        assert ledger.balance(account.id).reserved == 1500
        actions = db.session.scalars(select(AuditEntry.action)).all()
        assert "gift.ordered" in actions
        check_books()


def test_a_card_says_where_it_will_be_sent_before_it_is_ordered(member: FlaskClient) -> None:
    card = member.get("/points/gifts/gift-card-500/confirm?quantity=1").text
    assert "お届け先" in card
    assert "東塩小路町1-2" in card
    assert "お届け先" not in member.get("/points/gifts/e-gift-500/confirm?quantity=1").text


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("", "個数を入力してください。"),
        ("0", "1個から10個まで"),
        ("-1", "1個から10個まで"),
        ("11", "1個から10個まで"),
        ("x", "1個から10個まで"),
        ("10", "ポイントが足りません"),
    ],
)
def test_a_quantity_that_cannot_be_says_so_at_its_field(
    member: FlaskClient, quantity: str, words: str
) -> None:
    answer = member.post("/points/gifts/e-gift-500", data={"quantity": quantity})
    assert answer.status_code == 422
    assert words in answer.text
    if quantity:
        assert f'value="{quantity}"' in answer.text


def test_points_that_are_gone_meanwhile_are_not_spent(app: Flask, member: FlaskClient) -> None:
    page = "/points/gifts/e-gift-500/confirm?quantity=3"
    assert member.post(page, data={"once": "first"}).status_code == 303
    late = member.post(page, data={"once": "second"})
    assert late.status_code == 422
    assert "ポイントが足りません" in late.text
    with app.app_context():
        check_books()


@pytest.mark.both_databases
def test_a_press_named_by_nonsense_is_an_order_all_the_same(member: FlaskClient) -> None:
    page = "/points/gifts/e-gift-500/confirm?quantity=1"
    assert member.post(page, data={"once": "a\0b"}).status_code == 303


def test_a_gift_that_is_not_offered_is_not_found(member: FlaskClient) -> None:
    for page in ("/points/gifts/nothing", "/points/gifts/nothing/confirm?quantity=1"):
        assert member.get(page).status_code == 404
        assert member.post(page, data={"once": "x"}).status_code == 404


def test_members_find_their_points_in_the_main_menu(app: Flask, member: FlaskClient) -> None:
    assert "/points" in member.get("/manage").text
    stranger = sign_in(app.test_client(), "stranger@example.org")
    assert 'href="/points"' not in stranger.get("/manage").text
    # who has none is shown where they begin, not where they are spent
    page = stranger.get("/points").text
    assert "参加されると" in page
    assert 'class="button button--primary" href="/eco"' in page
    assert "ポイントを交換する" not in page


def test_closing_the_account_says_how_many_points_lapse(member: FlaskClient, app: Flask) -> None:
    assert (
        f"{2000 + credit(app).points:,} ポイントは失効します" in member.get("/account/close").text
    )


def test_english_readers_read_english(member: FlaskClient) -> None:
    member.post("/language/", data={"language": "en", "next": "/points"})
    assert "Electronic gift, 500 yen" in member.get("/points/gifts").text


def test_a_long_statement_takes_no_more_queries(
    app: Flask, member: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as few:
        member.get("/points")
    with app.app_context(), transaction():
        account_id = db.session.scalars(select(EcoMembership.account_id)).one()
        db.session.execute(
            insert(PointTransaction),
            [
                {
                    "key": f"row-{number}",
                    "kind": "lapsed",
                    "at": DECEMBER,
                    "account_id": account_id,
                    "points": 0,
                    "self_dwh": 0,
                }
                for number in range(ROWS)
            ],
        )
    with counted(monkeypatch) as many:
        page = member.get("/points?page=3").text
    assert "3 / 251" in page
    assert len(many.statements) <= len(few.statements)
