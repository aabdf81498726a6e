"""docs/permissions.md holds for every route and every role: each cell is asked."""

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import create_app
from app.domain import point_sums, tokens
from app.extensions import db
from app.models import (
    Account,
    Alarm,
    Campaign,
    EcoMembership,
    GatewayImport,
    GiftAnswers,
    GiftExport,
    GiftOrder,
    HistoryExport,
    Incident,
    Installation,
    MissingReport,
    Outage,
    OutboxMail,
    PasswordReset,
    PointRun,
    PointTransaction,
    Rollout,
    Session,
    SettingChange,
    SettingOrder,
)
from app.transaction import transaction
from tests.conftest import test_settings
from tests.databases import Databases
from tests.factories import (
    ApiTokenFactory,
    CustomerFactory,
    DealerFactory,
    DealerInvitationFactory,
    DealerPersonFactory,
    EcoMembershipFactory,
    EmailChangeFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    MaintenanceContactFactory,
    OperatorFactory,
    PasskeyFactory,
    RegistrationFactory,
    TermsVersionFactory,
)
from tests.members import PROGRAMME, SUMMER
from tests.signing_in import sign_in

TABLE = Path(__file__).parents[1] / "docs" / "permissions.md"
ROLES = ("nobody", "owner", "other", "watches", "sets", "unlinked", "operator")
ROW = re.compile(r"\| (GET|POST) \| `([^`]+)` \|" + r" ([a-z ]+) \|" * len(ROLES))
ANSWERS = ("yes", "no", "sign in")
NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
GATEWAY = "HDM7Q2KX94TP"

POINTS = ("transaction_id", "report_id", "gift_order_id", "answers_id")

Route = tuple[str, str]


def table() -> dict[Route, dict[str, str]]:
    """Return what is expected, by route and role."""
    rows = [match.groups() for match in map(ROW.fullmatch, TABLE.read_text().splitlines()) if match]
    return {
        (method, path): dict(zip(ROLES, expected, strict=True)) for method, path, *expected in rows
    }


def routes(app: Flask) -> dict[Route, str]:
    """Return the portal's routes with their endpoints, paths written as in the table."""
    found = {}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^<>]*:)?(\w+)>", r"<\1>", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found[method, path] = rule.endpoint
    return found


class Cast:
    """The people of the table, each with a signed-in browser, and what its paths name."""

    def __init__(self, app: Flask, database: Path) -> None:
        self.app = app
        self.database = database
        self.kept = database.with_suffix(".kept")
        self.browsers: dict[str, FlaskClient] = {"nobody": app.test_client()}
        self.values: dict[str, Any] = {}
        self.signed: dict[str, str] = {}
        with app.app_context(), transaction():
            self.seat()
        for role in ROLES[1:]:
            self.browsers[role] = sign_in(app.test_client(), f"{role}@example.org")
        with app.app_context(), transaction():
            self.name_rest()
        self.keep()

    def seat(self) -> None:
        """Make the people, their gateways and links."""
        for kind in ("service", "dealer"):
            TermsVersionFactory(kind=kind)
        owner = CustomerFactory(email="owner@example.org")
        home = InstallationFactory(account=owner, gateway=GatewayFactory(public_id=GATEWAY))
        InstallationFactory(account=CustomerFactory(email="other@example.org"))
        OperatorFactory(email="operator@example.org")
        dealers = {role: DealerFactory() for role in ("watches", "sets", "unlinked")}
        for role, dealer in dealers.items():
            DealerPersonFactory(email=f"{role}@example.org", dealer=dealer, is_dealer_admin=True)
        LinkFactory(installation=home, dealer=dealers["watches"], slot=1, scope="watch")
        LinkFactory(installation=home, dealer=dealers["sets"], slot=2)
        ended = {"ended_at": NOW - timedelta(days=1), "how_ended": "unlinked"}
        LinkFactory(installation=home, dealer=dealers["unlinked"], slot=3, **ended)
        invitation = DealerInvitationFactory(dealer=dealers["sets"], created_at=NOW)
        contact = MaintenanceContactFactory(dealer=dealers["sets"], created_at=NOW)
        registration = RegistrationFactory(created_at=NOW)
        reset = PasswordReset(
            account_id=owner.id,
            url_nonce=tokens.new_token(),
            created_at=NOW,
            expires_at=NOW + timedelta(hours=2),
        )
        mail = OutboxMail(
            key="gateway-added",
            template="gateway_added",
            language="ja",
            to="owner@example.org",
            refs={"account": owner.id, "installation": home.id},
            state="sent",
            next_attempt_at=NOW,
            created_at=NOW,
            sent_at=NOW,
        )
        campaign = Campaign(body_ja="はじめませんか", body_en="", begins_at=NOW, edited_at=NOW)
        upload = GatewayImport(
            account_id=db.session.scalars(select(Account.id).filter_by(role="operator")).one(),
            file_name="gateways.csv",
            created_at=NOW,
        )
        incident = Incident(cause="area", key="京都府", since=NOW, opened_at=NOW, gateways=1)
        alarm = Alarm(
            installation_id=home.id,
            gateway_id=home.gateway_id,
            code="inverter.over_temp",
            first_seen_at=NOW,
            raised_at=NOW,
        )
        export = HistoryExport(
            account_id=owner.id,
            installation_id=home.id,
            year=NOW.year,
            created_at=NOW,
            first_month=4,
            months=8,
            months_done=8,
            content=b"",
            finished_at=NOW,
            expires_at=NOW + timedelta(days=1),
        )
        order = SettingOrder(
            gateway_id=home.gateway_id,
            installation_id=home.id,
            by="owner",
            actor_id=owner.id,
            state="confirmed",
            asked_at=NOW,
            next_try_at=NOW,
            changes=[
                SettingChange(
                    installation_id=home.id, key="reserve_pct", before=20, after=30, back=20
                )
            ],
        )
        outage = Outage(
            installation_id=home.id,
            gateway_id=home.gateway_id,
            began_at=NOW - timedelta(hours=3),
            away_at=NOW - timedelta(hours=1),
            ended_at=NOW - timedelta(hours=1),
        )
        rows = [reset, mail, campaign, upload, incident, alarm, export, order, outage]
        db.session.add_all(rows)
        membership = EcoMembershipFactory(installation=home)
        db.session.add_all(points := self.seat_points(membership))
        coming = TermsVersionFactory(kind="service", effective_at=NOW + timedelta(days=9))
        change = EmailChangeFactory(account=owner)
        db.session.flush()
        rollout = Rollout(
            dealer_id=dealers["sets"].id,
            actor_id=DealerPersonFactory(dealer=dealers["sets"]).id,
            wanted={"reserve_pct": 40},
            reason="台風",
            asked_at=NOW,
            next_at=NOW,
        )
        db.session.add(rollout)
        db.session.flush()
        key = str(self.app.secret_key)
        self.signed = {
            "activation": tokens.sign(key, "registration", registration.id, registration.url_nonce),
            "account": tokens.sign(key, "email-change", change.id, change.url_nonce),
            "dealers": tokens.sign(key, "maintenance-contact", contact.id, contact.url_nonce),
            "signin": tokens.sign(key, "password-reset", reset.id, reset.url_nonce),
        }
        self.values = {
            "gateway_id": GATEWAY,
            "token_id": ApiTokenFactory(account=owner).id,
            "passkey_id": PasskeyFactory(account=owner).id,
            "invitation_id": invitation.id,
            "contact_id": contact.id,
            "registration_id": registration.id,
            "dealer_id": dealers["sets"].id,
            "dealer_no": dealers["sets"].dealer_no,
            "mail_id": mail.id,
            "campaign_id": campaign.id,
            "alarm_id": alarm.id,
            "rollout_id": rollout.id,
            "outage_id": outage.id,
            "step": 1,
            "incident_id": incident.id,
            "version_id": coming.id,
            "import_id": upload.id,
            "part": 1,
            "queue": "mail",
            "job_id": "none",
            "kind": "customer",
            "noun": "customers",
            "span": "day",
            "export_id": export.id,
            **{name: one.id for name, one in zip(POINTS, points, strict=True)},
            "gift": "e-money-100",
            "period": SUMMER.first.isoformat(),
            "membership_id": membership.id,
            "order_id": order.id,
            "choice": "off",
        }

    def seat_points(self, membership: EcoMembership) -> list[Any]:
        """Return a credit of the owner's, a report of it, a gift ordered for it, its answers."""
        operator = db.session.scalars(select(Account.id).filter_by(role="operator")).one()
        credit = PointTransaction(
            key="credit",
            kind="credit",
            at=NOW,
            account_id=membership.account_id,
            membership_id=membership.id,
            period_first=SUMMER.first,
            points=0,
            self_dwh=0,
            sums=point_sums.add_up(
                {}, SUMMER.first, SUMMER.first, PROGRAMME, zone="Asia/Tokyo"
            ).to_json(),
        )
        report = MissingReport(
            account_id=membership.account_id, transaction=credit, words="8月", created_at=NOW
        )
        order = GiftOrder(
            account_id=membership.account_id,
            once="x",
            gift="e-money-100",
            kind="balance",
            name_ja="残高",
            name_en="Balance",
            quantity=1,
            points=100,
            ordered_at=NOW,
        )
        answers = GiftAnswers(account_id=operator, file_name="x.csv", created_at=NOW)
        db.session.add_all(
            [
                # of one id with the owner's year of history, which other paths name
                GiftExport(id=1, account_id=operator, made_at=NOW, orders=1),
                PointRun(period_first=SUMMER.first, period_last=SUMMER.last, opened_at=NOW),
            ]
        )
        return [credit, report, order, answers]

    def name_rest(self) -> None:
        """Name what was there only after somebody had signed in."""
        theirs = select(Session.id).join(Session.account)
        self.values["session_id"] = db.session.scalars(
            theirs.where(Account.email == "owner@example.org")
        ).first()
        sets = db.session.scalars(select(Account).filter_by(email="sets@example.org")).one()
        self.colleague_id = DealerPersonFactory(dealer=sets.dealer).id
        self.owner_id = db.session.scalars(
            select(Installation.account_id).where(Installation.gateway.has(public_id=GATEWAY))
        ).one()

    def keep(self) -> None:
        """Keep the database as it is now."""
        with self.app.app_context():
            db.session.remove()
            # the last connection's end writes SQLite's log back: the file alone is copied
            db.engine.dispose()
        shutil.copy(self.database, self.kept)

    def restore(self) -> None:
        """Bring the database back to what was kept: a request may have ended anything."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()
        for left in ("-wal", "-shm"):
            Path(f"{self.database}{left}").unlink(missing_ok=True)
        shutil.copy(self.kept, self.database)

    def address(self, endpoint: str, path: str) -> str:
        """Return a path of the table with what it names."""
        noun = endpoint.partition(".")[0]
        values = self.values | {
            "signed": self.signed.get(noun, "none"),
            "account_id": self.colleague_id if noun == "dealers" else self.owner_id,
            "name": NAMES.get(endpoint, ""),
            "group": "home",
        }
        return re.sub(r"<(\w+)>", lambda match: str(values[match[1]]), path)


NAMES = {
    "operator.act_on_account": "lock",
    "operator.act_on_dealer": "close",
    "operator.act_on_gateway": "free",
    "registration.check_field": "family_name",
    "dealers.check_field": "dealer_name",
    "postal.check_field": "city",
}


def answer_of(answer: TestResponse) -> str:
    """Return what an answer means to whoever asked."""
    if answer.status_code == 404:
        return "no"
    if answer.status_code == 401 or (
        answer.status_code == 302 and "/sign-in" in answer.location.partition("?")[0]
    ):
        return "sign in"
    # what cannot be reached here, such as the queue server, is told to who may see it
    return "yes" if answer.status_code < 500 or answer.status_code == 503 else answer.status


@pytest.fixture(scope="module")
def cast(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    folder = tmp_path_factory.mktemp("permissions")
    database = folder / "portal.db"
    shutil.copy(databases.sqlite_template, database)
    app = create_app(test_settings(f"sqlite:///{database}", folder))
    app.config["WTF_CSRF_ENABLED"] = False
    with time_machine.travel(NOW, tick=False):
        yield Cast(app, database)


def test_every_route_has_a_row_and_every_row_a_route(cast: Cast) -> None:
    assert {route for route in routes(cast.app) if not route[1].startswith("/static")} == set(
        table()
    )


def test_every_cell_says_what_may_be_expected() -> None:
    cells = [cell for row in table().values() for cell in row.values()]
    assert len(cells) > 1000
    assert set(cells) <= set(ANSWERS)


@pytest.mark.parametrize("role", ROLES)
def test_the_table_holds(cast: Cast, role: str) -> None:
    browser, endpoints, wrong = cast.browsers[role], routes(cast.app), []
    jar = cookies_of(browser)
    for (method, path), expected in table().items():
        answer = browser.open(cast.address(endpoints[method, path], path), method=method)
        # a file that is streamed ends its request only when it is read
        answer.get_data()
        if (told := answer_of(answer)) != expected[role]:
            wrong.append(f"{method} {path}: {told}, not {expected[role]}")
        # what was asked may have ended the session, or the gateway
        jar(browser)
        if method == "POST":
            cast.restore()
    assert not wrong, "\n".join(wrong)


def cookies_of(browser: FlaskClient) -> Callable[[FlaskClient], None]:
    """Return what gives a browser its cookies back."""
    name = browser.application.config["SESSION_COOKIE_NAME"]
    cookie = browser.get_cookie(name)

    def give(other: FlaskClient) -> None:
        other.delete_cookie(name)
        if cookie:
            other.set_cookie(name, cookie.value)

    return give
