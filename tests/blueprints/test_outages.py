"""停電の記録 as a browser gets it."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.domain.outage_figures import EMPTY, HELD, UNKNOWN, Figures, Point
from app.extensions import db
from app.models import Alarm, AuditEntry, DealerLook, Installation, Outage, Reading
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
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)  # 17:05 in Tokyo
BEGAN = datetime(2026, 11, 23, 1, 2, tzinfo=UTC)  # 10:02
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ID = "HDM100000001"
LIST = f"/monitor/{ID}/outages"
COURSE = [Point(BEGAN.timestamp() + 300 * step, 80 - step, 600, 100) for step in range(50)]
FIGURES: dict[str, Any] = {
    "how": HELD,
    "used_wh": 2460.0,
    "pv_wh": 410.0,
    "last_at": (BEGAN + 249 * MINUTE).timestamp(),
    "last_soc": 42.0,
    "points": COURSE,
    "step_s": 300,
    "foretold": (430, 390, 470),
}


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def taro(app: Flask, client: FlaskClient) -> FlaskClient:
    """The owner of a home, signed in."""
    with app.app_context(), transaction():
        InstallationFactory(
            account=CustomerFactory(email="taro@example.org"),
            gateway=GatewayFactory(public_id=ID, ratings={"battery_wh": 9800.0}),
            opened_at=NOW - timedelta(days=60),
        )
    return sign_in(client, "taro@example.org")


def add(app: Flask, figures: dict[str, Any] | None = None, **values: Any) -> str:
    """Add an outage of 10:02 to 14:12, 80 to 42 %; return its page's path."""
    with app.app_context(), transaction():
        home = db.session.scalars(select(Installation)).first()
        assert home
        told: dict[str, Any] = {
            "before_at": BEGAN - MINUTE,
            "began_at": BEGAN,
            "away_at": BEGAN + 249 * MINUTE,
            "ended_at": BEGAN + 250 * MINUTE,
            "soc_began": 80.0,
            "soc_ended": 42.0,
            "report": Figures(**{**FIGURES, **(figures or {})}).to_json(),
        }
        row = Outage(installation_id=home.id, gateway_id=home.gateway_id, **{**told, **values})
        db.session.add(row)
        db.session.flush()
        return f"{LIST}/{row.id}"


def text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_strangers_outages_are_not_found(app: Flask, taro: FlaskClient) -> None:
    page = add(app)
    with app.app_context(), transaction():
        hanako = CustomerFactory(email="hanako@example.org")
        InstallationFactory(account=hanako, gateway=GatewayFactory(public_id="HDM100000002"))
        DealerPersonFactory(email="sato@example.org")
    assert taro.get(page).status_code == taro.get(LIST).status_code == 200
    for email in ("hanako@example.org", "sato@example.org"):
        stranger = sign_in(app.test_client(), email)
        assert stranger.get(LIST).status_code == 404
        assert stranger.get(page).status_code == 404
        assert stranger.post(f"{LIST}/mails/off").status_code == 404
    # another's outage is none of one's own gateway
    own = sign_in(app.test_client(), "hanako@example.org")
    number = page.rpartition("/")[2]
    assert own.get(f"/monitor/HDM100000002/outages/{number}").status_code == 404


def test_it_was_never_shorter_by_more_than_was_foretold(app: Flask, taro: FlaskClient) -> None:
    at_once = {"how": EMPTY, "empty_at": BEGAN.timestamp(), "was_drained": True}
    page = add(app, {**at_once, "foretold": (36, 30, 40)}, soc_began=10.0)
    shown = text(taro.get(page).text)
    assert "約30分もつ見込みでした。実際は、それより30分短くなりました。" in shown


def test_a_home_without_outages_is_told_so(taro: FlaskClient) -> None:
    assert "停電の記録はありません" in taro.get(LIST).text


def test_the_list_says_when_how_long_and_how_it_went(app: Flask, taro: FlaskClient) -> None:
    add(app)
    add(
        app,
        {"how": EMPTY, "was_drained": True, "empty_at": (BEGAN - 29 * HOUR).timestamp()},
        before_at=BEGAN - 30 * HOUR - MINUTE,
        began_at=BEGAN - 30 * HOUR,
        away_at=BEGAN - 3 * HOUR,
        ended_at=BEGAN - 3 * HOUR + MINUTE,
    )
    shown = text(taro.get(LIST).text)
    assert "2026/11/23 10:02 4時間10分 80 % → 42 % 復電までもちました" in shown
    assert "2026/11/22 04:02 1日3時間 80 % → 42 % 途中で電気が届かなくなりました" in shown
    assert shown.index("2026/11/23 10:02") < shown.index("2026/11/22 04:02")


def test_a_long_list_has_pages_and_costs_no_more(
    app: Flask, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(app)
    taro.get(LIST)
    with counted(monkeypatch) as few:
        taro.get(LIST)
    for number in range(1, 45):
        moments = ("before_at", "began_at", "away_at", "ended_at")
        earlier = {
            name: at - number * 12 * HOUR
            for name, at in zip(
                moments, (BEGAN - MINUTE, BEGAN, BEGAN + HOUR, BEGAN + HOUR + MINUTE), strict=True
            )
        }
        add(app, **earlier)
    with counted(monkeypatch) as many:
        page = taro.get(LIST).text
    assert len(many.statements) == len(few.statements)
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older
    assert "2026/11/13" in taro.get(html.unescape(older[1])).text


def test_an_outage_is_told_in_three_sentences_beside_the_forecast(
    app: Flask, taro: FlaskClient
) -> None:
    page = taro.get(add(app)).text
    shown = text(page)
    assert "4時間10分" in shown
    assert "2026/11/23 10:02 に停電し、2026/11/23 14:12 に復電しました。" in shown
    assert "蓄電残量は 80 % から 42 % になりました。" in shown
    assert "約7時間10分もつ見込みでした。停電は、それより短く終わりました。" in shown
    assert "使った電気 2.5 kWh" in shown
    assert "その直前までの1分ほどのあいだに" in shown
    chart = json.loads(html.unescape(re.search(r"data-chart='([^']+)'", page)[1]))  # type: ignore[index]
    assert chart["labels"][:2] == ["10:02", "10:07"]
    assert [one["role"] for one in chart["series"]] == ["pv", "load", "soc"]
    # the same figures as a table
    assert "10:02 80 0.60 0.10" in shown


@pytest.mark.parametrize(
    ("figures", "values", "said"),
    [
        (
            {"how": EMPTY, "was_drained": True, "empty_at": (BEGAN + 3 * HOUR).timestamp()},
            {},
            "蓄電池は3時間もち、2026/11/23 13:02 に使い切りました。",
        ),
        (
            {"how": EMPTY, "was_drained": True, "empty_at": (BEGAN + 3 * HOUR).timestamp()},
            {},
            "実際は、それより4時間10分短くなりました。",
        ),
        (
            {"how": EMPTY, "was_drained": True, "empty_at": (BEGAN + 7 * HOUR).timestamp()},
            {"away_at": BEGAN + 9 * HOUR, "ended_at": BEGAN + 9 * HOUR + MINUTE},
            "ほぼ見込みどおりでした。",
        ),
        (
            {"how": EMPTY, "empty_at": BEGAN.timestamp()},
            {},
            "蓄電池から家に電気は届いていませんでした。",
        ),
        (
            {"how": EMPTY, "was_drained": True, "empty_at": BEGAN.timestamp()},
            {"soc_began": 10.0},
            "停電したとき、蓄電池にはほとんど残っていませんでした。",
        ),
        (
            {"how": EMPTY, "empty_at": (BEGAN + HOUR).timestamp()},
            {},
            "蓄電池から家に電気が届かなくなりました。停電から1時間後でした。",
        ),
        (
            {"how": UNKNOWN, "silent_s": 7200.0, "last_at": (BEGAN + HOUR).timestamp()},
            {"away_at": BEGAN + HOUR, "ended_at": BEGAN + 3 * HOUR},
            "2026/11/23 11:02 の蓄電残量は 42 % でした。そのあと復電までの記録がなく、",
        ),
        (
            {"how": UNKNOWN, "silent_s": 7200.0, "is_partial": True},
            {"away_at": BEGAN + HOUR, "ended_at": BEGAN + 3 * HOUR},
            "停電の長さ 1時間から3時間 2026/11/23 10:02 に停電し、"
            "2026/11/23 11:02 から 13:02 の間 に復電しました。",
        ),
        (
            {"how": UNKNOWN, "silent_s": 7200.0, "is_partial": True},
            {"away_at": BEGAN + HOUR, "ended_at": BEGAN + 3 * HOUR},
            "このうち合わせて2時間は、通信できませんでした。",
        ),
        (
            {},
            {"before_at": BEGAN - HOUR},
            "停電の長さ 4時間10分から5時間10分 2026/11/23 09:02 から 10:02 の間 に",
        ),
        (
            {},
            {"before_at": None},
            "停電の長さ 少なくとも4時間10分 2026/11/23 10:02 より前 に停電し、",
        ),
        ({"foretold": None}, {}, "停電リハーサルと比べるには、"),
        ({"foretold": (120, 100, 140)}, {}, "それより長く続きましたが、最後までもちました。"),
        ({"points": [], "how": UNKNOWN, "last_at": None}, {}, "停電のあいだの値は届いていません。"),
        ({}, {"is_cut": True}, "停電のあいだに登録が終わったため、"),
        (
            {"how": UNKNOWN},
            {"is_cut": True},
            "2026/11/23 14:11 の蓄電残量は 42 % でした。 停電リハ",
        ),
    ],
)
def test_what_is_not_known_is_said_and_never_dressed_up(
    app: Flask, taro: FlaskClient, figures: dict[str, Any], values: dict[str, Any], said: str
) -> None:
    assert said in text(taro.get(add(app, figures, **values)).text)


def test_a_moment_that_is_not_known_is_not_called_one_of_a_minute(
    app: Flask, taro: FlaskClient
) -> None:
    page = add(app, before_at=BEGAN - HOUR)
    assert "1分ほどのあいだに" not in taro.get(page).text


def test_one_that_still_stands_is_told_from_what_came_so_far(app: Flask, taro: FlaskClient) -> None:
    page = add(app, away_at=None, ended_at=None, soc_ended=None, report=None)
    with app.app_context(), transaction():
        home = db.session.scalars(select(Installation)).one()
        for minute in range(60):
            db.session.add(
                Reading(
                    gateway_id=home.gateway_id,
                    taken_at=BEGAN + minute * MINUTE,
                    pv_w=0,
                    load_w=600,
                    battery_w=600,
                    soc_pct=80 - minute / 10,
                    counters={},
                )
            )
    shown = text(taro.get(page).text)
    assert "2026/11/23 10:02 から停電しています。7時間3分たちました。" in shown
    assert "使った電気 0.6 kWh" in shown
    assert "復電した時刻 まだ復電していません" in shown
    assert "7時間3分（続いています）" in text(taro.get(LIST).text)


def test_a_dealer_and_an_operator_see_it_and_a_look_is_written_down(
    app: Flask, taro: FlaskClient
) -> None:
    page = add(app)
    with app.app_context(), transaction():
        home = db.session.scalars(select(Installation)).one()
        LinkFactory(installation=home, dealer=DealerPersonFactory(email="sato@example.org").dealer)
        OperatorFactory(email="suzuki@example.org")
    for email in ("sato@example.org", "suzuki@example.org"):
        other = sign_in(app.test_client(), email)
        assert "4時間10分" in other.get(page).text
        assert "メールを止める" not in other.get(LIST).text
        assert other.post(f"{LIST}/mails/off").status_code == 404
    with app.app_context():
        assert db.session.scalars(select(DealerLook)).one()


def test_a_former_owner_reads_their_own_and_a_buyer_none_of_it(
    app: Flask, taro: FlaskClient
) -> None:
    page = add(app)
    with app.app_context(), transaction():
        sold = db.session.scalars(select(Installation)).one()
        sold.closed_at = NOW - HOUR
        db.session.flush()
        InstallationFactory(
            account=CustomerFactory(email="hanako@example.org"),
            gateway=sold.gateway,
            opened_at=NOW - HOUR,
            claimed_sheet_id=None,
        )
        sold_id = sold.id
    assert "4時間10分" in taro.get(f"{page}?of={sold_id}").text
    assert "メールを止める" not in taro.get(f"{LIST}?of={sold_id}").text
    buyer = sign_in(app.test_client(), "hanako@example.org")
    assert buyer.get(page).status_code == 404
    assert buyer.get(f"{page}?of={sold_id}").status_code == 404
    assert "停電の記録はありません" in buyer.get(LIST).text


def test_the_owner_stops_the_mails_and_wants_them_again(app: Flask, taro: FlaskClient) -> None:
    page = taro.post(f"{LIST}/mails/off", follow_redirects=True).text
    assert "停電のメールを止めました" in page
    taro.post(f"{LIST}/mails/off")
    with app.app_context():
        assert not db.session.scalars(select(Installation)).one().mails_of_outages
    assert "停電が終わったときに" in taro.post(f"{LIST}/mails/on", follow_redirects=True).text
    with app.app_context():
        assert db.session.scalars(select(Installation)).one().mails_of_outages
        said = select(AuditEntry.action).where(AuditEntry.action.startswith("outage."))
        assert db.session.scalars(said.order_by(AuditEntry.id)).all() == [
            "outage.mails_off",
            "outage.mails_on",
        ]


@pytest.mark.parametrize("path", ["rehearsal", "history/day"])
def test_the_rehearsal_and_the_history_lead_there(taro: FlaskClient, path: str) -> None:
    assert f'href="{LIST}"' in taro.get(f"/monitor/{ID}/{path}").text


def test_the_alarm_that_told_of_it_leads_there(app: Flask, taro: FlaskClient) -> None:
    page = add(app)
    spans = ((0, 4 * HOUR), (-5, -2 * HOUR), (3, None))
    with app.app_context(), transaction():
        home = db.session.scalars(select(Installation)).one()
        for number, (begins, ends) in enumerate(spans):
            at = BEGAN + begins * HOUR
            db.session.add(
                Alarm(
                    installation_id=home.id,
                    gateway_id=home.gateway_id,
                    code=f"inverter.grid_disconnect{number}",
                    first_seen_at=at,
                    raised_at=at,
                    cleared_at=None if ends is None else BEGAN + ends,
                )
            )
    # one that stood before it was another matter
    assert taro.get(f"/alarms/{ID}").text.count(f'href="{page}"') == 2


def test_it_is_told_in_english_too(app: Flask, taro: FlaskClient) -> None:
    page = add(app)
    taro.post("/language/", data={"language": "en", "next": "/"})
    shown = text(taro.get(page).text)
    assert "4 h 10 min" in shown
    assert "expected 80 % at that time of day to last about 7 h 10 min" in shown
    assert "The power cut was over sooner." in shown
