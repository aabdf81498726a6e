"""Half-yearly crediting: once, whoever dies where, and what is known later follows."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.domain import closing, credit_reports, ledger, point_credits, point_runs
from app.domain.half_hours import COUNTER, POWER, Energy, HalfHour
from app.domain.ledger import MEMBER, RESERVED, Booking
from app.domain.point_sums import Sums
from app.extensions import db
from app.models import (
    EcoMembership,
    EnergyTotal,
    Installation,
    OutboxMail,
    PointRun,
    PointShard,
    PointTransaction,
    PollState,
)
from app.transaction import transaction
from tests.factories import InstallationFactory
from tests.histories import ten_thousandfold, write_history
from tests.members import DECEMBER, JUNE, PROGRAMME, SUMMER, check_books, join
from tests.racing import at_once

ZONE = "Asia/Tokyo"
# a sunny day of `histories`: 12,000 Wh made, and what is neither used nor stored is sold
SUNNY_DWH = 88_000
DAYS = 30
LAST = date(2026, 6, DAYS)


def member(app: Flask, **changes: object) -> tuple[int, int]:
    """Return account and installation of a member with a sunny June behind."""
    with app.app_context(), transaction():
        home = InstallationFactory()
        join(home, **changes)
        write_history(home, date(2026, 6, 1), LAST)
        return home.account_id, home.id


def run(app: Flask, now: datetime = DECEMBER) -> None:
    """Run all of a half-year's crediting in this thread."""
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, now, zone=ZONE)
    with app.app_context(), transaction():
        shards = point_runs.claim(now, limit=100)
    for shard in shards:
        with app.app_context(), transaction():
            point_credits.credit(shard, PROGRAMME, now)


def transactions(app: Flask) -> list[PointTransaction]:
    with app.app_context():
        return list(db.session.scalars(select(PointTransaction).order_by(PointTransaction.id)))


def expected(dwh: int) -> int:
    rate = PROGRAMME.rate_on(SUMMER.first)
    assert rate is not None
    return int(rate * dwh / 10_000)


def test_a_half_year_is_due_when_what_comes_late_has_come() -> None:
    assert point_runs.due(PROGRAMME, date(2026, 12, 5)).first == date(2025, 12, 1)
    assert point_runs.due(PROGRAMME, date(2026, 12, 6)) == SUMMER
    assert point_runs.due(PROGRAMME, date(2027, 6, 6)).first == date(2026, 12, 1)


def test_members_are_credited_what_counters_know_and_told_how_it_came_about(app: Flask) -> None:
    account_id, _home = member(app)
    run(app)
    [credit] = transactions(app)
    assert (credit.kind, credit.account_id, credit.period_first) == (
        "credit",
        account_id,
        SUMMER.first,
    )
    assert credit.self_dwh == SUNNY_DWH * DAYS
    assert credit.points == expected(SUNNY_DWH * DAYS) > 0
    sums = Sums.from_json(credit.sums or {})
    assert (sums.first, sums.last, sums.days) == (SUMMER.first, SUMMER.last, 183)
    # nothing was measured from July on
    assert sums.missing_half_hours == (183 - DAYS) * 48
    assert round(sums.coverage, 1) == round(100 * DAYS / 183, 1)
    with app.app_context():
        assert ledger.balance(account_id).points == credit.points
        check_books()
        [letter] = db.session.scalars(select(OutboxMail)).all()
        assert (letter.template, letter.refs["transaction"]) == ("points_credited", credit.id)
        [found] = point_runs.list_runs()
        assert (found.shards, found.done, found.booked, found.points) == (1, 1, 1, credit.points)
        assert found.run.finished_at == DECEMBER


def test_a_run_that_is_repeated_books_nothing_again(app: Flask) -> None:
    account_id, _home = member(app)
    for _time in range(2):
        run(app)
    with app.app_context(), transaction():
        # as if a worker had died after its work, before anybody noted it
        db.session.query(PointShard).update({"done_at": None, "claimed_until": None})
    run(app)
    [credit] = transactions(app)
    with app.app_context():
        assert ledger.balance(account_id).points == credit.points
        check_books()


def test_two_workers_at_one_shard_book_it_once(app: Flask) -> None:
    members = [member(app) for _one in range(3)]
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, DECEMBER, zone=ZONE)
        [shard] = db.session.scalars(select(PointShard.id))

    def work() -> int:
        return point_credits.credit(shard, PROGRAMME, DECEMBER)

    done = at_once(app, work, work)
    assert sorted(map(str, done)) in (["0", "3"], ["3", "NotEnough"])
    assert len(transactions(app)) == 3
    with app.app_context():
        assert {ledger.balance(account_id).points for account_id, _home in members} == {
            expected(SUNNY_DWH * DAYS)
        }
        check_books()


def test_a_claimed_shard_is_nobody_elses_until_its_lease_runs_out(app: Flask) -> None:
    member(app)
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, DECEMBER, zone=ZONE)
    later = DECEMBER + timedelta(seconds=point_runs.LEASE_S)
    for now, count in ((DECEMBER, 1), (DECEMBER, 0), (later, 1)):
        with app.app_context(), transaction():
            assert len(point_runs.claim(now, limit=10)) == count


def test_no_more_shards_are_under_way_than_was_asked_for(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_runs, "SHARD", 1)
    for _one in range(5):
        member(app)
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, DECEMBER, zone=ZONE)
    for count in (2, 0):
        with app.app_context(), transaction():
            assert len(point_runs.claim(DECEMBER, limit=2)) == count


@pytest.mark.parametrize("found", ["sqlite", "postgresql"])
def test_a_worker_that_is_killed_half_way_leaves_nothing_half_done(
    app: Flask, settings: object, found: str
) -> None:
    url = settings.database_url  # type: ignore[attr-defined]
    if not url.startswith(found):
        return
    account_id, _home = member(app)
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, DECEMBER, zone=ZONE)
        [shard] = db.session.scalars(select(PointShard.id))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(shard)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
        env={**os.environ},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert transactions(app) == []
    run(app, DECEMBER)
    [credit] = transactions(app)
    with app.app_context():
        assert ledger.balance(account_id).points == credit.points
        check_books()


# dies with everything written and nothing committed
KILLED = """
import os, signal, sys
from tests.conftest import test_settings
from tests.members import DECEMBER, PROGRAMME
from app import create_app
from app.domain import point_credits, point_runs
from app.transaction import transaction
from pathlib import Path
app = create_app(test_settings(sys.argv[1], Path("/tmp")))
with app.app_context(), transaction():
    point_credits.credit(int(sys.argv[2]), PROGRAMME, DECEMBER)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_whose_last_shards_end_at_one_moment_is_through_soon_after(app: Flask) -> None:
    member(app)
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, DECEMBER, zone=ZONE)
        # each saw the other's shard as not done yet
        db.session.query(PointShard).update({"done_at": DECEMBER})
    with app.app_context(), transaction():
        assert point_runs.claim(DECEMBER, limit=9) == []
        assert db.session.scalars(select(PointRun.finished_at)).one() == DECEMBER


def test_shards_hold_every_membership_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_runs, "SHARD", 2)
    for _one in range(5):
        member(app)
    # one that began later is nobody's in this run
    member(app, member_from=date(2026, 12, 1))
    run(app)
    with app.app_context():
        [found] = point_runs.list_runs()
        assert (found.shards, found.done, found.booked) == (3, 3, 5)


def test_a_membership_that_ended_is_credited_for_its_days(app: Flask) -> None:
    member(app, member_from=date(2026, 6, 11), member_until=date(2026, 6, 21))
    run(app)
    [credit] = transactions(app)
    assert credit.self_dwh == SUNNY_DWH * 10
    assert Sums.from_json(credit.sums or {}).coverage == 100.0


def test_who_gets_no_points_has_a_statement_that_says_why(app: Flask) -> None:
    with app.app_context(), transaction():
        join()
    run(app)
    [credit] = transactions(app)
    assert (credit.points, credit.self_dwh) == (0, 0)
    with app.app_context():
        assert db.session.scalars(select(OutboxMail)).all() == []


def by_power(one: HalfHour) -> HalfHour:
    energy = {name: replace_method(told) for name, told in one.energy.items()}
    return replace(one, energy=energy)


def replace_method(told: Energy) -> Energy:
    return told._replace(methods=COUNTER | POWER)


def test_one_half_hour_that_no_counter_knows_counts_nothing(app: Flask) -> None:
    with app.app_context(), transaction():
        home = InstallationFactory()
        join(home)
        noon = 24
        write_history(
            home,
            SUMMER.first,
            SUMMER.first,
            change=lambda place, one: by_power(one) if place == noon else one,
        )
    run(app)
    [credit] = transactions(app)
    assert credit.self_dwh < SUNNY_DWH
    assert Sums.from_json(credit.sums or {}).missing[SUMMER.first] == ((24, 24),)


def test_half_hours_that_are_not_written_yet_count(app: Flask) -> None:
    _account, home_id = member(app)
    with app.app_context(), transaction():
        home = db.session.get(Installation, home_id)
        assert home
        from tests.histories import day_of_energy

        made = day_of_energy(date(2026, 7, 1), ZONE, home_id)
        state = db.session.get(PollState, home.gateway_id) or PollState(
            gateway_id=home.gateway_id, next_poll_at=DECEMBER
        )
        state.half_hours = [one.to_json() for one in made]
        state.counted_zone = ZONE
        db.session.add(state)
    run(app)
    [credit] = transactions(app)
    assert credit.self_dwh == SUNNY_DWH * (DAYS + 1)


def test_what_becomes_known_later_is_a_correction_in_the_next_run(app: Flask) -> None:
    account_id, home_id = member(app)
    run(app)
    with app.app_context(), transaction():
        home = db.session.get(Installation, home_id)
        assert home
        write_history(home, date(2026, 7, 1), date(2026, 7, 10))
    for _time in range(2):
        run(app, JUNE)
    credit, correction, winter = transactions(app)
    assert (correction.kind, correction.period_first) == ("correction", SUMMER.first)
    assert correction.self_dwh == SUNNY_DWH * 10
    assert credit.points + correction.points == expected(SUNNY_DWH * (DAYS + 10))
    assert (winter.kind, winter.points) == ("credit", 0)
    with app.app_context():
        assert ledger.balance(account_id).points == credit.points + correction.points
        check_books()
    # and nothing is left to correct
    run(app, JUNE + timedelta(days=183))
    assert [one.kind for one in transactions(app)][3:] == ["credit"]


def test_who_was_corrected_no_longer_counts_as_above_what_a_household_makes(app: Flask) -> None:
    _account_id, home_id = member(app)
    days = date(2026, 6, 1), date(2026, 6, 2)
    with app.app_context(), transaction():
        home = db.session.get(Installation, home_id)
        assert home
        write_history(home, *days, change=ten_thousandfold)
    run(app)
    with app.app_context():
        assert credit_reports.summary(SUMMER.first).bounded == 1
    with app.app_context(), transaction():
        # a recount found that the counter had told nonsense
        home = db.session.get(Installation, home_id)
        assert home
        write_history(home, *days)
    run(app, JUNE)
    with app.app_context():
        told = credit_reports.summary(SUMMER.first)
        assert (told.members, told.bounded, told.dwh) == (1, 0, SUNNY_DWH * DAYS)


def test_a_correction_takes_no_more_than_is_there_and_the_rest_later(app: Flask) -> None:
    account_id, home_id = member(app)
    run(app)
    [credit] = transactions(app)
    spent = credit.points - 5
    with app.app_context(), transaction():
        ledger.book(Booking("spent", "reserve", account_id, spent, MEMBER, RESERVED, DECEMBER))
        # a recount found that the counter had told nonsense
        db.session.query(EnergyTotal).filter_by(installation_id=home_id).delete()
    run(app, JUNE)
    correction = transactions(app)[2]
    assert (correction.points, correction.self_dwh) == (-5, -credit.self_dwh)
    with app.app_context():
        assert ledger.balance(account_id) == ledger.Balance(0, spent)
    with app.app_context(), transaction():
        ledger.book(Booking("back", "returned", account_id, spent, RESERVED, MEMBER, DECEMBER))
    run(app, JUNE + timedelta(days=183))
    rest = [one for one in transactions(app) if one.kind == "correction"][-1]
    assert (rest.points, rest.self_dwh) == (-spent, 0)
    with app.app_context():
        assert ledger.balance(account_id).points == 0
        check_books()


def test_what_was_cleared_away_stays_as_it_was_booked(app: Flask) -> None:
    account_id, home_id = member(app)
    run(app)
    with app.app_context(), transaction():
        db.session.query(EnergyTotal).filter_by(installation_id=home_id).update(
            {"half_hours": None, "pv_measured_s": 0}
        )
    run(app, JUNE)
    assert [one.kind for one in transactions(app)] == ["credit", "credit"]
    with app.app_context():
        assert ledger.balance(account_id).points > 0


def test_the_energy_of_a_closed_account_counts_and_its_points_lapse(app: Flask) -> None:
    account_id, _home = member(app)
    with app.app_context(), transaction():
        account = (
            db.session.scalars(select(EcoMembership).filter_by(account_id=account_id)).one().account
        )
        closing.end(account, actor=account, network_address="", now=DECEMBER)
    run(app)
    [credit] = transactions(app)
    assert credit.self_dwh == SUNNY_DWH * DAYS
    with app.app_context():
        assert ledger.balance(account_id).points == 0
        assert ledger.totals()["lapsed"] == credit.points
        check_books()
        templates = db.session.scalars(select(OutboxMail.template)).all()
        assert "points_credited" not in templates


def test_nothing_is_due_while_the_half_year_runs(app: Flask) -> None:
    member(app)
    with app.app_context(), transaction():
        opened = point_runs.open_due(PROGRAMME, DECEMBER, zone=ZONE)
        assert opened
        assert opened.period_first == SUMMER.first
    with app.app_context(), transaction():
        assert point_runs.open_due(PROGRAMME, DECEMBER + timedelta(days=90), zone=ZONE) is None
        assert len(db.session.scalars(select(PointRun)).all()) == 1


def test_after_more_than_a_year_away_each_half_year_has_its_run_one_after_the_other(
    app: Flask,
) -> None:
    account_id, home_id = member(app)
    later = datetime(2027, 12, 10, 1, 0, tzinfo=UTC)
    with app.app_context(), transaction():
        home = db.session.get_one(Installation, home_id)
        write_history(home, date(2027, 1, 1), date(2027, 1, DAYS))
        opened = point_runs.open_due(PROGRAMME, later, zone=ZONE)
        assert opened
        assert opened.period_first == SUMMER.first
    with app.app_context(), transaction():
        # what the next one would look at again is not booked yet
        assert point_runs.open_due(PROGRAMME, later, zone=ZONE) is None
    for _half_year in range(4):
        run(app, later)
    found = [(one.kind, one.period_first, one.self_dwh) for one in transactions(app)]
    assert found == [
        ("credit", SUMMER.first, SUNNY_DWH * DAYS),
        ("credit", date(2026, 12, 1), SUNNY_DWH * DAYS),
        ("credit", date(2027, 6, 1), 0),
    ]
    with app.app_context():
        assert ledger.balance(account_id).points == 2 * expected(SUNNY_DWH * DAYS)
        assert len(point_runs.list_runs()) == 3
        check_books()


def test_bounds_that_change_hold_up_no_later_period(app: Flask) -> None:
    member(app)
    run(app)
    yearly = PROGRAMME.model_copy(update={"periods": PROGRAMME.periods[:1]})
    with app.app_context(), transaction():
        opened = point_runs.open_due(yearly, datetime(2029, 12, 10, 1, 0, tzinfo=UTC), zone=ZONE)
        assert opened
        assert opened.period_first > SUMMER.first


def test_a_portal_whose_first_member_is_of_now_has_no_older_runs(app: Flask) -> None:
    member(app, member_from=date(2027, 6, 1))
    with app.app_context(), transaction():
        opened = point_runs.open_due(PROGRAMME, JUNE, zone=ZONE)
        assert opened
        assert opened.period_first == date(2026, 12, 1)


# of a short history that some days are lost of
FEW = 8
lost = st.sets(st.integers(1, FEW))


# an example takes half a second: two runs, and every book of the ledger checked
@hypothesis_settings(max_examples=min(hypothesis_settings.default.max_examples, 100))
@given(lost, lost)
def test_corrections_converge_to_what_is_known(
    app: Flask, missing: set[int], found: set[int]
) -> None:
    account_id, home_id = 0, 0
    with app.app_context(), transaction():
        for one in db.session.scalars(select(EcoMembership)):
            one.member_until = one.member_from
        home = InstallationFactory()
        join(home)
        account_id, home_id = home.account_id, home.id
        for day in set(range(1, FEW + 1)) - missing:
            write_history(home, date(2026, 6, day), date(2026, 6, day))
    restart(app)
    run(app)
    with app.app_context(), transaction():
        kept = db.session.get(Installation, home_id)
        assert kept
        for day in missing & found:
            write_history(kept, date(2026, 6, day), date(2026, 6, day))
    run(app, JUNE)
    known = FEW - len(missing - found)
    with app.app_context():
        assert ledger.balance(account_id).points == expected(SUNNY_DWH * known)
        check_books()


def restart(app: Flask) -> None:
    """Forget which runs were opened: the next example has its own."""
    with app.app_context(), transaction():
        if db.engine.dialect.name == "postgresql":
            db.session.execute(db.text("TRUNCATE point_transactions, point_runs CASCADE"))
        else:
            for name in ("no_update", "no_delete"):
                for table in ("point_transactions", "point_entries"):
                    db.session.execute(db.text(f"DROP TRIGGER IF EXISTS {table}_{name}"))
            for table in ("point_entries", "point_transactions", "point_shards", "point_runs"):
                db.session.execute(db.text(f"DELETE FROM {table}"))
        db.session.execute(db.text("DELETE FROM point_balances"))
