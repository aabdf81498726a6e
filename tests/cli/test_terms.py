"""`flask terms publish`."""

from pathlib import Path

from flask import Flask
from sqlalchemy import select

from app import create_app
from app.extensions import db
from app.models import TermsVersion
from tests.conftest import test_settings


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["terms", "publish", *words])
    return result.exit_code, result.output


def versions(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(TermsVersion.version).order_by(TermsVersion.id)))


def test_the_texts_that_come_with_the_portal_are_published_once(app: Flask) -> None:
    first, again = run(app), run(app)
    assert first == again
    assert first[0] == 0
    assert "service 1: in force from" in first[1]
    assert "dealer 1: in force from" in first[1]
    assert "eco 1: in force from" in first[1]
    assert versions(app) == ["1", "1", "1"]


def test_a_version_begins_on_its_day_in_japan(app: Flask) -> None:
    assert "service 1: in force from 2027-01-01 00:00" in run(app, "--effective", "2027-01-01")[1]


def test_a_published_text_that_was_changed_is_refused(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "terms"
    folder.mkdir()
    for language in ("ja", "en"):
        (folder / f"service-1.{language}.md").write_text("本文")
    app = create_app(test_settings(database_url, tmp_path, content_dir=tmp_path))
    assert run(app)[0] == 0
    (folder / "service-1.ja.md").write_text("別の本文")
    code, words = run(app)
    assert code == 1
    assert "新しい版としてご用意ください" in words
    assert versions(app) == ["1"]


def test_an_empty_content_folder_is_told(database_url: str, tmp_path: Path) -> None:
    app = create_app(test_settings(database_url, tmp_path, content_dir=tmp_path))
    code, words = run(app)
    assert code == 1
    assert "service-1.ja.md" in words
