"""From the mail's URL to the completed registration."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.domain import activation, provisional, terms, tokens
from app.extensions import db
from app.models import Account, Consent, OutboxMail, PollState, Registration
from app.transaction import transaction
from tests.factories import CustomerFactory, RegistrationFactory, TermsVersionFactory
from tests.joining import rules
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
EMAIL = "hanako@example.org"
NEW = {"password": "Komorebi7", "password_again": "Komorebi7", "phone": "０３ー１２３４ー５６７８"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def version_id(app: Flask) -> int:
    with app.app_context(), transaction():
        return int(TermsVersionFactory(version="1", body_ja="# 第1条\n\n大切な約束です。").id)


@pytest.fixture
def registration_id(app: Flask) -> int:
    with app.app_context(), transaction():
        registration = RegistrationFactory(email=EMAIL, created_at=NOW - timedelta(hours=1))
        terms.agree(
            terms.current("service", NOW),
            registration_id=registration.id,
            agreed_at=NOW - timedelta(hours=1),
            network_address="192.0.2.1",
        )
        return int(registration.id)


@pytest.fixture
def url(app: Flask, registration_id: int) -> str:
    return url_of(app, registration_id)


def url_of(app: Flask, registration_id: int) -> str:
    """Return the path that the mail's URL has just now."""
    with app.app_context():
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        signed = tokens.sign(
            app.config["SECRET_KEY"], "registration", registration_id, registration.url_nonce
        )
    return f"/activate/{signed}"


def agree(client: FlaskClient, url: str) -> Any:
    page = client.get(url).get_data(as_text=True)
    [shown] = re.findall(r'name="terms_version" value="(\d+)"', page)
    return client.post(url, data={"terms_version": shown})


def finish(client: FlaskClient, url: str, **changes: str) -> Any:
    return client.post(f"{url}/password", data={**NEW, **changes})


def change(app: Flask, registration_id: int, **columns: Any) -> None:
    with app.app_context(), transaction():
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        for name, value in columns.items():
            setattr(registration, name, value)


def accounts(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Account.email)))


def mails(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))


@pytest.mark.both_databases
def test_the_whole_way(app: Flask, client: FlaskClient, url: str) -> None:
    page = client.get(url)
    assert page.status_code == 200
    assert "大切な約束です。" in page.get_data(as_text=True)
    agreed = agree(client, url)
    assert (agreed.status_code, agreed.location) == (303, f"{url}/password")
    form = client.get(agreed.location).get_data(as_text=True)
    assert "新パスワードの設定" in form
    assert EMAIL in form
    finished = finish(client, url)
    assert (finished.status_code, finished.location) == (303, "/activate/done")
    done = client.get(finished.location).get_data(as_text=True)
    assert "ユーザー アカウント本登録完了" in done
    assert "ページを閉じてください" in done
    assert "/monitor/sign-in" in done
    assert accounts(app) == [EMAIL]
    assert mails(app) == ["registration_complete"]
    assert sign_in(client, EMAIL, NEW["password"])


def test_completing_signs_nobody_in(client: FlaskClient, url: str) -> None:
    agree(client, url)
    finish(client, url)
    assert client.get("/account/").status_code != 200


def test_opening_the_url_changes_nothing(app: Flask, client: FlaskClient, url: str) -> None:
    for _ in range(3):
        assert client.get(url).status_code == 200
        assert client.head(url).status_code == 200
    assert accounts(app) == mails(app) == []
    assert agree(client, url).status_code == 303


def test_the_password_page_asks_for_the_agreement_first(
    app: Flask, client: FlaskClient, url: str
) -> None:
    for answer in (client.get(f"{url}/password"), finish(client, url)):
        assert (answer.status_code, answer.location) == (303, url)
    assert accounts(app) == []


def test_an_agreement_counts_for_one_registration(
    app: Flask, client: FlaskClient, url: str
) -> None:
    agree(client, url)
    with app.app_context(), transaction():
        other = RegistrationFactory(created_at=NOW).id
    assert client.get(f"{url_of(app, other)}/password").location == url_of(app, other)


def test_both_agreements_are_kept_with_time_and_network_address(
    app: Flask, client: FlaskClient, url: str, clock: time_machine.Traveller
) -> None:
    agree(client, url)
    clock.move_to(NOW + timedelta(minutes=10))
    finish(client, url)
    with app.app_context():
        kept = db.session.execute(
            select(Consent.agreed_at, Consent.network_address).order_by(Consent.agreed_at)
        ).all()
    assert [tuple(row) for row in kept] == [
        (NOW - timedelta(hours=1), "192.0.2.1"),
        (NOW, "127.0.0.1"),
    ]


def test_terms_that_changed_are_shown_again(app: Flask, client: FlaskClient, url: str) -> None:
    agree(client, url)
    with app.app_context(), transaction():
        TermsVersionFactory(version="2", body_ja="新しい約束です。", effective_at=NOW)
    refused = finish(client, url)
    assert refused.status_code == 422
    assert "利用規約が新しくなりました" in refused.get_data(as_text=True)
    assert "新しい約束です。" in refused.get_data(as_text=True)
    assert accounts(app) == []
    agree(client, url)
    assert finish(client, url).status_code == 303


def test_agreeing_to_an_old_page_shows_the_new_terms(
    app: Flask, client: FlaskClient, url: str, version_id: int
) -> None:
    with app.app_context(), transaction():
        TermsVersionFactory(version="2", body_ja="新しい約束です。", effective_at=NOW)
    for sent in (str(version_id), "rubbish", ""):
        refused = client.post(url, data={"terms_version": sent})
        assert refused.status_code == 422
        assert "新しい約束です。" in refused.get_data(as_text=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "short", "password_again": "short"}, "8〜16文字"),
        ({"password": "Password1", "password_again": "Password1"}, "広く使われていて"),
        ({"password_again": "Komorebi8"}, "一致していません"),
        ({"password": ""}, "新しいパスワードを入力してください。"),
        ({"phone": "03-1234-5679"}, "電話番号と一致しません"),
        ({"phone": ""}, "電話番号を入力してください。"),
        ({"phone": "12"}, "電話番号の形になっていません"),
        ({"phone": "9" * 10_000}, "電話番号が長すぎます"),
        ({"phone": "\u202e😀\x00"}, "電話番号の形になっていません"),
    ],
)
def test_each_mistake_is_told_at_its_field_and_the_phone_number_stays(
    app: Flask, client: FlaskClient, url: str, changes: dict[str, str], words: str
) -> None:
    agree(client, url)
    refused = finish(client, url, **changes)
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert words in page
    assert NEW["password"] not in page
    if "phone" not in changes:
        assert NEW["phone"] in page
    assert accounts(app) == []


def test_the_modern_rule_takes_passphrases(app: Flask, client: FlaskClient, url: str) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(
        update={"password_rule": "modern"}
    )
    agree(client, url)
    phrase = "ひだまりのねこはよくねむる"
    assert finish(client, url, password=phrase, password_again=phrase).status_code == 303


def test_guessing_the_phone_number_takes_longer_and_longer(
    app: Flask, client: FlaskClient, url: str, clock: time_machine.Traveller
) -> None:
    agree(client, url)
    free = app.extensions["settings"].free_failures
    answers = [finish(client, url, phone=f"03-1234-{n:04}").status_code for n in range(free + 1)]
    assert answers == [422] * free + [429]
    right = finish(client, url)
    assert right.status_code == 429
    assert NEW["phone"] in right.get_data(as_text=True)
    clock.shift(timedelta(seconds=5))
    assert finish(client, url).status_code == 303


def test_a_weak_password_is_no_guess(app: Flask, client: FlaskClient, url: str) -> None:
    agree(client, url)
    for _ in range(20):
        assert finish(client, url, password="weak", password_again="weak").status_code == 422
    assert finish(client, url).status_code == 303


def test_all_that_is_wrong_is_told_at_once(client: FlaskClient, url: str) -> None:
    agree(client, url)
    page = finish(client, url, password="weak", password_again="week", phone="1")
    assert page.text.count('aria-invalid="true"') == 3


def test_an_attempt_that_cannot_be_counted_is_not_made(
    app: Flask, client: FlaskClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(client, url)

    def fail(*_args: object, **_more: object) -> None:
        raise OperationalError("insert", {}, Exception("the database went away"))

    monkeypatch.setattr("app.domain.limits.spend", fail)
    assert finish(client, url).status_code == 503
    assert accounts(app) == []


def test_a_second_press_finds_it_done(app: Flask, client: FlaskClient, url: str) -> None:
    agree(client, url)
    finish(client, url)
    again = finish(client, url)
    assert again.status_code == 410
    assert "ご登録は完了しています" in again.get_data(as_text=True)
    assert accounts(app) == [EMAIL]
    assert mails(app) == ["registration_complete"]


def test_a_used_url_leads_to_signing_in(client: FlaskClient, url: str) -> None:
    agree(client, url)
    finish(client, url)
    for answer in (client.get(url), client.get(f"{url}/password"), client.post(url)):
        assert answer.status_code == 410
        assert "/monitor/sign-in" in answer.get_data(as_text=True)


def test_an_expired_url_offers_a_new_mail(
    app: Flask, client: FlaskClient, url: str, registration_id: int, clock: time_machine.Traveller
) -> None:
    clock.move_to(NOW + timedelta(days=8))
    expired = client.get(url)
    assert expired.status_code == 410
    assert f'action="{url}/resend"' in expired.get_data(as_text=True)
    assert mails(app) == []
    sent = client.post(f"{url}/resend")
    assert (sent.status_code, sent.location) == (303, url)
    assert "新しいメールをお送りしました" in client.get(url).get_data(as_text=True)
    assert mails(app) == ["registration_provisional"]
    newer = url_of(app, registration_id)
    assert newer != url
    agree(client, newer)
    assert finish(client, newer).status_code == 303


def test_a_new_mail_is_sent_once_however_often_the_button_is_pressed(
    app: Flask, client: FlaskClient, url: str, clock: time_machine.Traveller
) -> None:
    clock.move_to(NOW + timedelta(days=8))
    for _ in range(3):
        assert client.post(f"{url}/resend").status_code == 303
    assert mails(app) == ["registration_provisional"]


def test_asking_for_new_mails_is_limited(
    app: Flask, client: FlaskClient, registration_id: int, clock: time_machine.Traveller
) -> None:
    answers = []
    for _ in range(app.extensions["settings"].free_failures + 2):
        change(app, registration_id, expires_at=NOW)
        answers.append(client.post(f"{url_of(app, registration_id)}/resend").status_code)
    assert answers[0] == 303
    assert answers[-1] == 429


def test_no_new_mail_for_a_url_that_is_good_or_superseded(
    app: Flask, client: FlaskClient, url: str, registration_id: int
) -> None:
    client.post(f"{url}/resend")
    change(app, registration_id, superseded_at=NOW)
    client.post(f"{url}/resend")
    assert mails(app) == []


def test_a_superseded_url_only_says_so_and_leads_to_the_form(
    app: Flask, client: FlaskClient, url: str, registration_id: int
) -> None:
    agree(client, url)
    change(app, registration_id, superseded_at=NOW)
    for answer in (client.get(url), finish(client, url)):
        page = answer.get_data(as_text=True)
        assert answer.status_code == 410
        assert 'href="/register"' in page
        assert "/resend" not in page
        assert EMAIL not in page
    assert accounts(app) == []


def test_a_registration_that_was_erased_is_superseded(client: FlaskClient, app: Flask) -> None:
    signed = tokens.sign(app.config["SECRET_KEY"], "registration", 4711, "nonce")
    answer = client.get(f"/activate/{signed}")
    assert answer.status_code == 410
    assert 'href="/register"' in answer.get_data(as_text=True)


def test_an_address_that_became_an_account_leads_to_signing_in(
    app: Flask, client: FlaskClient, url: str
) -> None:
    agree(client, url)
    with app.app_context(), transaction():
        CustomerFactory(email=EMAIL)
    answer = finish(client, url)
    assert answer.status_code == 410
    assert "ログインのうえ" in answer.get_data(as_text=True)


def test_who_loses_a_race_is_told_why(
    app: Flask, client: FlaskClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(client, url)

    def somebody_is_faster(*_args: object, **_more: object) -> None:
        db.session.add(CustomerFactory.build(email=EMAIL))
        db.session.commit()
        raise provisional.AddressTaken

    monkeypatch.setattr(activation, "complete", somebody_is_faster)
    answer = finish(client, url)
    assert answer.status_code == 409
    assert "このメールアドレスは登録済みです" in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["rubbish", "rubbish/password", "WzEsIngiXQ.rubbish"])
def test_rubbish_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(f"/activate/{path}").status_code == 404


def test_rubbish_gets_no_new_mail(client: FlaskClient) -> None:
    assert client.post("/activate/rubbish/resend").status_code == 404


def test_the_completion_page_without_a_registration_leads_to_signing_in(
    client: FlaskClient,
) -> None:
    assert client.get("/activate/done").location == "/sign-in"


def test_the_completion_page_can_be_read_again(client: FlaskClient, url: str) -> None:
    agree(client, url)
    finish(client, url)
    for _ in range(2):
        assert "本登録完了" in client.get("/activate/done").get_data(as_text=True)


def test_who_may_join_the_eco_programme_is_led_there(
    app: Flask, client: FlaskClient, url: str, registration_id: int
) -> None:
    with app.app_context(), transaction():
        registration = db.session.get(Registration, registration_id)
        assert registration is not None
        rules(NOW - timedelta(days=1))
        state = {"pv_wh": {"wh": 120_000.0}}
        gateway_id = registration.gateway_id
        db.session.add(PollState(gateway_id=gateway_id, next_poll_at=NOW, meters=state))
    agree(client, url)
    finish(client, url)
    page = client.get("/activate/done").get_data(as_text=True)
    assert "「みんなでつくるエコ活サークル」申込へ" in page
    assert 'href="/eco/gateways"' in page
    assert "0120-000-001" in page
    assert "/monitor/sign-in" in page


def test_the_url_leaks_to_nobody(client: FlaskClient, url: str) -> None:
    for answer in (client.get(url), agree(client, url) and client.get(f"{url}/password")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r'(?:href|src|action)="(?:https?:)?//', answer.get_data(as_text=True))
