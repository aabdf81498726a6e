"""Versions of terms, and who agreed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Settings
from app.domain import terms, texts
from app.extensions import db
from app.models import Consent, TermsVersion
from app.transaction import transaction
from tests.factories import CustomerFactory

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def publish(version: str, effective_at: datetime, body: str = "本文") -> TermsVersion:
    return terms.publish(
        "service", version, body_ja=body, body_en="text", effective_at=effective_at
    )


def test_the_newest_version_in_force_is_the_current_one(app: Flask) -> None:
    with app.app_context(), transaction():
        publish("1", NOW - 2 * DAY)
        publish("2", NOW - DAY)
        publish("3", NOW + DAY)
    with app.app_context():
        assert terms.current("service", NOW).version == "2"
        assert terms.current("service", NOW + DAY).version == "3"


def test_without_a_version_in_force_there_is_nothing_to_agree_to(app: Flask) -> None:
    with app.app_context(), transaction():
        publish("1", NOW + DAY)
        with pytest.raises(terms.NothingPublished):
            terms.current("service", NOW)


def test_publishing_the_same_text_again_changes_nothing(app: Flask) -> None:
    with app.app_context(), transaction():
        first = publish("1", NOW)
        assert publish("1", NOW + DAY) is first
        assert first.effective_at == NOW


def test_a_published_version_never_gets_another_text(app: Flask) -> None:
    with app.app_context(), transaction():
        publish("1", NOW)
        with pytest.raises(terms.VersionTaken):
            publish("1", NOW, body="別の本文")


def test_an_agreement_names_version_time_and_network_address(app: Flask) -> None:
    with app.app_context(), transaction():
        version, taro = publish("1", NOW), CustomerFactory()
        terms.agree(version, account_id=taro.id, agreed_at=NOW, network_address="192.0.2.1")
    with app.app_context():
        consent = db.session.scalars(select(Consent)).one()
        assert consent.terms_version.version == "1"
        assert (consent.agreed_at, consent.network_address) == (NOW, "192.0.2.1")


def test_the_texts_that_come_with_the_portal_are_published_with_its_names(
    app: Flask, settings: Settings
) -> None:
    with app.app_context(), transaction():
        terms.publish_folder(settings.content_dir / "terms", settings.names_by_language, NOW)
    with app.app_context():
        version = terms.current("service", NOW)
    for language in ("ja", "en"):
        body = terms.body(version, language)
        assert settings.in_language(language).operator_name in body
        assert "{" not in body
        assert "<h2>" in texts.render(body)


def test_terms_in_one_language_are_not_published(app: Flask, tmp_path: Path) -> None:
    with app.app_context(), transaction():
        with pytest.raises(FileNotFoundError):
            terms.publish_folder(tmp_path, {"ja": {}, "en": {}}, NOW)
        (tmp_path / "service-1.ja.md").write_text("本文")
        with pytest.raises(FileNotFoundError):
            terms.publish_folder(tmp_path, {"ja": {}, "en": {}}, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[click](javascript:alert(1))",
        "<b onclick='x'>bold</b>",
    ],
)
def test_a_text_brings_no_html_of_its_own(text: str) -> None:
    html = texts.render(text)
    assert not any(sign in html for sign in ("<script", "<img", "<b ", 'href="javascript'))


def test_a_text_without_english_is_read_in_japanese(tmp_path: Path) -> None:
    (tmp_path / "campaign.ja.md").write_text("本文")
    assert texts.read(tmp_path, "campaign", "en") == "本文"
    assert texts.read(tmp_path, "nothing", "en") is None
