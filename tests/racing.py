"""Several who do something at the same moment, each in a thread with an application context."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask import Flask
from sqlalchemy import select

from app.domain.errors import NotFound, Rejected
from app.extensions import db
from app.transaction import transaction


def race(app: Flask, *attempts: Callable[[], object]) -> list[object]:
    """Run the attempts at the same moment; return each one's result, or the type of its refusal."""
    barrier = Barrier(len(attempts))

    def run(attempt: Callable[[], object]) -> object:
        with app.app_context():
            # connected before the start: that takes longer than what is raced
            db.session.execute(select(1))
            barrier.wait(timeout=10)
            try:
                return attempt()
            except (Rejected, NotFound) as refusal:
                return type(refusal)

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(run, attempts))


def at_once(app: Flask, *attempts: Callable[[], object]) -> list[object]:
    """Run the attempts at the same moment, each in a transaction of its own."""

    def whole(attempt: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            with transaction():
                return attempt()

        return run

    return race(app, *map(whole, attempts))
