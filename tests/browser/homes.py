"""Simulated homes of the demo with an owner and a dealer of a journey's own."""

from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Gateway
from tests.browser.conftest import Demo
from tests.factories import (
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    InstallationFactory,
    LinkFactory,
)


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
