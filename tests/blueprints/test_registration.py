"""The wizard from the campaign page to the completion page, without JavaScript."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import clock, create_app
from app.domain import campaigns, sheets
from app.extensions import db
from app.models import (
    Account,
    ClaimAttempt,
    Consent,
    Gateway,
    OutboxMail,
    Registration,
    RegistrationDraft,
    Sheet,
)
from app.transaction import transaction
from tests.conftest import test_settings
from tests.counting import counted
from tests.factories import (
    SHEET_PASSWORD,
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
    PowerConditionerFactory,
    TermsVersionFactory,
)
from tests.registering import (
    FILLED,
    GATEWAY_ID,
    agree,
    body,
    fill,
    hidden,
    press,
    provision,
    values,
)

pytestmark = pytest.mark.usefixtures("provisioned")


@pytest.fixture
def provisioned(app: Flask) -> None:
    provision(app)


def rows(app: Flask, model: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def patient_app(database_url: str, tmp_path: Path, **changes: int) -> Flask:
    app = create_app(test_settings(database_url, tmp_path, **changes))
    app.config["WTF_CSRF_ENABLED"] = False
    return app


# --- the pages around the form


def test_the_campaign_leads_to_the_registration_page(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        campaigns.publish_file(app.extensions["settings"].content_dir, clock.now())
    page = client.get("/")
    assert "次へ進む" in page.text
    assert 'href="/register"' in page.text
    page = client.get("/register")
    for words in ("お客様情報のご登録", "すでにアカウントをお持ちの方", "販売店様のご登録"):
        assert words in page.text
    assert 'href="/register/terms"' in page.text


def test_without_a_campaign_the_registration_page_comes_first(client: FlaskClient) -> None:
    answer = client.get("/?gateway=FREE00000001")
    assert answer.status_code == 302
    assert answer.location == "/register?gateway=FREE00000001"


def test_the_sheets_qr_code_fills_in_the_gateway_id_but_never_a_password(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context(), transaction():
        campaigns.publish_file(app.extensions["settings"].content_dir, clock.now())
    page = client.get("/?gateway=free-0000-0001&password=x")
    assert 'href="/register?gateway=free-0000-0001"' in page.text
    page = client.get("/register?gateway=free-0000-0001")
    assert 'href="/register/terms?gateway=free-0000-0001"' in page.text
    form = agree(client, "free-0000-0001")
    assert values(form)["gateway_id"] == GATEWAY_ID
    assert values(form)["gateway_password"] == ""


@pytest.mark.both_databases
def test_a_gateway_id_of_rubbish_is_passed_over(client: FlaskClient) -> None:
    form = agree(client, "\x00<script>😀\u202e" * 20)
    assert form.status_code == 200
    assert values(form)["gateway_id"] == ""


def test_the_terms_are_read_by_keyboard_and_say_what_pressing_means(client: FlaskClient) -> None:
    page = client.get("/register/terms")
    assert 'role="region"' in page.text
    assert 'tabindex="0"' in page.text
    assert "この規約は、本サービスの利用条件を定めるものです。" in page.text
    assert "同意いただけない場合は、サービスをご利用いただけません。" in page.text
    assert page.text.index("押すと、この利用規約") < page.text.index(">同意する<")


def test_the_form_comes_after_the_terms(client: FlaskClient) -> None:
    assert client.get("/register/form").location == "/register/terms"
    assert client.get("/register/confirm", follow_redirects=True).request.path == "/register/terms"
    assert client.get("/register/done").location == "/register"


def test_agreeing_to_terms_that_changed_meanwhile_shows_the_new_ones(
    app: Flask, client: FlaskClient
) -> None:
    old = hidden(client.get("/register/terms"))
    with app.app_context(), transaction():
        TermsVersionFactory(kind="service", version="2", body_ja="新しい規約です。")
    page = client.post("/register/terms", data=old)
    assert page.status_code == 422
    assert "新しい規約です。" in page.text
    assert "利用規約が新しくなりました" in page.text


def test_without_terms_nobody_can_register(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        db.session.execute(db.delete(db.metadata.tables["terms_versions"]))
    assert client.get("/register/terms").status_code == 503


# --- the whole way


@pytest.mark.both_databases
def test_the_whole_way(app: Flask, client: FlaskClient) -> None:
    form = agree(client)
    assert form.request.path == "/register/form"
    page = fill(client)
    assert page.request.path == "/register/confirm"
    for words in ("ユーザー アカウント登録確認", "山田 太郎", "ヤマダ タロウ", "taro@example.org"):
        assert words in page.text
    for words in ("〒 600-8216", "03-1234-5678", "山田邸", GATEWAY_ID, "未接続"):
        assert words in page.text
    assert "パワーコンディショナ構成情報はありません。" in page.text
    assert SHEET_PASSWORD not in page.text
    page = press(client)
    assert page.request.path == "/register/done"
    assert "ユーザー アカウント登録完了" in page.text
    assert "【アカウント仮登録のお知らせ】" in page.text
    assert "ページを閉じてください" in page.text
    assert "ログインへ" in page.text
    with app.app_context():
        registration = db.session.scalars(select(Registration)).one()
        assert (registration.phone, registration.postal_code) == ("+81312345678", "6008216")
        assert registration.network_address == "127.0.0.1"
        mail = db.session.scalars(select(OutboxMail)).one()
        assert mail.template == "registration_provisional"


def test_the_completion_page_says_until_when_the_url_is_good(client: FlaskClient) -> None:
    with time_machine.travel("2026-11-22T20:00:00Z", tick=False):
        agree(client)
        fill(client)
        page = press(client)
    # 23 November in Japan, and a week
    assert "2026年11月30日" in page.text


def test_what_the_gateway_told_is_shown(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        gateway = db.session.scalars(select(Gateway)).one()
        gateway.told_model, gateway.told_serial = "HDM-TOLD", "S-TOLD"
        gateway.first_contact_at = gateway.created_at
        PowerConditionerFactory(gateway=gateway, unit_no=3, model="HDM-PCS", serial="P-1")
    agree(client)
    page = fill(client)
    for words in ("HDM-TOLD", "S-TOLD", "2026/04/01 10:00", "HDM-PCS", "P-1"):
        assert words in page.text
    assert "未接続" not in page.text


def test_everything_typed_is_shown_back_normalised(client: FlaskClient) -> None:
    agree(client)
    page = fill(
        client,
        family_kana="ﾔﾏﾀﾞ",
        given_kana="たろう",
        email="Ｔａｒｏ@Example.org ",
        email_again="taro@example.ORG",
        phone="０３ー１２３４ー５６７８",
        home_postal_code="６００８２１６",
        home_street="東塩小路町１ー２",
        gateway_id="ｆｒｅｅ 0000 0001",
        gateway_password=SHEET_PASSWORD.upper(),
    )
    assert page.request.path == "/register/confirm"
    for words in ("ヤマダ タロウ", "taro@example.org", "03-1234-5678", "東塩小路町1-2"):
        assert words in page.text


def test_back_keeps_every_entry_but_the_password(client: FlaskClient) -> None:
    agree(client)
    fill(client, building="", company_name="株式会社ひだまり")
    page = client.post("/register/confirm", data={"back": "1"}, follow_redirects=True)
    assert page.request.path == "/register/form"
    assert values(page) == FILLED | {"gateway_password": "", "company_name": "株式会社ひだまり"}
    assert "確認済み" in page.text


def test_back_from_the_form_keeps_what_was_typed(client: FlaskClient) -> None:
    agree(client)
    page = client.post("/register/form", data=FILLED | {"back": "1"}, follow_redirects=True)
    assert page.request.path == "/register/terms"
    assert values(agree(client)) == FILLED | {"gateway_password": ""}


def test_a_proved_sheet_is_not_asked_again(client: FlaskClient) -> None:
    agree(client)
    fill(client)
    page = fill(client, gateway_password="", site_name="別の名前")
    assert page.request.path == "/register/confirm"
    assert "別の名前" in page.text


def test_a_changed_gateway_id_asks_for_its_password(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        InstallationFactory(gateway=GatewayFactory(public_id="TAKEN0000001"))
    agree(client)
    fill(client)
    page = fill(client, gateway_id="TAKEN0000001", gateway_password="")
    assert page.status_code == 422
    assert "ゲートウェイパスワードを入力してください。" in page.text
    assert "確認済み" not in page.text
    page = fill(client, gateway_id="TAKEN0000001")
    assert page.status_code == 422
    # and back to the proved one without the password
    assert fill(client, gateway_password="").request.path == "/register/confirm"


def test_a_draft_holds_no_password(app: Flask, client: FlaskClient) -> None:
    agree(client)
    fill(client)
    client.post("/register/form/keep", data=FILLED)
    with app.app_context():
        draft = db.session.scalars(select(RegistrationDraft)).one()
        assert SHEET_PASSWORD not in str(draft.data)
        assert "gateway_password" not in draft.data


def test_what_is_typed_is_kept_before_any_button_is_pressed(client: FlaskClient) -> None:
    agree(client)
    answer = client.post(
        "/register/form/keep", data={"family_name": "寿限無", "home_city": "京都市"}
    )
    assert answer.status_code == 204
    shown = values(client.get("/register/form"))
    assert (shown["family_name"], shown["home_city"]) == ("寿限無", "京都市")


def test_the_language_switch_on_the_form_keeps_what_was_typed(client: FlaskClient) -> None:
    form = agree(client)
    page = client.post(
        "/register/form",
        data=FILLED | hidden(form) | {"language": "en"},
        follow_redirects=True,
    )
    assert page.request.path == "/register/form"
    assert '<html lang="en">' in page.text
    assert values(page) == FILLED | {"gateway_password": ""}


# --- once, however often


def test_pressing_twice_shows_the_same_page_and_sends_one_mail(
    app: Flask, client: FlaskClient
) -> None:
    agree(client)
    confirmation = fill(client)
    first = press(client, confirmation)
    second = press(client, confirmation)
    assert second.request.path == "/register/done"
    assert body(second) == body(first)
    assert rows(app, Registration) == rows(app, OutboxMail) == rows(app, Consent) == 1


@pytest.mark.both_databases
def test_pressing_twice_at_once_sends_one_mail(app: Flask, client: FlaskClient) -> None:
    agree(client)
    data = hidden(fill(client))
    cookie = client.get_cookie("hidamari")
    assert cookie

    def press_elsewhere(_number: int) -> tuple[int, str]:
        other = app.test_client()
        other.set_cookie("hidamari", cookie.value)
        answer = other.post("/register/confirm", data=data)
        return answer.status_code, answer.location

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(press_elsewhere, range(4)))
    assert answers == {(302, "/register/done")}
    assert rows(app, Registration) == rows(app, OutboxMail) == 1


def test_reload_and_back_after_completion_lead_to_the_completion_page(client: FlaskClient) -> None:
    agree(client)
    fill(client)
    press(client)
    for path in ("/register/done", "/register/confirm", "/register/form"):
        page = client.get(path, follow_redirects=True)
        assert page.request.path == "/register/done"
        assert FILLED["email"] in page.text


def test_another_tab_that_changed_the_draft_is_noticed(app: Flask, client: FlaskClient) -> None:
    agree(client)
    confirmation = fill(client)
    fill(client, site_name="別のタブ")
    page = press(client, confirmation)
    assert page.status_code == 409
    assert "別のタブ" in page.text
    assert rows(app, Registration) == 0
    assert press(client, page).request.path == "/register/done"
    with app.app_context():
        assert db.session.scalars(select(Registration.site_name)).one() == "別のタブ"


def test_a_typo_in_the_mail_address_is_mended_by_going_back(
    app: Flask, client: FlaskClient
) -> None:
    agree(client)
    fill(client, email="typo@example.org", email_again="typo@example.org")
    press(client)
    # the browser's own "back" shows the old form; its proof ended with the registration
    page = fill(client, gateway_password="")
    assert page.status_code == 422
    assert "ゲートウェイパスワードを入力してください。" in page.text
    fill(client)
    press(client)
    with app.app_context():
        typo, right = db.session.scalars(select(Registration).order_by(Registration.id))
        assert typo.superseded_at is not None
        assert (right.email, right.superseded_at) == ("taro@example.org", None)
        assert rows(app, OutboxMail) == rows(app, Consent) == 2


def test_the_next_person_at_the_same_browser_sees_nothing_of_the_first(
    client: FlaskClient,
) -> None:
    agree(client)
    fill(client)
    press(client)
    assert set(values(agree(client)).values()) == {""}


# --- the gateway


@pytest.mark.both_databases
def test_unknown_wrong_and_taken_answer_alike_for_the_same_work(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), transaction():
        InstallationFactory(gateway=GatewayFactory(public_id="TAKEN0000001"))
    agree(client)
    fill(client, gateway_id="UNKNOWN00001", gateway_password="x")
    pages, amounts = set(), set()
    for public_id, password in [
        ("UNKNOWN00001", SHEET_PASSWORD),
        (GATEWAY_ID, "wrong"),
        ("TAKEN0000001", SHEET_PASSWORD),
        ("TAKEN0000001", "wrong"),
    ]:
        # the draft as it was: saving what is typed must not differ
        client.post("/register/form/keep", data=FILLED | {"gateway_id": public_id})
        with counted(monkeypatch) as work:
            page = fill(client, gateway_id=public_id, gateway_password=password)
        assert page.status_code == 422
        assert values(page)["gateway_id"] == public_id
        assert values(page)["family_name"] == "山田"
        pages.add(body(page).replace(public_id, ""))
        amounts.add(work.amounts)
    assert len(pages) == 1
    assert len(amounts) == 1
    assert amounts.pop()[1] == 1


def test_attempts_are_recorded_and_survive_the_refusal(app: Flask, client: FlaskClient) -> None:
    agree(client)
    fill(client, gateway_password="wrong")
    fill(client)
    with app.app_context():
        attempts = db.session.scalars(select(ClaimAttempt).order_by(ClaimAttempt.id)).all()
        assert [(one.public_id_typed, one.proved) for one in attempts] == [
            (GATEWAY_ID, False),
            (GATEWAY_ID, True),
        ]


def test_guessing_is_slowed_down_with_the_form_left_as_it_was(
    app: Flask, client: FlaskClient
) -> None:
    agree(client)
    with time_machine.travel("2026-11-22T03:00:00Z", tick=False) as clock:
        agree(client)
        answers = [fill(client, gateway_password="wrong") for _try in range(9)]
        assert answers[0].status_code == 422
        refused = answers[-1]
        assert refused.status_code == 429
        assert "もう一度お試しください" in refused.text
        assert values(refused) == FILLED | {"gateway_password": ""}
        # the right password waits like any other
        assert fill(client).status_code == 429
        clock.shift(timedelta(hours=1))
        assert fill(client).request.path == "/register/confirm"


def test_a_success_takes_back_only_what_it_spent(database_url: str, tmp_path: Path) -> None:
    app = patient_app(database_url, tmp_path, free_failures_address=2)
    with time_machine.travel("2026-11-22T03:00:00Z", tick=False):
        for _household in range(5):
            household = app.test_client()
            agree(household)
            assert fill(household).status_code == 200


def test_a_provisional_registration_blocks_nobody(app: Flask, client: FlaskClient) -> None:
    agree(client)
    fill(client)
    press(client)
    other = app.test_client()
    agree(other)
    assert (
        fill(other, email="hanako@example.org", email_again="hanako@example.org").status_code == 200
    )
    assert press(other).request.path == "/register/done"
    with app.app_context():
        first, second = db.session.scalars(select(Registration).order_by(Registration.id))
        assert first.superseded_at is not None
        assert second.superseded_at is None


@pytest.mark.parametrize("happened", ["owned", "reissued"])
def test_registering_checks_again_that_the_sheet_stands(
    app: Flask, client: FlaskClient, happened: str
) -> None:
    agree(client)
    confirmation = fill(client)
    with app.app_context(), transaction():
        sheet = db.session.scalars(select(Sheet)).one()
        if happened == "owned":
            InstallationFactory(gateway=sheet.gateway, claimed_sheet_id=sheet.id)
        else:
            sheets.issue(sheet.gateway, password_hash="", now=sheet.issued_at)
    page = press(client, confirmation)
    assert page.status_code == 422
    assert "確認した後に状況が変わったため" in page.text
    assert values(page)["family_name"] == "山田"
    assert "確認済み" not in page.text
    assert rows(app, Registration) == 0


# --- who is a customer is nobody's business


def test_a_known_address_gets_the_same_page_byte_for_byte(app: Flask, client: FlaskClient) -> None:
    pages = []
    with time_machine.travel("2026-11-22T03:00:00Z", tick=False):
        for household in (client, app.test_client()):
            agree(household)
            fill(household)
            pages.append(press(household))
            with app.app_context(), transaction():
                if not db.session.scalar(select(Account.id)):
                    CustomerFactory(email="taro@example.org")
    assert body(pages[0]) == body(pages[1])
    assert pages[0].status_code == pages[1].status_code
    with app.app_context():
        templates = list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))
        assert templates == ["registration_provisional", "registration_known_address"]
        first = db.session.scalars(select(Registration).order_by(Registration.id)).first()
        assert first
        # as with any address: an earlier URL that went on working would tell who is a customer
        assert first.superseded_at is not None


def test_one_address_is_not_flooded_with_mails(database_url: str, tmp_path: Path) -> None:
    app = patient_app(database_url, tmp_path, free_failures=1)
    with time_machine.travel("2026-11-22T03:00:00Z", tick=False):
        for _try in range(4):
            household = app.test_client()
            agree(household)
            fill(household)
            last = press(household)
    assert last.status_code == 429
    assert "もう一度お試しください" in last.text
    assert rows(app, OutboxMail) < 4


def test_newer_terms_are_agreed_to_before_registering(app: Flask, client: FlaskClient) -> None:
    agree(client)
    confirmation = fill(client)
    with app.app_context(), transaction():
        TermsVersionFactory(kind="service", version="2", body_ja="新しい規約です。")
    page = press(client, confirmation)
    assert page.status_code == 422
    assert "新しい規約です。" in page.text
    assert values(agree(client))["family_name"] == "山田"
    assert fill(client, gateway_password="").request.path == "/register/confirm"
    press(client)
    with app.app_context():
        assert db.session.scalars(select(Consent)).one().terms_version.version == "2"
