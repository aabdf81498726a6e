"""That somebody watches a live screen is written down: the gateway is then asked more often."""

from datetime import datetime, timedelta

from ...config import Settings
from ...domain import polling
from ...domain.live import Live
from ...domain.polling import Pace
from ...transaction import transaction
from ..context import settings

# written at most this often per gateway
WATCH_AGAIN = timedelta(seconds=10)


def note_watched(shown: Live, now: datetime) -> None:
    """Write down that somebody watches, if that was not done just now."""
    chosen = settings()
    watched_for = timedelta(seconds=chosen.watched_for_s)
    if shown.watched_until is None or shown.watched_until < now + watched_for - WATCH_AGAIN:
        with transaction():
            polling.watch(shown.id, now, for_s=chosen.watched_for_s, pace=pace(chosen))


def pace(chosen: Settings) -> Pace:
    """Return how often gateways are asked, as configured."""
    return Pace(chosen.poll_interval_s, chosen.poll_watched_s, chosen.poll_backoff_max_s)
