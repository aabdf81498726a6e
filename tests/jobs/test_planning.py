"""Plans are made each evening, once, from what is known; what is missing is said."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.domain import plan_choices, plans
from app.extensions import JobQueues, db, queues
from app.jobs import planning
from app.jobs import plans as job
from app.models import Installation, Latest, Plan, PlanChoice, SettingOrder
from app.transaction import transaction
from tests.factories import CustomerFactory, GatewayFactory, InstallationFactory
from tests.histories import write_history
from tests.racing import at_once
from tests.setting import add_home, installation
from tests.valkey import Valkey

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)  # 17:05 in Tokyo
TODAY = date(2026, 11, 23)
ID = "HDM100000001"
RATINGS = {"battery_wh": 9800.0, "battery_w": 3000.0}


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def home(*, days: int = 40, soc_pct: float | None = 40.0, **chosen: object) -> Installation:
    """A home with some weeks of sunny days, which has plans made by a tariff."""
    made = InstallationFactory(
        account=CustomerFactory(),
        gateway=GatewayFactory(ratings=RATINGS),
        opened_at=NOW - timedelta(days=100),
    )
    if days:
        write_history(made, TODAY - timedelta(days=days), TODAY, until=NOW.timestamp())
    db.session.add(Latest(gateway_id=made.gateway_id, taken_at=NOW, soc_pct=soc_pct))
    values = {"cost": True, "tariff": "tepco-smart-life", "sell_yen": 8.5, "due_at": NOW}
    db.session.add(PlanChoice(installation_id=made.id, changed_at=NOW, **{**values, **chosen}))
    db.session.flush()
    return made


def planned(app: Flask, **chosen: object) -> Plan:
    """Let a home's plan be made and return it."""
    with app.app_context(), transaction():
        installation_id = home(**chosen).id  # type: ignore[arg-type]
    planning_of(app, [installation_id])
    with app.app_context():
        return db.session.scalars(select(Plan)).one()


def planning_of(app: Flask, ids: list[int]) -> None:
    with app.app_context():
        planning.plan_shard(ids)


def test_a_plan_tells_its_courses_its_cost_and_what_it_rests_on(app: Flask) -> None:
    plan = planned(app)
    told = plan.content
    assert (plan.outcome, plan.day) == ("made", TODAY + timedelta(days=1))
    assert datetime.fromtimestamp(told["begins"], UTC).hour == 9  # 18:00 in Tokyo
    for name in ("pv_wh", "load_wh", "buy_yen", "stored_pct", "baseline_pct"):
        assert len(told[name]) == 60
    assert sum(told["load_wh"][12:]) == pytest.approx(9600, rel=0.05)
    # the sun of these homes shines after sunset, too; no clear sky does
    assert 6000 < sum(told["pv_wh"][12:]) < 13_000
    mean, low, high = told["saving"]
    assert low <= mean <= high
    assert told["plan_yen"] <= told["baseline_yen"]
    assert told["use_days"] >= 14
    assert min(told["stored_pct"]) >= 9
    # 3 kW into 9.8 kWh, of which a twentieth is lost
    assert told["pct_h"] == pytest.approx(29.08)


@pytest.mark.parametrize(("amperes", "bears_it"), [(30, False), (60, True)])
def test_a_contract_that_does_not_bear_the_charge_is_not_charged_at_full_power(
    app: Flask, amperes: int, *, bears_it: bool
) -> None:
    with app.app_context(), transaction():
        made = home()
        made.contract_current_a = amperes
        ids = [made.id]
    planning_of(app, ids)
    with app.app_context():
        told = db.session.scalars(select(Plan)).one().content
    assert (told["pct_h"] is not None) is bears_it


def test_held_back_days_are_asked_with_it_and_then_once_a_week(app: Flask) -> None:
    planned(app)
    with app.app_context():
        choice = db.session.scalars(select(PlanChoice)).one()
        assert choice.tested_on == TODAY
        assert choice.tested
        assert choice.tested["days"] >= 7
        low, high = choice.tested["saving"][1:]
        assert low <= high
        assert choice.due_at == NOW + timedelta(days=1)


def test_the_night_is_charged_for_a_home_without_sun(app: Flask) -> None:
    def dark(installation: Installation) -> None:
        write_history(
            installation,
            TODAY - timedelta(days=40),
            TODAY,
            until=NOW.timestamp(),
            change=lambda _place, one: one.__class__(
                one.start,
                one.installation_id,
                one.soc_pct,
                {"load_wh": one.energy["load_wh"], "pv_wh": one.energy["pv_wh"]._replace(wh=0)},
            ),
        )

    with app.app_context(), transaction():
        installation = home(days=0, soc_pct=10.0, cost=False, night=True)
        dark(installation)
        installation_id = installation.id
    planning_of(app, [installation_id])
    with app.app_context():
        told = db.session.scalars(select(Plan)).one().content
    assert told["kind"] == "night"
    assert 10 <= told["level_pct"] <= 50
    # from 1:00 to 6:00, counted from 18:00
    assert told["window"] == [14, 24]


@pytest.mark.parametrize(
    ("chosen", "outcome"),
    [
        ({"days": 5}, "too_little"),
        ({"days": 0}, "too_little"),
        ({"soc_pct": None}, "no_charge"),
        ({"tariff": "gone"}, "no_prices"),
        ({"tariff": ""}, "no_prices"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_planned(
    app: Flask, chosen: dict[str, object], outcome: str
) -> None:
    plan = planned(app, **chosen)
    assert plan.outcome == outcome
    assert "saving" not in plan.content


def test_an_old_state_of_charge_is_none(app: Flask) -> None:
    with app.app_context(), transaction():
        installation_id = home().id
        db.session.scalars(select(Latest)).one().taken_at = NOW - timedelta(hours=2)
    planning_of(app, [installation_id])
    with app.app_context():
        assert db.session.scalars(select(Plan)).one().outcome == "no_charge"


def test_twice_makes_one_plan_and_who_switched_off_meanwhile_gets_none(app: Flask) -> None:
    with app.app_context(), transaction():
        installation_id = home().id
    planning_of(app, [installation_id, installation_id])
    with app.app_context():
        assert len(db.session.scalars(select(Plan)).all()) == 1
    with app.app_context(), transaction():
        db.session.execute(Plan.__table__.delete())
        db.session.scalars(select(PlanChoice)).one().due_at = None
    planning_of(app, [installation_id])
    with app.app_context():
        assert db.session.scalars(select(Plan)).all() == []


def test_a_home_that_was_left_is_planned_no_more_and_forgotten_after_its_time(app: Flask) -> None:
    with app.app_context(), transaction():
        installation_id = home().id
    planning_of(app, [installation_id])
    with app.app_context(), transaction():
        db.session.get_one(Installation, installation_id).closed_at = NOW
    planning_of(app, [installation_id])
    with app.app_context(), transaction():
        assert db.session.scalars(select(PlanChoice)).one().due_at is None
        assert plans.clear_closed(NOW, keep_days=30) == 0
        assert plans.clear_closed(NOW + timedelta(days=31), keep_days=30) == 1
    with app.app_context():
        assert db.session.scalars(select(Plan)).all() == []


def test_one_that_fails_does_not_keep_the_others_from_theirs(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), transaction():
        ids = [home().id, home().id]
    real: Callable[..., object] = planning.made

    def made(known: plans.Known) -> object:
        if known.installation_id == ids[0]:
            raise ValueError("broken")
        return real(known)

    monkeypatch.setattr(planning, "made", made)
    with pytest.raises(RuntimeError, match="1 of 2"):
        planning_of(app, ids)
    with app.app_context():
        assert db.session.scalars(select(Plan.installation_id)).all() == [ids[1]]


def test_two_rounds_at_once_claim_each_home_once(app: Flask) -> None:
    with app.app_context(), transaction():
        ids = {home(days=0).id for _ in range(6)}

    def claim() -> list[int]:
        return plans.claim(NOW, lease_s=1800, limit=4)

    taken = [one for claimed in at_once(app, claim, claim) for one in claimed]  # type: ignore[attr-defined]
    assert len(taken) == len(set(taken))
    assert set(taken) <= ids


def test_what_is_due_is_enqueued_by_name_in_shards(
    app: Flask, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = JobQueues()
    other.init(valkey.url)
    monkeypatch.setattr(queues, "redis", other.redis)
    with app.app_context(), transaction():
        for _ in range(7):
            home(days=0)
    with app.app_context():
        job.claim_plans()
        job.claim_plans()
    waiting = queues.get("plan").jobs
    assert [len(one.args[0]) for one in waiting] == [5, 2]
    assert waiting[0].func_name == "app.jobs.planning.plan_shard"


def test_a_plan_that_was_made_is_handed_to_the_settings_by_the_next_round(app: Flask) -> None:
    made = add_home(app)
    with app.app_context():
        made.read(NOW)
        with transaction():
            home = installation()
            home.opened_at = NOW - timedelta(days=100)
            home.gateway.ratings = RATINGS
            write_history(home, TODAY - timedelta(days=40), TODAY, until=NOW.timestamp())
            latest = db.session.get_one(Latest, home.gateway_id)
            latest.taken_at, latest.soc_pct = NOW, 20.0
            chosen = {"night": True, "tariff": "tepco-smart-life", "due_at": NOW}
            db.session.add(PlanChoice(installation_id=home.id, changed_at=NOW, **chosen))
            ids = [home.id]
    planning_of(app, ids)
    with app.app_context():
        job.place_plans()
        job.place_plans()
    with app.app_context():
        plan = db.session.scalars(select(Plan)).one()
        [order] = db.session.scalars(select(SettingOrder))
        assert (plan.handed, order.by, order.source) == ("asked", "automatism", "plan")
        assert order.reason.startswith("明日の計画：")
        # it keeps the reserve that the device was read to have
        assert min(plan.content["stored_pct"]) >= 19


def test_the_next_plan_is_due_at_five_past_five_of_the_sites_clock() -> None:
    assert plan_choices.next_due(NOW, "Asia/Tokyo") == NOW + timedelta(days=1)
    earlier = NOW - timedelta(minutes=1)
    assert plan_choices.next_due(earlier, "Asia/Tokyo") == NOW
    assert plan_choices.next_due(NOW, "Europe/Berlin").hour == 16
