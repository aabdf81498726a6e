"""When gateways are asked and what becomes of their answers."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, insert, select
from sqlalchemy import inspect as inspect_row

from app.domain import answers as answer_rules
from app.domain import polling
from app.domain.answers import Answer, Defaults, Settled
from app.domain.polling import Claimed, Pace
from app.extensions import db
from app.models import AuditEntry, Gateway, Heartbeat, Latest, PollState, PowerConditioner, Reading
from app.profiles.base import Discovery, Identity, Layout, Ratings, Sample, Unit
from app.transaction import transaction
from tests.counting import counted
from tests.factories import GatewayFactory, InstallationFactory

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PACE = Pace(interval_s=60, watched_s=6, backoff_max_s=900)
DEFAULTS = Defaults(zone="Asia/Tokyo", contract_current_a=60)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def add_gateways(app: Flask, count: int, **state: Any) -> list[int]:
    """Add gateways that are due now."""
    with app.app_context(), transaction():
        ids = [gateway.id for gateway in GatewayFactory.create_batch(count)]
        db.session.execute(insert(Latest), [{"gateway_id": id_} for id_ in ids])
        db.session.execute(
            insert(PollState), [{"gateway_id": id_, "next_poll_at": NOW} | state for id_ in ids]
        )
    return ids


def claim(app: Flask, now: datetime = NOW, limit: int = 100) -> list[Claimed]:
    with app.app_context(), transaction():
        return polling.claim(now, lease_s=90, limit=limit)


def settle(app: Flask, answers: Sequence[Answer], now: datetime | None = None) -> Settled:
    with app.app_context(), transaction():
        last = max(answer.taken_at for answer in answers)
        return answer_rules.settle(answers, now or last, pace=PACE, defaults=DEFAULTS)


def state_of(app: Flask, id_: int) -> PollState:
    with app.app_context():
        return db.session.get_one(PollState, id_)


def kept(app: Flask) -> list[tuple[Any, ...]]:
    """Return every row that an answer may change."""
    rows: list[tuple[Any, ...]] = []
    with app.app_context():
        for model in (Reading, Latest, PollState, Gateway, PowerConditioner):
            for row in db.session.scalars(select(model)):
                values = inspect_row(row).dict
                rows.append(tuple(str(values[key]) for key in sorted(values) if key[0] != "_"))
    return sorted(rows)


def good(id_: int, seconds: float = 0, pv_wh: float = 1000, **values: Any) -> Answer:
    sample = Sample(
        pv_w=values.pop("pv_w", 600.0),
        counters={"pv_wh": pv_wh},
        resolution_wh={"pv_wh": 1.0},
        **values,
    )
    return Answer(id_, "ok", after(seconds), sample)


def bad(id_: int, seconds: float = 0) -> Answer:
    return Answer(id_, "timeout", after(seconds), detail="no whole answer in time")


# ---- claiming -------------------------------------------------------------------------------


def test_a_gateway_that_is_due_is_claimed_once_until_its_lease_ends(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    assert [one.gateway_id for one in claim(app)] == [id_]
    assert claim(app, after(89)) == []
    assert [one.gateway_id for one in claim(app, after(91))] == [id_]


def test_those_due_longest_come_first(app: Flask) -> None:
    add_gateways(app, 3)
    (late,) = add_gateways(app, 1, next_poll_at=after(-5))
    assert [one.gateway_id for one in claim(app, limit=1)] == [late]


def test_two_rounds_at_the_same_moment_never_get_the_same_gateway(app: Flask) -> None:
    ids = add_gateways(app, 200)

    def rounds(_worker: int) -> list[int]:
        taken: list[int] = []
        while batch := claim(app, limit=10):
            taken += [one.gateway_id for one in batch]
        return taken

    with ThreadPoolExecutor(4) as workers:
        times = Counter(id_ for taken in workers.map(rounds, range(4)) for id_ in taken)
    # a round that found every due row locked by others may have stopped early; nothing is doubled
    assert set(times.values()) == {1}
    assert set(times) | {one.gateway_id for one in claim(app, limit=200)} == set(ids)


def test_each_round_beats_the_pollers_heart(app: Flask) -> None:
    claim(app)
    claim(app, after(2))
    claim(app, after(600))
    with app.app_context():
        beat = db.session.get_one(Heartbeat, polling.POLLER)
        assert (beat.at, beat.back_at) == (after(600), after(600))


def test_watched_gateways_are_asked_first_and_failing_ones_apart_from_the_healthy() -> None:
    claimed = [
        Claimed(1, False, False),
        Claimed(2, False, True),
        Claimed(3, True, False),
        Claimed(4, False, False),
        Claimed(5, False, False),
        Claimed(6, True, True),
    ]
    assert polling.shards(claimed, 2) == [[3], [1, 4], [5], [2, 6]]


# ---- when next ------------------------------------------------------------------------------


def test_slow_gateways_are_asked_together_and_hold_up_no_others() -> None:
    claimed = [
        Claimed(id_, is_watched=id_ < 20, is_failing=id_ % 10 == 1, is_slow=id_ % 10 in (1, 2))
        for id_ in range(40)
    ]
    shards = [set(shard) for shard in polling.shards(claimed, 100)]
    slow, failing = {2, 12, 22, 32}, {1, 11, 21, 31}
    assert shards == [
        set(range(20)) - slow - failing,
        set(range(20, 40)) - slow - failing,
        slow,
        failing,
    ]


def test_who_took_long_is_known_to_be_slow_until_it_is_quick_again(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    for second, took_s in ((0, 2.5), (60, 0.1)):
        settle(app, [good(id_, second)._replace(took_s=took_s)])
        assert state_of(app, id_).is_slow == (took_s > 1)


def test_polls_are_spread_over_the_interval_and_stay_in_their_places() -> None:
    def next_one(id_: int, now: datetime) -> datetime:
        return polling.next_poll_at(id_, now, failures=0, watched=False, pace=PACE)

    ids = range(1, 601)
    per_second = Counter(int(next_one(id_, NOW).timestamp()) for id_ in ids)
    assert max(per_second.values()) <= 12
    assert all(30 <= (next_one(id_, NOW) - NOW).total_seconds() <= 90 for id_ in ids)
    first = next_one(5, NOW)
    # a poll that was claimed a bit late changes nothing in the rhythm
    assert (next_one(5, first + timedelta(seconds=7)) - first).total_seconds() == pytest.approx(60)


def test_a_gateway_that_does_not_answer_is_asked_ever_more_seldom(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    waits = []
    for failure in range(8):
        settle(app, [bad(id_, failure)])
        waits.append((state_of(app, id_).next_poll_at - after(failure)).total_seconds())
    expected = [60, 60 * 2, 60 * 4, 60 * 8, 900, 900, 900, 900]
    assert waits == [pytest.approx(wait, abs=31) for wait in expected]


def test_a_watched_gateway_is_asked_again_within_seconds_even_if_it_fails(app: Flask) -> None:
    (id_,) = add_gateways(app, 1, watched_until=after(30))
    settle(app, [bad(id_)])
    assert state_of(app, id_).next_poll_at == after(6)
    settle(app, [good(id_, 6)])
    assert state_of(app, id_).next_poll_at == after(12)


def test_a_look_brings_the_next_poll_forward(app: Flask) -> None:
    far, near = add_gateways(app, 1, next_poll_at=after(600)), add_gateways(app, 1)
    for id_ in (*far, *near):
        with app.app_context(), transaction():
            polling.watch(id_, NOW, for_s=30, pace=PACE)
        state = state_of(app, id_)
        assert (state.next_poll_at, state.watched_until) == (NOW, after(30))


def test_a_look_does_not_have_a_gateway_asked_twice_at_once(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    claim(app)
    with app.app_context(), transaction():
        polling.watch(id_, NOW, for_s=30, pace=PACE)
    assert claim(app, after(1)) == []
    settle(app, [good(id_, 2)])
    assert state_of(app, id_).next_poll_at == after(8)


# ---- settling -------------------------------------------------------------------------------


def test_a_first_answer_is_kept_with_its_moment(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    settle(app, [good(id_, alarms=("inverter.OVER_TEMP",), soc_pct=81.6)])
    with app.app_context():
        reading = db.session.execute(select(Reading)).scalar_one()
        latest = db.session.get_one(Latest, id_)
        assert (reading.gateway_id, reading.taken_at, reading.pv_w) == (id_, NOW, 600)
        assert (reading.counters, reading.load_w) == ({"pv_wh": 1000}, None)
        assert (latest.taken_at, latest.pv_now_w, latest.pv_today_wh) == (NOW, 600, None)
        assert (latest.alarms, latest.soc_pct) == (["inverter.OVER_TEMP"], 81.6)
        assert db.session.get_one(Gateway, id_).first_contact_at == NOW
    settle(app, [good(id_, 60, 1010)])
    with app.app_context():
        assert db.session.get_one(Gateway, id_).first_contact_at == NOW
        assert db.session.get_one(Latest, id_).pv_today_wh == 10


def test_a_gateway_without_a_row_of_latest_values_gets_one(app: Flask) -> None:
    with app.app_context(), transaction():
        id_ = GatewayFactory().id
        db.session.add(PollState(gateway_id=id_, next_poll_at=NOW))
    settle(app, [good(id_)])
    with app.app_context():
        assert db.session.get_one(Latest, id_).taken_at == NOW


def test_the_same_answers_twice_change_nothing_twice(app: Flask) -> None:
    ids = add_gateways(app, 3)
    for seconds, pv_wh in ((0, 1000), (60, 1010), (120, 1020)):
        settle(app, [good(id_, seconds, pv_wh) for id_ in ids])
    before = kept(app)
    settle(app, [good(id_, 120, 1020) for id_ in ids], after(120))
    assert kept(app) == before


def test_an_answer_that_comes_late_is_kept_but_moves_nothing_back(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    settle(app, [good(id_, 0, 1000)])
    settle(app, [good(id_, 120, 1020)])
    settle(app, [good(id_, 60, 1015, pv_w=5000.0)], after(121))
    with app.app_context():
        latest = db.session.get_one(Latest, id_)
        assert (latest.taken_at, latest.pv_now_w, latest.pv_today_wh) == (after(120), 600, 20)
        assert db.session.scalar(select(func.count()).select_from(Reading)) == 3


def test_two_jobs_that_settle_the_same_gateways_lose_no_energy(app: Flask) -> None:
    ids = add_gateways(app, 20)
    settle(app, [good(id_) for id_ in ids])

    def work(worker: int) -> None:
        for turn in range(10):
            tick = 2 * turn + worker + 1
            settle(app, [good(id_, tick * 10, 1000 + tick) for id_ in ids], after(tick * 10))

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(work, range(2)))
    with app.app_context():
        totals = set(db.session.scalars(select(Latest.pv_today_wh)))
        assert {round(total or 0, 6) for total in totals} == {20}


def test_a_failure_keeps_what_was_known_and_says_why(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    settle(app, [good(id_)])
    settle(app, [bad(id_, 60)])
    state = state_of(app, id_)
    assert (state.last_outcome, state.failures) == ("timeout", 1)
    assert state.last_detail == "no whole answer in time"
    with app.app_context():
        assert db.session.get_one(Latest, id_).taken_at == NOW
        assert db.session.scalar(select(func.count()).select_from(Reading)) == 1


def test_a_gateway_goes_down_once_and_comes_up_once(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    answers = [bad(id_, second) for second in range(5)] + [good(id_, 5), good(id_, 6)]
    told = [settle(app, [answer]) for answer in answers]
    assert [len(settled.down) for settled in told] == [1, 0, 0, 0, 0, 0, 0]
    assert [len(settled.up) for settled in told] == [0, 0, 0, 0, 0, 1, 0]


def test_what_a_device_tells_of_itself_is_kept_beside_what_was_imported(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    found = Discovery(
        Layout("sunspec", "103@40069+50"),
        Identity("Hidamari", "HD-55", "X" * 80, "1.0.4"),
        (Unit(1, "PCS-1", "A1"), Unit(2, "PCS-2", "A2")),
        Ratings(inverter_w=5500.0),
    )
    settle(app, [good(id_)._replace(discovery=found)])
    settle(app, [good(id_, 60)._replace(discovery=replace(found, units=found.units[:1]))])
    with app.app_context():
        gateway = db.session.get_one(Gateway, id_)
        assert (gateway.told_model, gateway.told_serial) == ("HD-55", "X" * 64)
        assert (gateway.model, gateway.model_shown) == ("HDM-GW1", "HD-55")
        assert gateway.layout == found.layout.to_json()
        assert gateway.ratings is not None
        assert gateway.ratings["inverter_w"] == 5500
        assert [(unit.unit_no, unit.model) for unit in gateway.units] == [(1, "PCS-1")]


def test_a_serial_number_stays_though_another_device_answers(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    for second, serial in enumerate(("", "A1", "B2", "")):
        found = Discovery(Layout("sunspec", ""), Identity(serial=serial), (), Ratings())
        settle(app, [good(id_, 60 * second)._replace(discovery=found)])
    with app.app_context():
        gateway = db.session.get_one(Gateway, id_)
        # what it is known by stays, what is told is shown to compare, and once told to operators
        assert (gateway.known_serial, gateway.told_serial) == ("A1", None)
        told = select(AuditEntry.subject_id).where(AuditEntry.action == "gateway.other_device")
        assert db.session.scalars(told).all() == [id_]


def test_a_step_is_bounded_by_what_the_device_says_it_can_do(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    found = Discovery(
        Layout("sunspec", "x"), Identity(), (), Ratings(pv_w=3000.0, inverter_w=3000.0)
    )
    settle(app, [good(id_)._replace(discovery=found)])
    settle(app, [good(id_, 60, 1100)])  # 6 kW
    settle(app, [good(id_, 120, 1105)])
    with app.app_context():
        # the jump counts nothing, its minute comes from power (600 W)
        assert db.session.get_one(Latest, id_).pv_today_wh == pytest.approx(15)


@pytest.mark.parametrize(("contract_a", "bought_wh"), [(None, 210), (60, 210), (30, 20)])
def test_a_step_is_bounded_by_what_the_homes_contract_lets_it_buy(
    app: Flask, contract_a: int | None, bought_wh: float
) -> None:
    (id_,) = add_gateways(app, 1)
    with app.app_context(), transaction():
        InstallationFactory(
            gateway=db.session.get_one(Gateway, id_),
            opened_at=after(-60),
            contract_current_a=contract_a,
        )

    def bought(seconds: float, wh: float) -> Answer:
        resolution = {"import_wh": 1.0}
        sample = Sample(grid_w=600.0, counters={"import_wh": wh}, resolution_wh=resolution)
        return Answer(id_, "ok", after(seconds), sample)

    # 12 kW for a minute: more than 30 A let in, even at 200 V and with a margin
    for seconds, wh in ((0, 1000), (60, 1200), (120, 1210)):
        settle(app, [bought(seconds, wh)])
    with app.app_context():
        assert db.session.get_one(Latest, id_).bought_today_wh == pytest.approx(bought_wh)


def test_totals_of_the_day_belong_to_the_installation(app: Flask) -> None:
    (id_,) = add_gateways(app, 1)
    settle(app, [good(id_)])
    settle(app, [good(id_, 60, 1010)])
    with app.app_context(), transaction():
        InstallationFactory(gateway=db.session.get_one(Gateway, id_), opened_at=after(90))
    settle(app, [good(id_, 120, 1020)])
    with app.app_context():
        assert db.session.get_one(Latest, id_).pv_today_wh == pytest.approx(5)


def test_a_gateway_that_is_gone_is_left_out(app: Flask) -> None:
    assert settle(app, [good(4711)]) == Settled([], [])


def test_a_shard_takes_few_statements(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = add_gateways(app, 50)
    settle(app, [good(id_) for id_ in ids])
    with counted(monkeypatch) as work:
        settle(app, [good(id_, 60) for id_ in ids[:40]] + [bad(id_, 60) for id_ in ids[40:]])
    assert len(work.statements) <= 6
