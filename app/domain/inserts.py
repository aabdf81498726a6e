"""One INSERT for both databases, which knows what to do where its row is there already."""

from typing import Any, cast

from sqlalchemy.dialects import postgresql, sqlite

from ..extensions import db


def insert(into: Any) -> postgresql.Insert:
    """Return an INSERT into a model or table, with `on_conflict_do_update` and `…_do_nothing`."""
    if db.session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(into)
    # SQLite speaks the same; SQLAlchemy keeps it with each dialect, as two types
    return cast(postgresql.Insert, sqlite.insert(into))
