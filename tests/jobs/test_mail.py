"""The sending job, against a real mail server."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
import time_machine
from flask import Flask
from pydantic import ValidationError
from sqlalchemy import select

from app.config import Settings
from app.domain import mail
from app.extensions import db
from app.jobs.mail import is_refused_for_good, send_due
from app.models import OutboxMail
from app.transaction import transaction
from tests.conftest import test_settings
from tests.factories import CustomerFactory
from tests.mailing.inbox import Inbox, inbox

__all__ = ["inbox"]

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def settings(database_url: str, tmp_path: Path, inbox: Inbox) -> Settings:
    return test_settings(
        database_url,
        tmp_path,
        mail_server="127.0.0.1",
        mail_port=inbox.port,
        mail_timeout_s=1,
        mail_lease_s=120,
        mail_retry_s=30,
    )


def queue(app: Flask, *addresses: str, template: str = "forgotten_id", now: datetime = NOON) -> int:
    """Queue a mail to each address about one account; return the account's id."""
    with app.app_context(), transaction():
        account = CustomerFactory()
        for address in addresses:
            mail.queue(
                template, address, key=f"to-{address}", language="ja", now=now, account=account.id
            )
        return int(account.id)


def send(app: Flask, now: datetime = NOON) -> None:
    with app.app_context(), time_machine.travel(now, tick=True):
        send_due()


def rows(app: Flask) -> dict[str, OutboxMail]:
    with app.app_context():
        return {row.to: row for row in db.session.scalars(select(OutboxMail))}


def test_all_that_is_due_goes_out_over_one_connection(app: Flask, inbox: Inbox) -> None:
    queue(app, *[f"person{n}@example.org" for n in range(5)])
    send(app)
    assert len(inbox.mails) == 5
    assert inbox.connections == 1
    assert {row.state for row in rows(app).values()} == {"sent"}
    row = rows(app)["person0@example.org"]
    assert row.answer == "250 2.0.0 Ok: queued as 4F1"
    assert row.sent_at is not None


def test_nothing_due_is_no_connection(app: Flask, inbox: Inbox) -> None:
    send(app)
    assert inbox.connections == 0


def test_running_twice_sends_once(app: Flask, inbox: Inbox) -> None:
    queue(app, "taro@example.org")
    send(app)
    send(app)
    assert len(inbox.mails) == 1


def test_no_transaction_is_open_while_the_mail_server_is_spoken_to(
    app: Flask, inbox: Inbox
) -> None:
    open_connections: list[int] = []

    def look() -> None:
        with app.app_context():
            open_connections.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]

    inbox.on_data = look
    queue(app, "taro@example.org", "hanako@example.org")
    send(app)
    assert open_connections == [0, 0]


def test_an_address_that_is_refused_for_good_gets_no_second_try(app: Flask, inbox: Inbox) -> None:
    inbox.answers = {"nobody@example.org": "550 5.1.1 no such user"}
    queue(app, "nobody@example.org", "taro@example.org")
    with structlog.testing.capture_logs() as logs:
        send(app)
        send(app, NOON + timedelta(days=1))
    refused = rows(app)["nobody@example.org"]
    assert (refused.state, refused.answer) == ("dropped", "550 5.1.1 no such user")
    assert [line["event"] for line in logs] == ["mail_dropped"]
    assert len(inbox.to("taro@example.org")) == 1


def test_an_address_that_is_refused_for_now_is_tried_again(app: Flask, inbox: Inbox) -> None:
    inbox.answers = {"taro@example.org": "451 4.7.1 greylisted"}
    queue(app, "taro@example.org", "hanako@example.org")
    send(app)
    waiting = rows(app)["taro@example.org"]
    assert (waiting.state, waiting.answer) == ("waiting", "451 4.7.1 greylisted")
    inbox.answers = {}
    send(app, waiting.next_attempt_at - timedelta(seconds=5))
    assert len(inbox.to("taro@example.org")) == 0
    send(app, waiting.next_attempt_at)
    assert len(inbox.to("taro@example.org")) == 1
    assert len(inbox.to("hanako@example.org")) == 1


def test_after_days_a_mail_is_given_up_and_that_is_logged_once(app: Flask, inbox: Inbox) -> None:
    inbox.answers = {"taro@example.org": "451 4.2.2 mailbox full"}
    queue(app, "taro@example.org")
    with structlog.testing.capture_logs() as logs:
        for day in (0, 1, 5, 6):
            send(app, NOON + timedelta(days=day))
    assert rows(app)["taro@example.org"].state == "dropped"
    assert rows(app)["taro@example.org"].answer == "451 4.2.2 mailbox full"
    assert [line["event"] for line in logs] == ["mail_dropped"]


def test_a_mail_server_that_is_away_is_logged_once_and_costs_no_attempt(
    app: Flask, inbox: Inbox
) -> None:
    queue(app, "taro@example.org")
    inbox.stop()
    with structlog.testing.capture_logs() as logs:
        for minute in range(4):
            send(app, NOON + timedelta(minutes=minute))
        assert rows(app)["taro@example.org"].attempts == 0
        inbox.start()
        send(app, NOON + timedelta(minutes=5))
    assert [line["event"] for line in logs] == ["mail_server_away", "mail_server_back"]
    assert len(inbox.mails) == 1


def test_a_mail_server_that_is_away_for_days_loses_only_what_is_too_old(
    app: Flask, inbox: Inbox
) -> None:
    queue(app, "old@example.org")
    queue(app, "new@example.org", now=NOON + timedelta(days=4))
    inbox.stop()
    with structlog.testing.capture_logs() as logs:
        send(app, NOON + timedelta(days=5))
    assert "refused" in rows(app)["old@example.org"].answer.lower()
    assert [line["event"] for line in logs] == ["mail_server_away", "mail_dropped"]
    inbox.start()
    send(app, NOON + timedelta(days=5, minutes=1))
    assert {address: row.state for address, row in rows(app).items()} == {
        "old@example.org": "dropped",
        "new@example.org": "sent",
    }


def test_a_mail_server_that_never_answers_holds_a_worker_no_longer_than_the_time_limit(
    app: Flask, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app.extensions["mail"].port = silent.getsockname()[1]
        queue(app, "taro@example.org")
        with structlog.testing.capture_logs() as logs:
            send(app)
    assert "timed out" in logs[0]["error"]
    assert rows(app)["taro@example.org"].state == "waiting"


def test_a_connection_that_breaks_puts_one_mail_off_and_the_rest_go_on(
    app: Flask, inbox: Inbox
) -> None:
    calls = iter(["fine", "hang up", "fine"])
    inbox.on_data = lambda: next(calls)
    queue(app, "a@example.org", "b@example.org", "c@example.org")
    send(app)
    assert [row.state for row in rows(app).values()] == ["sent", "waiting", "sent"]
    assert inbox.connections == 2


def test_a_mail_whose_subject_is_gone_is_dropped_quietly_with_the_reason(
    app: Flask, inbox: Inbox
) -> None:
    account_id = queue(app, "taro@example.org")
    with app.app_context(), transaction():
        account = db.session.get_one(CustomerFactory._meta.model, account_id)
        account.closed_at = NOON
    with structlog.testing.capture_logs() as logs:
        send(app)
    row = rows(app)["taro@example.org"]
    assert (row.state, row.answer) == ("dropped", "the account is closed")
    assert logs == []
    assert inbox.mails == []


def test_a_mail_that_cannot_be_written_stops_no_other(app: Flask, inbox: Inbox) -> None:
    queue(app, "broken@example.org", template="no_such_letter")
    queue(app, "taro@example.org")
    with structlog.testing.capture_logs() as logs:
        send(app)
    assert rows(app)["broken@example.org"].state == "waiting"
    assert rows(app)["broken@example.org"].answer == "not written: KeyError"
    assert [line["event"] for line in logs] == ["mail_not_written"]
    assert len(inbox.to("taro@example.org")) == 1


def test_an_address_no_wire_takes_stops_no_other(app: Flask, inbox: Inbox) -> None:
    queue(app, "日向@example.org", "taro@example.org\nBcc: x@example.org", "hanako@example.org")
    send(app)
    assert len(inbox.mails) == 1
    assert len(inbox.to("hanako@example.org")) == 1


def test_an_old_mobile_address_gets_its_mail(app: Flask, inbox: Inbox) -> None:
    queue(app, "ab..c.@docomo.ne.jp")
    send(app)
    # as the server reads it, without the quotes of the wire
    assert inbox.recipients == ["ab..c.@docomo.ne.jp"]
    assert inbox.mails[0]["To"].addresses[0].username == "ab..c."


def test_a_mail_whose_worker_died_goes_out_when_the_lease_ends_with_the_same_id(
    app: Flask, inbox: Inbox
) -> None:
    queue(app, "taro@example.org")
    with app.app_context(), transaction():
        dead = mail.claim(NOON, 120)
    assert dead is not None
    send(app, NOON + timedelta(seconds=60))
    assert inbox.mails == []
    send(app, dead.until)
    assert inbox.mails[0]["Message-ID"].startswith(f"<outbox-{dead.id}-")


def test_a_lease_too_short_for_one_mail_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="MAIL_LEASE_S"):
        test_settings("sqlite://", tmp_path, mail_timeout_s=60)


@pytest.mark.parametrize(
    ("answer", "for_good"),
    [
        ("550 5.1.1 no such user", True),
        ("553 mailbox name not allowed", True),
        ("550 5.7.1 relaying denied", False),
        ("530 5.7.0 authentication required", False),
        ("530 sign in first", False),
        ("451 4.3.0 try later", False),
    ],
)
def test_only_what_is_about_the_address_is_for_good(answer: str, for_good: bool) -> None:
    assert is_refused_for_good(answer) is for_good
