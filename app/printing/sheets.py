"""The printable sheet 「… ご登録にあたって」, as one file that needs no other."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from unicodedata import east_asian_width
from urllib.parse import urlencode

import segno
from flask import current_app, render_template
from flask_babel import force_locale
from markupsafe import Markup

from ..config import Settings
from ..domain import campaigns, sheet_passwords, terms, texts
from ..domain.provisioning import Box, Provisioned

# sizes of the terms on the back (sheet.css): full-width characters a line, lines of both columns
TERMS_SIZES = {"large": (26, 102), "medium": (30, 119), "small": (34, 134), "tiny": (40, 172)}
# what a sheet needs: its styles and pictures are within, nothing runs
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


@dataclass(frozen=True)
class Paper:
    """What differs from sheet to sheet."""

    gateway: Box
    password: str
    version: int
    issued_at: datetime

    @property
    def grouped(self) -> str:
        """Return the password as it is read."""
        return sheet_passwords.grouped(self.password)

    @property
    def qr_code(self) -> Markup:
        """Return the picture of where a phone goes to register, with the gateway's ID."""
        settings: Settings = current_app.extensions["settings"]
        link = f"{settings.base_url}/?{urlencode({'gateway': self.gateway.public_id})}"
        # 15 % of the picture may be soiled: a sheet lies in a drawer for years
        return Markup(  # noqa: S704 (segno draws it, from our own URL)
            segno.make(link, error="m", micro=False).svg_inline(
                border=4, omitsize=True, svgclass="qr", lineclass=None, title=link
            )
        )


def render_sheet(
    gateway: Box,
    password: str,
    *,
    version: int = 1,
    now: datetime,
    language: str = "ja",
) -> str:
    """Return the sheet of a gateway as HTML; see `render_sheets`."""
    return render_sheets([Paper(gateway, password, version, now)], now=now, language=language)


def render_sheets(papers: Sequence[Paper], *, now: datetime, language: str = "ja") -> str:
    """Return sheets as one HTML file: fronts and backs, QR codes and styles within.

    Whoever serves it sends a CSP that lets its own styles in (`POLICY`).

    Raises:
        NothingPublished: There are no terms for the backs.
    """
    settings: Settings = current_app.extensions["settings"]
    agreement = terms.current("service", now)
    body = terms.body(agreement, language)
    with force_locale(language):
        return render_template(
            "sheets/sheet.html",
            papers=papers,
            register_url=settings.base_url,
            logo=Markup(  # noqa: S704 (our own file)
                (Path(current_app.root_path) / "static/img/logo.svg").read_text("utf-8")
            ),
            terms_version=agreement.version,
            terms_html=texts.render(body),
            terms_size=terms_size(body),
            campaign=_campaign(settings, language, now),
            language=language,
        )


def terms_size(text: str) -> str:
    """Return the largest size in which the terms fit the back, or "long" where none does."""
    rows = text.splitlines()
    # a paragraph's distance is 0.6 of a line, a heading's larger size and distance 0.5 more
    gaps = sum(0.5 if row.startswith("#") else 0.6 if not row.strip() else 0 for row in rows)
    for size, (signs, lines) in TERMS_SIZES.items():
        if gaps + sum(ceil(_width(row) / signs) for row in rows) <= lines:
            return size
    return "long"


def _width(row: str) -> float:
    """Return about how wide a line of text is, in full-width characters."""
    return sum(1 if east_asian_width(sign) in "FWA" else 0.55 for sign in row.strip())


def _campaign(settings: Settings, language: str, now: datetime) -> str:
    """Return the title of the campaign that runs, or nothing."""
    running = campaigns.running(now)
    title = campaigns.title(campaigns.body(running, language)) if running else ""
    return texts.fill(title, settings.in_language(language).names)


def write_sheets(
    folder: Path, provisioned: Iterable[Provisioned], *, now: datetime, language: str
) -> list[Path]:
    """Write one sheet per gateway, readable by this user alone; all of them, or none.

    Raises:
        FileExistsError: A sheet of that gateway lies there already; it is not touched.
        OSError: The folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        for new in provisioned:
            html = render_sheet(
                new.gateway,
                new.password,
                version=new.sheet.version,
                now=now,
                language=language,
            )
            path = folder / f"{new.gateway.public_id}.html"
            # the mode is set as the file is made: at no moment can another user open it
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            written.append(path)
            with open(handle, "w", encoding="utf-8") as file:
                file.write(html)
    except BaseException:
        discard(written)
        raise
    return written


def discard(sheets: Iterable[Path]) -> None:
    """Remove sheets whose gateways were not imported after all."""
    for path in sheets:
        path.unlink(missing_ok=True)
