"""A manual's Markdown text as chapters, each with an anchor for the table of contents."""

from collections.abc import Iterator
from dataclasses import dataclass
from re import MULTILINE
from re import compile as regex

from markupsafe import Markup

from ...domain import texts

# `# Title {#anchor}` begins a chapter; `{picture:name}` alone on a line draws one of ours
_HEADING = regex(r"^# +(?P<title>.+?)(?: *\{#(?P<anchor>[a-z0-9-]+)\})? *$", MULTILINE)
_PICTURE = regex(r"^\{picture:(?P<name>[a-z-]+)\} *$", MULTILINE)


@dataclass(frozen=True)
class Part:
    """A stretch of text, or the name of the picture that stands behind it."""

    html: Markup
    picture: str = ""


@dataclass(frozen=True)
class Chapter:
    """One chapter: what the contents list, where it leads, and what is read there."""

    title: str
    anchor: str
    parts: tuple[Part, ...]


def chapters(text: str) -> list[Chapter]:
    """Return the chapters of a manual; what stands before the first heading is left out."""
    found = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    return [
        Chapter(
            heading["title"],
            heading["anchor"] or f"chapter-{number}",
            tuple(_parts(text[heading.end() : end])),
        )
        for number, (heading, end) in enumerate(zip(found, ends, strict=True), 1)
    ]


def _parts(body: str) -> Iterator[Part]:
    # split() gives text, name, text, name, …, text
    pieces = _PICTURE.split(body)
    for position in range(0, len(pieces), 2):
        picture = pieces[position + 1] if position + 1 < len(pieces) else ""
        yield Part(texts.render(pieces[position]), picture)
