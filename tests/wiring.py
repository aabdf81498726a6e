"""The applications of a test process, kept: to wire one takes longer than most tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app import create_app
from app.config import Settings
from app.extensions import babel, csrf, db, hasher, limiter, login, mail, queues

# what `create_app` binds, and what a second application therefore takes from the first
EXTENSIONS = (db, login, csrf, babel, mail, limiter, queues, hasher)

# one for each kind of database, and some for settings that a file's tests share
KEPT = 5


@dataclass(frozen=True)
class Kept:
    """An application, and what it was when it was wired."""

    app: Flask
    config: dict[str, Any]
    extensions: dict[str, Any]
    bound: list[dict[str, Any]]


class Wiring:
    """Give applications for settings; the same settings, the same application."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    @contextmanager
    def kept(self, settings: Settings) -> Iterator[Flask]:
        """Give an application as if it had just been wired."""
        key = settings.model_dump_json()
        kept = self._kept.pop(key, None) or wire(settings)
        self._kept[key] = kept
        if len(self._kept) > KEPT:
            # the one that was used longest ago
            self._kept.pop(next(iter(self._kept)))
        # a test may have wired one of its own since
        for extension, bound in zip(EXTENSIONS, kept.bound, strict=True):
            vars(extension).clear()
            vars(extension).update(bound)
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
    bound = [dict(vars(extension)) for extension in EXTENSIONS]
    return Kept(app, dict(app.config), dict(app.extensions), bound)


@contextmanager
def ended(app: Flask) -> Iterator[None]:
    """Close its connections in the end: the database is another one in the next test."""
    yield
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
