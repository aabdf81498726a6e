"""Names of people, sites and devices are shown as text, whatever they hold."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.config import Settings
from app.domain import settings as settings_rules
from app.domain import tokens
from app.extensions import db
from app.mailing.writing import write
from app.models import Latest, OutboxMail, PollState, SettingChange, SettingOrder
from app.profiles.settings import Settings as Told
from app.transaction import transaction
from tests.factories import CustomerFactory, DealerFactory, GatewayFactory, InstallationFactory
from tests.setting import OFFERS
from tests.signing_in import sign_in

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
TARO = "taro@example.org"
HOSTILE = "\"'><img src=x onerror=alert(1)>{{7*7}}%(name)s"
LINES = "a\r\nBcc: eve@example.net"


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def home(app: Flask) -> int:
    """Add a home whose every text is hostile, as if no form and no driver had looked at it."""
    with app.app_context(), transaction():
        installation = InstallationFactory(
            account=CustomerFactory(
                email=TARO, family_name=HOSTILE, given_name=HOSTILE, street=HOSTILE, city=LINES
            ),
            gateway=GatewayFactory(
                public_id="HDM100000001", told_model=HOSTILE, told_serial=HOSTILE
            ),
            site_name=HOSTILE,
            street=HOSTILE,
        )
        latest = {"taken_at": NOW, "state": "fault", "alarms": [HOSTILE]}
        db.session.add(Latest(gateway_id=installation.gateway_id, **latest))
        db.session.add(PollState(gateway_id=installation.gateway_id, next_poll_at=NOW))
        settings_rules.keep(installation.gateway_id, Told(OFFERS, {"reserve_pct": 30}), NOW)
        db.session.add(
            SettingOrder(
                id=1,
                gateway_id=installation.gateway_id,
                installation_id=installation.id,
                by="dealer",
                actor_id=installation.account_id,
                dealer_id=DealerFactory(name=HOSTILE).id,
                reason=HOSTILE,
                state="confirmed",
                asked_at=NOW,
                next_try_at=NOW,
                changes=[
                    SettingChange(
                        installation_id=installation.id,
                        key="reserve_pct",
                        before=20,
                        after=30,
                        back=20,
                        state="confirmed",
                    )
                ],
            )
        )
        db.session.flush()
        return int(installation.id)


@pytest.mark.parametrize(
    "page",
    [
        "/account/",
        "/manage",
        "/monitor/HDM100000001",
        "/monitor/HDM100000001/tiles",
        "/monitor/HDM100000001/settings",
        "/monitor/HDM100000001/settings/edit",
        "/monitor/HDM100000001/settings/changes",
        "/monitor/HDM100000001/settings/changes/1",
        "/monitor/HDM100000001/settings/changes/1/undo",
        "/monitor/choices",
        "/monitor/choices?q=%22%3E%3Cimg+src%3Dx%3E",
    ],
)
def test_no_page_takes_them_for_anything_else(client: FlaskClient, home: int, page: str) -> None:
    sign_in(client, TARO)
    text = client.get(page).text
    assert "<img src=x" not in text
    assert "49%" not in text


def test_no_mail_takes_them_for_html_or_for_a_header(
    app: Flask, settings: Settings, home: int
) -> None:
    with app.app_context(), transaction():
        row = OutboxMail(
            key="k",
            template="registration_complete",
            language="ja",
            to=TARO,
            refs={"account": 1, "installation": home},
            next_attempt_at=NOW,
            created_at=NOW,
        )
        row.refs["account"] = db.session.execute(db.text("select id from accounts")).scalar_one()
        db.session.add(row)
        db.session.flush()
        message = write(row, settings, now=NOW, sign=partial(tokens.sign, "x" * 32))
        assert "<img src=x" not in (message.html or "")
        assert "&lt;img src=x" in (message.html or "")
        headers = dict(message_from_bytes(message.as_bytes(), policy=policy.default).items())
    assert "Bcc" not in headers
    assert "img" not in str(headers)
