"""Which terms stand, as each page needs to know: asked of the database every few seconds.

There may be many web processes, and each looks for itself: a version that is published, withdrawn
or comes into force by its date is known to all of them within `SEEN_S`. A process that publishes
looks at once. What somebody agrees to is never decided by this, but by the database.
"""

from datetime import datetime, timedelta

from flask import current_app, g

from ... import clock
from ...domain import terms
from ...domain.terms import Standing
from ..context import settings

SEEN_S = 5


class Versions:
    """The last look at the versions that stand."""

    def __init__(self) -> None:
        self.standing = Standing()
        self.looked_at: datetime | None = None

    def stand(self, now: datetime, *, seen_s: float) -> Standing:
        """Return what stands, as of `seen_s` seconds ago at most."""
        if self.looked_at is None or abs(now - self.looked_at) >= timedelta(seconds=seen_s):
            # two threads may look at once: both see the same
            self.standing, self.looked_at = terms.look(), now
        return self.standing

    def forget(self) -> None:
        """Look again with the next page."""
        self.looked_at = None


def versions() -> Versions:
    """Return this process's look at the versions."""
    kept: Versions = current_app.extensions.setdefault("terms_versions", Versions())
    return kept


def standing() -> Standing:
    """Return what stands, the same for all of this request."""
    if "terms_standing" not in g:
        # tests write terms behind the application's back
        seen_s = 0 if settings().testing else SEEN_S
        g.terms_standing = versions().stand(clock.now(), seen_s=seen_s)
    found: Standing = g.terms_standing
    return found
