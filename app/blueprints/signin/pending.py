"""Between password and second step: the cookie says for minutes whose password was right.

There is no session row yet, so nothing of the portal is open: every page asks to sign in. The
cookie is signed; what it says dies with the account's password, or when the account is locked.
"""

from dataclasses import asdict
from datetime import datetime
from typing import cast

from flask import session

from ... import clock
from ...domain.factors import Due
from ...domain.signing_in import Pending
from .entering import Face

# in the cookie
KEY = "second_step"
FACE_KEY = "second_step_face"


def keep(pending: Pending, face: Face) -> None:
    """Remember a right password in this browser."""
    session[KEY] = asdict(pending) | {
        "password_changed_at": pending.password_changed_at.isoformat(),
        "began_at": pending.began_at.isoformat(),
    }
    session[FACE_KEY] = face


def find() -> Pending | None:
    """Return the right password of this browser, if it is not too long ago."""
    kept = session.get(KEY)
    if kept is None:
        return None
    pending = Pending(
        kept["account_id"],
        datetime.fromisoformat(kept["password_changed_at"]),
        datetime.fromisoformat(kept["began_at"]),
        Due(kept["due"]),
    )
    return None if pending.is_over(clock.now()) else pending


def face() -> Face:
    """Return the face on which the password was typed."""
    return cast(Face, session.get(FACE_KEY, "manage"))


def forget() -> None:
    """Forget the password that was right."""
    session.pop(KEY, None)
    session.pop(FACE_KEY, None)
