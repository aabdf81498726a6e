"""A household at the wizard, without JavaScript."""

from html import unescape
from re import findall, search, sub

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.transaction import transaction
from tests.factories import SHEET_PASSWORD, GatewayFactory, SheetFactory, TermsVersionFactory

GATEWAY_ID = "FREE00000001"
ADDRESS = {
    "postal_code": "600-8216",
    "prefecture": "京都府",
    "city": "京都市下京区",
    "street": "東塩小路町1-2",
    "building": "",
}
FILLED = {
    "family_name": "山田",
    "given_name": "太郎",
    "family_kana": "ヤマダ",
    "given_kana": "タロウ",
    "email": "taro@example.org",
    "email_again": "taro@example.org",
    "phone": "03-1234-5678",
    "company_name": "",
    "department": "",
    "gateway_id": GATEWAY_ID,
    "gateway_password": SHEET_PASSWORD,
    "site_name": "山田邸",
    **{f"home_{name}": value for name, value in ADDRESS.items()},
    **{f"site_{name}": value for name, value in ADDRESS.items()},
}


def provision(app: Flask) -> None:
    """Put terms in force, and one free gateway with its sheet."""
    with app.app_context(), transaction():
        TermsVersionFactory(kind="service", version="1")
        SheetFactory(gateway=GatewayFactory(public_id=GATEWAY_ID))


def hidden(page: TestResponse) -> dict[str, str]:
    """Return the hidden inputs of the page's own forms."""
    return {
        unescape(name): unescape(value)
        for name, value in findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    }


def body(page: TestResponse) -> str:
    """Return the page without its CSRF tokens, which are others each time."""
    return sub(r"[\w-]+\.[\w-]+\.[\w-]{27}", "", page.text)


def values(page: TestResponse) -> dict[str, str]:
    """Return what the page's inputs hold, the chosen options too."""
    found = {}
    for tag in findall(r"<input[^>]*>", page.text):
        name, value = search(r' name="([^"]+)"', tag), search(r' value="([^"]*)"', tag)
        if name and 'type="hidden"' not in tag:
            found[name[1]] = unescape(value[1]) if value else ""
    for name, options in findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page.text):
        chosen = search(r'<option selected value="([^"]*)"', options)
        found[name] = unescape(chosen[1]) if chosen else ""
    return found


def agree(client: FlaskClient, gateway: str = "") -> TestResponse:
    """Go as far as 「同意する」; return the form."""
    page = client.get("/register/terms", query_string={"gateway": gateway} if gateway else None)
    return client.post("/register/terms", data=hidden(page), follow_redirects=True)


def fill(client: FlaskClient, **changes: str) -> TestResponse:
    """Fill the form in and press 「次に進む」; return what comes."""
    return client.post("/register/form", data=FILLED | changes, follow_redirects=True)


def press(client: FlaskClient, page: TestResponse | None = None, **changes: str) -> TestResponse:
    """Press 「登録」 on the confirmation page; return what comes."""
    page = page or client.get("/register/confirm")
    return client.post("/register/confirm", data=hidden(page) | changes, follow_redirects=True)
