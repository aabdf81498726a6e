"""The application a job runs in."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from flask import Flask, current_app

P = ParamSpec("P")
R = TypeVar("R")


class Process:
    """Hold the application this process runs jobs for."""

    app: Flask | None = None


def bind(app: Flask) -> None:
    """Remember the application this process runs jobs for."""
    Process.app = app


def application() -> Flask:
    """Return the application of the surrounding context, else the bound one.

    Raises:
        RuntimeError: There is neither: the job runs outside a worker of ours.
    """
    if current_app:
        return cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]
    if Process.app is None:
        raise RuntimeError("no application is bound: jobs run in `python worker.py`")
    return Process.app


def in_app(job: Callable[P, R]) -> Callable[P, R]:
    """Run `job` in an application context of its own, whose database session ends with it."""

    @wraps(job)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with application().app_context():
            return job(*args, **kwargs)

    return run
