"""What every template may use."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, current_app
from markupsafe import Markup

from ..config import Settings
from ..domain import normalise
from . import setting_words
from .alarm_words import alarm_words, incident_words
from .words import language, say_quickly


def settings() -> Settings:
    """Return the settings of the running application."""
    found: Settings = current_app.extensions["settings"]
    return found


def spoken() -> Settings:
    """Return the settings with the names in the language of this page."""
    # kept by the application: to find settings by their value means hashing eighty fields
    known: dict[str, Settings] = current_app.extensions.setdefault("spoken_settings", {})
    chosen = language() or "ja"
    if chosen not in known:
        known[chosen] = settings().in_language(chosen)
    return known[chosen]


def show_time(moment: datetime | None, zone: str = "Asia/Tokyo") -> str:
    """Return a moment in the site's zone as 2026/11/22 18:05, or an em dash."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y/%m/%d %H:%M}" if moment else "—"


def show_date(day: date | None, zone: str = "Asia/Tokyo") -> str:
    """Return a day, or that of a moment in the site's zone, as 2026/11/22, or an em dash."""
    if isinstance(day, datetime):
        day = day.astimezone(ZoneInfo(zone))
    return f"{day:%Y/%m/%d}" if day else "—"


def show_long_date(moment: datetime, zone: str = "Asia/Tokyo") -> str:
    """Return the day of a moment as 2026年11月22日 (Japanese) or 22 November 2026 (English).

    For the one place where the printed manual has it so; everywhere else `day` is right.
    """
    local = moment.astimezone(ZoneInfo(zone))
    if language() == "en":
        return f"{local.day} {local:%B %Y}"
    return f"{local:%Y年%m月%d日}"


def show_kilo(value: float | None) -> str | Markup:
    """Return W as kW (or Wh as kWh) with one decimal; unknown is an em dash, never 0."""
    if value is None:
        return "—"
    shown = f"{value / 1000:,.1f}"
    return "0.0" if shown == "-0.0" else shown


def give_context(app: Flask) -> None:
    """Give templates the settings, the locale and the filters for times, figures and phones."""

    @app.context_processor
    def context() -> dict[str, Any]:
        return {"settings": spoken(), "locale": language() or "ja"}

    say_quickly(app)
    app.jinja_env.filters.update(
        time=show_time,
        day=show_date,
        long_day=show_long_date,
        kilo=show_kilo,
        phone=normalise.phone,
    )
    app.jinja_env.globals.update(alarm_words=alarm_words, incident_words=incident_words)
    app.jinja_env.globals.update(
        mode_words=setting_words.mode_words,
        setting_name=setting_words.setting_name,
        setting_value=setting_words.setting_value,
        setting_who=setting_words.setting_who,
        setting_why=setting_words.setting_why,
    )
