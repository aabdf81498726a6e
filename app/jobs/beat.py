"""A sign of life of a queue: cron asked, Valkey carried, a worker worked, the database kept."""

from .. import clock
from ..domain import heartbeats
from ..transaction import transaction
from .context import in_app


@in_app
def beat(queue: str) -> None:
    """Write that the queue's workers are at work. At least once; twice changes nothing."""
    with transaction():
        heartbeats.beat(f"queue:{queue}", clock.now())
