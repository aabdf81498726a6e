"""Change settings at many systems, step by step."""

from datetime import timedelta

import structlog
from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import rollout_parts, rollout_steps
from ..domain.errors import Rejected
from ..extensions import db
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# a round takes at most so many; the next one comes a moment later
AT_ONCE = 20


@in_app
def advance_due() -> None:
    """Do what is next in each roll-out that goes on. At least once.

    Each system in a transaction of its own: one that is busy holds up no other.
    """
    settings: Settings = current_app.extensions["settings"]
    watch = timedelta(seconds=settings.rollout_watch_s)
    failed = 0
    for rollout_id in rollout_steps.list_due(clock.now(), limit=AT_ONCE):
        open_parts = rollout_steps.list_open_parts(rollout_id)
        db.session.rollback()  # ends the reading transaction
        for part_id in open_parts:
            try:
                with transaction():
                    rollout_parts.advance(part_id, clock.now())
            except Rejected:
                # another change of this system is under way: the next round asks again
                continue
            except Exception:
                # one system must not keep the others, and other roll-outs, waiting
                log.exception("rollout_failed", part=part_id)
                failed += 1
        with transaction():
            rollout_steps.close_step(rollout_id, clock.now(), watch=watch)
    if failed:
        raise RuntimeError(f"{failed} systems could not be attended to; the log has them")
