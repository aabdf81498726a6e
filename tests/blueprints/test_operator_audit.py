"""The audit log: found, read, written out."""

import ast
import csv
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TypeGuard

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.blueprints.operator.audit_words import ACTIONS, SUBJECTS
from app.domain import audit
from app.extensions import db
from app.models import Account, AuditEntry
from app.transaction import transaction
from tests.counting import counted
from tests.factories import CustomerFactory, DealerPersonFactory, OperatorFactory
from tests.signing_in import sign_in

APP = Path(__file__).parents[2] / "app"
NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
        CustomerFactory(id=77, email="taro@example.org")
    return sign_in(app.test_client(), "operator@example.org")


@pytest.fixture
def many(app: Flask, operator: FlaskClient) -> None:
    """Five thousand entries of one customer, one a minute, and one of somebody unknown."""
    with app.app_context(), transaction():
        db.session.execute(
            insert(AuditEntry),
            [
                {
                    "at": NOON - timedelta(minutes=5000 - number),
                    "actor_id": 77,
                    "action": "site.edited",
                    "subject": "installation",
                    "subject_id": number,
                    "network_address": "192.0.2.1",
                    "detail": {},
                }
                for number in range(1, 5001)
            ],
        )
        audit.record(
            "=cmd|' /C calc'!A0",
            actor_id=None,
            subject="account",
            subject_id=None,
            network_address="@SUM(1)",
            now=NOON - timedelta(days=30),
            note="-1+1\n改行",
        )


def test_entries_speak_words_and_name_the_actors_present_address(
    app: Flask, operator: FlaskClient
) -> None:
    page = operator.get("/operator/audit").text
    for words in ("ログインした", "operator@example.org", "ログイン 1"):
        assert words in page
    with app.app_context(), transaction():
        db.session.execute(
            db.update(Account).where(Account.id == 77).values(closed_at=NOON, email="gone@x")
        )
        audit.record("account.edited", actor_id=77, subject="account", subject_id=77, now=NOON)
    page = operator.get("/operator/audit").text
    assert "ID 77" in page
    assert "gone@x" not in page


def test_five_thousand_entries_cost_as_many_queries_as_one(
    operator: FlaskClient, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with counted(monkeypatch) as few:
        operator.get("/operator/audit")
    request.getfixturevalue("many")
    with counted(monkeypatch) as work:
        assert "taro@example.org" in operator.get("/operator/audit?action=site.edited").text
    assert len(work.statements) == len(few.statements)


@pytest.mark.both_databases
@pytest.mark.usefixtures("many")
def test_search_and_paging_work_with_and_without_javascript(operator: FlaskClient) -> None:
    for path in ("/operator/audit", "/operator/audit/list"):
        base = f"{path}?action=site.edited"
        first = operator.get(base).text
        assert "案件 5000" in first
        assert "案件 4980" not in first
        older = re.search(r'before=([^"&]+)', first)
        assert older
        assert "案件 4980" in operator.get(f"{base}&before={older[1]}").text
        for actor in ("77", "TARO@example.org"):
            assert "案件 5000" in operator.get(f"{path}?actor={actor}").text
        one = operator.get(f"{path}?subject=installation&subject_id=4321").text
        assert "案件 4321" in one
        assert "案件 4320" not in one
        old = operator.get(f"{path}?until=2026-11-01").text
        assert "サービス、または未登録の方" in old
        assert "案件" not in re.sub(r"<option.*?</option>", "", old)
        for nothing in ("actor=nobody@example.org", "subject_id=x", "subject_id=9999999999"):
            assert "見つかりませんでした" in operator.get(f"{path}?{nothing}").text
        rubbish = f"{path}?action=%00&actor=%00&subject=x&since=x&until=9999-99-99&before=x&after=1"
        assert operator.get(rubbish).status_code == 200
    partial = operator.get("/operator/audit/list?actor=77&since=2026-11-01")
    assert partial.headers["HX-Replace-Url"] == "/operator/audit?actor=77&since=2026-11-01"
    assert "<html" not in partial.text


@pytest.mark.both_databases
@pytest.mark.usefixtures("many")
def test_everything_found_is_written_out_safe_for_spreadsheets(operator: FlaskClient) -> None:
    answer = operator.get("/operator/audit.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment; filename=" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    raw = answer.get_data()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in raw
    rows = list(csv.reader(StringIO(raw.decode("utf-8-sig"), newline="")))
    assert rows[0][:4] == ["日時", "操作", "操作の名前", "操作した人のID"]
    # the sign-in of who asks is the newest
    assert len(rows) == 1 + 1 + 5000 + 1
    assert rows[2][:4] == ["2026/11/22 12:00:00", "site.edited", "設置先を変更した", "77"]
    assert [row[5] for row in rows[2:5002]] == [str(number) for number in range(5000, 0, -1)]
    assert rows[-1][1] == "'=cmd|' /C calc'!A0"
    assert rows[-1][6] == "'@SUM(1)"
    assert "example.org" not in raw.decode()
    few = operator.get("/operator/audit.csv?subject=installation&subject_id=4321").text
    assert few.count("\r\n") == 2


def test_every_action_and_subject_that_is_written_has_its_words() -> None:
    """Find the codes in the portal's source: what is handed to `record`, or to what calls it."""
    actions, subjects = set(), set()
    for path in APP.rglob("*.py"):
        for call in [one for one in ast.walk(ast.parse(path.read_text("utf-8"))) if calls(one)]:
            actions |= texts(call.args[:1])
            subjects |= texts([one.value for one in call.keywords if one.arg == "subject"])
    assert len(actions) > 50
    assert actions - set(ACTIONS) == set()
    assert subjects - set(SUBJECTS) == set()


def calls(node: ast.AST) -> TypeGuard[ast.Call]:
    named = re.compile(r"(^|\.|_)record$")
    return isinstance(node, ast.Call) and named.search(ast.unparse(node.func)) is not None


def texts(nodes: list[ast.expr]) -> set[str]:
    """Return the texts written there, whichever is chosen when it runs."""
    return {
        one.value
        for node in nodes
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def test_to_everybody_but_operators_there_are_no_such_pages(
    app: Flask, operator: FlaskClient, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        DealerPersonFactory(email="dealer@example.org")
    strangers = [sign_in(app.test_client(), f"{who}@example.org") for who in ("taro", "dealer")]
    for path in ("/audit", "/audit/list", "/audit.csv"):
        assert operator.get(f"/operator{path}").status_code == 200
        assert client.get(f"/operator{path}").location.startswith("/sign-in")
        for stranger in strangers:
            assert stranger.get(f"/operator{path}").status_code == 404
