"""What each mail speaks of: its rows, by the ids that the outbox holds, and its links."""

from collections.abc import Callable, Mapping

from ...models import OutboxMail
from . import (
    accounts,
    alarms,
    dealers,
    eco,
    gateways,
    links,
    outages,
    points,
    registrations,
    security,
    settings,
)
from .finding import Desk, Gone, Words

__all__ = ["LETTERS", "Desk", "Gone"]

LETTERS: Mapping[str, Callable[[OutboxMail, Desk], Words]] = {
    letter.__name__: letter
    for noun in (
        registrations,
        gateways,
        dealers,
        links,
        accounts,
        security,
        alarms,
        eco,
        points,
        settings,
        outages,
    )
    for letter in noun.LETTERS
}
