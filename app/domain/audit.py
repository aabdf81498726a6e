"""The audit log: every change of consequence, written in the transaction that makes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..extensions import db
from ..models import AuditEntry

# acted: somebody without an account, or the service itself
NOBODY: Mapping[str, Any] = {"actor_id": None}


def record(
    action: str,
    *,
    actor_id: int | None,
    subject: str,
    subject_id: int | None,
    network_address: str = "",
    now: datetime,
    **detail: object,
) -> None:
    """Write who did what to which row. Ids and plain facts only: names and addresses stay out.

    `actor_id` None means somebody without an account, or the service itself. `detail` is kept as
    JSON.
    """
    db.session.add(
        AuditEntry(
            at=now,
            actor_id=actor_id,
            action=action,
            subject=subject,
            subject_id=subject_id,
            network_address=network_address,
            detail=detail,
        )
    )
