"""Conditional writes: the database decides, and how many rows it changed is the answer."""

from sqlalchemy import CursorResult
from sqlalchemy.sql.dml import UpdateBase

from ..extensions import db


def count_changed(statement: UpdateBase) -> int:
    """Run an UPDATE or DELETE; return how many rows it changed.

    Rows that were loaded before stay as they were loaded: who needs them anew refreshes them.
    """
    result = db.session.execute(statement.execution_options(synchronize_session=False))
    # SQLite cannot tell of a statement that begins with WITH: let it return its rows
    assert isinstance(result, CursorResult)
    assert result.rowcount >= 0
    return result.rowcount
