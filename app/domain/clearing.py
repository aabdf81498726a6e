"""Delete what has had its time, a few hundred rows at once: nobody waits long for a lock."""

from sqlalchemy import ColumnElement, delete, select

from ..extensions import Model
from .writes import count_changed

AT_ONCE = 500


def delete_some(model: type[Model], *which: ColumnElement[bool]) -> int:
    """Delete some of the rows that meet all conditions; return how many."""
    key = model.__table__.c.id
    return count_changed(delete(model).where(key.in_(select(key).where(*which).limit(AT_ONCE))))
