"""A portal of a journey's own, without workers, and who signs in there."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from app import create_app
from app.transaction import transaction
from tests.browser.conftest import Visitor
from tests.browser.test_journey import press
from tests.conftest import test_settings
from tests.databases import Databases
from tests.factories import PASSWORD
from tests.templates.style_page import served


@dataclass
class Portal:
    """A portal without workers, and where it answers."""

    app: Flask
    url: str
    data_dir: Path


@contextmanager
def portal_with(
    databases: Databases, folder: Path, *writes: Callable[[], None]
) -> Iterator[Portal]:
    """Serve a portal in whose database each of `writes` wrote, in a transaction of its own."""
    database = folder / "portal.db"
    shutil.copy(databases.sqlite_template, database)
    app = create_app(test_settings(f"sqlite:///{database}", folder))
    for write in writes:
        with app.app_context(), transaction():
            write()
    with served(app) as url:
        yield Portal(app, url.replace("127.0.0.1", "localhost"), folder)


def sign_in(
    visitor: Visitor, email: str, portal: Portal | None = None, *, face: str = "/sign-in"
) -> Visitor:
    """Sign somebody in who has the factories' password, at a portal of the journey's own or not."""
    if portal is not None:
        visitor.demo = portal  # type: ignore[assignment]
    visitor.open(face)
    visitor.page.locator('[name="email"]').fill(email)
    visitor.page.locator('[name="password"]').fill(PASSWORD)
    press(visitor, "ログイン")
    return visitor


def press_link(visitor: Visitor, name: str) -> None:
    """Follow a link."""
    visitor.page.get_by_role("link", name=name).first.click()
