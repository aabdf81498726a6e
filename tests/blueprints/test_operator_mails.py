"""The mail log: found, read with masked URLs, sent again."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app import clock
from app.domain import mail
from app.extensions import db
from app.models import AuditEntry, OutboxMail, Registration
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    OperatorFactory,
    RegistrationFactory,
)
from tests.signing_in import sign_in

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    return sign_in(app.test_client(), "operator@example.org")


@pytest.fixture
def mail_id(app: Flask) -> int:
    """A registration's mail that was sent."""
    with app.app_context(), transaction():
        registration = RegistrationFactory(
            email="taro@example.org", created_at=clock.now(), url_nonce="secret-nonce"
        )
        mail.queue(
            "registration_provisional",
            "taro@example.org",
            key="first",
            language="ja",
            now=clock.now(),
            registration=registration.id,
        )
        row = db.session.scalars(select(OutboxMail)).one()
        row.state, row.sent_at, row.answer = "sent", clock.now(), "250 <b>OK</b>"
        db.session.flush()
        return row.id


def test_the_log_says_what_went_to_whom_with_what_answer(
    operator: FlaskClient, mail_id: int
) -> None:
    page = operator.get("/operator/mails").text
    for words in ("アカウント仮登録のお知らせ", "taro@example.org", "送信済み", "250 &lt;b&gt;OK"):
        assert words in page
    english = operator.get("/operator/mails?state=sent", headers={"Accept-Language": "en"})
    assert english.status_code == 200


def test_a_mail_is_read_with_its_single_use_url_masked(
    app: Flask, operator: FlaskClient, mail_id: int
) -> None:
    page = operator.get(f"/operator/mails/{mail_id}").text
    assert "/activate/***" in page
    html = operator.get(f"/operator/mails/{mail_id}/html")
    assert "/activate/***" in html.text
    assert "sandbox" in html.headers["Content-Security-Policy"]
    assert html.headers["X-Frame-Options"] == "SAMEORIGIN"
    for text in (page, html.text):
        assert "secret-nonce" not in text
        assert not re.search(r"/activate/[^*]", text)
    # also when the registration is over
    with app.app_context(), transaction():
        db.session.execute(db.update(Registration).values(completed_at=clock.now()))
    assert "/activate/***" in operator.get(f"/operator/mails/{mail_id}").text


def test_what_a_mail_spoke_of_may_be_gone(app: Flask, operator: FlaskClient, mail_id: int) -> None:
    with app.app_context(), transaction():
        db.session.execute(db.update(OutboxMail).values(refs={"registration": 999}))
    page = operator.get(f"/operator/mails/{mail_id}")
    assert page.status_code == 200
    assert "内容は、もう表示できません" in page.text
    assert operator.get(f"/operator/mails/{mail_id}/html").status_code == 404
    with app.app_context(), transaction():
        db.session.execute(db.update(OutboxMail).values(template="no_such_letter"))
    assert operator.get(f"/operator/mails/{mail_id}").status_code == 200
    assert "no_such_letter" in operator.get("/operator/mails").text


def once(page: str) -> str:
    found = re.search(r'name="once"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def test_sent_again_it_has_a_new_url_and_the_old_one_ends(
    app: Flask, operator: FlaskClient, mail_id: int
) -> None:
    path = f"/operator/mails/{mail_id}/again"
    page = operator.get(path).text
    assert "前のURLは使えなくなります" in page
    assert operator.post(path, data={"once": once(page)}).status_code == 422
    data = {"once": once(page), "reason": "届かないとのお電話"}
    for _press in range(2):
        assert operator.post(path, data=data).location == f"/operator/mails/{mail_id}"
    with app.app_context():
        assert len(db.session.scalars(select(OutboxMail)).all()) == 2
        assert db.session.scalar(select(Registration.url_nonce)) != "secret-nonce"
        [entry] = db.session.scalars(select(AuditEntry).filter_by(action="mail.sent_again"))
        assert entry.detail["reason"] == "届かないとのお電話"
    # the new mail waits: it is on its way
    assert operator.post(f"/operator/mails/{mail_id + 1}/again", data=data).status_code == 422


def test_a_dropped_mail_is_released(app: Flask, operator: FlaskClient, mail_id: int) -> None:
    path = f"/operator/mails/{mail_id}/release"
    refused = operator.post(path, data={"reason": "直した"})
    assert refused.status_code == 422
    assert "取りやめた状態ではありません" in refused.text
    with app.app_context(), transaction():
        db.session.execute(db.update(OutboxMail).values(state="dropped"))
    assert "送信を再開する" in operator.get(f"/operator/mails/{mail_id}").text
    assert operator.post(path, data={"reason": "直した"}).status_code == 303
    assert "送信待ち" in operator.get(f"/operator/mails/{mail_id}").text
    with app.app_context():
        assert "mail.released" in db.session.scalars(select(AuditEntry.action)).all()


@pytest.fixture
def many(app: Flask) -> None:
    """Five thousand mails, one a minute."""
    with app.app_context(), transaction():
        db.session.execute(
            insert(OutboxMail),
            [
                {
                    "key": f"mail-{number}",
                    "template": "password_changed",
                    "language": "ja",
                    "to": f"person{number:04d}@example.org",
                    "refs": {},
                    "state": "dropped" if number == 7 else "sent",
                    "attempts": 1,
                    "next_attempt_at": NOON,
                    "created_at": NOON - timedelta(minutes=5000 - number),
                    "answer": "",
                }
                for number in range(1, 5001)
            ],
        )


def test_five_thousand_mails_cost_as_many_queries_as_none(
    app: Flask,
    operator: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    with counted(monkeypatch) as few:
        assert "見つかりませんでした" in operator.get("/operator/mails").text
    request.getfixturevalue("many")
    with counted(monkeypatch) as work:
        assert "person5000" in operator.get("/operator/mails").text
    assert len(work.statements) == len(few.statements)


@pytest.mark.usefixtures("many")
def test_search_and_paging_work_with_and_without_javascript(operator: FlaskClient) -> None:
    for path in ("/operator/mails", "/operator/mails/list"):
        first = operator.get(path).text
        assert "person5000" in first
        assert "person4980" not in first
        older = re.search(r'before=([^"&]+)', first)
        assert older
        second = operator.get(f"{path}?before={older[1]}").text
        assert "person4980" in second
        newer = re.search(r'after=([^"&]+)', second)
        assert newer
        assert "person5000" in operator.get(f"{path}?after={newer[1]}").text
        found = operator.get(f"{path}?to=person0007&state=dropped&template=password_changed").text
        assert "person0007" in found
        assert "person0008" not in found
        day = operator.get(f"{path}?since=2026-11-22&until=2026-11-22").text
        assert "person5000" in day
        assert "見つかりませんでした" in operator.get(f"{path}?until=2020-01-01").text
        rubbish = f"{path}?to=%00%25&state=x&template=x&since=9999-99-99&until=0000-00-00&before=x"
        assert operator.get(rubbish).status_code == 200
    partial = operator.get("/operator/mails/list?to=person0007&since=2026-11-01")
    assert partial.headers["HX-Replace-Url"] == "/operator/mails?to=person0007&since=2026-11-01"
    assert "<html" not in partial.text


def test_to_everybody_but_operators_there_are_no_such_pages(
    app: Flask, operator: FlaskClient, client: FlaskClient, mail_id: int
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
        DealerPersonFactory(email="dealer@example.org")
    strangers = [sign_in(app.test_client(), f"{who}@example.org") for who in ("hanako", "dealer")]
    one = f"/{mail_id}"
    for path in ("", "/list", one, f"{one}/html", f"{one}/again", f"{one}/release"):
        assert operator.get(f"/operator/mails{path}").status_code == 200
        assert client.get(f"/operator/mails{path}").location.startswith("/sign-in")
        for stranger in strangers:
            assert stranger.get(f"/operator/mails{path}").status_code == 404
    for path in (f"{one}/again", f"{one}/release"):
        for stranger in strangers:
            answer = stranger.post(f"/operator/mails{path}", data={"reason": "x"})
            assert answer.status_code == 404
    for path in ("/999", "/999/html", "/999/again", "/999/release", "/99999999999999999999"):
        assert operator.get(f"/operator/mails{path}").status_code == 404
    with app.app_context():
        assert len(db.session.scalars(select(OutboxMail)).all()) == 1
