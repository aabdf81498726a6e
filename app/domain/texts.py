"""Texts the operator may replace: Markdown files of the content folder, one a language."""

from collections.abc import Mapping
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

# no HTML of the file gets through, and no link but to ordinary addresses
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def read(folder: Path, name: str, language: str) -> str | None:
    """Return the text `name` in a language, else in Japanese; None if there is none.

    The file is `folder/name.language.md`.
    """
    for choice in (language, "ja"):
        try:
            return (folder / f"{name}.{choice}.md").read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
    return None


def fill(text: str, names: Mapping[str, str]) -> str:
    """Put configured names in: `{SERVICE_NAME}` becomes the service's name."""
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def render(text: str) -> Markup:
    """Return a Markdown text as HTML that holds nothing but text, headings, lists, tables, links.

    Its headings begin at <h2>, below the page's own.
    """
    tokens = _markdown.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))  # noqa: S704
