"""How tests sign somebody in: by the forms, as everybody does."""

from datetime import datetime

from flask.testing import FlaskClient
from sqlalchemy import update

from app import clock
from app.domain import accounts, signing_in, totp
from app.domain.signing_in import Browser
from app.extensions import db
from app.models import Session, TotpFactor
from app.transaction import transaction
from tests.factories import PASSWORD, TOTP_SECRET, TotpFactorFactory


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD) -> FlaskClient:
    """Sign in on the management face, with a second factor if need be; the client keeps the cookie.

    The factories give dealers' people and operators theirs.
    """
    answer = client.post("/sign-in", data={"email": email, "password": password})
    assert answer.status_code == 303, answer.status
    if answer.location.startswith("/sign-in/setup"):
        # whoever has just registered gets the app that everybody has here
        with client.application.app_context(), transaction():
            TotpFactorFactory(account=accounts.find(email))
        answer = client.post("/sign-in", data={"email": email, "password": password})
    if answer.location.startswith("/sign-in/code"):
        # no test waits half a minute to sign the same person in again
        with client.application.app_context(), transaction():
            db.session.execute(update(TotpFactor).values(last_step=0))
        answer = client.post("/sign-in/code", data={"code": code()})
        assert answer.status_code == 303, answer.status
    return client


def open_session(
    email: str, password: str = PASSWORD, *, browser: str = "", now: datetime
) -> Session:
    """Begin a session by the password alone, in the caller's transaction."""
    opened = signing_in.by_password(
        email, password, Browser("192.0.2.1", browser), two_for_staff=False, now=now
    )
    assert isinstance(opened, Session), "a second factor is due"
    return opened


def code() -> str:
    """Return what the authenticator app of every account shows now."""
    return totp.code_at(TOTP_SECRET, clock.now())
