"""Operators see who takes part in the eco programme, refuse and end."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Account, AuditEntry, EcoMembership, OutboxMail
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    EcoMembershipFactory,
    GatewayFactory,
    InstallationFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.signing_in import sign_in

TYPED = {"how": "excluded", "note": "ほかの発電設備があるため", "reason": "受付 1234"}


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org")
    return sign_in(app.test_client(), "operator@example.org")


def take_part(app: Flask, public_id: str, name: str = "太郎", **given: object) -> int:
    with app.app_context(), transaction():
        home = InstallationFactory(
            gateway=GatewayFactory(public_id=public_id),
            account=CustomerFactory(given_name=name),
            site_name=f"{name}の家",
        )
        return EcoMembershipFactory(installation=home, **given).id


def the(app: Flask, membership_id: int) -> EcoMembership:
    with app.app_context():
        return db.session.get_one(EcoMembership, membership_id)


def test_members_are_found_by_gateway_name_and_address_and_by_their_state(
    app: Flask, operator: FlaskClient
) -> None:
    take_part(app, "HDM100000001", "太郎")
    take_part(app, "HDM100000002", "花子", member_from=None)
    ended = {"ended_at": clock.now(), "how_ended": "withdrawn", "member_until": clock.now().date()}
    take_part(app, "HDM100000003", "次郎", **ended)

    def found(**asked: str) -> list[str]:
        answer = operator.get("/operator/eco/list", query_string=asked)
        assert "<html" not in answer.text
        return [name for name in ("太郎の家", "花子の家", "次郎の家") if name in answer.text]

    assert len(found()) == 3
    assert found(q="HDM100000002") == ["花子の家"]
    assert found(q="次郎") == ["次郎の家"]
    assert found(q="nobody@example.org") == []
    with app.app_context():
        email = db.session.scalars(select(Account.email).filter_by(given_name="花子")).one()
    assert found(q=email) == ["花子の家"]
    assert found(state="pending") == ["花子の家"]
    assert found(state="member") == ["太郎の家"]
    assert found(state="ended") == ["次郎の家"]
    assert len(found(state="nonsense")) == 3
    page = operator.get("/operator/eco?q=HDM1").text
    assert 'value="HDM1"' in page
    assert "3 件" in page
    changed = operator.get("/operator/eco/list?q=HDM1&state=member").headers["HX-Replace-Url"]
    assert changed == "/operator/eco?q=HDM1&state=member"


def test_one_shows_what_was_declared_and_the_gateways_page_leads_there(
    app: Flask, operator: FlaskClient
) -> None:
    one = take_part(app, "HDM100000001")
    page = operator.get(f"/operator/eco/{one}").text
    for words in ("2026/04/01", "申告あり", "聞いていません", "HDM100000001", "ご参加の条件"):
        assert words in page
    assert f'href="/operator/eco/{one}"' in operator.get("/operator/gateways/HDM100000001").text


@pytest.mark.parametrize(
    ("pending", "how", "ended", "letter"),
    [
        (True, "excluded", "refused", "eco_refused"),
        (False, "excluded", "excluded", "eco_ended"),
        (False, "rules_changed", "rules_changed", "eco_ended"),
    ],
)
def test_what_an_operator_ends_is_told_with_its_reason(
    app: Flask, operator: FlaskClient, pending: bool, how: str, ended: str, letter: str
) -> None:
    one = take_part(app, "HDM100000001", **({"member_from": None} if pending else {}))
    assert operator.post(f"/operator/eco/{one}/end", data={"how": how}).status_code == 422
    assert the(app, one).ended_at is None
    answer = operator.post(f"/operator/eco/{one}/end", data=TYPED | {"how": how})
    assert answer.location == f"/operator/eco/{one}"
    assert "ほかの発電設備があるため" in operator.get(answer.location).text
    assert (the(app, one).how_ended, the(app, one).note) == (ended, TYPED["note"])
    with app.app_context():
        assert db.session.scalars(select(OutboxMail.template)).all() == [letter]
        [entry] = db.session.scalars(select(AuditEntry).filter_by(action="eco.ended"))
        assert entry.detail["reason"] == "受付 1234"
        assert TYPED["note"] not in str(entry.detail)
    again = operator.post(f"/operator/eco/{one}/end", data=TYPED)
    assert again.status_code == 409


def test_no_other_end_can_be_typed(app: Flask, operator: FlaskClient) -> None:
    one = take_part(app, "HDM100000001")
    wrong = TYPED | {"how": "account_closed"}
    assert operator.post(f"/operator/eco/{one}/end", data=wrong).status_code == 422
    assert the(app, one).ended_at is None


def test_to_everybody_but_operators_there_are_no_such_pages(
    app: Flask, operator: FlaskClient, client: FlaskClient
) -> None:
    one = take_part(app, "HDM100000001")
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        DealerPersonFactory(email="dealer@example.org")
    strangers = [sign_in(app.test_client(), f"{who}@example.org") for who in ("taro", "dealer")]
    for path in ("", "/list", f"/{one}", f"/{one}/end"):
        assert operator.get(f"/operator/eco{path}").status_code == 200
        assert client.get(f"/operator/eco{path}").location.startswith("/sign-in")
        for stranger in strangers:
            assert stranger.get(f"/operator/eco{path}").status_code == 404
    for stranger in strangers:
        assert stranger.post(f"/operator/eco/{one}/end", data=TYPED).status_code == 404
    assert operator.get("/operator/eco/4711").status_code == 404
    assert the(app, one).ended_at is None


def test_the_list_takes_the_same_work_however_many_there_are(
    app: Flask, operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_part(app, "HDM100000000")
    operator.get("/operator/eco")
    with counted(monkeypatch) as few:
        operator.get("/operator/eco")
    with app.app_context(), transaction():
        one = db.session.scalars(select(EcoMembership)).one()
        columns = [column for column in EcoMembership.__table__.columns if column.name != "id"]
        like = {column.name: getattr(one, column.name) for column in columns}
        over = {"ended_at": clock.now() - timedelta(days=1), "how_ended": "withdrawn"}
        rows = [like | over for _ in range(5000)]
        db.session.execute(EcoMembership.__table__.insert(), rows)
    with counted(monkeypatch) as many:
        page = operator.get("/operator/eco")
    assert "5001 件" in page.text
    assert many.amounts == few.amounts


def test_a_version_of_the_programmes_rules_has_its_own_name(
    app: Flask, operator: FlaskClient
) -> None:
    with app.app_context(), transaction():
        TermsVersionFactory(kind="eco")
    assert "エコ活サークルの会員規約" in operator.get("/operator/terms").text
    assert "エコ活サークルの会員（会員規約）" in operator.get("/operator/terms/new").text
