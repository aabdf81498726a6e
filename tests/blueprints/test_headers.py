"""Security headers of every answer: pages, errors, files, and what has no content."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.extensions import db
from tests.conftest import test_settings

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """Give the portal as it is behind TLS."""
    app = create_app(test_settings(database_url, tmp_path, base_url="https://localhost"))
    yield app
    with app.app_context():
        db.engine.dispose()


ANSWERS: dict[str, tuple[int, dict[str, Any]]] = {
    "/sign-in": (200, {}),
    "/sign-in?": (200, {"method": "HEAD"}),
    "/nowhere": (404, {}),
    "/manage": (302, {}),
    "/account/password": (302, {"method": "HEAD"}),
    "/monitor/HDM100000001/tiles": (204, {"headers": {"HX-Request": "true"}}),
    "/register": (405, {"method": "PUT"}),
    "/sign-in?trace": (405, {"method": "TRACE"}),
    "/language/": (400, {"method": "POST"}),
    "/healthz": (503, {}),
    "/": (400, {"headers": {"Host": "evil.example.net"}}),
}


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_brings_them(client: FlaskClient, path: str) -> None:
    status, asked = ANSWERS[path]
    answer = client.open(path, base_url="https://localhost", **asked)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_so_does_every_file_and_none_is_for_somebody_elses_page(
    app: Flask, client: FlaskClient
) -> None:
    path = app.jinja_env.globals["asset"]("img/logo.svg")  # type: ignore[operator]
    for method in ("GET", "HEAD"):
        answer = client.open(path, method=method)
        assert answer.status_code == 200
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_are_kept_by_no_cache(client: FlaskClient) -> None:
    for path in ("/sign-in", "/nowhere", "/manage"):
        answer = client.get(path, base_url="https://localhost")
        assert answer.headers["Cache-Control"] == "no-store"
