"""Where a job finds its application."""

import pytest
from flask import Flask, current_app, g

from app.jobs import context
from app.jobs.context import bind, in_app


@in_app
def which() -> tuple[str, bool]:
    """Tell the application's name and whether the caller's context is seen."""
    return current_app.name, "mark" in g


def test_a_job_of_a_worker_runs_in_the_bound_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.Process, "app", None)
    bind(Flask("bound"))
    assert which() == ("bound", False)


def test_a_job_called_within_a_context_gets_one_of_its_own() -> None:
    with Flask("around").app_context():
        g.mark = True
        assert which() == ("around", False)


def test_outside_a_worker_a_job_says_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.Process, "app", None)
    with pytest.raises(RuntimeError, match=r"worker\.py"):
        which()
