"""Numbers in paths that no row can have."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.transaction import transaction
from tests.factories import CustomerFactory, DealerPersonFactory, OperatorFactory
from tests.signing_in import sign_in

TOO_LARGE = ["2147483648", "9" * 19, "9" * 5000]
PATHS = {
    "taro@example.org": ["/account/passkeys/{}/remove", "/gateways/HDM7Q2KX94TP/dealers/{}"],
    "hanako@example.org": ["/dealer/people/{}"],
    "operator@example.org": [
        "/operator/customers/{}",
        "/operator/dealers/{}/close",
        "/operator/imports/{}",
        "/operator/imports/1/sheets/{}",
        "/operator/mails/{}",
        "/operator/registrations/customer/{}",
    ],
}


@pytest.mark.both_databases
@pytest.mark.parametrize("email", PATHS)
def test_a_number_that_no_row_can_have_is_no_page(
    app: Flask, client: FlaskClient, email: str
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email="taro@example.org")
        DealerPersonFactory(email="hanako@example.org", is_dealer_admin=True)
        OperatorFactory(email="operator@example.org")
    sign_in(client, email)
    for path in PATHS[email]:
        for number in TOO_LARGE:
            assert client.get(path.format(number)).status_code == 404, path
