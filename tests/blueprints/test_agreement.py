"""Terms announced on signed-in pages, and agreed to again once they are in force."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.blueprints.agreement.versions import Versions
from app.domain import terms, terms_versions
from app.extensions import db
from app.models import Account, Consent, TermsVersion
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    InstallationFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.signing_in import sign_in

NOON = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    """Let it be noon in Japan."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def taro(app: Flask) -> FlaskClient:
    """A customer who agreed to the first version, on the morning of 23 November."""
    with app.app_context(), transaction():
        account = CustomerFactory(email="taro@example.org")
        InstallationFactory(account=account, gateway__public_id="HDM4A7K20931")
        first = TermsVersionFactory(version="1", body_ja="最初の本文")
        terms.agree(first, account_id=account.id, agreed_at=NOON, network_address="192.0.2.1")
    return sign_in(app.test_client(), "taro@example.org")


def publish(app: Flask, effective_at: datetime, kind: str = "service", version: str = "2") -> int:
    with app.app_context(), transaction():
        made = TermsVersionFactory(
            kind=kind,
            version=version,
            body_ja="新しい本文",
            effective_at=effective_at,
            published_at=NOON,
        )
        return int(made.id)


def test_who_agreed_to_the_terms_in_force_is_left_alone(taro: FlaskClient) -> None:
    page = taro.get("/manage")
    assert page.status_code == 200
    assert "利用規約が" not in page.text
    assert taro.get("/terms/agree").location == "/manage"


def test_coming_terms_are_announced_on_every_signed_in_page_of_their_readers(
    app: Flask, taro: FlaskClient, client: FlaskClient
) -> None:
    publish(app, NOON + 8 * DAY)
    with app.app_context(), transaction():
        DealerPersonFactory(email="dealer@example.org")
        OperatorFactory(email="operator@example.org")
    dealer = sign_in(app.test_client(), "dealer@example.org")
    operator = sign_in(app.test_client(), "operator@example.org")
    with time_machine.travel(NOON, tick=False):
        for path in ("/manage", "/gateways", "/monitor/HDM4A7K20931", "/account/"):
            page = taro.get(path)
            assert page.status_code == 200
            assert "利用規約が2026/12/01から新しくなります。" in page.text
        for other in (dealer, operator):
            assert "利用規約が" not in other.get("/manage").text
        assert "利用規約が" not in client.get("/sign-in").text
        shown = taro.get("/terms").text
    for words in ("新しい利用規約（第2版）", "新しい本文", "いまの利用規約（第1版）", "最初の本文"):
        assert words in shown


def test_terms_for_dealers_are_announced_to_dealers(app: Flask) -> None:
    with app.app_context(), transaction():
        DealerPersonFactory(email="dealer@example.org")
    publish(app, NOON + 8 * DAY, kind="dealer")
    dealer = sign_in(app.test_client(), "dealer@example.org")
    with time_machine.travel(NOON, tick=False):
        assert "新しくなります" in dealer.get("/manage").text
        assert "販売店様向け利用規約" in dealer.get("/terms").text


def test_withdrawn_terms_are_announced_no_longer_and_never_in_force(
    app: Flask, taro: FlaskClient
) -> None:
    version_id = publish(app, NOON + DAY)
    with app.app_context(), transaction():
        operator = OperatorFactory()
        terms_versions.withdraw(operator, version_id, reason="誤り", network_address="", now=NOON)
    with time_machine.travel(NOON, tick=False):
        assert "新しくなります" not in taro.get("/manage").text
    with time_machine.travel(NOON + 2 * DAY):
        assert taro.get("/manage").status_code == 200


def test_once_in_force_the_next_page_leads_to_the_agreement_and_back(
    app: Flask, taro: FlaskClient
) -> None:
    version_id = publish(app, NOON - DAY)
    with time_machine.travel(NOON, tick=False):
        answer = taro.get("/gateways?q=山田")
        assert answer.status_code == 303
        assert answer.location.startswith("/terms/agree?next=/gateways")
        page = taro.get(answer.location)
        assert "利用規約が新しくなりました" in page.text
        assert "同意せずにログアウトする" in page.text
        back = taro.post(
            "/terms/agree",
            data={"terms_version": version_id, "next": "/gateways?q=山田"},
            environ_base={"REMOTE_ADDR": "198.51.100.7"},
        )
        assert back.status_code == 303
        assert back.location == "/gateways?q=%E5%B1%B1%E7%94%B0"
        assert taro.get(back.location).status_code == 200
    with app.app_context():
        consent = db.session.scalars(select(Consent).filter_by(terms_version_id=version_id)).one()
        assert (consent.agreed_at, consent.network_address) == (NOON, "198.51.100.7")
        assert db.session.scalar(select(Account.agreed_terms_id)) == version_id


def test_who_never_agreed_is_asked_without_being_told_of_news(app: Flask) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="hanako@example.org")
    publish(app, NOON - DAY)
    hanako = sign_in(app.test_client(), "hanako@example.org")
    page = hanako.get("/manage", follow_redirects=True).text
    assert "利用規約への同意のお願い" in page


def test_agreeing_twice_is_written_once(app: Flask, taro: FlaskClient) -> None:
    version_id = publish(app, NOON - DAY)
    for _time in range(2):
        assert taro.post("/terms/agree", data={"terms_version": version_id}).status_code == 303
    with app.app_context():
        assert len(db.session.scalars(select(Consent)).all()) == 2


@pytest.mark.parametrize(
    "version", ["", "1", "999999", "x", "²", "-1", "9" * 5000], ids=lambda typed: typed[:5]
)
def test_only_the_version_in_force_is_agreed_to(
    app: Flask, taro: FlaskClient, version: str
) -> None:
    publish(app, NOON - DAY)
    with app.app_context():
        first = db.session.scalar(select(TermsVersion.id).filter_by(version="1"))
    typed = str(first) if version == "1" else version
    answer = taro.post("/terms/agree", data={"terms_version": typed})
    assert answer.status_code == 422
    assert "利用規約が新しくなりました" in answer.text
    assert taro.get("/manage").status_code == 303


@pytest.mark.parametrize(
    "target", ["https://evil.example.net/", "//evil.example.net", "/no/such/page", "/sign-out", ""]
)
def test_agreeing_leads_to_pages_of_ours_alone(app: Flask, taro: FlaskClient, target: str) -> None:
    version_id = publish(app, NOON - DAY)
    answer = taro.post("/terms/agree", data={"terms_version": version_id, "next": target})
    assert answer.location == "/manage"


def test_what_is_sent_is_taken_and_what_is_free_stays_open(app: Flask, taro: FlaskClient) -> None:
    publish(app, NOON - DAY)
    # a form that was open loses nothing
    assert taro.post("/gateways/HDM4A7K20931/edit", data={"site_name": ""}).status_code == 422
    # parts of a page that is open
    assert taro.get("/gateways/list", headers={"HX-Request": "true"}).status_code == 200
    assert taro.get("/monitor/HDM4A7K20931/tiles").status_code in (200, 304)
    for path in ("/terms", "/manual", "/register", "/healthz", "/static/no-such"):
        answer = taro.get(path, follow_redirects=False)
        assert "/terms/agree" not in answer.headers.get("Location", ""), path
    assert taro.post("/language/", data={"language": "en", "next": "/terms"}).location == "/terms"
    assert taro.post("/sign-out").status_code == 303


def test_an_operator_has_no_terms_and_a_stranger_is_asked_to_sign_in(
    app: Flask, client: FlaskClient
) -> None:
    publish(app, NOON - DAY)
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    for path in ("/terms", "/terms/agree"):
        assert client.get(path).location.startswith("/sign-in")
    operator = sign_in(app.test_client(), "operator@example.org")
    assert operator.get("/manage").status_code == 200
    for path in ("/terms", "/terms/agree"):
        assert operator.get(path).status_code == 404
    assert operator.post("/terms/agree").status_code == 404


def test_a_form_that_outlived_its_session_survives_the_agreement(
    app: Flask, taro: FlaskClient
) -> None:
    taro.post("/sign-out")
    asked = taro.post(
        "/gateways/HDM4A7K20931/edit",
        data={"site_name": "離れ", "site_city": "市"},
        headers={"Origin": "http://localhost"},
    )
    assert asked.status_code == 401
    outlived = asked.text.partition('name="outlived"')[2].partition('value="')[2].partition('"')[0]
    version_id = publish(app, NOON - DAY)
    page = "/gateways/HDM4A7K20931/edit"
    typed = {"email": "taro@example.org", "password": "Hinata88", "outlived": outlived}
    assert taro.post("/sign-in", data={**typed, "next": page}).location == page
    assert taro.get(page).location == f"/terms/agree?next={page}"
    taro.post("/terms/agree", data={"terms_version": version_id, "next": page})
    assert 'value="離れ"' in taro.get(page).text


def test_terms_of_another_kind_ask_nobody(app: Flask, taro: FlaskClient) -> None:
    publish(app, NOON - DAY, kind="eco")
    publish(app, NOON - DAY, kind="dealer", version="3")
    assert taro.get("/manage").status_code == 200


def test_a_look_at_the_versions_serves_many_pages(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(app, NOON - DAY)
    versions = Versions()
    with app.app_context(), counted(monkeypatch) as work:
        for second in (0, 10, 29):
            known = versions.stand(NOON + timedelta(seconds=second), seen_s=30)
            assert known.in_force("service", NOON)
        assert len(work.statements) == 1
        versions.stand(NOON + timedelta(seconds=30), seen_s=30)
        assert len(work.statements) == 2
        versions.forget()
        versions.stand(NOON + timedelta(seconds=31), seen_s=30)
        assert len(work.statements) == 3


def test_what_a_look_does_not_know_was_agreed_to_a_moment_ago() -> None:
    known = terms.Standing(
        [terms.Known(1, "service", "1", NOON - DAY), terms.Known(2, "service", "2", NOON)]
    )
    account = Account(role="customer", agreed_terms_id=3)
    assert not known.asks(account, NOON)
    account.agreed_terms_id = 1
    assert known.asks(account, NOON)
    assert not known.asks(account, NOON - timedelta(seconds=1))


def test_a_look_that_is_older_than_the_database_leads_nobody_astray(
    app: Flask, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_id = publish(app, NOON + timedelta(seconds=5))
    with app.app_context():
        stale = terms.look()
    with app.app_context(), transaction():
        terms_versions.withdraw(
            OperatorFactory(), version_id, reason="誤り", network_address="", now=NOON
        )
    monkeypatch.setattr("app.blueprints.agreement.standing", lambda: stale)
    with time_machine.travel(NOON + timedelta(seconds=10)):
        assert taro.get("/manage").status_code == 200
