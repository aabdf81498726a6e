"""The help desk's acts: each with its reason, its audit line, its mail, and at once."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import clock
from app.domain import dealers, sheets
from app.extensions import db
from app.models import (
    Account,
    AuditEntry,
    Dealer,
    Installation,
    MaintenanceLink,
    OutboxMail,
    Registration,
    SealedSheet,
    Sheet,
)
from app.transaction import transaction
from tests.factories import (
    PASSWORD,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    DealerRegistrationFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
    RegistrationFactory,
    SheetFactory,
    TermsVersionFactory,
)
from tests.signing_in import sign_in

ID = "HDM100000001"
FREE = "HDM100000002"
WHY = {"reason": "お電話 1234"}


@pytest.fixture
def ids(app: Flask) -> dict[str, Any]:
    with app.app_context(), transaction():
        TermsVersionFactory()
        taro = CustomerFactory(email="taro@example.org")
        gateway = GatewayFactory(public_id=ID)
        InstallationFactory(account=taro, gateway=gateway, site_name="山田邸")
        SheetFactory(gateway=GatewayFactory(public_id=FREE))
        shop = DealerFactory(email="shop@example.org")
        person = DealerPersonFactory(email="dealer@example.org", dealer=shop)
        waiting = DealerFactory(dealer_no=None, approved_at=None, email="waiting@example.org")
        OperatorFactory(email="operator@example.org")
        now = clock.now()
        return {
            "taro": taro.id,
            "shop": shop.id,
            "person": person.id,
            "waiting": waiting.id,
            "newcomer": RegistrationFactory(email="newcomer@example.org", created_at=now).id,
            "newshop": DealerRegistrationFactory(email="newshop@example.org", created_at=now).id,
        }


@pytest.fixture
def operator(app: Flask, ids: dict[str, Any]) -> FlaskClient:
    return sign_in(app.test_client(), "operator@example.org")


@pytest.fixture
def taro(app: Flask, ids: dict[str, Any]) -> FlaskClient:
    return sign_in(app.test_client(), "taro@example.org")


def acts(ids: dict[str, Any]) -> dict[str, tuple[str, str | None, str | None]]:
    """Return the page of each act, its audit line and its mail."""
    taro, shop, waiting = (ids[name] for name in ("taro", "shop", "waiting"))
    return {
        f"/operator/accounts/{taro}/password": ("account.password_mailed", "password_reset", None),
        f"/operator/accounts/{taro}/lock": ("account.locked", "account_locked", None),
        f"/operator/accounts/{taro}/factor": (
            "second_factor_reset",
            "second_factor_reset",
            None,
        ),
        f"/operator/accounts/{taro}/close": ("account.closed", "account_closed_by_desk", None),
        f"/operator/gateways/{ID}/free": ("gateway.freed", "gateway_freed", None),
        f"/operator/gateways/{ID}/reissue": ("sheet.reissued", "sheet_reissued", "1"),
        f"/operator/gateways/{FREE}/reissue": ("sheet.reissued", None, "1"),
        f"/operator/dealers/{waiting}/approve": ("dealer.approved", "dealer_approved", None),
        f"/operator/dealers/{shop}/close": ("dealer.closed", "dealer_closed", None),
        f"/operator/registrations/customer/{ids['newcomer']}/mail": (
            "registration.mailed_again",
            "registration_provisional",
            None,
        ),
        f"/operator/registrations/dealer/{ids['newshop']}/mail": (
            "dealer_registration.mailed_again",
            "dealer_provisional",
            None,
        ),
    }


NAMES = list(acts(dict.fromkeys(("taro", "shop", "waiting", "newcomer", "newshop"), "%s")))


@pytest.mark.parametrize("number", range(len(NAMES)), ids=lambda number: NAMES[number])
def test_an_act_asks_for_its_reason_and_keeps_it_with_its_mail(
    app: Flask, operator: FlaskClient, ids: dict[str, Any], number: int
) -> None:
    path, (action, template, seen) = list(acts(ids).items())[number]
    assert "次のようになります" in operator.get(path).text
    refused = operator.post(path, data={"reason": " 　", "seen": seen})
    assert refused.status_code == 422
    assert "理由を入力してください。" in refused.text
    with app.app_context():
        assert db.session.scalars(select(OutboxMail)).all() == []
    answer = operator.post(path, data={**WHY, "seen": seen})
    assert answer.status_code == 303
    assert operator.get(answer.location).status_code == 200
    with app.app_context():
        entry = db.session.scalars(select(AuditEntry).filter_by(action=action)).one()
        actor = db.session.get_one(Account, entry.actor_id)
        assert (actor.email, entry.detail["reason"]) == ("operator@example.org", WHY["reason"])
        mails = db.session.scalars(select(OutboxMail.template)).all()
        # whoever loses an account with the dealer is told as well
        assert [one for one in mails if one != "account_closed_by_desk" or one == template] == (
            [template] if template else []
        )


def test_nobody_else_acts(app: Flask, ids: dict[str, Any], client: FlaskClient) -> None:
    others = [sign_in(app.test_client(), f"{who}@example.org") for who in ("taro", "dealer")]
    for path in (
        *acts(ids),
        f"/operator/accounts/{ids['taro']}/unlock",
        f"/operator/gateways/{ID}/sheet/printed",
    ):
        for stranger in others:
            assert stranger.get(path).status_code in (404, 405)
            assert stranger.post(path, data=WHY).status_code == 404
        assert client.post(path, data=WHY).status_code == 401
    for path in (f"/operator/gateways/{ID}/sheet",):
        assert all(stranger.get(path).status_code == 404 for stranger in others)
    with app.app_context():
        assert db.session.scalars(select(OutboxMail)).all() == []


def test_what_is_not_there_cannot_be_acted_on(app: Flask, operator: FlaskClient) -> None:
    with app.app_context(), transaction():
        colleague = OperatorFactory(email="colleague@example.org").id
    for path in (
        f"/operator/accounts/{colleague}/lock",
        f"/operator/accounts/{colleague}/close",
        "/operator/accounts/999999/lock",
        "/operator/accounts/1/erase",
        "/operator/dealers/999999/close",
        "/operator/gateways/NOSUCH000001/free",
        "/operator/gateways/NOSUCH000001/sheet",
        f"/operator/gateways/{FREE}/free",
        "/operator/registrations/customer/999999/mail",
    ):
        assert operator.get(path).status_code == 404, path


def test_a_lock_ends_sessions_with_the_next_request_until_it_is_lifted(
    app: Flask, operator: FlaskClient, taro: FlaskClient, ids: dict[str, Any]
) -> None:
    page = f"/operator/accounts/{ids['taro']}"
    assert taro.get("/gateways").status_code == 200
    operator.post(f"{page}/lock", data=WHY)
    assert taro.get("/gateways").status_code == 302
    typed = {"email": "taro@example.org", "password": PASSWORD}
    assert app.test_client().post("/sign-in", data=typed).status_code == 422
    assert "ロック中" in operator.get(f"/operator/customers/{ids['taro']}").text
    operator.post(f"{page}/unlock", data=WHY)
    # the old session stays ended
    assert taro.get("/gateways").status_code == 302
    assert app.test_client().post("/sign-in", data=typed).status_code == 303


def test_what_was_done_already_is_refused_and_mails_nobody_twice(
    app: Flask, operator: FlaskClient, ids: dict[str, Any]
) -> None:
    account, waiting = f"/operator/accounts/{ids['taro']}", f"/operator/dealers/{ids['waiting']}"
    for path in (f"{account}/lock", f"{waiting}/approve", f"{account}/close", f"{waiting}/close"):
        assert operator.post(path, data=WHY).status_code == 303
        again = operator.post(path, data=WHY)
        assert again.status_code == 409, path
        assert WHY["reason"] in again.text
    for path in (f"{account}/unlock", f"{account}/password", f"/operator/gateways/{ID}/free"):
        assert operator.post(path, data=WHY).status_code == 409, path
    with app.app_context():
        mails = db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)).all()
    assert mails == ["account_locked", "dealer_approved", "account_closed_by_desk", "dealer_closed"]


def test_closing_an_account_frees_its_gateways(
    app: Flask, operator: FlaskClient, taro: FlaskClient, ids: dict[str, Any]
) -> None:
    operator.post(f"/operator/accounts/{ids['taro']}/close", data=WHY)
    assert taro.get("/gateways").status_code == 302
    with app.app_context():
        assert db.session.scalars(select(Installation)).one().closed_at is not None
        assert db.session.scalars(select(AuditEntry).filter_by(action="gateway.removed")).one()
    assert "閉鎖" in operator.get(f"/operator/customers/{ids['taro']}").text


def test_closing_a_dealer_ends_the_sessions_of_all_its_people(
    app: Flask, operator: FlaskClient, ids: dict[str, Any]
) -> None:
    person = sign_in(app.test_client(), "dealer@example.org")
    operator.post(f"/operator/dealers/{ids['shop']}/close", data=WHY)
    assert person.get("/dealer").status_code == 302
    with app.app_context():
        assert db.session.get_one(Dealer, ids["shop"]).closed_at is not None


def test_freeing_ends_access_at_once_and_the_history_stays(
    app: Flask, operator: FlaskClient, taro: FlaskClient
) -> None:
    operator.post(f"/operator/gateways/{ID}/free", data=WHY)
    assert taro.get(f"/gateways/{ID}").status_code == 404
    assert "取り外したゲートウェイ" in taro.get("/gateways").text
    assert "これまでの持ち主" in operator.get(f"/operator/gateways/{ID}").text


def test_a_new_registration_mail_ends_the_url_before_also_while_that_works(
    app: Flask, operator: FlaskClient, ids: dict[str, Any]
) -> None:
    def row() -> tuple[str, Any]:
        with app.app_context():
            found = db.session.get_one(Registration, ids["newcomer"])
            return found.url_nonce, found.expires_at

    path = f"/operator/registrations/customer/{ids['newcomer']}/mail"
    nonces = [row()[0]]
    for _time in range(2):
        assert operator.post(path, data=WHY).status_code == 303
        nonces.append(row()[0])
    assert len(set(nonces)) == 3
    assert row()[1] > clock.now() + timedelta(days=6)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(OutboxMail)) == 2


def test_a_registration_that_ended_is_mailed_no_more(
    app: Flask, operator: FlaskClient, ids: dict[str, Any]
) -> None:
    path = f"/operator/registrations/customer/{ids['newcomer']}/mail"
    with app.app_context(), transaction():
        db.session.get_one(Registration, ids["newcomer"]).superseded_at = clock.now()
    assert operator.post(path, data=WHY).status_code == 409


def printed(html: str) -> str:
    [password] = set(re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]\b", html))
    return str(password)


def test_a_reissued_sheet_is_printed_once_by_this_browser_alone(
    app: Flask, operator: FlaskClient
) -> None:
    page = f"/operator/gateways/{FREE}"
    operator.post(f"{page}/reissue", data={**WHY, "seen": "1"})
    shown = operator.get(f"{page}/sheet")
    password = printed(shown.text)
    assert shown.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert password not in operator.get(page).text
    assert "印刷を待っている用紙があります" in operator.get(page).text
    assert printed(operator.get(f"{page}/sheet?language=en").text) == password
    with app.app_context():
        assert sheets.prove(FREE, password).version == 2
        # nothing that is kept holds it
        kept = db.session.scalars(select(SealedSheet)).one()
        assert password.replace("-", "").encode() not in kept.sealed
        told = [str(entry.detail) for entry in db.session.scalars(select(AuditEntry))]
        assert password not in " ".join(told)

    colleague = sign_in(app.test_client(), "operator@example.org")
    assert "再発行をしたブラウザでだけ開けます" in colleague.get(page).text
    turned = colleague.get(f"{page}/sheet", follow_redirects=True)
    assert "再発行をしたブラウザでだけ開けます" in turned.text
    assert password not in turned.text

    assert operator.post(f"{page}/sheet/printed").status_code == 303
    gone = operator.get(f"{page}/sheet", follow_redirects=True)
    assert "この用紙は消去されました" in gone.text
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(SealedSheet)) == 0
        assert db.session.scalars(select(Sheet).filter_by(version=2)).one().printed_at is not None


def test_signing_out_ends_what_opens_a_sheet(app: Flask, operator: FlaskClient) -> None:
    page = f"/operator/gateways/{FREE}"
    operator.post(f"{page}/reissue", data={**WHY, "seen": "1"})
    operator.post("/sign-out")
    sign_in(operator, "operator@example.org")
    assert operator.get(f"{page}/sheet").status_code == 303


def test_a_sheet_nobody_printed_in_time_is_gone(app: Flask, operator: FlaskClient) -> None:
    page = f"/operator/gateways/{FREE}"
    with time_machine.travel(clock.now(), tick=False) as clockwork:
        operator.post(f"{page}/reissue", data={**WHY, "seen": "1"})
        clockwork.shift(timedelta(hours=11))
        assert operator.get(f"{page}/sheet").status_code == 200
        clockwork.shift(timedelta(hours=11))
        operator.get(page)
        clockwork.shift(timedelta(hours=2))
        assert operator.get(f"{page}/sheet").status_code == 303


def test_a_second_press_issues_no_third_sheet(app: Flask, operator: FlaskClient) -> None:
    page = f"/operator/gateways/{FREE}/reissue"
    statuses = [operator.post(page, data={**WHY, "seen": "1"}).status_code for _press in range(2)]
    assert statuses == [303, 409]
    assert operator.post(page, data=WHY).status_code == 409
    with app.app_context():
        versions = select(Sheet.version).join(Sheet.gateway).filter_by(public_id=FREE)
        assert db.session.scalars(versions.order_by(Sheet.version)).all() == [1, 2]


def test_without_terms_there_is_no_sheet_and_the_page_says_why(
    app: Flask, operator: FlaskClient
) -> None:
    with app.app_context(), transaction():
        db.session.execute(db.update(Account).values(agreed_terms_id=None))
        db.session.execute(db.delete(TermsVersionFactory._meta.model))
    operator.post(f"/operator/gateways/{FREE}/reissue", data={**WHY, "seen": "1"})
    answer = operator.get(f"/operator/gateways/{FREE}/sheet", follow_redirects=True)
    assert "まだ公開されていません" in answer.text


def test_the_approval_of_the_command_line_needs_no_reason(app: Flask, ids: dict[str, Any]) -> None:
    with app.app_context(), transaction():
        dealers.approve(ids["waiting"], actor_id=None, network_address="", now=clock.now())
    with app.app_context():
        entry = db.session.scalars(select(AuditEntry).filter_by(action="dealer.approved")).one()
        assert "reason" not in entry.detail


def test_closing_a_dealer_ends_what_it_looks_after_and_tells_the_owners(
    app: Flask, operator: FlaskClient, ids: dict[str, Any]
) -> None:
    with app.app_context(), transaction():
        home = db.session.scalars(select(Installation)).one()
        LinkFactory(installation=home, dealer=db.session.get_one(Dealer, ids["shop"]))
    page = f"/operator/dealers/{ids['shop']}"
    assert "1 件" in operator.get(page).text
    operator.post(f"{page}/close", data=WHY)
    assert "0 件" in operator.get(page).text
    with app.app_context():
        link = db.session.scalars(select(MaintenanceLink)).one()
        assert link.how_ended == "dealer_closed"
        told = db.session.scalars(select(OutboxMail.to).filter_by(template="link_dealer_closed"))
        assert told.all() == ["taro@example.org"]


def test_whoever_lost_the_phone_gets_the_second_factor_reset(
    app: Flask, operator: FlaskClient, ids: dict[str, Any]
) -> None:
    person = sign_in(app.test_client(), "dealer@example.org")
    with app.app_context():
        account = db.session.scalars(select(Account).filter_by(email="dealer@example.org")).one()
    answer = operator.post(f"/operator/accounts/{account.id}/factor", data=WHY)
    assert answer.status_code == 303
    assert person.get("/dealer").status_code == 302
    again = app.test_client().post(
        "/sign-in", data={"email": "dealer@example.org", "password": PASSWORD}
    )
    assert again.location.startswith("/sign-in/setup")
