"""Do several things at the same moment, each in a transaction of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from flask import Flask

from app.domain.errors import Rejected
from app.transaction import transaction

Result = TypeVar("Result")


def at_once(app: Flask, *attempts: Callable[[], Result]) -> list[Result | type[Rejected]]:
    """Return what each attempt gave, or the refusal it met."""
    together = Barrier(len(attempts))

    def run(attempt: Callable[[], Result]) -> Result | type[Rejected]:
        with app.app_context():
            together.wait()
            try:
                with transaction():
                    return attempt()
            except Rejected as refusal:
                return type(refusal)

    with ThreadPoolExecutor(len(attempts)) as threads:
        return list(threads.map(run, attempts))
