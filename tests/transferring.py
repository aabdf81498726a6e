"""A house sale: the seller's home, and its certificate of transfer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask

from app.domain import transfers
from app.extensions import db
from app.models import Account
from app.transaction import transaction
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory

SELLER, BUYER, GATEWAY_ID = "urara@example.org", "kaede@example.org", "HDM200000001"


@dataclass(frozen=True)
class Sale:
    """Who is there, by id."""

    seller_id: int
    buyer_id: int
    installation_id: int
    gateway_id: int


def for_sale(app: Flask, **columns: Any) -> Sale:
    """Make a seller with a home that is for sale, and a buyer with an account."""
    with app.app_context(), transaction():
        seller = CustomerFactory(email=SELLER, family_name="売田", street="秘密町9-9")
        buyer = CustomerFactory(email=BUYER, family_name="買田")
        gateway = GatewayFactory(public_id=GATEWAY_ID)
        home = InstallationFactory(
            account=seller, gateway=gateway, site_name="売田邸", street="秘密町9-9", **columns
        )
        return Sale(seller.id, buyer.id, home.id, gateway.id)


def issue(
    app: Flask, sale: Sale, now: datetime, *, shares_summary: bool = False, days: int = 60
) -> str:
    """Issue the certificate; return its code."""
    secret_key = str(app.secret_key)
    with app.app_context(), transaction():
        seller = db.session.get_one(Account, sale.seller_id)
        transfer = transfers.issue(
            seller,
            GATEWAY_ID,
            secret_key=secret_key,
            days=days,
            shares_summary=shares_summary,
            network_address="192.0.2.1",
            now=now,
        )
        code = transfers.code_of(transfer, secret_key)
        assert code
        return code
