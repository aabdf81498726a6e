"""Deleting in small steps."""

import pytest
from flask import Flask

from app.domain import clearing
from app.extensions import db
from app.models import Gateway
from app.transaction import transaction
from tests.factories import GatewayFactory


def test_a_step_deletes_no_more_than_it_may_and_only_what_is_meant(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "AT_ONCE", 2)
    with app.app_context(), transaction():
        GatewayFactory.create_batch(3, model="old")
        GatewayFactory(model="new")
        steps = [clearing.delete_some(Gateway, Gateway.model == "old") for _ in range(3)]
        assert steps == [2, 1, 0]
    with app.app_context():
        assert db.session.query(Gateway).one().model == "new"
