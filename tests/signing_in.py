"""How tests sign somebody in: by the form, as everybody does."""

from flask.testing import FlaskClient

from tests.factories import PASSWORD


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD) -> FlaskClient:
    """Sign in on the management face; the client keeps the cookie."""
    answer = client.post("/sign-in", data={"email": email, "password": password})
    assert answer.status_code == 303, answer.status
    return client
