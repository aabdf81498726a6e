"""A home that may join the eco programme, and the way in, for tests."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import current_app

from app.domain import applications, terms
from app.domain.applications import Agreed, Declared
from app.domain.memberships import Membership
from app.domain.programme import Programme
from app.models import Account, Installation, TermsVersion
from tests.factories import (
    CustomerFactory,
    GatewayFactory,
    InstallationFactory,
    TermsVersionFactory,
)
from tests.histories import write_history

# a Monday evening in Japan
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
MOVED_IN = datetime(2026, 8, 1, 1, 0, tzinfo=UTC)
BEGAN = date(2026, 7, 20)
DECLARED = Declared(BEGAN, no_other_generator=True, no_other_scheme=True)


def rules(since: datetime = MOVED_IN, **given: Any) -> TermsVersion:
    """Publish a version of the programme's rules."""
    row: TermsVersion = TermsVersionFactory(
        kind="eco", body_ja="# 会員規約", body_en="# Rules", effective_at=since, **given
    )
    return row


def home(
    *,
    first: date | None = date(2026, 8, 1),
    account: Account | None = None,
    opened_at: datetime = MOVED_IN,
    **gateway: Any,
) -> Installation:
    """Return a sunny home, measured since `first` up to yesterday; None knows no energy at all."""
    made: Installation = InstallationFactory(
        account=account or CustomerFactory(),
        gateway=GatewayFactory(first_contact_at=opened_at, **gateway),
        opened_at=opened_at,
    )
    if first is not None:
        write_history(made, first, TODAY - timedelta(days=1))
    return made


def the_programme() -> Programme:
    found: Programme = current_app.extensions["programme"]
    return found


def agreed(now: datetime = NOW) -> Agreed:
    return Agreed(terms.current("eco", now).id, now, "192.0.2.7")


def join(
    installation: Installation, *, declared: Declared = DECLARED, now: datetime = NOW, **asked: Any
) -> Membership:
    """Apply for a home."""
    return applications.apply(
        installation.account,
        installation.gateway.public_id,
        declared,
        asked.pop("agreed", None) or agreed(now),
        programme=the_programme(),
        asks_subsidy=asked.pop("asks_subsidy", False),
        network_address="192.0.2.7",
        now=now,
    )
