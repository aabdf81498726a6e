"""The factories: what they leave unsaid makes a row that the database takes."""

from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from app.models import Gateway, Sheet
from app.transaction import transaction
from tests import factories

EVERY = [
    factories.CustomerFactory,
    factories.DealerFactory,
    factories.DealerPersonFactory,
    factories.DealerRegistrationFactory,
    factories.OperatorFactory,
    factories.GatewayFactory,
    factories.PowerConditionerFactory,
    factories.SheetFactory,
    factories.InstallationFactory,
    factories.RegistrationFactory,
    factories.TermsVersionFactory,
]


@pytest.mark.parametrize("make", EVERY, ids=lambda make: make.__name__)
def test_two_rows_of_each_stand_beside_each_other(app: Flask, make: Any) -> None:
    with app.app_context(), transaction():
        one, two = make(), make()
        model, ids = type(one), {one.id, two.id}
    with app.app_context():
        assert set(db.session.scalars(db.select(model.id))) == ids


def test_an_installation_has_used_up_its_gateways_sheet(app: Flask) -> None:
    with app.app_context(), transaction():
        home = factories.InstallationFactory()
        sheet = db.session.get(Sheet, home.claimed_sheet_id)
        assert sheet is not None
        assert sheet.gateway is home.gateway
        assert sheet.used_by_id == home.account_id


def test_rows_of_one_household_share_its_gateway(app: Flask) -> None:
    with app.app_context(), transaction():
        gateway = factories.GatewayFactory()
        factories.PowerConditionerFactory(gateway=gateway)
        factories.RegistrationFactory(sheet=factories.SheetFactory(gateway=gateway))
    with app.app_context():
        assert db.session.query(Gateway).count() == 1
