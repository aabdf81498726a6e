"""`flask accounts reset-factor`."""

from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import AuditEntry, OutboxMail, TotpFactor
from app.transaction import transaction
from tests.factories import PASSWORD, DealerPersonFactory
from tests.signing_in import sign_in

MAIL = "hanako@example.org"


def reset(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["accounts", "reset-factor", *words])
    return result.exit_code, result.output


def test_who_lost_everything_begins_anew_with_the_password(app: Flask) -> None:
    with app.app_context(), transaction():
        DealerPersonFactory(email=MAIL)
    client = sign_in(app.test_client(), MAIL)
    exit_code, told = reset(app, MAIL, "--reason", "lost phone, called back")
    assert exit_code == 0
    assert MAIL in told
    assert client.get("/manage").status_code == 302
    with app.app_context():
        assert db.session.scalars(select(TotpFactor)).all() == []
        assert "second_factor_reset" in db.session.scalars(select(OutboxMail.template)).all()
        entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry
        assert entry.detail == {"reason": "lost phone, called back"}
    again = app.test_client().post("/sign-in", data={"email": MAIL, "password": PASSWORD})
    assert again.location == "/sign-in/setup"


def test_nobody_and_no_reason_are_refused(app: Flask) -> None:
    assert reset(app, "nobody@example.org", "--reason", "x")[0] != 0
    assert reset(app, MAIL)[0] != 0
