"""A year as a ZIP: month by month, each once, whoever dies where."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from threading import Thread
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import clock
from app.domain import history, history_csv, history_exports
from app.domain.errors import NotFound
from app.domain.periods import Period, Span
from app.extensions import JobQueues, db
from app.jobs import history as job
from app.jobs.clean import clear_expired
from app.jobs.history import make_due
from app.models import Account, AuditEntry, HistoryExport, Installation, MaintenanceLink
from app.transaction import transaction
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
)
from tests.histories import write_history
from tests.racing import race
from tests.valkey import Valkey

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
ID = "HDM100000001"
YEAR = Period(Span.YEAR, date(2025, 1, 1))


class Killed(BaseException):
    """What a worker hears that is told to die."""


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def whose(actor: Account) -> history.Home:
    return history.get_home(actor, ID, NOW, zone="Asia/Tokyo")


def ask(app: Flask, year: Period = YEAR, *, as_dealer: bool = False) -> int:
    """Let a household, or its dealer, ask for a year; return the export's id."""
    with app.app_context(), transaction():
        home = db.session.scalars(select(Installation)).one_or_none()
        if home is None:
            home = InstallationFactory(
                account=CustomerFactory(email="taro@example.org"),
                gateway=GatewayFactory(public_id=ID),
                opened_at=datetime(2024, 6, 1, tzinfo=UTC),
            )
            write_history(home, date(2025, 3, 1), date(2025, 3, 3))
        actor = home.account
        if as_dealer:
            actor = DealerPersonFactory()
            LinkFactory(installation=home, dealer=actor.dealer)
        return history_exports.request(
            actor, whose(actor), year, network_address="192.0.2.9", now=NOW
        )


def run(app: Flask) -> None:
    with app.app_context():
        make_due()


def state(app: Flask, export_id: int) -> tuple[int, int, bool]:
    with app.app_context():
        found = db.session.get_one(HistoryExport, export_id)
        return found.months_done, found.months, found.is_finished


def taro() -> Account:
    return db.session.scalars(select(Account).filter_by(email="taro@example.org")).one()


def fetch(app: Flask, export_id: int, now: datetime = NOW) -> ZipFile:
    with app.app_context():
        _year, content = history_exports.get_file(taro(), whose(taro()), export_id, now)
    return ZipFile(BytesIO(content))


def test_a_year_becomes_twelve_files_each_as_it_comes_alone(app: Flask) -> None:
    export_id = ask(app)
    run(app)
    assert state(app, export_id) == (12, 12, True)
    files = fetch(app, export_id)
    assert files.testzip() is None
    assert files.namelist() == [f"{ID}-2025-{month:02d}.csv" for month in range(1, 13)]
    with app.app_context():
        march = history_csv.month(whose(taro()), Period(Span.MONTH, date(2025, 3, 1)), NOW)
        assert files.read(f"{ID}-2025-03.csv").decode() == "".join(march)
        assert db.session.scalars(select(AuditEntry.action)).all() == ["history.exported"]


@pytest.mark.parametrize(("year", "months"), [(2024, range(6, 13)), (2026, range(1, 12))])
def test_months_that_were_not_theirs_or_have_not_come_are_left_out(
    app: Flask, year: int, months: range
) -> None:
    export_id = ask(app, Period(Span.YEAR, date(year, 1, 1)))
    run(app)
    assert fetch(app, export_id).namelist() == [f"{ID}-{year}-{month:02d}.csv" for month in months]


def test_a_worker_that_dies_loses_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    export_id = ask(app)
    done: list[int] = []
    real = history_exports.make

    def make(claimed: history_exports.Claim, now: datetime, *, zone: str) -> None:
        if len(done) == 5:
            done.append(-1)
            raise Killed
        real(claimed, now, zone=zone)
        done.append(claimed.month.first.month)

    monkeypatch.setattr(history_exports, "make", make)
    with pytest.raises(Killed):
        run(app)
    assert state(app, export_id) == (5, 12, False)
    # its claim stands for a while
    run(app)
    assert state(app, export_id) == (5, 12, False)
    monkeypatch.setattr(clock, "now", lambda: NOW + history_exports.LEASE)
    run(app)
    assert [month for month in done if month > 0] == list(range(1, 13))
    assert len(fetch(app, export_id).namelist()) == 12


def test_a_claim_that_ran_out_adds_nothing_twice(app: Flask) -> None:
    export_id = ask(app)
    with app.app_context():
        with transaction():
            slow = history_exports.claim(NOW)
        with transaction():
            later = history_exports.claim(NOW + history_exports.LEASE)
        assert slow
        assert later
        for claimed in (later, slow):
            with transaction():
                history_exports.make(claimed, NOW, zone="Asia/Tokyo")
    assert state(app, export_id)[0] == 1


def test_two_workers_share_an_export(app: Flask) -> None:
    export_id = ask(app)
    workers = [Thread(target=run, args=(app,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run(app)
    assert state(app, export_id) == (12, 12, True)
    assert len(set(fetch(app, export_id).namelist())) == 12


def test_who_asks_twice_has_one(app: Flask) -> None:
    first = ask(app)
    assert race(app, lambda: ask(app), lambda: ask(app)) == [first, first]
    run(app)
    # a finished one is made anew
    assert ask(app) == first
    assert state(app, first) == (0, 12, False)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(HistoryExport)) == 1
        asked = select(func.count()).where(AuditEntry.action == "history.exported")
        assert db.session.scalar(asked) == 2


def test_nothing_is_made_for_a_dealer_whose_link_ended(app: Flask) -> None:
    export_id = ask(app, as_dealer=True)
    with app.app_context(), transaction():
        link = db.session.scalars(select(MaintenanceLink)).one()
        link.ended_at, link.how_ended = NOW, "unlinked"
    run(app)
    with app.app_context():
        assert db.session.get(HistoryExport, export_id) is None


def test_nothing_is_made_for_an_account_that_was_locked(app: Flask) -> None:
    export_id = ask(app)
    with app.app_context(), transaction():
        taro().locked_at = NOW
    run(app)
    with app.app_context():
        assert db.session.get(HistoryExport, export_id) is None


def test_a_file_is_kept_for_a_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    export_id = ask(app)
    run(app)
    assert fetch(app, export_id, NOW + timedelta(hours=23))
    with pytest.raises(NotFound):
        fetch(app, export_id, NOW + history_exports.KEPT)
    with app.app_context():
        clear_expired()
        assert db.session.get(HistoryExport, export_id)
        monkeypatch.setattr(clock, "now", lambda: NOW + history_exports.KEPT)
        clear_expired()
        db.session.expire_all()
        assert db.session.get(HistoryExport, export_id) is None


def test_one_that_never_ends_is_given_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    export_id = ask(app)
    monkeypatch.setattr(clock, "now", lambda: NOW + history_exports.GIVEN_UP)
    with app.app_context():
        clear_expired()
        assert db.session.get(HistoryExport, export_id) is None


def test_a_worker_leaves_the_rest_to_the_next_round(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = ask(app)
    monkeypatch.setattr(job, "RUN_S", 0)
    run(app)
    assert state(app, export_id) == (0, 12, False)


def test_who_asks_need_not_wait_for_the_next_round(valkey: Valkey) -> None:
    queues = JobQueues()
    queues.init(valkey.url)
    queues.wake("history")
    assert [asked.func_name for asked in queues.get("default").jobs] == [
        "app.jobs.history.make_due"
    ]
