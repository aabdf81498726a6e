"""商品マニュアル."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.blueprints.manual.chapters import chapters


def replace_manual(app: Flask, folder: Path, name: str, text: str) -> None:
    (folder / "manual").mkdir(exist_ok=True)
    (folder / "manual" / name).write_text(text, "utf-8")
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"content_dir": folder})


def test_anybody_may_read_it(client: FlaskClient) -> None:
    page = client.get("/manual")
    assert page.status_code == 200
    assert "商品マニュアル" in page.get_data(as_text=True)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_contents_lead_to_every_chapter(client: FlaskClient, language: str) -> None:
    client.post("/language/", data={"language": language})
    page = client.get("/manual").get_data(as_text=True)
    listed = re.findall(r'<li><a href="#([a-z-]+)">', page)
    assert listed == re.findall(r'<h2 id="((?!contents)[a-z-]+)">', page)
    assert len(listed) == 10


def test_both_languages_have_the_same_chapters_and_pictures(app: Flask) -> None:
    folder = app.extensions["settings"].content_dir / "manual"
    japanese, english = (
        chapters((folder / f"manual.{language}.md").read_text("utf-8")) for language in ("ja", "en")
    )
    for chapter, other in zip(japanese, english, strict=True):
        assert chapter.anchor == other.anchor
        assert [part.picture for part in chapter.parts] == [part.picture for part in other.parts]
        tags = [re.findall(r"<(h3|table|ol|ul|tr)", str(part.html)) for part in chapter.parts]
        assert tags == [re.findall(r"<(h3|table|ol|ul|tr)", str(part.html)) for part in other.parts]


def test_names_come_from_the_configuration(client: FlaskClient) -> None:
    page = client.get("/manual").get_data(as_text=True)
    assert "0120-000-000" in page
    assert "7日のあいだ" in page
    assert not re.search(r"\{[A-Z_]+\}", page)


def test_pictures_are_drawn_in_place(client: FlaskClient) -> None:
    page = client.get("/manual").get_data(as_text=True)
    assert "{picture" not in page
    assert page.count("<figure") == 3


def test_the_operator_may_replace_it(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    replace_manual(app, tmp_path, "manual.ja.md", "前書き\n\n# 一章\n\n本文 <b>太字</b>\n\n# 二章")
    page = client.get("/manual").get_data(as_text=True)
    assert '<h2 id="chapter-1">一章</h2>' in page
    assert "&lt;b&gt;" in page
    assert "前書き" not in page


def test_without_an_english_text_the_japanese_one_is_shown(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    replace_manual(app, tmp_path, "manual.ja.md", "# 一章")
    client.post("/language/", data={"language": "en"})
    assert "一章" in client.get("/manual").get_data(as_text=True)


def test_a_picture_nobody_drew_is_left_out(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    replace_manual(app, tmp_path, "manual.ja.md", "# 一章\n\n{picture:nonsense}\n\n後")
    page = client.get("/manual").get_data(as_text=True)
    assert "後" in page
    assert "<figure" not in page


def test_no_manual_is_a_404(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"content_dir": tmp_path})
    assert client.get("/manual").status_code == 404
