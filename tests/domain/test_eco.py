"""Whom the eco programme may be offered to on the first day."""

from typing import Any

import pytest
from flask import Flask

from app.domain import eco
from app.extensions import db
from app.models import Installation, Reading
from app.transaction import transaction
from tests.factories import LONG_AGO, CustomerFactory, GatewayFactory, InstallationFactory

SUNNY = {"pv_w": 800.0, "counters": {"pv_wh": 12_000}}


def offered(
    app: Flask,
    reading: dict[str, Any] | None,
    *,
    model: str = "HDM-GW1",
    told_model: str | None = None,
    company: str = "",
    series: str = "HDM-",
) -> bool:
    with app.app_context():
        with transaction():
            installation = InstallationFactory(
                gateway=GatewayFactory(model=model, told_model=told_model),
                account=CustomerFactory(company_name=company),
            )
            if reading is not None:
                gateway_id = installation.gateway_id
                db.session.add(Reading(gateway_id=gateway_id, taken_at=LONG_AGO, **reading))
            installation_id = installation.id
        return eco.may_be_offered(installation_id, series=series)


def test_a_household_whose_panels_have_generated_may_join(app: Flask) -> None:
    assert offered(app, SUNNY)


def test_at_night_the_counter_tells_of_earlier_generation(app: Flask) -> None:
    assert offered(app, {"pv_w": 0.0, "counters": {"pv_wh": 5}})


def test_without_a_counter_present_power_will_do(app: Flask) -> None:
    assert offered(app, {"pv_w": 5.0, "counters": {}})


@pytest.mark.parametrize(
    "reading",
    [None, {"pv_w": None, "counters": {}}, {"pv_w": 0.0, "counters": {"pv_wh": 0}}],
)
def test_it_is_not_offered_before_generation_has_begun(
    app: Flask, reading: dict[str, Any] | None
) -> None:
    assert not offered(app, reading)


def test_a_company_may_not_join(app: Flask) -> None:
    assert not offered(app, SUNNY, company="日向商店")


def test_another_series_may_not_join_and_the_devices_own_word_wins(app: Flask) -> None:
    assert not offered(app, SUNNY, model="XYZ-1")
    assert not offered(app, SUNNY, model="HDM-GW1", told_model="XYZ-1")
    assert offered(app, SUNNY, model="XYZ-1", series="HDM-, XYZ-")
    assert not offered(app, SUNNY, series="")


def test_an_installation_that_is_closed_or_unknown_is_offered_nothing(app: Flask) -> None:
    assert offered(app, SUNNY)
    with app.app_context():
        installation = db.session.scalars(db.select(Installation)).one()
        with transaction():
            installation.closed_at = LONG_AGO
        assert not eco.may_be_offered(installation.id, series="HDM-")
        assert not eco.may_be_offered(4711, series="HDM-")
