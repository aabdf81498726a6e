"""How far polling and mail are behind."""

from datetime import UTC, date, datetime, timedelta

from flask import Flask

from app.domain import backlog, heartbeats, mail
from app.domain.polling import POLLER
from app.extensions import db
from app.models import PointRun, PollState
from app.transaction import transaction
from tests.factories import GatewayFactory

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_nothing_is_behind_where_nothing_is(app: Flask) -> None:
    with app.app_context():
        assert backlog.look(NOW) == backlog.Backlog(0, None, None, 0, None, 0, None, None)


def test_what_is_due_and_what_waits_is_counted_with_its_oldest(app: Flask) -> None:
    with app.app_context(), transaction():
        for minutes in (3, 1, -1):
            gateway = GatewayFactory()
            due = NOW - minutes * MINUTE
            db.session.add(PollState(gateway_id=gateway.id, next_poll_at=due))
        for number in (5, 2):
            mail.queue("x", "", key=str(number), language="ja", now=NOW - number * MINUTE)
        mail.queue("x", "", key="lost", language="ja", now=NOW - 9 * MINUTE)
        claimed = mail.claim(NOW, 60)
        assert claimed
        mail.drop(claimed, "550")
        heartbeats.beat(POLLER, NOW - MINUTE)
        mail.server_is_away(NOW - 2 * MINUTE)
        winter = {"period_first": date(2025, 12, 1), "period_last": date(2026, 5, 31)}
        summer = {"period_first": date(2026, 6, 1), "period_last": date(2026, 11, 30)}
        db.session.add(PointRun(**winter, opened_at=NOW - 7 * MINUTE, finished_at=NOW))
        db.session.add(PointRun(**summer, opened_at=NOW - MINUTE))
    with app.app_context():
        assert backlog.look(NOW) == backlog.Backlog(
            polls_due=2,
            polls_due_since=NOW - 3 * MINUTE,
            poller_seen_at=NOW - MINUTE,
            mails_waiting=2,
            mails_waiting_since=NOW - 5 * MINUTE,
            mails_dropped=1,
            mail_server_away_since=NOW - 2 * MINUTE,
            points_open_since=NOW - MINUTE,
        )
