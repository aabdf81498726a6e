"""Mails as operators see them."""

from datetime import UTC, datetime

from flask import Flask
from flask_babel import force_locale

from app.mailing.letters import LETTERS
from app.mailing.showing import names, show
from app.models import OutboxMail
from app.transaction import transaction
from tests.factories import RegistrationFactory

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def test_every_mail_is_called_by_its_subject_in_both_languages(app: Flask) -> None:
    with app.app_context():
        with force_locale("ja"):
            japanese = names()
        with force_locale("en"):
            english = names()
    assert set(japanese) == set(english) == set(LETTERS)
    for template in LETTERS:
        for said in (japanese[template], english[template]):
            assert said
            assert said != template
            assert not any(sign in said for sign in "【】%")
        assert japanese[template] != english[template]
    assert japanese["gateway_added"] == "ゲートウェイ登録のお知らせ"


def test_a_mail_is_shown_with_its_url_masked_also_when_that_ran_out(app: Flask) -> None:
    with app.app_context(), transaction():
        registration = RegistrationFactory(url_nonce="secret-nonce")
        row = OutboxMail(
            template="registration_provisional",
            language="ja",
            to="taro@example.org",
            refs={"registration": registration.id},
            created_at=NOW,
        )
        shown = show(row, app.extensions["settings"], now=NOW)
    assert shown.letter
    for text in (shown.letter.text, shown.letter.html):
        assert "/activate/***" in text
        assert "secret-nonce" not in text


def test_a_mail_that_cannot_be_written_says_why(app: Flask) -> None:
    with app.app_context():
        settings = app.extensions["settings"]
        for template, refs, reason in (
            ("registration_provisional", {"registration": 999}, "Registration 999 is erased"),
            ("registration_provisional", {}, "not written: KeyError"),
            ("no_such_letter", {}, "not written: KeyError"),
        ):
            row = OutboxMail(template=template, language="ja", to="", refs=refs, created_at=NOW)
            shown = show(row, settings, now=NOW)
            assert (shown.letter, shown.reason) == (None, reason)
