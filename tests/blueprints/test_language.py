"""The language switch on every page."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.models import Account
from app.transaction import transaction
from tests.factories import CustomerFactory
from tests.signing_in import sign_in


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "ja"),
        ("en-US,en;q=0.9", "en"),
        ("ja,en;q=0.5", "ja"),
        ("fr,en", "en"),
        ("fr", "ja"),
    ],
)
def test_the_browser_says_it_first(client: FlaskClient, accepted: str, language: str) -> None:
    page = client.get("/sign-in", headers={"Accept-Language": accepted}).text
    assert f'<html lang="{language}">' in page


def test_the_switch_wins_and_leads_back_to_its_page(client: FlaskClient) -> None:
    answer = client.post("/language/", data={"language": "en", "next": "/sign-in?next=/manage"})
    assert answer.location == "/sign-in?next=/manage"
    assert '<html lang="en">' in client.get("/sign-in", headers={"Accept-Language": "ja"}).text


@pytest.mark.parametrize("target", ["//evil.example.net", "/\\evil", "http://evil.example.net", ""])
def test_the_switch_leads_nowhere_else(client: FlaskClient, target: str) -> None:
    assert client.post("/language/", data={"language": "en", "next": target}).location == "/"


def test_an_unknown_language_changes_nothing(client: FlaskClient) -> None:
    client.post("/language/", data={"language": "tlh"})
    assert '<html lang="ja">' in client.get("/sign-in").text


def test_the_account_keeps_it_for_other_browsers_and_mails(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory(email="taro@example.org").id
        hanako = CustomerFactory(email="hanako@example.org").id
    sign_in(client, "taro@example.org")
    client.post("/language/", data={"language": "en", "next": "/account/"})
    with app.app_context():
        assert db.session.get_one(Account, taro).language == "en"
        assert db.session.get_one(Account, hanako).language == "ja"
    phone = sign_in(app.test_client(), "taro@example.org")
    assert '<html lang="en">' in phone.get("/account/", headers={"Accept-Language": "ja"}).text
