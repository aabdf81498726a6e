"""What the extensions add of our own."""

import pytest
from argon2 import PasswordHasher

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
