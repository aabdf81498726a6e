"""Read the weather service's reports of the areas where somebody has plans made."""

from collections.abc import Callable

import structlog
from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import plan_areas, weather
from ..domain.weather import FORECAST, WARNING, OddReport
from ..drivers.weather import Unreachable, fetch
from ..extensions import db
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()


@in_app
def read_reports() -> None:
    """Read what each office says that somebody needs, one after the other. At least once.

    An office that cannot be reached, or says something odd, keeps what it said before; that grows
    old, and what is too old is not used.
    """
    settings: Settings = current_app.extensions["settings"]
    if not settings.weather_source:
        return
    offices = plan_areas.needed()
    # ends the reading transaction: the network takes its time
    db.session.rollback()
    missing = [
        f"{office}: {why}"
        for office in offices
        for kind in (FORECAST, WARNING)
        if (why := _read(settings, office, kind))
    ]
    if missing:
        log.warning("weather_missing", reports=missing[:10], count=len(missing))


def _read(settings: Settings, office: str, kind: str) -> str:
    """Keep an office's report; return why that was not possible, "" where it was."""
    try:
        told = fetch(settings.weather_url, kind, office, timeout_s=settings.weather_timeout_s)
        keep = _keeper(office, kind, told)
    except (Unreachable, OddReport) as error:
        return f"{kind} {error}"
    with transaction():
        keep()
    return ""


def _keeper(office: str, kind: str, told: object) -> Callable[[], None]:
    now = clock.now()
    if kind == FORECAST:
        forecast = weather.read_forecast(told)
        return lambda: weather.keep_forecast(office, forecast, now)
    warnings = weather.read_warnings(told, now)
    return lambda: weather.keep_warnings(office, warnings, now)
