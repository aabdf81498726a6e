"""The wiring."""

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

from app.config import Settings


def test_an_unknown_page_is_a_404(client: FlaskClient) -> None:
    assert client.get("/nowhere").status_code == 404


def test_a_foreign_host_header_is_refused(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "evil.example.net"}).status_code == 400


def test_outside_the_demo_there_is_no_secret_by_default() -> None:
    with pytest.raises(ValidationError, match="SECRET_KEY"):
        Settings(_env_file=None)  # type: ignore[call-arg]
