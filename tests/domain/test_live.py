"""States, ages and values of the live screen."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from app.domain import live
from app.domain.errors import NotFound
from app.domain.live import Age, Link, Live, Overall, link_of
from app.extensions import db
from app.models import Account, Heartbeat, Latest
from app.transaction import transaction
from tests.factories import LONG_AGO, CustomerFactory, GatewayFactory, InstallationFactory

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TOKYO = "Asia/Tokyo"


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def add_home(app: Flask, opened_at: datetime = LONG_AGO, **latest: object) -> tuple[int, str]:
    """Add a customer with a gateway; return the account's id and the gateway's public ID."""
    with app.app_context(), transaction():
        home = InstallationFactory(opened_at=opened_at)
        values: dict[str, object] = {"installation_id": home.id, "day": date(2026, 11, 22)}
        db.session.add(Latest(gateway_id=home.gateway_id, **{**values, **latest}))
        return home.account_id, home.gateway.public_id


def look(app: Flask, home: tuple[int, str]) -> Live:
    with app.app_context():
        actor = db.session.get_one(Account, home[0])
        return live.get_live(actor, home[1], NOW, zone=TOKYO)


# ---- states ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "link"),
    [
        (0, Link.OK),
        (119, Link.OK),
        (120, Link.LATE),
        (15 * 60 - 1, Link.LATE),
        (15 * 60, Link.LOST),
        (3 * 86400 - 1, Link.LOST),
        (3 * 86400, Link.SILENT),
    ],
)
def test_a_state_follows_from_the_last_good_answer(seconds: int, link: Link) -> None:
    assert link_of(ago(seconds=seconds), NOW) is link


def test_a_gateway_that_never_answered_is_new_for_ever() -> None:
    assert link_of(None, NOW) is Link.NEW


def test_delays_count_from_the_end_of_our_own_outage() -> None:
    answered, back = ago(hours=5), ago(seconds=60)
    assert link_of(answered, NOW, beat_at=NOW, back_at=back) is Link.OK
    assert link_of(answered, NOW, beat_at=NOW, back_at=ago(hours=4)) is Link.LOST


def test_while_our_poller_is_away_no_gateway_gets_later() -> None:
    assert link_of(ago(hours=5), NOW, beat_at=ago(hours=5), back_at=LONG_AGO) is Link.OK


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        (59, None),
        (60, Age(1, "minute")),
        (3599, Age(59, "minute")),
        (3600, Age(1, "hour")),
        (47 * 3600, Age(47, "hour")),
        (48 * 3600, Age(2, "day")),
    ],
)
def test_a_value_older_than_a_minute_tells_its_age(seconds: int, age: Age | None) -> None:
    assert Age.of(seconds) == age


def test_alarms_are_a_fault_only_while_the_gateway_answers(app: Flask) -> None:
    bits = ["inverter.OVER_TEMP"]
    assert look(app, add_home(app, taken_at=NOW, alarms=bits)).overall is Overall.FAULT
    assert look(app, add_home(app, taken_at=NOW, state="fault")).overall is Overall.FAULT
    assert look(app, add_home(app, taken_at=ago(hours=1), alarms=bits)).overall is Overall.LOST
    assert look(app, add_home(app, taken_at=NOW)).overall is Overall.OK
    assert look(app, add_home(app, taken_at=None)).overall is Overall.NEW


# ---- values ---------------------------------------------------------------------------------


def test_values_come_from_the_row_of_latest_values(app: Flask) -> None:
    home = add_home(
        app,
        taken_at=ago(seconds=30),
        pv_now_w=3200.0,
        sold_now_w=900.0,
        bought_now_w=0.0,
        battery_now_w=-800.0,
        soc_pct=81.6,
        pv_today_wh=0.0,
    )
    seen = look(app, home)
    assert (seen.pv_w, seen.load_w, seen.grid_w, seen.soc_pct) == (3200, None, -900, 82)
    assert (seen.battery_does, seen.grid_does, seen.age) == ("charge", "sell", None)
    assert (seen.today["pv_today_wh"], seen.today["load_today_wh"]) == (0, None)


def test_less_than_the_screen_can_show_is_no_flow(app: Flask) -> None:
    home = add_home(app, taken_at=NOW, sold_now_w=49.0, bought_now_w=0.0, battery_now_w=49.0)
    assert (look(app, home).grid_does, look(app, home).battery_does) == ("idle", "idle")


def test_yesterdays_totals_are_not_todays(app: Flask) -> None:
    home = add_home(app, taken_at=ago(seconds=30), day=date(2026, 11, 21), pv_today_wh=9000.0)
    assert look(app, home).today["pv_today_wh"] is None


def test_what_a_former_owner_had_is_not_shown_to_the_next(app: Flask) -> None:
    home = add_home(
        app,
        opened_at=ago(seconds=10),
        taken_at=ago(seconds=30),
        installation_id=None,
        pv_now_w=3200.0,
        soc_pct=50.0,
        pv_today_wh=9000.0,
        alarms=["inverter.OVER_TEMP"],
    )
    seen = look(app, home)
    assert (seen.pv_w, seen.soc_pct, seen.today["pv_today_wh"]) == (None, None, None)
    assert (seen.taken_at, seen.alarms, seen.is_waiting) == (None, (), True)
    assert seen.overall is Overall.OK


def test_our_own_outage_is_told_from_the_gateways(app: Flask) -> None:
    home = add_home(app, taken_at=ago(hours=1))
    with app.app_context(), transaction():
        db.session.add(Heartbeat(name="poller", at=ago(minutes=59), back_at=LONG_AGO))
    seen = look(app, home)
    assert (seen.service_is_away, seen.overall, seen.age) == (True, Overall.OK, Age(1, "hour"))


def test_the_tag_changes_with_whatever_the_screen_shows(app: Flask) -> None:
    home = add_home(app, taken_at=ago(seconds=30))
    tags = {look(app, home).tag("ja"), look(app, home).tag("ja"), look(app, home).tag("en")}
    with app.app_context():
        actor = db.session.get_one(Account, home[0])
        for seconds in (10, 40, 100, 130, 1000):
            later = NOW + timedelta(seconds=seconds)
            tags.add(live.get_live(actor, home[1], later, zone=TOKYO).tag("ja"))
    # 30 s and 40 s look the same; English, 1, 2 and 17 minutes do not
    assert len(tags) == 5


def test_a_strangers_gateway_is_not_found(app: Flask) -> None:
    _owner, public_id = add_home(app, taken_at=NOW)
    with app.app_context(), transaction():
        stranger_id = CustomerFactory().id
    for unknown in (public_id, "NOSUCHID0000"):
        with pytest.raises(NotFound):
            look(app, (stranger_id, unknown))


@pytest.mark.parametrize("role", ["customer", "dealer", "operator", "of a poll"])
def test_a_screen_is_found_by_indexes_alone_whoever_asks(app: Flask, role: str) -> None:
    add_home(app)
    found = live._polled_row() if role == "of a poll" else live._one_row(role)
    asked = {"actor_id": 1, "dealer_id": 1, "public_id": "x", "now": NOW, "token_hash": "x"}
    named = {name: asked[name] for name in found.compile().params if name in asked}
    with app.app_context():
        connection = db.session.connection()
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:
            # PostgreSQL reads a table of three rows from its beginning, unless told not to
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        statement = found.params(named).compile(
            dialect=connection.dialect, compile_kwargs={"literal_binds": True}
        )
        explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        plan = [str(row) for row in connection.exec_driver_sql(f"{explain} {statement}")]
    assert plan
    assert not [line for line in plan if "SCAN" in line or "Seq Scan" in line]


# ---- choosing -------------------------------------------------------------------------------


def test_gateways_to_choose_from_stand_worst_first_and_are_found_by_name_id_and_address(
    app: Flask,
) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory()
        for place, (name, latest) in enumerate(
            {
                "良": {"taken_at": NOW},
                "異": {"taken_at": NOW, "alarms": ["inverter.OVER_TEMP"]},
                "断": {"taken_at": ago(hours=1)},
                "未 100%": {"taken_at": None},
            }.items()
        ):
            home = InstallationFactory(
                account=taro,
                site_name=name,
                street=f"通り{place}",
                gateway=GatewayFactory(public_id=f"FIND{place:08d}"),
            )
            db.session.add(Latest(gateway_id=home.gateway_id, **latest))
        InstallationFactory(site_name="他人の家")
        taro_id = taro.id

    def found(search: str = "", page: int = 1) -> list[str]:
        with app.app_context():
            actor = db.session.get_one(Account, taro_id)
            choice = live.list_live(actor, NOW, zone=TOKYO, search=search, page=page)
            assert (choice.found, choice.pages) == (len(choice.rows), 1)
            return [one.site_name for one in choice.rows]

    assert found() == ["断", "異", "未 100%", "良"]
    assert found(page=99) == ["断", "異", "未 100%", "良"]
    assert found("find00000002") == ["断"]
    assert found("下京区 通り1") == ["異"]
    assert found("%") == ["未 100%"]
    assert found("他人") == []
