"""Simulated homes of the demo with an owner and a dealer of a journey's own."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app import clock
from app.domain.energy import day_of
from app.extensions import db
from app.models import Gateway, Installation
from tests.browser.conftest import Demo
from tests.factories import (
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
)
from tests.histories import write_history


def with_some_weeks(email: str, public_id: str, now: datetime) -> Installation:
    """Return a customer's home with a battery and forty days of history, without a device."""
    today, _begins = day_of(now, "Asia/Tokyo")
    home: Installation = InstallationFactory(
        account=CustomerFactory(email=email),
        gateway=GatewayFactory(public_id=public_id, ratings={"battery_wh": 9800.0}),
        opened_at=now - timedelta(days=60),
    )
    write_history(home, today - timedelta(days=40), today, until=now.timestamp())
    return home


def settle(
    demo: Demo, name: str, size: str, site_name: str, *, dealer_no: int, dialects: list[str]
) -> list[str]:
    """Give a home for each dialect an owner, and all of them one dealer; return the gateways' IDs.

    `{name}-{size}@example.org` owns the first home, `{name}2-…` the second;
    `{name}-dealer-{size}@example.org` signs in for the dealer.
    """
    ids = [demo.take_sample(dialect)["id"] for dialect in dialects]
    with demo.inside():
        dealer = DealerFactory(
            dealer_no=dealer_no + (size == "pc"), email=f"{size}@{name}.example.org"
        )
        DealerPersonFactory(email=f"{name}-dealer-{size}@example.org", dealer=dealer)
        for number, id_ in enumerate(ids, start=1):
            home = InstallationFactory(
                account=CustomerFactory(
                    email=f"{name}{number if number > 1 else ''}-{size}@example.org"
                ),
                gateway=db.session.scalars(select(Gateway).filter_by(public_id=id_)).one(),
                site_name=f"{site_name}{number}",
                claimed_sheet_id=None,
                opened_at=clock.now(),
            )
            LinkFactory(installation=home, dealer=dealer)
    return ids
