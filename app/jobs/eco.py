"""Settle applications for the eco programme that wait, and ask members about new rules."""

from collections.abc import Callable, Sequence
from time import monotonic

import structlog
from flask import current_app

from .. import clock
from ..domain import applications, membership_rules
from ..domain.programme import Programme
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# RQ ends a job after 180 s; cron comes again within the hour
RUN_S = 120


@in_app
def settle_memberships() -> None:
    """Admit who waited for coverage, refuse who waited too long, ask about new rules.

    At least once: each row is a transaction of its own, changed by a condition that holds once, and
    its mail has a key.
    """
    programme: Programme = current_app.extensions["programme"]
    now = clock.now()
    ends = monotonic() + RUN_S
    _each(
        applications.list_pending,
        lambda one: applications.settle(one, programme, now),
        ends,
    )
    _each(
        lambda after: membership_rules.list_due(after, programme, now),
        lambda one: membership_rules.ask_again(one, programme, now),
        ends,
    )


def _each(some: Callable[[int], Sequence[int]], do: Callable[[int], str], ends: float) -> None:
    """Do something with each row, in the order of ids, until all are seen or time is up."""
    after, failed = 0, 0
    while ids := some(after):
        for one in ids:
            if monotonic() >= ends:
                return
            try:
                with transaction():
                    became = do(one)
            except Exception:
                # one row that cannot be settled must not keep the others waiting
                log.exception("membership_failed", membership=one)
                failed += 1
            else:
                if became:
                    log.info("membership_settled", membership=one, became=became)
        after = ids[-1]
    if failed:
        raise RuntimeError(f"{failed} memberships could not be settled; the log has them")
