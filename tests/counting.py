"""Count what a block of code asks of the database and of argon2."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import argon2
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.extensions import hasher


@dataclass
class Work:
    """Statements in their order, and how often a hash was verified."""

    statements: list[str] = field(default_factory=list)
    verifications: int = 0

    @property
    def amounts(self) -> tuple[int, int]:
        return len(self.statements), self.verifications


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Give the work done inside the block."""
    work = Work()
    real = argon2.PasswordHasher.verify

    def verify(self: argon2.PasswordHasher, known: str, password: str) -> bool:
        work.verifications += 1
        return real(self, known, password)

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        work.statements.append(statement)

    # whoever has no hash is compared to one that is made on first use
    hasher.verify(None, "")
    with monkeypatch.context() as patch:
        patch.setattr(argon2.PasswordHasher, "verify", verify)
        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield work
        finally:
            event.remove(Engine, "before_cursor_execute", note)
