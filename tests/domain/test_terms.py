"""Versions of terms, and who agreed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import Settings
from app.domain import terms, terms_versions, texts
from app.domain.errors import NotFound
from app.extensions import db
from app.models import Account, AuditEntry, Consent, TermsVersion
from app.transaction import transaction
from tests.factories import CustomerFactory, OperatorFactory

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def publish(version: str, effective_at: datetime, body: str = "本文") -> TermsVersion:
    return terms_versions.publish(
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
        with pytest.raises(terms_versions.VersionTaken):
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
        terms_versions.publish_folder(
            settings.content_dir / "terms", settings.names_by_language, NOW
        )
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
            terms_versions.publish_folder(tmp_path, {"ja": {}, "en": {}}, NOW)
        (tmp_path / "service-1.ja.md").write_text("本文")
        with pytest.raises(FileNotFoundError):
            terms_versions.publish_folder(tmp_path, {"ja": {}, "en": {}}, NOW)


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


def announce(version: str, effective_at: datetime | None, now: datetime = NOW) -> TermsVersion:
    return terms_versions.announce(
        OperatorFactory(),
        "service",
        version,
        body_ja="本文",
        body_en="text",
        effective_at=effective_at,
        network_address="192.0.2.1",
        now=now,
    )


def test_an_announced_version_comes_into_force_on_its_day_or_at_once(app: Flask) -> None:
    with app.app_context(), transaction():
        announce("1", None)
        announce("2", NOW + DAY)
    with app.app_context():
        assert terms.current("service", NOW).version == "1"
        coming = terms.find_coming("service", NOW)
        assert coming
        assert (coming.version, coming.published_at) == ("2", NOW)
        assert terms.current("service", NOW + DAY).version == "2"
        assert terms.find_coming("service", NOW + DAY) is None
        actions = db.session.scalars(select(AuditEntry.action)).all()
        assert actions == ["terms.published", "terms.published"]


def test_terms_that_begin_in_the_past_are_refused(app: Flask) -> None:
    with app.app_context(), transaction():
        for past in (NOW, NOW - DAY):
            with pytest.raises(terms_versions.BeginsInThePast):
                announce("1", past)


def test_a_number_serves_one_text_also_one_that_was_withdrawn(app: Flask) -> None:
    with app.app_context(), transaction():
        made = announce("1", NOW + DAY)
        terms_versions.withdraw(
            OperatorFactory(), made.id, reason="誤り", network_address="", now=NOW
        )
    with app.app_context(), pytest.raises(terms_versions.NumberUsed), transaction():
        announce("1", NOW + DAY)


def test_only_what_is_to_come_is_withdrawn(app: Flask) -> None:
    with app.app_context(), transaction():
        operator, made = OperatorFactory(), announce("1", NOW + DAY)
        with pytest.raises(terms_versions.InForce):
            terms_versions.withdraw(
                operator, made.id, reason="誤り", network_address="", now=NOW + DAY
            )
        terms_versions.withdraw(operator, made.id, reason="誤り", network_address="", now=NOW)
        with pytest.raises(terms_versions.InForce):
            terms_versions.withdraw(operator, made.id, reason="誤り", network_address="", now=NOW)
        with pytest.raises(NotFound):
            terms_versions.withdraw(operator, 999, reason="誤り", network_address="", now=NOW)
        with pytest.raises(terms.NothingPublished):
            terms.current("service", NOW + 2 * DAY)
        assert terms.look().versions == []
        entry = db.session.scalars(select(AuditEntry).filter_by(action="terms.withdrawn")).one()
        assert entry.detail == {"reason": "誤り"}


def test_an_account_stands_at_the_newest_terms_of_its_role(app: Flask) -> None:
    with app.app_context(), transaction():
        taro, first = CustomerFactory(), publish("1", NOW - DAY)
        eco = terms_versions.publish("eco", "1", body_ja="会", body_en="e", effective_at=NOW - DAY)
        for version in (first, eco):
            terms.agree(version, account_id=taro.id, agreed_at=NOW, network_address="")
        assert taro.agreed_terms_id == first.id
        second = publish("2", NOW)
        with pytest.raises(terms.TermsChanged):
            terms.agree_again(taro, first.id, network_address="", now=NOW)
        for _time in range(2):
            terms.agree_again(taro, second.id, network_address="192.0.2.1", now=NOW)
        assert taro.agreed_terms_id == second.id
        with pytest.raises(NotFound):
            terms.agree_again(OperatorFactory(), second.id, network_address="", now=NOW)
        assert terms_versions.count_agreed() == {first.id: 1, eco.id: 1, second.id: 1}


def test_two_tabs_that_agree_at_once_write_one_consent(app: Flask) -> None:
    with app.app_context(), transaction():
        account_id, version_id = CustomerFactory().id, publish("1", NOW - DAY).id

    def agree(_tab: int) -> None:
        with app.app_context(), transaction():
            account = db.session.get_one(Account, account_id)
            terms.agree_again(account, version_id, network_address="", now=NOW)

    with ThreadPoolExecutor(4) as tabs:
        list(tabs.map(agree, range(4)))
    with app.app_context():
        assert len(db.session.scalars(select(Consent)).all()) == 1
