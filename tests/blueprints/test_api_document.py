"""The API keeps to its own description: schemathesis asks what it allows and what it forbids."""

from datetime import UTC, datetime

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from app.blueprints.api.document import describe
from app.domain import api_tokens
from app.extensions import limiter
from app.transaction import transaction
from tests.factories import ApiTokenFactory, CustomerFactory, GatewayFactory, InstallationFactory

pytestmark = pytest.mark.grows

HOME = "HDM7Q2KX94TP"
TOKEN = f"hdm_{'t' * 43}"


@pytest.fixture
def described(app: Flask) -> Flask:
    """Give a portal with a home and a token for it."""
    limiter.reset()
    with app.app_context(), transaction():
        taro = CustomerFactory()
        home = GatewayFactory(public_id=HOME)
        opened = datetime(2026, 10, 1, tzinfo=UTC)
        InstallationFactory(account=taro, gateway=home, opened_at=opened)
        ApiTokenFactory(account=taro, text=TOKEN)
    return app


def test_the_description_is_public_and_says_limits_units_and_scopes(described: Flask) -> None:
    answer = described.test_client().get("/api/v1/openapi.json")
    told = answer.get_json()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert told["openapi"].startswith("3.1")
    assert told["servers"] == [{"url": "http://localhost/api/v1"}]
    for words in ("60 per minute", "Wh", "RateLimit", "Retry-After", *api_tokens.SCOPES):
        assert words in answer.text
    assert told["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_route_of_the_api_is_described_and_nothing_else(described: Flask) -> None:
    routes = {
        rule.rule.removeprefix("/api/v1").replace("<gateway_id>", "{id}")
        for rule in described.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
    }
    assert set(describe("", "")["paths"]) == routes - {"/"}


NAMES = ("listGateways", "getLatest", "getHistory", "listAlarms", "getDescription")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_for_is_answered_as_described(described: Flask, name: str) -> None:
    # through the application itself, whose clock and database are the test's
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", described)
    operation = schema.find_operation_by_id(name)
    inside = {"path_parameters": {"id": HOME}} if "{id}" in operation.path else {}
    cases = st.one_of(
        operation.as_strategy(GenerationMode.POSITIVE, **inside),
        operation.as_strategy(GenerationMode.POSITIVE),
        operation.as_strategy(GenerationMode.NEGATIVE),
    )
    if name == "getDescription":
        cases = operation.as_strategy(GenerationMode.POSITIVE)
    # no schema says that the last day is not before the first, nor how far it may be from it
    told_in_words = [CHECKS.get_one("positive_data_acceptance")]
    statuses = set()

    @examples(suppress_health_check=list(HealthCheck))
    @given(cases)
    def ask(case: Case) -> None:
        limiter.reset()
        answer = case.call_and_validate(
            headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=told_in_words
        )
        statuses.add(answer.status_code)

    ask()
    assert 500 not in statuses
    assert 200 in statuses
