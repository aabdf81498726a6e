"""Signing in and out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db, hasher
from app.models import Account, AuditEntry, FailureCount, Session
from app.transaction import transaction
from tests.conftest import test_settings
from tests.factories import PASSWORD, CustomerFactory, DealerPersonFactory
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
TARO = "taro@example.org"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def taro(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(CustomerFactory(email=TARO).id)


def try_in(client: FlaskClient, email: str = TARO, password: str = PASSWORD, **more: Any) -> Any:
    return client.post("/sign-in", data={"email": email, "password": password, **more})


def is_in(client: FlaskClient) -> bool:
    return client.get("/manage").status_code == 200


def sessions(app: Flask) -> list[Session]:
    with app.app_context():
        return list(db.session.scalars(db.select(Session).order_by(Session.id)))


@pytest.mark.parametrize(
    ("page", "face", "home"),
    [
        ("/sign-in", "管理・登録サイト", "/manage"),
        ("/monitor/sign-in", "モニタリングサイト", "/monitor"),
    ],
)
@pytest.mark.both_databases
def test_each_face_signs_in_under_its_own_heading_and_leads_home(
    client: FlaskClient, taro: int, page: str, face: str, home: str
) -> None:
    shown = client.get(page)
    assert shown.status_code == 200
    assert f'brand__face">{face}' in shown.text.replace("\n", "")
    answer = client.post(page, data={"email": TARO, "password": PASSWORD})
    assert (answer.status_code, answer.location.rstrip("/")) == (303, home)
    assert is_in(client)


def test_who_is_signed_in_already_is_led_on(client: FlaskClient, taro: int) -> None:
    sign_in(client, TARO)
    assert client.get("/sign-in?next=/account/").location == "/account/"
    assert client.get("/monitor/sign-in").location.rstrip("/") == "/monitor"


def test_nobody_is_signed_in_without_signing_in(client: FlaskClient, taro: int) -> None:
    assert client.get("/account/").location == "/sign-in?next=/account/"
    assert not is_in(client)


@pytest.mark.parametrize(("email", "password"), [("", PASSWORD), (TARO, ""), ("", "")])
def test_what_is_missing_is_said_at_its_field(
    client: FlaskClient, taro: int, email: str, password: str
) -> None:
    answer = try_in(client, email, password)
    assert answer.status_code == 422
    assert ("ユーザIDを入力してください。" in answer.text) == (not email)
    assert ("パスワードを入力してください。" in answer.text) == (not password)


def refusal(answer: TestResponse) -> tuple[int, str]:
    start = answer.text.index('class="error-summary"')
    return answer.status_code, answer.text[start : answer.text.index("</div>", start)]


def test_every_refusal_reads_the_same_and_keeps_the_id_but_not_the_password(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="locked@example.org", locked_at=NOW)
        DealerPersonFactory(email="closed@example.org", closed_at=NOW)
    answers = [
        try_in(client, TARO, "Wrong-88"),
        try_in(client, "nobody@example.org"),
        try_in(client, "locked@example.org"),
        try_in(client, "closed@example.org"),
        try_in(client, "4001"),
    ]
    assert len({refusal(answer) for answer in answers}) == 1
    assert refusal(answers[0])[0] == 422
    assert f'value="{TARO}"' in answers[0].text
    assert "Wrong-88" not in answers[0].text
    assert sessions(app) == []


@pytest.mark.both_databases
def test_known_and_unknown_ids_take_the_same_work(
    app: Flask, client: FlaskClient, taro: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="locked@example.org", locked_at=NOW)
        engine = db.engine
    verified: list[bool] = []
    verify = hasher.verify
    monkeypatch.setattr(
        hasher, "verify", lambda known, typed: verified.append(verify(known, typed)) or verified[-1]
    )

    def work(email: str) -> tuple[list[str], int]:
        statements: list[str] = []
        verified.clear()

        def note(*what: Any) -> None:
            statements.append(what[2].split()[0])

        event.listen(engine, "before_cursor_execute", note)
        try_in(client, email, "Wrong-88")
        event.remove(engine, "before_cursor_execute", note)
        return statements, len(verified)

    assert work(TARO) == work("nobody@example.org") == work("locked@example.org")
    assert verified == [False]


def test_failures_make_wait_whoever_is_named(
    client: FlaskClient, taro: int, clock: time_machine.Traveller
) -> None:
    for email in (TARO, "nobody@example.org"):
        for _ in range(5):
            assert try_in(client, email, "Wrong-88").status_code == 422
        # the right password does not help while one has to wait
        refused = try_in(client, email)
        assert refused.status_code == 429
        assert "1秒ほどたってから" in refused.text
        assert f'value="{email}"' in refused.text
        clock.shift(1)
        assert try_in(client, email, "Wrong-88").status_code == 422
        assert "2秒ほどたってから" in try_in(client, email).text


def test_strangers_who_guess_make_nobody_wait_at_ones_own_computer(
    app: Flask, client: FlaskClient, taro: int, clock: time_machine.Traveller
) -> None:
    sign_in(client, TARO)
    client.post("/sign-out")
    stranger = app.test_client()
    for _ in range(5):
        assert try_in(stranger, TARO, "Wrong-88").status_code == 422
    assert try_in(stranger).status_code == 429
    assert try_in(client).status_code == 303
    # a browser that was never in waits like the stranger, also one that is known for another
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
    for _ in range(5):
        try_in(stranger, TARO, "Wrong-88")
    assert try_in(app.test_client()).status_code == 429
    hanako = sign_in(app.test_client(), "hanako@example.org")
    hanako.post("/sign-out")
    assert try_in(hanako).status_code == 429


def test_a_known_browser_may_guess_no_more_than_any(
    client: FlaskClient, taro: int, clock: time_machine.Traveller
) -> None:
    for _round in range(2):
        sign_in(client, TARO)
        client.post("/sign-out")
    for _ in range(5):
        assert try_in(client, TARO, "Wrong-88").status_code == 422
    assert try_in(client).status_code == 429
    clock.shift(1)
    assert try_in(client).status_code == 303


def test_the_audit_log_tells_of_every_refused_attempt_by_ids_alone(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    try_in(client, TARO, "Wrong-88")
    try_in(client, "nobody@example.org", "Wrong-88")
    with app.app_context():
        entries = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
        told = [(one.action, one.actor_id, one.subject_id, one.detail) for one in entries]
    assert told == [("sign_in_refused", None, taro, {}), ("sign_in_refused", None, None, {})]
    assert {one.network_address for one in entries} == {"127.0.0.1"}


def test_the_same_id_typed_otherwise_is_counted_as_one(client: FlaskClient, taro: int) -> None:
    for typed in (TARO, "Taro@example.org", " ＴＡＲＯ@example.org", "taro@EXAMPLE.org", TARO):
        assert try_in(client, typed, "Wrong-88").status_code == 422
    assert try_in(client, "tARO@example.org").status_code == 429


def test_one_network_address_may_not_try_many_ids(
    app: Flask, client: FlaskClient, taro: int, clock: time_machine.Traveller
) -> None:
    for n in range(30):
        assert try_in(client, f"person{n}@example.org").status_code == 422
    assert try_in(client).status_code == 429
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    assert try_in(elsewhere).status_code == 303


def test_a_success_forgives_the_account_but_not_the_address(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    for _ in range(4):
        try_in(client, TARO, "Wrong-88")
    assert try_in(client).status_code == 303
    with app.app_context():
        counts = {row.subject: row.failures for row in db.session.query(FailureCount)}
    assert counts == {"address:127.0.0.1": 4}


@pytest.mark.both_databases
def test_parallel_guesses_do_not_slip_under_the_limit(app: Flask, taro: int) -> None:
    together = Barrier(16)

    def guess(n: int) -> int:
        browser = app.test_client()
        together.wait()
        return int(try_in(browser, TARO, f"Wrong-{n:02}").status_code)

    with time_machine.travel(NOW, tick=False), ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(guess, range(16)))
    assert sorted(statuses) == [422] * 5 + [429] * 11


def test_an_attempt_that_cannot_be_counted_is_not_made(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE failure_counts RENAME TO lost")
    try:
        answer = try_in(client)
        assert answer.status_code == 503
        assert f'value="{TARO}"' in answer.text
        assert not is_in(client)
    finally:
        with app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE lost RENAME TO failure_counts")


FOREIGN = [
    "//evil.example.net",
    "///evil.example.net",
    "/\\evil.example.net",
    "\\\\evil.example.net",
    "/\t/evil.example.net",
    "/\n/evil.example.net",
    "\t//evil.example.net",
    "\x00//evil.example.net",
    "http:evil.example.net",
    "http://evil.example.net",
    "https:/evil.example.net",
    "javascript:alert(1)",
    "evil.example.net",
    "//[evil",
    "/sign-out",
    "/nowhere",
    "",
]


def test_signing_in_leads_to_pages_of_ours_only(client: FlaskClient, taro: int) -> None:
    for target in FOREIGN:
        answer = try_in(client, next=target)
        led = (answer.status_code, answer.location.rstrip("/"))
        assert led == (303, "/manage"), target
        again = client.get("/sign-in", query_string={"next": target})
        assert again.location.rstrip("/") == "/manage", target


def test_signing_in_leads_back_to_the_page_asked_for(client: FlaskClient, taro: int) -> None:
    asked = client.get("/account/?a=1&b=%E4%BA%AC").location
    assert asked.startswith("/sign-in?next=")
    shown = client.get(asked).text
    assert 'name="next"' in shown
    assert "/account/?a=1&amp;b=%E4%BA%AC" in shown
    assert try_in(client, next="/account/?a=1&b=%E4%BA%AC").location == "/account/?a=1&b=%E4%BA%AC"


def test_a_session_begun_before_signing_in_is_worth_nothing_after(app: Flask, taro: int) -> None:
    """Session fixation: who planted a cookie knows nothing of the one that signs in."""
    attacker, victim = app.test_client(), app.test_client()
    attacker.post("/language/", data={"language": "en", "next": "/sign-in"})
    planted = attacker.get_cookie("hidamari")
    assert planted
    victim.set_cookie("hidamari", planted.value)
    with victim.session_transaction() as before:
        before["left_by_somebody"] = "1"
        before["registration_draft"] = "token-of-the-wizard"
    sign_in(victim, TARO)
    assert not is_in(attacker)
    with victim.session_transaction() as after:
        assert "left_by_somebody" not in after
        assert "csrf_token" not in after
        assert after["language"] == "en"
        assert after["registration_draft"] == "token-of-the-wizard"


def test_signing_in_twice_ends_the_first_session_of_the_browser(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    sign_in(client, TARO)
    first = client.get_cookie("hidamari")
    assert first
    sign_in(client, TARO)
    assert [bool(row.ended_at) for row in sessions(app)] == [True, False]
    thief = app.test_client()
    thief.set_cookie("hidamari", first.value)
    assert not is_in(thief)
    assert is_in(client)


def test_signing_out_ends_the_row_and_the_cookie_with_it(
    app: Flask, client: FlaskClient, taro: int
) -> None:
    sign_in(client, TARO)
    kept = client.get_cookie("hidamari")
    assert kept
    assert client.get("/sign-out").status_code == 405
    assert is_in(client)
    assert client.post("/sign-out").location == "/sign-in"
    assert not is_in(client)
    client.set_cookie("hidamari", kept.value)
    assert not is_in(client)
    assert sessions(app)[0].ended_at


def test_signing_out_of_the_monitor_shows_its_sign_in_page(client: FlaskClient, taro: int) -> None:
    sign_in(client, TARO)
    answer = client.post("/sign-out", headers={"Referer": "http://localhost/monitor/HDM000000001"})
    assert answer.location == "/monitor/sign-in"


@pytest.mark.parametrize("mark", ["locked_at", "closed_at"])
def test_locking_or_closing_ends_every_session_with_the_very_next_request(
    app: Flask, client: FlaskClient, taro: int, mark: str
) -> None:
    sign_in(client, TARO)
    with app.app_context(), transaction():
        setattr(db.session.get_one(Account, taro), mark, NOW)
    assert not is_in(client)


def test_a_page_that_polls_keeps_its_session_alive(
    app: Flask, client: FlaskClient, taro: int, clock: time_machine.Traveller
) -> None:
    sign_in(client, TARO)
    for day in range(29, 88, 29):
        clock.move_to(NOW + timedelta(days=day))
        assert client.get("/account/", headers={"HX-Request": "true"}).status_code == 200
        assert sessions(app)[0].last_seen_at == NOW + timedelta(days=day)
    clock.move_to(NOW + timedelta(days=90))
    assert not is_in(client)


def test_a_poll_writes_no_cookie(client: FlaskClient, taro: int) -> None:
    """Or its answer, late, would undo what another tab did meanwhile."""
    sign_in(client, TARO)
    client.get("/account/")
    assert "Set-Cookie" not in client.get("/account/").headers


def test_staff_are_asked_again_after_half_a_day(
    app: Flask, client: FlaskClient, clock: time_machine.Traveller
) -> None:
    with app.app_context(), transaction():
        DealerPersonFactory(email="dealer@example.org")
    sign_in(client, "dealer@example.org")
    clock.shift(timedelta(hours=11))
    assert is_in(client)
    clock.shift(timedelta(hours=12))
    assert not is_in(client)


def test_a_poll_that_is_signed_out_leads_the_page_to_its_sign_in(client: FlaskClient) -> None:
    answer = client.get(
        "/account/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://localhost/account/?a=1"},
    )
    assert (answer.status_code, answer.text) == (204, "")
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/account/?a%3D1"


def test_a_poll_does_not_lead_where_a_foreign_page_says(client: FlaskClient) -> None:
    answer = client.get(
        "/account/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://evil.example.net/account/"},
    )
    assert answer.headers["HX-Redirect"] == "/sign-in"


def test_a_field_check_that_is_signed_out_leaves_the_form_alone(client: FlaskClient) -> None:
    answer = client.post("/account/password", data={"a": "b"}, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.text) == (204, "")
    assert "HX-Redirect" not in answer.headers


def test_what_the_host_header_says_is_in_no_answer(client: FlaskClient, taro: int) -> None:
    for host in ("evil.example.net", "localhost.evil.example.net", "localhost@evil.example.net"):
        for method in ("GET", "POST"):
            answer = client.open("/sign-in", method=method, headers={"Host": host})
            assert answer.status_code == 400
            assert "evil" not in answer.text + str(answer.headers)
    answer = client.get("/account/", headers={"X-Forwarded-Host": "evil.example.net"})
    assert answer.location == "/sign-in?next=/account/"


def test_the_audit_log_tells_of_sign_ins(app: Flask, client: FlaskClient, taro: int) -> None:
    sign_in(client, TARO)
    with app.app_context():
        entry = db.session.query(AuditEntry).one()
        assert (entry.action, entry.actor_id, entry.network_address) == (
            "signed_in",
            taro,
            "127.0.0.1",
        )


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    database_url: str, tmp_path: Path
) -> None:
    app = create_app(
        test_settings(
            database_url, tmp_path, base_url="https://portal.example.org", secret_key="x" * 40
        )
    )
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), transaction():
        CustomerFactory(email=TARO)
    client = app.test_client()
    answer = client.post(
        "/sign-in",
        base_url="https://portal.example.org",
        data={"email": TARO, "password": PASSWORD},
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-hidamari=")
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    with app.app_context():
        db.engine.dispose()
