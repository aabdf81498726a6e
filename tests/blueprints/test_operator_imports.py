"""Import of gateways by upload: look, start, follow, print, confirm."""

import re
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.blueprints.operator.forms import LONGEST_FILE
from app.domain import device_credentials, imports, sheets
from app.extensions import db
from app.jobs.imports import run_due
from app.models import AuditEntry, Gateway, GatewayImport, SealedSheet
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.signing_in import sign_in

HEADINGS = "id,model,serial,endpoint,profile"
GOOD = "HDM4A7K20931,HDM-G2,A0123456,tcp://192.0.2.7:502/1,sunspec"
OTHER = "HDM4A7K20932,HDM-G2,A0123457,tcp://192.0.2.8:502/1,sunspec"
PASSWORD = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]\b")


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        TermsVersionFactory()
        OperatorFactory(email="operator@example.org")
        CustomerFactory(email="taro@example.org")
        DealerPersonFactory(email="dealer@example.org")
    return sign_in(app.test_client(), "operator@example.org")


def send(client: FlaskClient, content: bytes, name: str = "gateways.csv") -> TestResponse:
    return client.post("/operator/imports", data={"file": (BytesIO(content), name)})


def upload(client: FlaskClient, *lines: str, encoding: str = "utf-8") -> str:
    """Upload a good file; return the page of its import."""
    answer = send(client, "\r\n".join([HEADINGS, *lines]).encode(encoding))
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def work(app: Flask) -> None:
    with app.app_context():
        run_due()


def count(app: Flask, model: type = Gateway) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_strangers_find_no_import(app: Flask, operator: FlaskClient, client: FlaskClient) -> None:
    page = upload(operator, GOOD)
    asked = [("GET", "/operator/imports"), ("POST", "/operator/imports"), ("GET", page)]
    asked += [("GET", f"{page}/progress"), ("GET", f"{page}/sheets/1"), ("GET", f"{page}/secrets")]
    asked += [("POST", f"{page}/{act}") for act in ("start", "discard", "printed")]
    for email in ("taro@example.org", "dealer@example.org"):
        stranger = sign_in(app.test_client(), email)
        for method, path in asked:
            assert stranger.open(path, method=method).status_code == 404, path
    for method, path in asked:
        assert client.open(path, method=method).status_code in (302, 401), path
    for method, path in asked[2:]:
        missing = path.replace(page, "/operator/imports/999999")
        assert operator.open(missing, method=method).status_code == 404, path
    with app.app_context():
        assert db.session.scalars(select(GatewayImport.state)).all() == ["uploaded"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_file_is_looked_at_before_anything_is_written(
    app: Flask, operator: FlaskClient, encoding: str
) -> None:
    page = operator.get(upload(operator, GOOD.replace("HDM-G2", "蓄電一号"), encoding=encoding))
    assert "1 件を新しく取り込みます" in page.text
    assert "蓄電一号" in page.text
    assert count(app) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "ゲートウェイの行がありません。"),
        (HEADINGS.encode(), "ゲートウェイの行がありません。"),
        (b"a,b,c\n1,2,3", "見出し id がありません。"),
        (b"\xff\xfe\x00\x81", "文字コードを読み取れません"),
        (b"x" * (LONGEST_FILE + 1), "ファイルが大きすぎます"),
        (
            "\n".join([HEADINGS, *[GOOD] * (imports.MOST_ROWS + 1)]).encode(),
            "一度に取り込めるのは 5,000 件まで",
        ),
    ],
    ids=["empty", "headings", "columns", "bytes", "long", "rows"],
)
def test_what_is_no_file_of_gateways_is_refused_at_its_field(
    app: Flask, operator: FlaskClient, content: bytes, words: str
) -> None:
    answer = send(operator, content)
    assert answer.status_code == 422
    assert words in answer.text
    assert count(app, GatewayImport) == 0


def test_no_file_at_all_is_asked_for(operator: FlaskClient) -> None:
    for data in ({}, {"file": "text"}, {"file": (BytesIO(b""), "")}):
        answer = operator.post("/operator/imports", data=data)
        assert answer.status_code == 422
        assert "ファイルを選んでください。" in answer.text


def test_wrong_and_differing_lines_are_named_and_keep_the_file_out(
    app: Flask, operator: FlaskClient
) -> None:
    with app.app_context(), transaction():
        GatewayFactory(public_id="HDM4A7K20932", model="HDM-OLD")
    page = upload(operator, GOOD, "SHORT,,A1,http://x,nosuch", OTHER, "a,b", GOOD)
    shown = operator.get(page).text
    assert "このままでは取り込めません" in shown
    for words in (
        "ゲートウェイID SHORT は、半角の英大文字と数字12文字ではありません。",
        "model が空です。",
        "項目の数が 2 個です。",
        "2 行目にもあります。",
        "登録済み：HDM-OLD",
    ):
        assert words in shown
    assert "取り込む</button>" not in shown
    wrong = operator.get(f"{page}?verdict=bad").text
    assert "SHORT" in wrong
    assert "HDM-OLD" not in wrong
    assert operator.get(f"{page}?verdict=nonsense&page=x").status_code == 200
    turned = operator.post(f"{page}/start", follow_redirects=True)
    assert "この取り込みは始められません" in turned.text
    work(app)
    assert count(app) == 1


def test_the_whole_way_from_the_file_to_the_paper(app: Flask, operator: FlaskClient) -> None:
    page = upload(operator, GOOD, OTHER)
    assert operator.post(f"{page}/start").status_code == 303
    running = operator.get(page).text
    assert "data-poll-s" in running
    answer = operator.get(f"{page}/progress")
    assert "data-poll-s" in answer.text
    assert "HX-Refresh" not in answer.headers
    work(app)
    answer = operator.get(f"{page}/progress")
    assert answer.headers["HX-Refresh"] == "true"
    done = answer.text
    assert "data-poll-s" not in done
    assert "2 件のうち 2 件を取り込みました。" in done

    paper = operator.get(f"{page}/sheets/1")
    assert paper.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in paper.headers["Content-Security-Policy"]
    assert paper.text.count('class="side front"') == 2
    passwords = PASSWORD.findall(paper.text)
    assert len(passwords) == 2
    with app.app_context():
        assert sheets.prove("HDM4A7K20931", passwords[0])
        told = " ".join(str(entry.detail) for entry in db.session.scalars(select(AuditEntry)))
        sealed = b"".join(row.sealed for row in db.session.scalars(select(SealedSheet)))
    for password in passwords:
        assert password not in told
        assert password not in operator.get(page).text
        assert password.replace("-", "").encode() not in sealed
    assert operator.get(f"{page}/sheets/2").status_code == 303
    assert operator.get(f"{page}/sheets/0").status_code == 404

    assert operator.post(f"{page}/printed").status_code == 303
    assert operator.get(f"{page}/sheets/1").status_code == 303
    assert "パスワードは消去されました" in operator.get(page).text
    assert "取り込んだ" in operator.get(page).text


def test_only_the_browser_that_started_it_opens_the_sheets(
    app: Flask, operator: FlaskClient
) -> None:
    page = upload(operator, GOOD)
    operator.post(f"{page}/start")
    work(app)
    colleague = sign_in(app.test_client(), "operator@example.org")
    assert "取り込みを始めたブラウザでだけ開けます" in colleague.get(page).text
    turned = colleague.get(f"{page}/sheets/1", follow_redirects=True).text
    assert "開けます" in turned
    assert not PASSWORD.search(turned)


def test_a_forged_key_opens_nothing_and_breaks_nothing(app: Flask, operator: FlaskClient) -> None:
    page = upload(operator, GOOD)
    operator.post(f"{page}/start")
    work(app)
    for forged in ("", "x", "ア", "A" * 44, 7):
        with operator.session_transaction() as cookie:
            cookie["sheet_key"] = str(forged)
        assert operator.get(page).status_code == 200
        assert operator.get(f"{page}/sheets/1").status_code == 303


def test_starting_twice_starts_once(app: Flask, operator: FlaskClient) -> None:
    page = upload(operator, GOOD)
    for _press in range(2):
        assert operator.post(f"{page}/start").status_code == 303
    with app.app_context():
        started = db.session.scalars(select(AuditEntry).filter_by(action="import.started")).all()
    assert len(started) == 1


def test_the_same_file_again_has_nothing_new(app: Flask, operator: FlaskClient) -> None:
    for _time in range(2):
        page = upload(operator, GOOD)
        operator.post(f"{page}/start")
        work(app)
    assert "新しく取り込むゲートウェイはありません" in operator.get(page).text
    assert count(app) == 1


def test_what_was_uploaded_can_be_given_up_until_it_is_started(
    app: Flask, operator: FlaskClient
) -> None:
    page = upload(operator, GOOD)
    assert operator.post(f"{page}/discard").status_code == 303
    assert operator.get(page).status_code == 404
    page = upload(operator, GOOD)
    operator.post(f"{page}/start")
    operator.post(f"{page}/discard")
    assert operator.get(page).status_code == 200


def test_a_name_of_a_file_cannot_do_harm(operator: FlaskClient) -> None:
    content = f"{HEADINGS}\n=cmd|x!A12345,<b>M</b>,S,tcp://192.0.2.7:502/1,sunspec".encode()
    answer = send(operator, content, "../../<script>" + "長" * 300)
    page = operator.get(answer.location).text
    assert "<script>長" not in page
    assert "<b>M</b>" not in page


def test_five_thousand_rows_cost_as_many_queries_as_one(
    operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = upload(operator, GOOD)
    many = upload(
        operator,
        *(
            f"MANY{number:08d},HDM-G2,A{number},tcp://192.0.2.7:502/1,sunspec"
            for number in range(imports.MOST_ROWS)
        ),
    )
    with counted(monkeypatch) as one:
        operator.get(few)
    with counted(monkeypatch) as work:
        page = operator.get(f"{many}?verdict=new&page=250").text
    assert "MANY00004999" in page
    assert "250 / 250" in page
    assert len(work.statements) == len(one.statements)


DIALS_IN = "HDM4A7K20933,HDM-G2,A0123458,relay:///1,sunspec"


def test_device_secrets_of_gateways_that_dial_in_are_saved_before_they_are_erased(
    app: Flask, operator: FlaskClient
) -> None:
    page = upload(operator, GOOD, DIALS_IN)
    assert "自分から接続してくる 1 台に" in operator.get(page).text
    operator.post(f"{page}/start", data={"device_secrets": "1"})
    work(app)
    assert f"{page}/secrets" in operator.get(page).text
    answer = operator.get(f"{page}/secrets")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    heading, row = answer.text.split()
    gateway, secret = row.split(",")
    assert (heading, gateway) == ("id,secret", "HDM4A7K20933")
    with app.app_context():
        known = device_credentials.standing([gateway])[gateway]
        assert device_credentials.matching(known, "secret", secret.encode())
        (sealed,) = [row for row in db.session.scalars(select(SealedSheet)) if row.sealed_secret]
        assert secret.encode() not in sealed.sealed_secret
    elsewhere = sign_in(app.test_client(), "operator@example.org")
    assert elsewhere.get(f"{page}/secrets").status_code == 303
    operator.post(f"{page}/printed")
    assert operator.get(f"{page}/secrets").status_code == 303
    assert f"{page}/secrets" not in operator.get(page).text


@pytest.mark.parametrize(("row", "data"), [(DIALS_IN, {}), (GOOD, {"device_secrets": "1"})])
def test_no_secret_is_made_unasked_or_for_those_that_do_not_dial_in(
    app: Flask, operator: FlaskClient, row: str, data: dict[str, str]
) -> None:
    page = upload(operator, row)
    operator.post(f"{page}/start", data=data)
    work(app)
    assert operator.get(f"{page}/secrets").status_code == 303
    with app.app_context():
        assert device_credentials.standing(["HDM4A7K20933", "HDM4A7K20931"]) == {}
