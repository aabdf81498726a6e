"""The API: what a token opens, what it does not, and what each answer says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from limits.storage import RedisStorage
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app import create_app
from app.domain import api_tokens, energy_totals
from app.domain.energy_totals import Settled
from app.domain.half_hours import BALANCE, COUNTER, HELD, Energy, HalfHour
from app.extensions import db, limiter
from app.models import (
    Account,
    ApiToken,
    DealerLook,
    Gateway,
    Installation,
    Latest,
    MaintenanceLink,
)
from app.transaction import transaction
from tests.conftest import test_settings
from tests.counting import counted
from tests.factories import (
    LONG_AGO,
    ApiTokenFactory,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
)
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
HOME = "HDM7Q2KX94TP"
TOKENS = {name: f"hdm_{name:x<43}" for name in ("taro", "hanako", "dealer", "operator")}
DAYS = "period=day&from=2026-11-20&to=2026-11-22"


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def uncounted(app: Flask) -> None:
    """Forget what other tests asked: an application is kept from test to test."""
    limiter.reset()


@pytest.fixture
def api(app: Flask, client: FlaskClient) -> "Api":
    """Give taro's home, with what it measured, and everybody's tokens."""
    with app.app_context(), transaction():
        taro = CustomerFactory()
        dealer = DealerFactory()
        home = InstallationFactory(
            account=taro,
            gateway=GatewayFactory(public_id=HOME),
            opened_at=datetime(2026, 9, 30, 15, tzinfo=UTC),
        )
        LinkFactory(installation=home, dealer=dealer)
        owners = {
            "taro": taro,
            "hanako": CustomerFactory(),
            "dealer": DealerPersonFactory(dealer=dealer),
            "operator": OperatorFactory(),
        }
        for name, shown in TOKENS.items():
            ApiTokenFactory(account=owners[name], text=shown)
        measure(home)
    return Api(client)


def measure(home: Installation) -> None:
    """Write half an hour at noon on the 20th, and what the gateway says now."""
    noon = datetime(2026, 11, 20, 3, tzinfo=UTC).timestamp()
    energy = {
        "pv_wh": Energy(1200.0, 1800.0, 0.0, COUNTER),
        "load_wh": Energy(300.5, 600.0, 600.0, COUNTER | BALANCE | HELD),
        "export_wh": Energy(1000.0, 1800.0, 0.0, COUNTER),
    }
    energy_totals.write(
        [Settled(home.gateway_id, "Asia/Tokyo", [HalfHour(noon, home.id, 50, energy)])]
    )
    db.session.execute(
        insert(Latest).values(
            gateway_id=home.gateway_id,
            taken_at=NOW - timedelta(seconds=30),
            state="normal",
            alarms=[],
            pv_now_w=2345.67,
            load_now_w=500.0,
            sold_now_w=1800.0,
            bought_now_w=0.0,
            battery_now_w=-45.6,
            soc_pct=61.4,
            day=NOW.date(),
            installation_id=home.id,
            pv_today_wh=1200.0,
        )
    )


class Api:
    """A program that shows a token."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, who: str = "taro", shown: str | None = None) -> TestResponse:
        token = TOKENS[who] if shown is None else shown
        return self.client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})


def problem(answer: TestResponse, status: int) -> dict[str, Any]:
    """Return the problem document of an answer that has this status."""
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.get_json(force=True)
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    return dict(told)


def test_the_gateways_of_an_account_are_listed(api: Api) -> None:
    told = api.get("/gateways").get_json()
    assert told == {
        "gateways": [
            {"id": HOME, "site_name": "山田邸", "zone": "Asia/Tokyo", "state": "ok"},
        ],
        "next_cursor": None,
    }
    assert api.get("/gateways", "hanako").get_json()["gateways"] == []
    assert [one["id"] for one in api.get("/gateways", "dealer").get_json()["gateways"]] == [HOME]


def test_what_was_measured_last_is_told_with_units_and_nulls(api: Api) -> None:
    told = api.get(f"/gateways/{HOME}/latest").get_json()
    assert told == {
        "id": HOME,
        "site_name": "山田邸",
        "zone": "Asia/Tokyo",
        "state": "ok",
        "taken_at": "2026-11-22T09:04:30Z",
        "is_current": True,
        "pv_w": 2345.7,
        "load_w": 500.0,
        "grid_w": -1800.0,
        "battery_w": -45.6,
        "soc_pct": 61,
        "today": {
            "pv_wh": 1200.0,
            "load_wh": None,
            "import_wh": None,
            "export_wh": None,
            "charge_wh": None,
            "discharge_wh": None,
        },
    }


def test_a_gateway_that_was_never_heard_of_tells_nothing(app: Flask, api: Api) -> None:
    with app.app_context(), transaction():
        db.session.execute(text("delete from latest"))
    told = api.get(f"/gateways/{HOME}/latest").get_json()
    assert told["state"] == "new"
    assert told["is_current"] is False
    assert {told[name] for name in ("taken_at", "pv_w", "load_w", "grid_w", "soc_pct")} == {None}


def test_days_are_told_with_coverage_and_what_is_not_known_is_null(api: Api) -> None:
    told = api.get(f"/gateways/{HOME}/history?{DAYS}").get_json()
    known, unknown, today = told["rows"]
    nothing = {"wh": None, "measured_s": 0, "filled_s": 0, "methods": []}
    assert (told["id"], told["zone"], told["period"]) == (HOME, "Asia/Tokyo", "day")
    assert known == {
        "start": "2026-11-20",
        "seconds": 86400,
        "self_wh": 200.0,
        "pv_wh": {"wh": 1200.0, "measured_s": 1800, "filled_s": 0, "methods": ["counter"]},
        "load_wh": {
            "wh": 300.5,
            "measured_s": 600,
            "filled_s": 600,
            "methods": ["counter", "balance", "held"],
        },
        "import_wh": nothing,
        "export_wh": {"wh": 1000.0, "measured_s": 1800, "filled_s": 0, "methods": ["counter"]},
        "charge_wh": nothing,
        "discharge_wh": nothing,
    }
    assert (unknown["start"], unknown["pv_wh"], unknown["self_wh"]) == ("2026-11-21", nothing, None)
    assert today["start"] == "2026-11-22"


def test_half_hours_are_keyed_by_their_start_in_utc(api: Api) -> None:
    rows = api.get(
        f"/gateways/{HOME}/history?period=half_hour&from=2026-11-20&to=2026-11-20"
    ).get_json()["rows"]
    assert len(rows) == 48
    assert rows[0]["start"] == "2026-11-19T15:00:00Z"
    [noon] = [row for row in rows if row["pv_wh"]["wh"] is not None]
    assert (noon["start"], noon["seconds"]) == ("2026-11-20T03:00:00Z", 1800)


def test_months_are_whole_and_sum_their_days(api: Api) -> None:
    rows = api.get(
        f"/gateways/{HOME}/history?period=month&from=2026-10-20&to=2026-11-01"
    ).get_json()["rows"]
    assert [(row["start"], row["seconds"], row["pv_wh"]["wh"]) for row in rows] == [
        ("2026-10", 31 * 86400, None),
        ("2026-11", 30 * 86400, 1200.0),
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("period=day&from=0001-01-01&to=0001-01-31", []),
        ("period=month&from=9999-12-01&to=9999-12-31", []),
        ("period=half_hour&from=9999-12-31&to=9999-12-31", []),
        ("period=day&from=2026-09-29&to=2026-10-01", ["2026-10-01"]),
        ("period=month&from=2026-01-01&to=2026-10-31", ["2026-10"]),
        ("period=day&from=2026-11-22&to=2026-11-30", ["2026-11-22"]),
    ],
)
def test_history_is_from_the_first_day_of_ones_own_until_today(
    api: Api, asked: str, expected: list[str]
) -> None:
    told = api.get(f"/gateways/{HOME}/history?{asked}").get_json()
    assert [row["start"] for row in told["rows"]] == expected


def test_half_hours_of_today_end_with_the_present_one(api: Api) -> None:
    asked = "period=half_hour&from=2026-11-22&to=2026-11-22"
    rows = api.get(f"/gateways/{HOME}/history?{asked}").get_json()["rows"]
    assert rows[-1]["start"] == "2026-11-22T09:00:00Z"


def test_a_former_owners_figures_are_not_the_next_ones(app: Flask, api: Api) -> None:
    with app.app_context(), transaction():
        db.session.execute(update(Installation).values(closed_at=NOW))
        hanako = db.session.get_one(Account, 2)
        home = db.session.query(Gateway).filter_by(public_id=HOME).one()
        InstallationFactory(account=hanako, gateway=home, opened_at=LONG_AGO, claimed_sheet_id=None)
    problem(api.get(f"/gateways/{HOME}/history?{DAYS}"), 404)
    rows = api.get(f"/gateways/{HOME}/history?{DAYS}", "hanako").get_json()["rows"]
    assert [row["pv_wh"]["wh"] for row in rows] == [None] * 3


# ---- who may --------------------------------------------------------------------------------

PATHS = ("/gateways", f"/gateways/{HOME}/latest", f"/gateways/{HOME}/history?{DAYS}")


@pytest.mark.parametrize("path", PATHS)
def test_without_a_good_token_there_is_nothing(api: Api, path: str) -> None:
    answer = api.client.get(f"/api/v1{path}")
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    for shown in ("", "x", "hdm_short", f"hdm_{'y' * 43}", "hdm_" + "語" * 43, TOKENS["operator"]):
        answer = api.get(path, shown=shown)
        problem(answer, 401)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    basic = {"Authorization": f"Basic {TOKENS['taro']}"}
    problem(api.client.get(f"/api/v1{path}", headers=basic), 401)


@pytest.mark.parametrize(
    "change",
    [
        update(ApiToken).values(revoked_at=NOW),
        update(ApiToken).values(expires_at=NOW),
        update(Account).values(locked_at=NOW),
        update(Account).values(closed_at=NOW),
    ],
    ids=["revoked", "expired", "locked", "closed"],
)
def test_what_is_over_is_over_with_the_very_next_request(app: Flask, api: Api, change: Any) -> None:
    assert api.get("/gateways").status_code == 200
    with app.app_context(), transaction():
        db.session.execute(change)
    problem(api.get("/gateways"), 401)


@pytest.mark.parametrize(("path", "scope"), [(PATHS[1], "latest"), (PATHS[2], "history")])
def test_a_token_opens_what_its_scopes_say(app: Flask, api: Api, path: str, scope: str) -> None:
    others = [one for one in ("latest", "history", "alarms") if one != scope]
    for scopes, status in (([scope], 200), (others, 403)):
        with app.app_context(), transaction():
            db.session.execute(update(ApiToken).values(scopes=scopes))
        answer = api.get(path)
        assert answer.status_code == status
        assert api.get("/gateways").status_code == 200
    assert scope in problem(answer, 403)["detail"]
    assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", PATHS[1:])
def test_a_strangers_gateway_is_not_found(api: Api, path: str) -> None:
    assert problem(api.get(path, "hanako"), 404) == problem(
        api.get(path.replace(HOME, "HDM000000000"), "hanako"), 404
    )
    for nothing in ("x", "%00", HOME.lower(), f"{HOME}0", "%E8%AA%9E"):
        problem(api.get(path.replace(HOME, nothing)), 404)


def test_a_dealer_reads_as_long_as_the_link_stands(app: Flask, api: Api) -> None:
    for path in PATHS:
        assert api.get(path, "dealer").status_code == 200
    with app.app_context():
        # its owner sees that the dealer looked, once a day
        assert db.session.scalar(select(func.count()).select_from(DealerLook)) == 1
    with app.app_context(), transaction():
        db.session.execute(update(MaintenanceLink).values(ended_at=NOW, how_ended="unlinked"))
    assert api.get(PATHS[0], "dealer").get_json()["gateways"] == []
    for path in PATHS[1:]:
        problem(api.get(path, "dealer"), 404)


def test_no_cookie_counts_and_none_is_set(app: Flask, api: Api) -> None:
    with app.app_context():
        email = db.session.get_one(Account, 1).email
    browser = sign_in(app.test_client(), email)
    assert browser.get("/gateways").status_code == 200
    answer = browser.get("/api/v1/gateways")
    problem(answer, 401)
    for one in (answer, api.get("/gateways"), api.get("/openapi.json")):
        assert "Set-Cookie" not in one.headers
        assert "Cookie" not in one.headers.get("Vary", "")
        assert not [name for name in dict(one.headers) if name.startswith("Access-Control")]
    # and the session goes on as if nothing had been
    assert browser.get("/gateways").status_code == 200


def test_the_last_use_is_shown_to_its_owner(app: Flask, api: Api) -> None:
    api.get("/gateways")
    with app.app_context():
        used = db.session.query(ApiToken).filter_by(account_id=1).one()
        assert used.last_used_at == NOW


# ---- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/gateways?limit=0", ["limit"]),
        ("/gateways?limit=101", ["limit"]),
        ("/gateways?limit=", ["limit"]),
        ("/gateways?limit=ten&cursor=x", ["cursor", "limit"]),
        ("/gateways?cursor=", ["cursor"]),
        ("/gateways?page=2", ["page"]),
        ("/gateways?limit=1&limit=2", ["limit"]),
        (f"{PATHS[1]}?x=1", ["x"]),
        (f"/gateways/{HOME}/history", ["from", "to", "period"]),
        (f"/gateways/{HOME}/history?period=year&from=2026-11-01&to=2026-11-02", ["period"]),
        (f"/gateways/{HOME}/history?period=day&from=20261101&to=2026-13-01", ["from", "to"]),
        (f"/gateways/{HOME}/history?period=day&from=2026-11-02&to=2026-11-01", ["to"]),
        (f"/gateways/{HOME}/history?period=half_hour&from=2026-10-01&to=2026-11-01", ["to"]),
        (f"/gateways/{HOME}/history?period=day&from=2025-11-21&to=2026-11-22", ["to"]),
        (f"/gateways/{HOME}/history?period=month&from=2016-11-30&to=2026-11-01", ["to"]),
    ],
)
def test_wrong_parameters_are_named(api: Api, path: str, wrong: list[str]) -> None:
    told = problem(api.get(path), 422)
    assert [error["parameter"] for error in told["errors"]] == wrong


@pytest.mark.parametrize(
    "asked",
    [
        "period=half_hour&from=2026-10-23&to=2026-11-22",
        "period=day&from=2025-11-22&to=2026-11-22",
        "period=month&from=2016-12-31&to=2026-11-01",
    ],
)
def test_as_much_as_the_limits_say_is_answered(api: Api, asked: str) -> None:
    assert api.get(f"/gateways/{HOME}/history?{asked}").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/gateways", f"/gateways/{HOME}/latest", "/openapi.json"])
def test_nothing_can_be_written(api: Api, method: str, path: str) -> None:
    answer = api.client.open(
        f"/api/v1{path}", method=method, headers={"Authorization": f"Bearer {TOKENS['taro']}"}
    )
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_what_there_is_not_is_told_as_a_problem(api: Api) -> None:
    for path in ("/nothing", "/gateways/", f"/gateways/{HOME}"):
        problem(api.get(path), 404)


@pytest.mark.parametrize(
    ("failure", "status"),
    [(OperationalError("select", {}, Exception()), 503), (RuntimeError("a secret"), 500)],
)
def test_what_fails_on_our_side_is_told_without_its_reason(
    api: Api, monkeypatch: pytest.MonkeyPatch, failure: Exception, status: int
) -> None:
    def fail(*_asked: object) -> None:
        raise failure

    monkeypatch.setattr(api_tokens, "find", fail)
    answer = api.get("/gateways")
    problem(answer, status)
    assert "secret" not in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_limiter_that_is_away_lets_nothing_through(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = RedisStorage("redis://127.0.0.1:1/0", socket_connect_timeout=1)
    with monkeypatch.context() as patch:
        patch.setattr(limiter.limiter, "storage", away)
        for path in ("/gateways", "/openapi.json"):
            answer = api.get(path)
            problem(answer, 503)
            assert int(answer.headers["Retry-After"]) > 0


# ---- limits ---------------------------------------------------------------------------------


def test_each_answer_says_what_is_left(api: Api) -> None:
    answers = [api.get("/gateways"), api.get(f"/gateways/{HOME}/latest"), api.get("/gateways?x=1")]
    assert {one.headers["RateLimit-Policy"] for one in answers} == {'"60-per-60s";q=60;w=60'}
    left = [one.headers["RateLimit"].split(";")[1] for one in answers]
    assert left == ["r=59", "r=58", "r=57"]
    assert api.get("/gateways", "hanako").headers["RateLimit"].split(";")[1] == "r=59"
    assert "RateLimit" in api.client.get("/api/v1/gateways").headers
    assert "RateLimit" in api.get("/openapi.json").headers


def test_a_token_that_asks_too_often_waits_and_others_do_not(
    database_url: str, api: Api, tmp_path: Path
) -> None:
    other = create_app(test_settings(database_url, tmp_path, api_rate_limit="3 per minute"))
    few = Api(other.test_client())
    assert [few.get("/gateways").status_code for _try in range(4)] == [200, 200, 200, 429]
    answer = few.get(f"/gateways/{HOME}/latest")
    problem(answer, 429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert ";r=0;" in answer.headers["RateLimit"]
    assert few.get("/gateways", "hanako").status_code == 200
    with time_machine.travel(NOW + timedelta(seconds=61), tick=False):
        assert few.get("/gateways").status_code == 200


def test_tokens_of_one_account_share_what_it_may_ask(
    database_url: str, api: Api, tmp_path: Path
) -> None:
    other = create_app(test_settings(database_url, tmp_path, api_rate_limit="3 per minute"))
    with other.app_context(), transaction():
        taro = db.session.scalars(
            select(Account).join(ApiToken, ApiToken.account_id == Account.id).order_by(ApiToken.id)
        ).first()
        ApiTokenFactory(account=taro, text=f"hdm_{'second':x<43}")
    few = Api(other.test_client())
    second = f"hdm_{'second':x<43}"
    answers = [few.get("/gateways"), few.get("/gateways", shown=second), few.get("/gateways")]
    assert [one.status_code for one in answers] == [200, 200, 200]
    # what is left is the account's, where that is less than the token's
    assert [one.headers["RateLimit"].split(";")[1] for one in answers] == ["r=2", "r=1", "r=0"]
    problem(few.get("/gateways", shown=second), 429)
    assert few.get("/gateways", "hanako").status_code == 200


def test_whoever_guesses_tokens_waits_and_no_token_is_looked_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    guesses = [api.get("/gateways", shown=f"hdm_{number:0>43}") for number in range(31)]
    assert [one.status_code for one in guesses] == [401] * 30 + [429]
    assert int(guesses[-1].headers["Retry-After"]) > 0
    assert guesses[-1].headers["RateLimit-Policy"] == '"30-per-60s";q=30;w=60'
    with counted(monkeypatch) as work:
        problem(api.get("/gateways", shown=f"hdm_{'z' * 43}"), 429)
    assert work.statements == []
    # elsewhere a good token is as good as before
    elsewhere = {"REMOTE_ADDR": "198.51.100.7"}
    told = api.client.get(
        "/api/v1/gateways",
        headers={"Authorization": f"Bearer {TOKENS['taro']}"},
        environ_base=elsewhere,
    )
    assert told.status_code == 200


# ---- work -----------------------------------------------------------------------------------


def test_a_call_costs_the_same_few_queries_whatever_there_is(
    app: Flask, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.get("/gateways")

    def amounts() -> list[int]:
        found = []
        months = f"/gateways/{HOME}/history?period=month&from=2026-01-01&to=2026-11-22"
        for path in (*PATHS, months):
            with counted(monkeypatch) as work:
                assert api.get(path).status_code == 200
            found.append(len(work.statements))
        return found

    few = amounts()
    # who asks; then the list, the values, or installation and two of energy
    assert few == [2, 2, 4, 4]
    with app.app_context(), transaction():
        homes(500)
    assert amounts() == few


def homes(number: int) -> None:
    """Give taro more homes, by two statements."""
    gateways = [
        {
            "public_id": f"HDX{one:09d}",
            "model": "HDM-GW1",
            "serial": f"{one}",
            "endpoint": "tcp://127.0.0.1:1502/1",
            "profile": "sunspec",
            "created_at": LONG_AGO,
        }
        for one in range(number)
    ]
    ids = db.session.scalars(insert(Gateway).returning(Gateway.id), gateways).all()
    address = {"postal_code": "", "prefecture": "", "city": "", "street": "", "building": ""}
    db.session.execute(
        insert(Installation),
        [
            {
                "gateway_id": gateway_id,
                "account_id": 1,
                "site_name": "家",
                "zone": "Asia/Tokyo",
                "opened_at": LONG_AGO,
                "claimed_from": "",
                **address,
            }
            for gateway_id in ids
        ],
    )


@pytest.mark.both_databases
def test_a_long_list_is_walked_page_by_page_and_nothing_is_told_twice(app: Flask, api: Api) -> None:
    with app.app_context(), transaction():
        homes(249)
    told: list[str] = []
    cursor = ""
    for _page in range(3):
        page = api.get(f"/gateways?limit=100{cursor}").get_json()
        told += [one["id"] for one in page["gateways"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert len(told) == len(set(told)) == 250
    assert told == sorted(told)


# ---- what people see ------------------------------------------------------------------------


def test_the_address_leads_people_to_the_page_that_explains_it(client: FlaskClient) -> None:
    for path in ("/api/v1", "/api/v1/"):
        assert client.get(path).location == "/api"
    assert "curl -H" in client.get("/api").text
    page = client.get("/api", headers={"Accept-Language": "en"}).text
    assert "How to use the API" in page
    assert "http://localhost/api/v1/gateways" in page
