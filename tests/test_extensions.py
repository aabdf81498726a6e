"""What the extensions add of our own."""

import pytest
from argon2 import PasswordHasher
from flask import request
from flask.testing import FlaskClient
from flask_limiter import Limiter

from app.extensions import Hasher


def test_the_very_first_password_of_nobody_costs_one_verification_and_no_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher = Hasher()
    hasher.init(time_cost=1, memory_kib=8)
    done: list[str] = []
    for name in ("hash", "verify"):
        original = getattr(PasswordHasher, name)

        def noted(*args: object, original: object = original, name: str = name) -> object:
            done.append(name)
            return original(*args)  # type: ignore[operator]

        monkeypatch.setattr(PasswordHasher, name, noted)
    assert not hasher.verify(None, "Hinata88")
    assert done == ["verify"]


def test_polls_ask_for_no_limit_and_other_requests_do(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def noted(_limiter: Limiter, *_args: object) -> None:
        asked.append(request.endpoint)

    monkeypatch.setattr(Limiter, "_check_request_limit", noted)
    client.get("/monitor/HDM100000001/tiles")
    client.get("/monitor/sign-in")
    assert asked == ["signin.login_monitor"]
