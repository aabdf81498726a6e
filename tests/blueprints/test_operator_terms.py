"""Versions of terms: written, previewed, published, withdrawn."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.domain import terms
from app.extensions import db
from app.models import AuditEntry, TermsVersion
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.signing_in import sign_in

TYPED = {
    "kind": "service",
    "version": "2.0",
    "effective_at": "2100-12-01T00:00",
    "body_ja": "# 規約\r\n\r\n{SERVICE_NAME}の規約です。<script>alert(1)</script>",
    "body_en": "# Terms\r\n\r\nTerms of {SERVICE_NAME}.",
}


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    return sign_in(app.test_client(), "operator@example.org")


def test_a_version_is_previewed_published_and_kept_word_by_word(
    app: Flask, operator: FlaskClient
) -> None:
    preview = operator.post("/operator/terms/new", data={**TYPED, "preview": "1"})
    assert preview.status_code == 200
    assert "<h2>規約</h2>" in preview.text
    assert "遠隔モニタリングサービスの規約です。&lt;script&gt;" in preview.text
    with app.app_context():
        assert db.session.scalars(select(TermsVersion)).all() == []
    answer = operator.post("/operator/terms/new", data={**TYPED, "publish": "1"})
    assert answer.status_code == 303
    page = operator.get(answer.location).text
    for words in ("第2.0版", "予告中", "2100/12/01 00:00", "0 人", "取り下げる"):
        assert words in page
    with app.app_context():
        version = db.session.scalars(select(TermsVersion)).one()
        assert version.body_en == "# Terms\n\nTerms of Remote Monitoring Service."
        assert version.effective_at == datetime(2100, 11, 30, 15, 0, tzinfo=UTC)
        assert "terms.published" in db.session.scalars(select(AuditEntry.action)).all()


def test_going_back_from_the_preview_loses_nothing(operator: FlaskClient) -> None:
    page = operator.post("/operator/terms/new", data={**TYPED, "back": "1"}).text
    for words in ('value="2.0"', 'value="2100-12-01T00:00"', "{SERVICE_NAME}の規約です。"):
        assert words in page


def test_without_a_date_it_is_in_force_at_once(app: Flask, operator: FlaskClient) -> None:
    operator.post("/operator/terms/new", data={**TYPED, "effective_at": "", "publish": "1"})
    with app.app_context():
        assert terms.current("service", clock.now()).version == "2.0"
    assert "有効" in operator.get("/operator/terms").text


def test_texts_come_from_files_too(app: Flask, operator: FlaskClient) -> None:
    files = {
        "file_ja": (BytesIO("\ufeff# ファイル\r\n".encode()), "terms.ja.md"),
        "file_en": (BytesIO(b"# From a file"), "terms.en.md"),
    }
    typed = {**TYPED, "body_ja": "", "preview": "1", **files}
    page = operator.post("/operator/terms/new", data=typed, content_type="multipart/form-data")
    assert page.status_code == 200
    assert "<h2>ファイル</h2>" in page.text
    assert "<h2>From a file</h2>" in page.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"version": ""}, "版の番号を入力してください。"),
        ({"version": "二"}, "数字と「.」で入力してください。"),
        ({"version": "1" * 17}, "16文字以内で入力してください。"),
        ({"body_ja": " \r\n\0"}, "日本語の本文を入力するか"),
        ({"body_en": ""}, "英語の本文を入力するか"),
        ({"body_ja": "あ" * 50_001}, "50000文字以内で入力してください。"),
        ({"effective_at": "tomorrow"}, "日付と時刻を"),
        ({"effective_at": "9999-12-31T23:59"}, "日付と時刻を"),
        ({"effective_at": "2026-01-01T00:00"}, "いまより後にしてください。"),
        ({"file_ja": b"\xff\xfe\x00"}, "UTF-8 のテキストにしてください。"),
        ({"kind": "other"}, ""),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    app: Flask, operator: FlaskClient, wrong: dict[str, object], words: str
) -> None:
    # a file is read once, and each database asks
    sent = {
        name: (BytesIO(value), "x.md") if isinstance(value, bytes) else value
        for name, value in wrong.items()
    }
    typed = {**TYPED, **sent, "publish": "1"}
    answer = operator.post("/operator/terms/new", data=typed, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert words in answer.text
    assert "Terms of {SERVICE_NAME}." in answer.text or "body_en" in wrong
    with app.app_context():
        assert db.session.scalars(select(TermsVersion)).all() == []


def test_a_number_that_was_used_is_refused_at_its_field(app: Flask, operator: FlaskClient) -> None:
    with app.app_context(), transaction():
        TermsVersionFactory(version="2.0")
    answer = operator.post("/operator/terms/new", data={**TYPED, "publish": "1"})
    assert answer.status_code == 422
    assert "この版の番号は、すでに使われています。" in answer.text


def test_what_is_to_come_is_withdrawn_with_a_reason(app: Flask, operator: FlaskClient) -> None:
    with app.app_context(), transaction():
        coming = TermsVersionFactory(effective_at=clock.now() + timedelta(days=1)).id
        present = TermsVersionFactory().id
    path = f"/operator/terms/{coming}/withdraw"
    assert "同じ版の番号は、もう使えません。" in operator.get(path).text
    assert operator.post(path).status_code == 422
    assert operator.post(path, data={"reason": "誤字"}).location == "/operator/terms"
    assert "取り下げ" in operator.get("/operator/terms").text
    for version_id in (coming, present):
        path = f"/operator/terms/{version_id}/withdraw"
        answer = operator.post(path, data={"reason": "誤字"})
        assert answer.status_code == 422
        assert "すでに効力が生じているか" in answer.text
    assert "withdraw" not in operator.get(f"/operator/terms/{present}").text


def test_the_list_counts_who_agreed_by_the_same_queries_whatever_there_is(
    app: Flask, operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as few:
        assert "まだ公開されていません" in operator.get("/operator/terms").text
    with app.app_context(), transaction():
        version = TermsVersionFactory()
        for _person in range(3):
            terms.agree(
                version,
                account_id=CustomerFactory().id,
                agreed_at=clock.now(),
                network_address="",
            )
        for _version in range(20):
            TermsVersionFactory(kind="dealer")
    with counted(monkeypatch) as many:
        assert "3 人" in operator.get("/operator/terms").text
    assert len(few.statements) == len(many.statements)


PATHS = ("", "/new", "/1", "/1/withdraw")


def test_to_everybody_but_operators_there_are_no_such_pages(
    app: Flask, operator: FlaskClient, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        TermsVersionFactory(id=1, kind="eco", effective_at=clock.now() + timedelta(days=1))
        CustomerFactory(email="taro@example.org")
        DealerPersonFactory(email="dealer@example.org")
    strangers = [sign_in(app.test_client(), f"{who}@example.org") for who in ("taro", "dealer")]
    for path in PATHS:
        assert operator.get(f"/operator/terms{path}").status_code == 200
        assert client.get(f"/operator/terms{path}").location.startswith("/sign-in")
        for stranger in strangers:
            assert stranger.get(f"/operator/terms{path}").status_code == 404
            if path.endswith(("new", "withdraw")):
                assert stranger.post(f"/operator/terms{path}", data=TYPED).status_code == 404
    for path in ("/2", "/2/withdraw", "/99999999999999999999"):
        assert operator.get(f"/operator/terms{path}").status_code == 404
