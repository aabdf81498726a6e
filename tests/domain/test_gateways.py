"""Who may see which gateway."""

from datetime import timedelta

import pytest
from flask import Flask

from app.domain import gateways
from app.domain.errors import NotFound
from app.extensions import db
from app.models import Account
from app.transaction import transaction
from tests.factories import LONG_AGO, CustomerFactory, GatewayFactory, InstallationFactory


def test_an_owner_sees_the_own_open_gateways_only(app: Flask) -> None:
    with app.app_context(), transaction():
        taro, hanako = CustomerFactory(), CustomerFactory()
        for name in ("二階", "一階"):
            InstallationFactory(account=taro, site_name=name)
        InstallationFactory(account=taro, closed_at=LONG_AGO + timedelta(days=1))
        InstallationFactory(account=hanako)
        GatewayFactory()
        taro_id = taro.id
    with app.app_context():
        seen = gateways.list_visible(db.session.get_one(Account, taro_id), LONG_AGO)
        assert [installation.site_name for installation in seen] == ["一階", "二階"]


def test_a_strangers_gateway_and_one_that_was_given_away_are_not_found(app: Flask) -> None:
    with app.app_context(), transaction():
        taro, hanako = CustomerFactory(), CustomerFactory()
        gateway = InstallationFactory(account=taro, closed_at=LONG_AGO).gateway
        InstallationFactory(account=hanako, gateway=gateway, claimed_sheet_id=None)
        public_id, taro_id, hanako_id = gateway.public_id, taro.id, hanako.id
    with app.app_context():
        found = gateways.get_visible(db.session.get_one(Account, hanako_id), public_id, LONG_AGO)
        assert found.gateway.public_id == public_id
        taro = db.session.get_one(Account, taro_id)
        for unknown in (public_id, "NOSUCHID0000"):
            with pytest.raises(NotFound):
                gateways.get_visible(taro, unknown, LONG_AGO)
