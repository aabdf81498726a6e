"""Energy in the database: written as answers settle, counted anew where one was late."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, insert, inspect, select, text, update

from app.domain import answers as answer_rules
from app.domain import energy_totals, half_hours, recounts, retention
from app.domain.answers import Answer, Defaults
from app.domain.polling import Pace
from app.extensions import db
from app.jobs.measurements import clear_measurements, recount_late
from app.models import (
    AuditEntry,
    EnergyTotal,
    Installation,
    Latest,
    MeterCheckpoint,
    PollState,
    Reading,
)
from app.profiles.base import Sample
from app.transaction import transaction
from tests.counting import counted
from tests.factories import GatewayFactory, InstallationFactory

# 09:00 in Tokyo
MORNING = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
TODAY, TOMORROW = date(2026, 11, 22), date(2026, 11, 23)
PACE = Pace(interval_s=60, watched_s=6, backoff_max_s=900)
DEFAULTS = Defaults(zone="Asia/Tokyo", contract_current_a=60)


def after(minutes: float) -> datetime:
    return MORNING + timedelta(minutes=minutes)


def add_home(app: Flask, **site: Any) -> tuple[int, int]:
    """Add a gateway with its owner; return both ids."""
    with app.app_context(), transaction():
        home = InstallationFactory(**({"opened_at": MORNING - timedelta(days=9)} | site))
        db.session.execute(insert(Latest).values(gateway_id=home.gateway_id))
        db.session.execute(
            insert(PollState).values(gateway_id=home.gateway_id, next_poll_at=MORNING)
        )
        return home.gateway_id, home.id


def sunny(gateway_id: int, minute: float, wh: float | None = None) -> Answer:
    """Return an answer whose PV counter rises by 50 Wh a minute, of which 20 are sold."""
    wh = 50.0 * minute if wh is None else wh
    counters = {"pv_wh": 10_000 + wh, "export_wh": 5_000 + wh * 0.4}
    sample = Sample(
        pv_w=3000,
        grid_w=-1200,
        soc_pct=60,
        counters=counters,
        resolution_wh=dict.fromkeys(counters, 1.0),
    )
    return Answer(gateway_id, "ok", after(minute), sample)


def settle(app: Flask, answers: Sequence[Answer]) -> None:
    with app.app_context(), transaction():
        now = max(answer.taken_at for answer in answers)
        answer_rules.settle(answers, now, pace=PACE, defaults=DEFAULTS)


def wh_by_half_hour(app: Flask, gateway_id: int, installation_id: int, day: date) -> list[float]:
    with app.app_context():
        found = energy_totals.day_half_hours(gateway_id, installation_id, day)
        return [one.energy["pv_wh"].wh for _, one in sorted(found.items()) if "pv_wh" in one.energy]


def everything(app: Flask) -> list[Any]:
    """Return all that was counted, also what is not written yet."""
    with app.app_context():
        rows: list[Any] = []
        for model, left_out in (
            (EnergyTotal, {"half_hours"}),
            (MeterCheckpoint, set()),
            (PollState, {"next_poll_at", "window", "recount_from"}),
        ):
            for row in db.session.scalars(select(model)):
                values = inspect(row).dict
                rows.append(
                    [model.__name__]
                    + [
                        f"{key}={values[key]}"
                        for key in sorted(values)
                        if key[0] != "_" and key not in left_out
                    ]
                )
            if model is EnergyTotal:
                for row in db.session.scalars(select(EnergyTotal)):
                    rows.append([row.day, row.installation_id, row.half_hours])
        return sorted(rows, key=str)


# ---- as answers settle ----------------------------------------------------------------------


def test_half_hours_and_days_are_there_as_samples_come(app: Flask) -> None:
    gateway_id, installation_id = add_home(app)
    for minute in range(0, 125):
        settle(app, [sunny(gateway_id, minute)])
    assert wh_by_half_hour(app, gateway_id, installation_id, TODAY) == [1500] * 4 + [200]
    with app.app_context():
        day = energy_totals.days(gateway_id, installation_id, TODAY, TODAY)[TODAY]
        assert day.total.energy["pv_wh"].wh == 6200
        assert day.total.energy["pv_wh"].measured_s == 124 * 60
        assert day.total.self_wh == pytest.approx(6200 * 0.6)
        # most of it lies in the day's row, the newest half hours with the poll state
        (row,) = db.session.scalars(select(EnergyTotal)).all()
        assert row.pv_wh in (4500, 6000)


def test_the_same_figures_are_on_the_tiles(app: Flask) -> None:
    gateway_id, installation_id = add_home(app)
    for minute in (0, 1, 2, 45, 100, 101):
        settle(app, [sunny(gateway_id, minute)])
    with app.app_context():
        shown = db.session.get_one(Latest, gateway_id)
        assert shown.pv_today_wh == pytest.approx(
            sum(wh_by_half_hour(app, gateway_id, installation_id, TODAY))
        )


def test_a_gap_over_midnight_fills_both_days(app: Flask) -> None:
    gateway_id, installation_id = add_home(app)
    # from 23:00 to 01:00
    for minute in (14 * 60 - 1, 14 * 60, 16 * 60, 16 * 60 + 120):
        settle(app, [sunny(gateway_id, minute)])
    assert wh_by_half_hour(app, gateway_id, installation_id, TODAY)[-2:] == [1500, 1500]
    assert wh_by_half_hour(app, gateway_id, installation_id, TOMORROW)[:2] == [1500, 1500]
    with app.app_context():
        row = db.session.get_one(EnergyTotal, (gateway_id, installation_id, TODAY))
        assert (row.pv_measured_s, row.pv_filled_s) == (60, 3600)


def test_energy_is_split_where_a_gateway_changes_hands(app: Flask) -> None:
    gateway_id, first = add_home(app)
    settle(app, [sunny(gateway_id, 0)])
    settle(app, [sunny(gateway_id, 1)])
    with app.app_context(), transaction():
        db.session.execute(update(Installation).values(closed_at=after(10)))
        second = InstallationFactory(
            gateway=db.session.get_one(Installation, first).gateway,
            opened_at=after(25),
            claimed_sheet_id=None,
        ).id
    settle(app, [sunny(gateway_id, 31)])
    settle(app, [sunny(gateway_id, 32)])
    assert sum(wh_by_half_hour(app, gateway_id, first, TODAY)) == pytest.approx(500)
    assert sum(wh_by_half_hour(app, gateway_id, 0, TODAY)) == pytest.approx(750)
    assert sum(wh_by_half_hour(app, gateway_id, second, TODAY)) == pytest.approx(350)


def test_a_counter_that_begins_anew_is_in_the_audit_log(app: Flask) -> None:
    gateway_id, _ = add_home(app)
    for minute, wh in ((0, 0), (1, 900_000), (2, 900_050)):
        settle(app, [sunny(gateway_id, minute, wh)])
    with app.app_context():
        entries = db.session.scalars(select(AuditEntry).filter_by(action="meter.rebased")).all()
        assert {entry.detail["quantity"] for entry in entries} == {"pv_wh", "export_wh"}
        assert {entry.subject_id for entry in entries} == {gateway_id}


def test_a_shard_takes_as_many_statements_as_one_gateway(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    amounts = []
    for count in (1, 30):
        homes = [add_home(app)[0] for _ in range(count)]
        settle(app, [sunny(home, 0) for home in homes])
        with counted(monkeypatch) as work:
            settle(app, [sunny(home, 200) for home in homes])
        amounts.append(len(work.statements))
    assert amounts[0] == amounts[1]


# ---- late samples ---------------------------------------------------------------------------


def test_a_late_sample_fills_its_own_half_hour(app: Flask) -> None:
    gateway_id, installation_id = add_home(app)
    settle(app, [sunny(gateway_id, 0, 0)])
    settle(app, [sunny(gateway_id, 60, 3000)])
    assert wh_by_half_hour(app, gateway_id, installation_id, TODAY) == [1500, 1500]
    # at half past, all but 400 Wh had been generated already
    settle(app, [sunny(gateway_id, 30, 2600)])
    with app.app_context():
        recount_late()
        recount_late()
    assert wh_by_half_hour(app, gateway_id, installation_id, TODAY) == [2600, 400]
    with app.app_context():
        assert db.session.get_one(PollState, gateway_id).recount_from is None
        assert db.session.get_one(Latest, gateway_id).pv_today_wh == pytest.approx(3000)


def test_counting_anew_knows_how_coarse_a_counter_is(app: Flask) -> None:
    gateway_id, installation_id = add_home(app)

    def coarse(minute: float, kwh: float) -> Answer:
        # a step is more than a minute may bring: only what the device says of it lets it pass
        counters = {"pv_wh": 1000 * kwh}
        sample = Sample(counters=counters, resolution_wh={"pv_wh": 5000.0})
        return Answer(gateway_id, "ok", after(minute), sample)

    for minute, kwh in ((0, 0), (1, 5), (60, 5), (61, 10), (30, 5)):
        settle(app, [coarse(minute, kwh)])
    with app.app_context():
        recount_late()
    assert sum(wh_by_half_hour(app, gateway_id, installation_id, TODAY)) == 10_000


@pytest.mark.parametrize("seed", range(2))
def test_samples_in_any_order_any_number_of_times_give_the_same_totals(
    app: Flask, seed: int
) -> None:
    chance = random.Random(seed)
    # two days and a night, with gaps, a reset, a dip and a jump
    minutes = sorted(chance.sample(range(0, 2400), 25))
    wh = {minute: 50.0 * minute for minute in minutes}
    for minute in minutes[15:]:
        wh[minute] -= 50.0 * minutes[15] - 10
    wh[minutes[5]] = 3.0
    totals = []
    for shuffled in (False, True):
        gateway_id, installation_id = add_home(app)
        order = list(minutes)
        if shuffled:
            order += chance.sample(minutes, 10)
            chance.shuffle(order)
            # somebody has to be first: what came before the first sample of all has no checkpoint
            order = [minutes[0], *order]
        for minute in order:
            settle(app, [sunny(gateway_id, minute, wh[minute])])
            if chance.random() < 0.2:
                with app.app_context():
                    recount_late()
        with app.app_context():
            recount_late()
            days = energy_totals.days_half_hours(gateway_id, installation_id, TODAY, TOMORROW)
            shown = db.session.get_one(Latest, gateway_id).pv_today_wh
        energy = {
            start: (one.soc_pct, one.energy) for day in days.values() for start, one in day.items()
        }
        totals.append((energy, shown))
    assert totals[0][0] == totals[1][0]
    assert totals[0][1] == pytest.approx(totals[1][1], abs=0.5)


def test_a_sample_that_is_too_late_is_kept_and_counts_nothing(app: Flask) -> None:
    gateway_id, installation_id = add_home(app)
    settle(app, [sunny(gateway_id, 0)])
    settle(app, [sunny(gateway_id, 60)])
    settle(app, [sunny(gateway_id, -90)])
    with app.app_context(), transaction():
        db.session.execute(update(MeterCheckpoint).values(taken_at=after(-60)))
    before = wh_by_half_hour(app, gateway_id, installation_id, TODAY)
    with app.app_context():
        recount_late()
        assert db.session.get_one(PollState, gateway_id).recount_from is None
        assert db.session.scalar(select(func.count()).select_from(Reading)) == 3
    assert wh_by_half_hour(app, gateway_id, installation_id, TODAY) == before


def test_counting_anew_twice_changes_nothing(app: Flask) -> None:
    gateway_id, _ = add_home(app)
    for minute in (0, 1, 2, 40, 200, 1000, 1001, 100):
        settle(app, [sunny(gateway_id, minute)])
    with app.app_context():
        recount_late()
    once = everything(app)
    with app.app_context(), transaction():
        db.session.execute(update(PollState).values(recount_from=after(100)))
    with app.app_context(), transaction():
        assert recounts.recount_one(pace=PACE, defaults=DEFAULTS)
        assert not recounts.recount_one(pace=PACE, defaults=DEFAULTS)
    assert everything(app) == once


def test_one_gateway_that_cannot_be_counted_keeps_no_other_from_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = add_home(app)[0], add_home(app)[0]
    for minute in (0, 60, 30):
        settle(app, [sunny(bad, minute), sunny(good, minute, 2000 if minute == 30 else None)])
    replay = recounts._replay

    def fail(gateway_id: int, *args: Any) -> dict[str, Any]:
        if gateway_id == bad:
            raise ZeroDivisionError
        return replay(gateway_id, *args)

    monkeypatch.setattr(recounts, "_replay", fail)
    with app.app_context():
        recount_late()
        waiting = db.session.scalars(select(PollState.recount_from)).all()
        assert waiting == [None, None]
    assert wh_by_half_hour(app, good, 2, TODAY)[0] == 2000


def test_an_answer_that_cannot_be_counted_is_a_bad_one_and_touches_no_other(app: Flask) -> None:
    bad, good = add_home(app)[0], add_home(app)[0]
    answers = [sunny(bad, 0), sunny(good, 0)]
    answers[0].sample.counters["pv_wh"] = "rubbish"  # type: ignore[union-attr, assignment]
    settle(app, answers)
    with app.app_context():
        outcomes = {
            row.gateway_id: (row.last_outcome, row.failures)
            for row in db.session.scalars(select(PollState))
        }
        assert outcomes == {bad: ("bad_answer", 1), good: ("ok", 0)}
        assert db.session.scalars(select(Reading.gateway_id)).all() == [good]


# ---- how long it is kept --------------------------------------------------------------------


def test_old_samples_go_and_the_days_stay(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "GATEWAYS_AT_ONCE", 1)
    homes = [add_home(app)[0] for _ in range(3)]
    for minute in (-100 * 1440, -100 * 1440 + 60, -100 * 1440 + 120, -60, 0):
        settle(app, [sunny(home, minute, 50 * minute + 9_000_000) for home in homes])
    monkeypatch.setattr("app.clock.now", lambda: after(1))
    for _ in range(2):
        with app.app_context():
            clear_measurements()
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Reading)) == 6
        days = db.session.scalars(select(EnergyTotal.day).distinct()).all()
        assert min(days) == date(2026, 8, 14)
        assert db.session.scalar(select(func.count()).select_from(MeterCheckpoint)) == 3


def test_half_hours_go_after_ten_years_and_the_days_stay(app: Flask) -> None:
    gateway_id, installation_id = add_home(app)
    old, new = date(2016, 3, 20), date(2026, 11, 22)
    for day in (old, new):
        start = half_hours.starts(day, "Asia/Tokyo")[0]
        energy = {"pv_wh": half_hours.Energy(10, 1800, 0, half_hours.COUNTER)}
        one = half_hours.HalfHour(start, installation_id, 50, energy)
        with app.app_context(), transaction():
            energy_totals.write([energy_totals.Settled(gateway_id, "Asia/Tokyo", [one])])
    with app.app_context(), transaction():
        while retention.clear_half_hours(after(0), keep_years=10):
            pass
    with app.app_context():
        assert energy_totals.day_half_hours(gateway_id, installation_id, old) == {}
        assert energy_totals.day_half_hours(gateway_id, installation_id, new)
        day = energy_totals.days(gateway_id, installation_id, old, old)[old]
        assert day.total.energy["pv_wh"].wh == 10


def drop_partitions(app: Flask) -> None:
    """Begin without places: other tests on this database made some."""
    with app.app_context(), transaction():
        while retention.drop_partition(after(9999 * 1440), keep_days=8):
            pass


def test_readings_of_a_day_are_a_partition_that_is_dropped_whole(
    app: Flask, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        with app.app_context(), transaction():
            assert retention.make_partitions(after(0)) == 0
            assert retention.drop_partition(after(0), keep_days=8) == 0
        return
    gateway_id, _ = add_home(app)
    drop_partitions(app)
    # before there is a place for its day, a sample lies in the default one
    for minute in (0, 1440, 2880):
        settle(app, [sunny(gateway_id, minute)])
        with app.app_context(), transaction():
            assert retention.make_partitions(after(minute)) == (4 if minute == 0 else 1)
            assert retention.make_partitions(after(minute)) == 0
    settle(app, [sunny(gateway_id, 2881)])
    with app.app_context():
        assert not db.session.scalar(text("SELECT count(*) FROM readings_default"))
        places = db.session.execute(
            text("SELECT tableoid::regclass::text, count(*) FROM readings GROUP BY 1 ORDER BY 1")
        ).all()
        assert [tuple(place) for place in places] == [
            ("readings_20261122", 1),
            ("readings_20261123", 1),
            ("readings_20261124", 2),
        ]
    with app.app_context(), transaction():
        assert retention.drop_partition(after(9 * 1440), keep_days=8) == 1
        assert retention.drop_partition(after(9 * 1440), keep_days=8) == 0
        assert db.session.scalar(select(func.count()).select_from(Reading)) == 3


def test_a_page_of_history_reads_by_key_and_scans_nothing(app: Flask, database_url: str) -> None:
    if database_url.startswith("sqlite"):
        explain, bad = "EXPLAIN QUERY PLAN ", "SCAN"
    else:
        explain, bad = "EXPLAIN ", "Seq Scan"
    with app.app_context():
        if bad == "Seq Scan":
            db.session.execute(text("SET enable_seqscan = off"))
        for statement in (
            "SELECT pv_wh FROM energy_totals WHERE gateway_id = 1 AND installation_id = 1"
            " AND day BETWEEN '2026-01-01' AND '2026-12-31'",
            "SELECT pv_w FROM readings WHERE gateway_id = 1"
            " AND taken_at BETWEEN '2026-11-22' AND '2026-11-23' ORDER BY taken_at",
            "SELECT gateway_id FROM poll_states WHERE recount_from IS NOT NULL"
            " ORDER BY recount_from LIMIT 1",
        ):
            plan = db.session.execute(text(explain + statement)).all()
            told = "\n".join(str(row) for row in plan)
            assert bad not in told, told


def test_nobodys_gateway_is_counted_for_nobody(app: Flask) -> None:
    with app.app_context(), transaction():
        gateway_id = GatewayFactory().id
        db.session.execute(insert(Latest).values(gateway_id=gateway_id))
        db.session.execute(insert(PollState).values(gateway_id=gateway_id, next_poll_at=MORNING))
    for minute in (0, 1, 2):
        settle(app, [sunny(gateway_id, minute)])
    assert wh_by_half_hour(app, gateway_id, 0, TODAY) == [100]
