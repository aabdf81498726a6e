"""Whose 本登録 a URL of a mail leads to: a customer's, a dealer's, or a colleague's."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from flask import current_app

from ... import clock
from ...domain import (
    activation,
    dealer_activation,
    dealer_invitations,
    dealer_registrations,
    registrations,
)
from ...domain.errors import NotFound
from ...domain.provisional import Opened


@dataclass(frozen=True)
class Way:
    """What differs between the ways; the steps are the same."""

    # templates choose words by it
    kind: str
    terms_kind: str
    # has load, complete, resend and what limits count
    rules: ModuleType
    # the last page, and where the session keeps the row id it shows
    done: str
    done_key: str


CUSTOMER = Way(
    "customer", registrations.TERMS_KIND, activation, done="activation.done", done_key="activated"
)
DEALER = Way(
    "dealer",
    dealer_registrations.TERMS_KIND,
    dealer_activation,
    done="dealers.welcome",
    done_key="activated_dealer",
)
# somebody whom a dealer's administrator invited
COLLEAGUE = Way(
    "colleague",
    dealer_registrations.TERMS_KIND,
    dealer_invitations,
    done="dealers.joined",
    done_key="activated_colleague",
)


def load(signed: str) -> tuple[Way, Opened[Any]]:
    """Return what the URL stands for, and on whose way it is.

    Raises:
        NotFound: Nobody here signed it.
    """
    for way in (CUSTOMER, DEALER, COLLEAGUE):
        try:
            return way, way.rules.load(str(current_app.secret_key), signed, clock.now())
        except NotFound:
            continue
    raise NotFound
