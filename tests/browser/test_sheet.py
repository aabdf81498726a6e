"""The sheet as Chromium prints it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from app import clock, create_app
from app.domain import terms_versions, texts
from app.printing.sheets import render_sheet
from app.transaction import transaction
from tests.conftest import test_settings
from tests.databases import Databases
from tests.factories import GatewayFactory

ARTICLE = "この規約は、当社が提供するサービスについて、お客様と当社の約束を定めるものです。"


@pytest.fixture
def app(databases: Databases, tmp_path: Path) -> Flask:
    """Give the portal on SQLite, with the terms that are shipped."""
    database = tmp_path / "portal.db"
    database.write_bytes(databases.sqlite_template.read_bytes())
    settings = test_settings(f"sqlite:///{database}", tmp_path)
    app = create_app(settings)
    shipped = {
        language: texts.fill(
            (settings.content_dir / "terms" / f"service-1.{language}.md").read_text("utf-8"),
            settings.names,
        )
        for language in ("ja", "en")
    }
    publish(app, "1", shipped["ja"], shipped["en"])
    return app


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def publish(app: Flask, version: str, body_ja: str, body_en: str) -> None:
    with app.app_context(), transaction():
        terms_versions.publish(
            "service", version, body_ja=body_ja, body_en=body_en, effective_at=clock.now()
        )


def sheet(app: Flask, language: str = "ja") -> str:
    with app.app_context(), transaction():
        gateway = GatewayFactory(model="HDM-MULTI-GATEWAY-3000X", serial="A0123456789-0042")
        return render_sheet(gateway, "KX7M-W4PT-9HRU-3", now=clock.now(), language=language)


def printed(page: Page, html: str) -> list[tuple[int, int]]:
    """Return the sizes in millimetres of the pages that come out of the printer."""
    page.set_content(html)
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    boxes = re.findall(rb"/Type\s*/Page\b.*?/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf, re.DOTALL)
    return [(round(float(x) / 72 * 25.4), round(float(y) / 72 * 25.4)) for x, y in boxes]


def overflowing(page: Page) -> list[str]:
    """Return the parts whose content does not fit them."""
    page.emulate_media(media="print")
    return page.evaluate(
        """() => [...document.querySelectorAll('.side, .terms, .head, .key, .steps li, .support')]
            .filter((part) => part.scrollWidth > part.clientWidth + 1
                || part.scrollHeight > part.clientHeight + 1)
            .map((part) => part.className)"""
    )


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_sheet_is_one_leaf_of_a4(app: Flask, page: Page, language: str) -> None:
    assert printed(page, sheet(app, language)) == [(210, 297), (210, 297)]
    assert overflowing(page) == []
    foot = page.locator(".front .foot").bounding_box()
    above = page.locator(".front .support").bounding_box()
    assert foot
    assert above
    assert above["y"] + above["height"] <= foot["y"]


@pytest.mark.parametrize("articles", [5, 22, 30, 38])
def test_terms_of_any_length_are_never_cut_off(app: Flask, page: Page, articles: int) -> None:
    long = "\n\n".join(f"# 第{n}条\n\n{ARTICLE * 3}" for n in range(articles))
    publish(app, "2", long, long)
    sizes = printed(page, sheet(app))
    assert set(sizes) == {(210, 297)}
    assert len(sizes) >= 2
    assert overflowing(page) == []


def test_a_sheet_can_be_read_on_a_phone(app: Flask, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_content(sheet(app))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
