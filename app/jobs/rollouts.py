"""Change settings at many systems, step by step."""

from datetime import timedelta

from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import rollout_parts, rollout_steps
from ..domain.errors import Rejected
from ..extensions import db
from ..transaction import transaction
from .context import in_app

# a round takes at most so many; the next one comes a moment later
AT_ONCE = 20


@in_app
def advance_due() -> None:
    """Do what is next in each roll-out that goes on. At least once.

    Each system in a transaction of its own: one that is busy holds up no other.
    """
    settings: Settings = current_app.extensions["settings"]
    watch = timedelta(seconds=settings.rollout_watch_s)
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
        with transaction():
            rollout_steps.close_step(rollout_id, clock.now(), watch=watch)
