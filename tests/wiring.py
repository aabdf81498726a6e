"""The applications of a test process, kept: to wire one takes longer than most tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from redis import Redis

from app import create_app
from app.config import Settings
from app.extensions import db, queues


@dataclass(frozen=True)
class Kept:
    """An application, and what it was when it was wired."""

    app: Flask
    config: dict[str, Any]
    extensions: dict[str, Any]
    queue_server: Redis | None


class Wiring:
    """Give applications for settings; the same settings, the same application."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    @contextmanager
    def kept(self, settings: Settings) -> Iterator[Flask]:
        """Give an application as if it had just been wired."""
        if queues.redis not in [one.queue_server for one in self._kept.values()]:
            # a test wired one of its own since: what extensions hold is bound to that
            self._kept.clear()
        key = settings.model_dump_json()
        if key not in self._kept:
            self._kept[key] = wire(settings)
        kept = self._kept[key]
        queues.redis = kept.queue_server
        with ended(kept.app):
            yield kept.app
        kept.app.config.clear()
        kept.app.config.update(kept.config)
        if any(kept.app.extensions[name] is not one for name, one in kept.extensions.items()):
            self._kept.pop(key, None)


def wire(settings: Settings) -> Kept:
    """Wire an application for tests; they send forms without a token."""
    app = create_app(settings)
    app.config["WTF_CSRF_ENABLED"] = False
    return Kept(app, dict(app.config), dict(app.extensions), queues.redis)


@contextmanager
def ended(app: Flask) -> Iterator[None]:
    """Close its connections in the end: the database is another one in the next test."""
    yield
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
