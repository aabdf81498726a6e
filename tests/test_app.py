"""The wiring."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError
from sqlalchemy import select

from app import create_app
from app.config import Settings
from app.extensions import db
from app.models import Session
from app.transaction import transaction
from tests.conftest import test_settings
from tests.factories import CustomerFactory
from tests.signing_in import sign_in


def test_an_unknown_page_is_a_404(client: FlaskClient) -> None:
    assert client.get("/nowhere").status_code == 404


def test_a_foreign_host_header_is_refused(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "evil.example.net"}).status_code == 400


def test_outside_the_demo_there_is_no_secret_by_default() -> None:
    with pytest.raises(ValidationError, match="SECRET_KEY"):
        Settings(_env_file=None)  # type: ignore[call-arg]


@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "192.0.2.7")])
def test_a_clients_address_is_what_the_trusted_proxies_say_and_nobody_else(
    database_url: str, tmp_path: Path, proxies: int, seen: str
) -> None:
    app = create_app(test_settings(database_url, tmp_path, trusted_proxies=proxies))
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
    client = app.test_client()
    # the client claims the first; the proxy adds the second
    client.environ_base["HTTP_X_FORWARDED_FOR"] = "198.51.100.1, 192.0.2.7"
    sign_in(client, "taro@example.org")
    with app.app_context():
        assert db.session.scalar(select(Session.network_address)) == seen
        db.engine.dispose()
