"""Limits of who is not known yet: per user ID as typed, and per network address."""

from datetime import datetime

from flask import request

from ...domain import limits
from ...extensions import network_address
from ...transaction import transaction
from ..context import settings


def client_address() -> str:
    """Return the network address the request came from."""
    return network_address(request.remote_addr)


def spend(action: str, subject: str, now: datetime) -> None:
    """Count one attempt for `subject` and for the network address, in a transaction of its own.

    Raises:
        limits.TooManyFailures: One of them still has to wait.
    """
    chosen = settings()
    with transaction():
        limits.spend(
            action,
            [f"address:{client_address()}"],
            now=now,
            free=chosen.free_failures_address,
            delay_max_s=chosen.delay_max_s,
        )
        limits.spend(
            action,
            [subject],
            now=now,
            free=chosen.free_failures,
            delay_max_s=chosen.delay_max_s,
        )
