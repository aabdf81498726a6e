"""The only module that commits."""

from collections.abc import Iterator
from contextlib import contextmanager

from .extensions import WAKE_KEY, db, queues


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what the block wrote, or roll all of it back; then wake the queues it asked for.

    A job is enqueued only after the commit: it must find its rows.
    """
    db.session.info.pop(WAKE_KEY, None)
    try:
        yield
        db.session.commit()
    except BaseException:
        db.session.info.pop(WAKE_KEY, None)
        db.session.rollback()
        raise
    for name in db.session.info.pop(WAKE_KEY, ()):
        queues.wake(name)
