"""履歴 as a browser gets it."""

import html
import json
import re
from datetime import UTC, date, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.jobs.history import make_due
from app.models import DealerLook, Installation, MaintenanceLink
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
)
from tests.histories import write_history
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)  # 18:05 in Tokyo
ID = "HDM100000001"
HISTORY = f"/monitor/{ID}/history"


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """The owner of a home with two weeks of history, signed in."""
    with app.app_context(), transaction():
        home = InstallationFactory(
            account=CustomerFactory(email="taro@example.org"),
            gateway=GatewayFactory(public_id=ID),
            opened_at=datetime(2026, 10, 20, tzinfo=UTC),
        )
        until = datetime(2026, 11, 22, 9, tzinfo=UTC).timestamp()
        write_history(home, date(2026, 11, 9), date(2026, 11, 22), until=until)
    return sign_in(client, "taro@example.org")


def chart(page: str) -> dict[str, list[dict[str, object]]]:
    found = re.search(r"data-chart='([^']*)'", page)
    assert found
    drawn: dict[str, list[dict[str, object]]] = json.loads(html.unescape(found[1]))
    return drawn


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_history_begins_with_today(taro: FlaskClient) -> None:
    answer = taro.get(HISTORY)
    assert answer.location == f"{HISTORY}/day"
    page = taro.get(answer.location).text
    assert "2026/11/22（日）" in page
    assert "2026/11/22 18:05 まで" in page
    said = words(page)
    assert "自家消費率" in said
    assert "発電 10.5 kWh 計測 99 % / 欠測 1 % 積算計の値" not in said
    assert "計測 100 %" in said
    assert "積算計の値" in said
    # rows for the half hours that have begun, and none for the future
    assert said.count("17:30") == 1
    assert ">18:00<" in page
    assert "18:30" not in page.partition("<table")[2]
    assert f'href="{HISTORY}/day?on=2026-11-21"' in page
    assert 'rel="next"' not in page


def test_a_day_is_drawn_as_lines_and_a_month_as_bars_that_say_the_same_as_the_table(
    taro: FlaskClient,
) -> None:
    day = chart(taro.get(f"{HISTORY}/day?on=2026-11-21").text)
    assert [one["label"] for one in day["series"]][:2] == ["発電", "消費"]
    assert day["series"][-1]["axis"] == "percent"
    assert len(day["labels"]) == 48
    month = chart(taro.get(f"{HISTORY}/month?on=2026-11").text)
    assert month["labels"][0] == "11/01"
    assert month["labels"][-1] == "11/22"
    drawn = {one["label"]: one["values"] for one in month["series"]}
    assert drawn["自家消費"][9] == 8.8
    assert drawn["売電"][9] == -3.2
    assert drawn["自家消費"][0] is None
    year = taro.get(f"{HISTORY}/year?on=2026").text
    assert chart(year)["labels"] == ["2026/10", "2026/11"]


def test_the_period_before_stands_beside_where_it_is_asked_for(taro: FlaskClient) -> None:
    page = taro.get(f"{HISTORY}/day?on=2026-11-20&compare=1").text
    assert 'class="sums__figure">前の日</th>' in page
    assert "前は 73 %" in page
    # what is chosen stays chosen
    assert f'href="{HISTORY}/day?on=2026-11-19&amp;compare=1"' in page
    without = taro.get(f"{HISTORY}/day?on=2026-11-20").text
    assert 'class="sums__figure">前の日</th>' not in without


def test_the_part_alone_brings_its_address_and_its_title(taro: FlaskClient) -> None:
    answer = taro.get(f"{HISTORY}/month/part?on=2026-11&compare=1")
    assert answer.headers["HX-Push-Url"] == f"{HISTORY}/month?on=2026-11&compare=1"
    assert answer.text.lstrip().startswith("<head><title>履歴 2026/11 – 山田邸")
    assert "<html" not in answer.text
    assert answer.text.count('id="history"') == 1


@pytest.mark.parametrize("on", ["", "x", "2030-01-01", "1999-01-01", "'", "2026-13", "0000"])
def test_what_is_no_day_of_theirs_shows_the_nearest(taro: FlaskClient, on: str) -> None:
    page = taro.get(f"{HISTORY}/day", query_string={"on": on})
    assert page.status_code == 200
    assert "2026/11/22（日）" in page.text


def test_a_time_without_values_says_so(taro: FlaskClient) -> None:
    page = taro.get(f"{HISTORY}/day?on=2026-10-25").text
    assert "この期間の値はありません" in page
    assert "data-chart" not in page


def test_a_page_asks_as_much_for_a_year_as_for_a_day(
    taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taro.get(f"{HISTORY}/day")
    amounts = set()
    for span in ("day", "month", "year"):
        for on in ("2026-10-25", "2026-11-21"):
            with counted(monkeypatch) as work:
                taro.get(f"{HISTORY}/{span}?on={on}&compare=1")
            amounts.add(len(work.statements))
    assert max(amounts) <= 10
    # a day asks for its half hours and samples besides
    assert max(amounts) - min(amounts) <= 3


def test_a_strangers_history_is_not_found(app: Flask, taro: FlaskClient) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="stranger@example.org")
        DealerPersonFactory(email="dealer@example.org")
        home = db.session.scalars(select(Installation.id)).one()
    for email in ("stranger@example.org", "dealer@example.org"):
        stranger = sign_in(app.test_client(), email)
        for path in ("", "/day", "/month/part", ".csv"):
            for asked in ("", f"?of={home}"):
                assert stranger.get(HISTORY + path + asked).status_code == 404, path


@pytest.mark.parametrize("of", ["0", "-1", "99999999999999999999", "2147483648"])
def test_a_number_that_is_no_ownership_is_not_found(taro: FlaskClient, of: str) -> None:
    assert taro.get(f"{HISTORY}/day?of={of}").status_code == 404


def test_a_dealers_look_at_the_history_is_written_down(app: Flask, taro: FlaskClient) -> None:
    with app.app_context(), transaction():
        dealer = DealerPersonFactory(email="hanako@example.org").dealer
        LinkFactory(installation=db.session.scalars(select(Installation)).one(), dealer=dealer)
    hanako = sign_in(app.test_client(), "hanako@example.org")
    assert hanako.get(f"{HISTORY}/day").status_code == 200
    with app.app_context():
        assert db.session.scalars(select(DealerLook)).one().at == NOW


def test_a_former_owner_reads_on_and_the_buyer_never_sees_it(app: Flask, taro: FlaskClient) -> None:
    handed = datetime(2026, 11, 15, 3, tzinfo=UTC)
    with app.app_context(), transaction():
        sold = db.session.scalars(select(Installation)).one()
        sold.closed_at = handed
        db.session.flush()
        buyer = CustomerFactory(email="buyer@example.org")
        InstallationFactory(
            gateway=sold.gateway, account=buyer, opened_at=handed, claimed_sheet_id=None
        )
        OperatorFactory(email="operator@example.org")
        number = sold.id
    page = taro.get(f"{HISTORY}/month").text
    assert "2026/10/20 から 2026/11/15 まで" in page
    assert f"/day?on=2026-11-14&amp;of={number}" in page
    assert taro.get(HISTORY).location == f"{HISTORY}/day?of={number}"
    assert f'href="{HISTORY}?of={number}"' in taro.get("/gateways").text
    theirs = sign_in(app.test_client(), "buyer@example.org")
    shown = theirs.get(f"{HISTORY}/day?on=2026-11-12").text
    assert "2026/11/15（日）" in shown
    assert "この期間の値はありません" in shown
    assert "この期間の値はありません" in theirs.get(f"{HISTORY}/month").text
    assert theirs.get(f"{HISTORY}/day?of={number}").status_code == 404
    operator = sign_in(app.test_client(), "operator@example.org")
    assert "計測 100 %" in words(operator.get(f"{HISTORY}/day?on=2026-11-12&of={number}").text)


def test_a_comparison_says_where_the_period_before_was_lived_only_in_part(
    taro: FlaskClient,
) -> None:
    told = "前の期間は、ご利用を始めた2026/10/20からの値です。"
    assert told in taro.get(f"{HISTORY}/month?on=2026-11&compare=1").text
    assert told not in taro.get(f"{HISTORY}/month?on=2026-11").text
    assert told not in taro.get(f"{HISTORY}/day?on=2026-11-20&compare=1").text


def test_english_readers_get_english(taro: FlaskClient) -> None:
    taro.post("/language/", data={"language": "en", "next": "/"})
    page = taro.get(f"{HISTORY}/year?compare=1").text
    assert not re.search(
        r"[ぁ-んァ-ヶ]", page.partition('<main id="main"')[2].partition("</main>")[0]
    )


def test_live_screen_and_details_lead_to_the_history(app: Flask, taro: FlaskClient) -> None:
    for path in (f"/monitor/{ID}", f"/gateways/{ID}"):
        assert f'href="{HISTORY}"' in taro.get(path).text
    with app.app_context(), transaction():
        dealer = DealerPersonFactory(email="hanako@example.org").dealer
        LinkFactory(installation=db.session.scalars(select(Installation)).one(), dealer=dealer)
    hanako = sign_in(app.test_client(), "hanako@example.org")
    assert f'href="{HISTORY}"' in hanako.get(f"/dealer/systems/{ID}").text


# ---- the file of a month --------------------------------------------------------------------


def test_a_month_comes_as_a_file_up_to_now(taro: FlaskClient) -> None:
    answer = taro.get(f"{HISTORY}.csv?on=2026-11")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{ID}-2026-11.csv"'
    lines = answer.data.decode().split("\r\n")
    assert len(lines) == 1 + 21 * 48 + 37 + 1
    assert lines[1] == "2026/11/01,00:00,,,,,,,"
    assert lines[-2] == "2026/11/22,18:00,,,,,,,"
    assert lines[-3] == "2026/11/22,17:30,0.50,0.20,0.30,0.00,0.00,0.00,100"
    assert taro.get(f"{HISTORY}.csv").data == answer.data


@pytest.mark.parametrize("on", ["2026-09", "2026-12", "x", "", "2026-13"])
def test_a_month_that_was_not_theirs_is_no_file(taro: FlaskClient, on: str) -> None:
    assert taro.get(f"{HISTORY}.csv?on={on}").status_code == 404


def test_a_file_asks_for_its_half_hours_once(
    taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taro.get(f"{HISTORY}.csv?on=2026-11")
    with counted(monkeypatch) as work:
        taro.get(f"{HISTORY}.csv?on=2026-11")
    assert sum("energy_totals" in statement for statement in work.statements) == 1


def test_nobodys_history_asks_to_sign_in(app: Flask, taro: FlaskClient) -> None:
    answer = app.test_client().get(f"{HISTORY}/day")
    assert answer.location == f"/sign-in?next={HISTORY}/day"


# ---- a year as a ZIP ------------------------------------------------------------------------


def test_a_year_is_asked_for_watched_and_fetched(app: Flask, taro: FlaskClient) -> None:
    answer = taro.post(f"{HISTORY}/exports?on=2026")
    assert answer.status_code == 303
    page = answer.location
    waiting = taro.get(page).text
    assert "2 か月のうち 0 か月" in waiting
    assert f'data-poll-s="1" hx-get="{page}/progress"' in waiting
    assert taro.get(f"{page}/file").status_code == 404
    with app.app_context():
        make_due()
    ready = taro.get(f"{page}/progress").text
    assert "data-poll-s" not in ready
    assert "2026/11/23 18:05 まで" in ready
    file = taro.get(f"{page}/file")
    assert file.headers["Content-Type"] == "application/zip"
    assert file.headers["Content-Disposition"] == f'attachment; filename="{ID}-2026.zip"'
    with ZipFile(BytesIO(file.data)) as files:
        assert files.namelist() == [f"{ID}-2026-10.csv", f"{ID}-2026-11.csv"]
        assert files.read(files.namelist()[1]) == taro.get(f"{HISTORY}.csv?on=2026-11").data


@pytest.mark.parametrize("on", ["2025", "2027", "x", ""])
def test_a_year_that_was_not_theirs_is_not_made(taro: FlaskClient, on: str) -> None:
    assert taro.post(f"{HISTORY}/exports?on={on}").status_code == 404


def test_what_one_asked_for_nobody_else_fetches(app: Flask, taro: FlaskClient) -> None:
    with app.app_context(), transaction():
        dealer = DealerPersonFactory(email="hanako@example.org").dealer
        home = db.session.scalars(select(Installation)).one()
        LinkFactory(installation=home, dealer=dealer)
        other = InstallationFactory(
            account=home.account, gateway=GatewayFactory(public_id="HDM100000002")
        )
        InstallationFactory(account=CustomerFactory(email="stranger@example.org"))
        OperatorFactory(email="operator@example.org")
        elsewhere = other.gateway.public_id
    hanako = sign_in(app.test_client(), "hanako@example.org")
    page = hanako.post(f"{HISTORY}/exports?on=2026").location
    with app.app_context():
        make_due()
    assert hanako.get(f"{page}/file").status_code == 200
    for email in ("stranger@example.org", "operator@example.org", "taro@example.org"):
        browser = sign_in(app.test_client(), email)
        for path in ("", "/progress", "/file"):
            assert browser.get(page + path).status_code == 404
    # nor by the address of another gateway
    mine = taro.post(f"{HISTORY}/exports?on=2026").location
    assert taro.get(mine).status_code == 200
    assert taro.get(mine.replace(ID, elsewhere)).status_code == 404
    # access ends with the link
    with app.app_context(), transaction():
        link = db.session.scalars(select(MaintenanceLink)).one()
        link.ended_at, link.how_ended = NOW, "unlinked"
    assert hanako.get(f"{page}/file").status_code == 404
    assert hanako.post(f"{HISTORY}/exports?on=2026").status_code == 404
