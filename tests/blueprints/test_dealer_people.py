"""Pages of a dealer's people and its 保守担当者, and of those who are invited."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app.domain import tokens
from app.extensions import db
from app.models import Account, Dealer, DealerInvitation, MaintenanceContact
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    OperatorFactory,
    TermsVersionFactory,
)
from tests.registering import ADDRESS, hidden
from tests.signing_in import sign_in

WHO = {
    "family_name": "鈴木",
    "given_name": "一郎",
    "family_kana": "すずき",
    "given_kana": "ｲﾁﾛｳ",
    "email": "Ichiro@example.org",
}
HOME = {f"home_{name}": value for name, value in ADDRESS.items()}


@pytest.fixture(autouse=True)
def cast(app: Flask) -> None:
    with app.app_context(), transaction():
        TermsVersionFactory(kind="dealer", body_ja="販売店様のお約束です。")
        dealer = DealerFactory(name="ひだまり電設")
        DealerPersonFactory(email="hanako@example.org", dealer=dealer, is_dealer_admin=True)
        DealerPersonFactory(email="jiro@example.org", dealer=dealer, family_name="高橋")
        DealerPersonFactory(email="elsewhere@example.org", is_dealer_admin=True)
        CustomerFactory(email="taro@example.org")
        OperatorFactory(email="operator@example.org")


@pytest.fixture
def hanako(client: FlaskClient) -> FlaskClient:
    return sign_in(client, "hanako@example.org")


def signed(app: Flask, purpose: str, row: DealerInvitation | MaintenanceContact) -> str:
    return tokens.sign(str(app.secret_key), purpose, row.id, row.url_nonce)


def id_of(app: Flask, email: str) -> int:
    with app.app_context():
        return db.session.scalars(select(Account.id).where(Account.email == email)).one()


def test_a_colleague_is_invited_joins_and_signs_in(app: Flask, hanako: FlaskClient) -> None:
    page = hanako.post("/dealer/people/invite", data=WHO, follow_redirects=True)
    text = page.get_data(as_text=True)
    assert "ichiro@example.org に招待のメールをお送りしました。" in text
    assert "鈴木 一郎" in text
    with app.app_context():
        url = signed(app, "dealer-invitation", db.session.scalars(select(DealerInvitation)).one())

    ichiro = app.test_client()
    page = ichiro.get(f"/activate/{url}")
    assert "販売店様のお約束です。" in page.get_data(as_text=True)
    page = ichiro.post(f"/activate/{url}", data=hidden(page), follow_redirects=True)
    assert "販売店様の電話番号" in page.get_data(as_text=True)
    new = {"password": "Komorebi7", "password_again": "Komorebi7"}
    refused = ichiro.post(f"/activate/{url}/password", data=new | {"phone": "03-9999-9999"})
    assert refused.status_code == 422
    done = ichiro.post(
        f"/activate/{url}/password", data=new | {"phone": "03-1234-5678"}, follow_redirects=True
    )
    assert "登録が完了しました" in done.get_data(as_text=True)
    text = hanako.get("/dealer/people").get_data(as_text=True)
    assert "ichiro@example.org" in text
    assert "招待中の方はいません。" in text


def test_what_is_wrong_stands_at_its_field_with_the_rest_kept(hanako: FlaskClient) -> None:
    page = hanako.post("/dealer/people/invite", data=WHO | {"email": "no address"})
    assert page.status_code == 422
    text = page.get_data(as_text=True)
    assert "メールアドレスの形になっていません" in text
    assert 'value="スズキ"' in text


def test_a_withdrawn_invitation_leads_nowhere(app: Flask, hanako: FlaskClient) -> None:
    hanako.post("/dealer/people/invite", data=WHO)
    with app.app_context():
        invitation = db.session.scalars(select(DealerInvitation)).one()
        url = signed(app, "dealer-invitation", invitation)
        path = f"/dealer/people/invitations/{invitation.id}/withdraw"
    assert "招待を取り消しました" in hanako.post(path, follow_redirects=True).get_data(as_text=True)
    page = app.test_client().get(f"/activate/{url}")
    assert page.status_code == 410
    assert "この招待は、取り消されたか" in page.get_data(as_text=True)


def test_who_is_removed_is_out_with_the_next_request(app: Flask, hanako: FlaskClient) -> None:
    jiro = sign_in(app.test_client(), "jiro@example.org")
    assert jiro.get("/dealer").status_code == 200
    path = f"/dealer/people/{id_of(app, 'jiro@example.org')}"
    assert "利用者から外す" in hanako.get(path).get_data(as_text=True)
    page = hanako.post(path, data={"do": "remove"}, follow_redirects=True)
    assert "この方は、もうログインできません。" in page.get_data(as_text=True)
    assert jiro.get("/dealer").status_code == 302
    assert hanako.get(path).status_code == 404


def test_an_administrator_stays_one_whatever_is_pressed(app: Flask, hanako: FlaskClient) -> None:
    path = f"/dealer/people/{id_of(app, 'hanako@example.org')}"
    for do in ("remove", "demote"):
        page = hanako.post(path, data={"do": do})
        assert page.status_code == 422
        assert "ご自分を外すことはできません" in page.get_data(as_text=True)


def test_what_nobody_offered_is_not_done(app: Flask, hanako: FlaskClient) -> None:
    path = f"/dealer/people/{id_of(app, 'jiro@example.org')}"
    hanako.post(path, data={"do": "promote"})
    for do in ("", "anything"):
        assert hanako.post(path, data={"do": do}).status_code == 400
    with app.app_context():
        jiro = db.session.get_one(Account, id_of(app, "jiro@example.org"))
        assert jiro.is_dealer_admin


def test_a_colleague_made_administrator_may_invite(app: Flask, hanako: FlaskClient) -> None:
    jiro = sign_in(app.test_client(), "jiro@example.org")
    assert jiro.get("/dealer/people/invite").status_code == 404
    assert "利用者を招待する" not in jiro.get("/dealer/people").get_data(as_text=True)
    path = f"/dealer/people/{id_of(app, 'jiro@example.org')}"
    hanako.post(path, data={"do": "promote"})
    assert jiro.get("/dealer/people/invite").status_code == 200


@pytest.mark.parametrize("who", ["taro", "operator"])
def test_nobody_but_dealers_people_finds_their_pages(client: FlaskClient, who: str) -> None:
    stranger = sign_in(client, f"{who}@example.org")
    for path in ("/dealer/people", "/dealer/people/invite", "/dealer/contacts", "/dealer/edit"):
        assert stranger.get(path).status_code == 404, path
        assert stranger.post(path, data=WHO).status_code in (404, 405), path


def test_another_dealers_administrator_finds_nobody(app: Flask, hanako: FlaskClient) -> None:
    hanako.post("/dealer/people/invite", data=WHO)
    hanako.post("/dealer/contacts", data={"name": "当番", "email": "night@example.org"})
    with app.app_context():
        invitation_id = db.session.scalars(select(DealerInvitation.id)).one()
        contact_id = db.session.scalars(select(MaintenanceContact.id)).one()
    stranger = sign_in(app.test_client(), "elsewhere@example.org")
    jiro_id = id_of(app, "jiro@example.org")
    for path in (
        f"/dealer/people/{jiro_id}",
        f"/dealer/people/invitations/{invitation_id}/withdraw",
        f"/dealer/contacts/{contact_id}/remove",
        f"/dealer/contacts/{contact_id}/send",
    ):
        assert stranger.post(path, data={"do": "remove"}).status_code == 404, path
    assert "jiro@example.org" not in stranger.get("/dealer/people").get_data(as_text=True)
    assert "night@example.org" not in stranger.get("/dealer/contacts").get_data(as_text=True)


def test_a_contact_is_added_confirms_and_stops_the_notices(app: Flask, hanako: FlaskClient) -> None:
    assert "登録が必要です" in hanako.get("/dealer/contacts").get_data(as_text=True)
    given = {"name": "保守センター", "email": "night@example.org"}
    page = hanako.post("/dealer/contacts", data=given, follow_redirects=True)
    assert "確認待ち" in page.get_data(as_text=True)
    again = hanako.post("/dealer/contacts", data=given)
    assert again.status_code in (422, 429)
    with app.app_context():
        row = db.session.scalars(select(MaintenanceContact)).one()
        url = f"/contact/{signed(app, 'maintenance-contact', row)}"
    reader = app.test_client()
    assert "お知らせを受け取る" in reader.get(url).get_data(as_text=True)
    # opening it changed nothing
    assert "確認待ち" in hanako.get("/dealer/contacts").get_data(as_text=True)
    page = reader.post(url, data={"do": "confirm"})
    assert "メールアドレスを確認しました" in page.get_data(as_text=True)
    text = hanako.get("/dealer/contacts").get_data(as_text=True)
    assert "確認済み" in text
    assert "登録が必要です" not in text
    page = reader.post(url, data={"do": "decline"})
    assert "お知らせを止めました" in page.get_data(as_text=True)
    assert reader.get(url).status_code == 410
    assert "night@example.org" not in hanako.get("/dealer/contacts").get_data(as_text=True)


def test_a_mail_to_a_contact_is_sent_anew(app: Flask, hanako: FlaskClient) -> None:
    hanako.post("/dealer/contacts", data={"name": "当番", "email": "night@example.org"})
    with app.app_context():
        row = db.session.scalars(select(MaintenanceContact)).one()
        contact_id, url = row.id, signed(app, "maintenance-contact", row)
    page = hanako.post(f"/dealer/contacts/{contact_id}/send", follow_redirects=True)
    assert "もう一度お送りしました" in page.get_data(as_text=True)
    assert hanako.get(f"/contact/{url}").status_code == 410


def test_a_dealers_data_are_changed_by_its_administrator(app: Flask, hanako: FlaskClient) -> None:
    form = hanako.get("/dealer/edit").get_data(as_text=True)
    assert 'value="ひだまり電設"' in form
    given = HOME | {
        "name": "ひなた電設",
        "name_kana": "ヒナタデンセツ",
        "phone": "０３ー９８７６ー５４３２",
        "email": "hanako@example.org",
    }
    page = hanako.post("/dealer/edit", data=given, follow_redirects=True)
    text = page.get_data(as_text=True)
    assert "販売店情報を保存しました。" in text
    assert re.search("03-9876-5432", text)
    refused = hanako.post("/dealer/edit", data=given | {"email": "stranger@example.org"})
    assert refused.status_code == 422
    assert "確認の済んだメールアドレスからお選びください" in refused.get_data(as_text=True)
    bad = hanako.post("/dealer/edit", data=given | {"phone": "12"})
    assert bad.status_code == 422
    assert sign_in(app.test_client(), "jiro@example.org").get("/dealer/edit").status_code == 404
    with app.app_context():
        dealer = db.session.scalars(select(Dealer).where(Dealer.name == "ひなた電設")).one()
        assert (dealer.email, dealer.phone) == ("hanako@example.org", "+81398765432")


def fill(app: Flask, people: int) -> None:
    with app.app_context(), transaction():
        hanako = db.session.scalars(select(Account).filter_by(email="hanako@example.org")).one()
        own = {
            column.name: getattr(hanako, column.name)
            for column in Account.__table__.columns
            if column.name != "id"
        }
        db.session.execute(
            insert(Account),
            [
                own
                | {
                    "email": f"p{n}@example.org",
                    "is_dealer_admin": False,
                    "family_kana": f"ア{n:05}",
                    "family_name": f"多田{n}",
                }
                for n in range(people)
            ],
        )


def test_five_thousand_people_cost_as_many_queries_as_two(
    app: Flask, hanako: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queries() -> int:
        with counted(monkeypatch) as work:
            assert hanako.get("/dealer/people").status_code == 200
        return len(work.statements)

    few = queries()
    fill(app, 5000)
    assert queries() == few


def test_people_are_searched_sorted_and_paged_with_and_without_javascript(
    app: Flask, hanako: FlaskClient
) -> None:
    fill(app, 5000)
    page = hanako.get("/dealer/people").text
    assert "5002 名" in page
    assert page.index("hanako@example.org") < page.index("p0@example.org")
    second = hanako.get("/dealer/people?sort=name&page=2").text
    assert "p25@example.org" in second
    assert "p5@example.org" not in second
    for path in ("/dealer/people?q=多田4999", "/dealer/people/list?q=p4999@"):
        found = hanako.get(path)
        assert "1 名" in found.text
        assert "p4999@example.org" in found.text
    alone = hanako.get("/dealer/people/list?q=p4999@&sort=new", headers={"HX-Request": "true"})
    assert "<html" not in alone.text
    assert alone.headers["HX-Replace-Url"] == "/dealer/people?q=p4999@&sort=new"
    assert "見つかりませんでした" in hanako.get("/dealer/people?q=nobody").text
