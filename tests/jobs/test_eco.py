"""The hourly job: who waited for coverage is settled, members are asked about new rules."""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.domain import applications
from app.extensions import db
from app.jobs.eco import settle_memberships
from app.models import EcoMembership, OutboxMail
from app.transaction import transaction
from tests.factories import CustomerFactory
from tests.histories import write_history
from tests.joining import MOVED_IN, NOW, TODAY, home, join, rules

DAY = timedelta(days=1)


@pytest.fixture
def waiting(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Three who applied on their first sunny day, of whom the second stays badly connected."""
    monkeypatch.setattr(applications, "AT_ONCE", 1)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    made = []
    with app.app_context(), transaction():
        rules()
        for number in range(3):
            installation = home(first=None, account=CustomerFactory(), opened_at=MOVED_IN)
            write_history(installation, date(2026, 11, 22), date(2026, 11, 22))
            made.append(join(installation).id)
            if number != 1:
                write_history(installation, TODAY, TODAY + 29 * DAY)
    return made


def run(app: Flask) -> None:
    with app.app_context():
        settle_memberships()


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + days * DAY)


def states(app: Flask) -> list[Any]:
    with app.app_context():
        rows = db.session.scalars(select(EcoMembership).order_by(EcoMembership.id))
        return [one.how_ended or one.member_from for one in rows]


def test_each_is_admitted_on_the_day_coverage_is_there_and_refused_when_time_is_up(
    app: Flask, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(app)
    assert states(app) == [None, None, None]
    later(monkeypatch, 30)
    for _twice in range(2):
        run(app)
        assert states(app) == [TODAY + 30 * DAY, None, TODAY + 30 * DAY]
    later(monkeypatch, 90)
    run(app)
    assert states(app) == [TODAY + 30 * DAY, "refused", TODAY + 30 * DAY]
    with app.app_context():
        sent = db.session.scalars(select(OutboxMail.template)).all()
    assert sorted(sent) == ["eco_admitted"] * 2 + ["eco_applied"] * 3 + ["eco_refused"]


def test_who_became_a_company_while_waiting_is_not_admitted(
    app: Flask, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), transaction():
        db.session.get_one(EcoMembership, waiting[0]).account.company_name = "株式会社ひだまり"
    later(monkeypatch, 30)
    run(app)
    assert states(app) == [None, None, TODAY + 30 * DAY]


def test_one_that_cannot_be_settled_keeps_nobody_waiting(
    app: Flask, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = applications.settle

    def settle(membership_id: int, *rest: Any) -> str:
        if membership_id == waiting[0]:
            raise ArithmeticError
        return real(membership_id, *rest)

    later(monkeypatch, 30)
    monkeypatch.setattr(applications, "settle", settle)
    with pytest.raises(RuntimeError):
        run(app)
    assert states(app) == [None, None, TODAY + 30 * DAY]


def test_new_rules_are_mailed_once_by_the_job_and_end_who_does_not_answer(
    app: Flask, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), transaction():
        rules(NOW + DAY)
    later(monkeypatch, 2)
    run(app)
    run(app)
    with app.app_context():
        sent = db.session.scalars(select(OutboxMail.template)).all()
    assert sent.count("eco_rules") == 3
    later(monkeypatch, 61)
    run(app)
    assert states(app) == ["rules_changed"] * 3
