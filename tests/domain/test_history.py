"""The figures of days, months and years, and who may read them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from app.domain import energy_totals, history, history_power
from app.domain.errors import NotFound
from app.domain.half_hours import BALANCE, COUNTER, LENGTH_S, Energy, HalfHour, Total
from app.domain.history import Coverage, Figures, Home
from app.domain.periods import Period, Span
from app.extensions import db
from app.models import Account, Installation, PollState, Reading
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
)
from tests.histories import measured, repeat_day, without, write_history

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)  # 18:05 in Tokyo
ID = "HDM100000001"
QUANTITIES = ("pv_wh", "load_wh", "import_wh", "export_wh", "charge_wh", "discharge_wh")
DAY_S = 86400


def make_home(**site: object) -> Installation:
    home: Installation = InstallationFactory(
        gateway=GatewayFactory(public_id=ID), **{"account": CustomerFactory(), **site}
    )
    return home


@pytest.fixture
def home(app: Flask) -> Iterator[Installation]:
    """A home with its history from September on, up to half past five today."""
    with app.app_context():
        with transaction():
            made = make_home(opened_at=datetime(2026, 9, 10, 3, tzinfo=UTC))
            until = datetime(2026, 11, 22, 8, 30, tzinfo=UTC).timestamp()
            write_history(made, date(2026, 9, 10), date(2026, 11, 22), until=until)
        yield made


def page(home: Installation, span: Span, day: date, *, compared: bool = False) -> history.Page:
    whose = history.get_home(home.account, ID, NOW, zone="Asia/Tokyo")
    return history.get_page(whose, Period.around(span, day), NOW, compared=compared)


# ---- sums -----------------------------------------------------------------------------------


def test_half_hours_sum_to_the_day_days_to_the_month_months_to_the_year(
    home: Installation,
) -> None:
    year = page(home, Span.YEAR, date(2026, 11, 1))
    month = page(home, Span.MONTH, date(2026, 10, 1))
    day = page(home, Span.DAY, date(2026, 10, 7))
    for quantity in QUANTITIES:
        halves = sum(one.energy[quantity].wh for one in day.half_hours.values())
        assert day.figures.wh(quantity) == pytest.approx(halves)
        for whole in (month, year):
            parts = sum(part.wh(quantity) or 0.0 for _period, part in whole.parts)
            assert whole.figures.wh(quantity) == pytest.approx(parts)
    [october] = [part for period, part in year.parts if period.name == "2026-10"]
    assert october.total == month.figures.total
    assert year.figures.self_wh == pytest.approx(sum(part.self_wh for _p, part in year.parts))


def test_a_sunny_day_is_worth_what_it_is(home: Installation) -> None:
    figures = page(home, Span.DAY, date(2026, 10, 7)).figures
    assert figures.wh("pv_wh") == 12_000
    assert figures.wh("load_wh") == 9600
    assert figures.wh("export_wh") == 24 * 300 - 4000
    assert figures.wh("import_wh") == 15 * 200
    assert figures.self_wh == 12_000 - 3200
    assert figures.self_share == pytest.approx(100 * 8800 / 12_000)
    assert figures.sufficiency == pytest.approx(100 * 6600 / 9600)
    assert figures.balance_gap_wh is None
    assert figures.methods("pv_wh") == ["counter"]


def test_coverage_sums_to_the_time_that_was_theirs_and_has_passed(home: Installation) -> None:
    since, opened = NOW.timestamp(), home.opened_at.timestamp()
    year = page(home, Span.YEAR, date(2026, 11, 1))
    assert year.figures.elapsed_s == since - opened
    assert sum(part.elapsed_s for _period, part in year.parts) == year.figures.elapsed_s
    today = page(home, Span.DAY, date(2026, 11, 22))
    assert today.figures.elapsed_s == 18 * 3600 + 300
    for figures in (year.figures, today.figures):
        for quantity in QUANTITIES:
            covered = figures.coverage(quantity)
            whole = covered.measured_s + covered.filled_s + covered.missing_s
            assert whole == figures.elapsed_s
            assert sum(covered.shares or ()) == 100
    # the last samples have not settled yet
    assert today.figures.coverage("pv_wh").missing_s == 2100


def test_only_what_has_begun_and_was_theirs_is_a_part(home: Installation) -> None:
    year = page(home, Span.YEAR, date(2026, 11, 1))
    assert [period.name for period, _part in year.parts] == ["2026-09", "2026-10", "2026-11"]
    assert year.previous is None
    assert year.next is None
    month = page(home, Span.MONTH, date(2026, 11, 1))
    assert [period.name for period, _part in month.parts][-1] == "2026-11-22"
    assert month.previous == Period(Span.MONTH, date(2026, 10, 1))
    first = page(home, Span.DAY, date(2026, 9, 10))
    # the gateway became theirs at noon
    assert first.figures.elapsed_s == DAY_S / 2
    assert next(start.hour for start, _one in history.half_hours_shown(first)) == 12
    today = page(home, Span.DAY, date(2026, 11, 22))
    assert [f"{start:%H:%M}" for start, _one in history.half_hours_shown(today)][-1] == "18:00"


def test_the_period_before_is_read_with_it(home: Installation) -> None:
    month = page(home, Span.MONTH, date(2026, 10, 1), compared=True)
    assert month.before
    assert month.before.total == page(home, Span.MONTH, date(2026, 9, 1)).figures.total
    # before the first there is none
    assert page(home, Span.MONTH, date(2026, 9, 1), compared=True).before is None
    assert page(home, Span.YEAR, date(2026, 9, 1)).before is None


def test_a_page_asks_as_much_for_three_years_as_for_a_day(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        with transaction():
            made = make_home(opened_at=datetime(2023, 11, 1, tzinfo=UTC))
            write_history(made, date(2026, 11, 21), date(2026, 11, 21))
        asked = {}
        for length in ("a day", "three years"):
            if length == "three years":
                with transaction():
                    repeat_day(made, date(2026, 11, 21), date(2023, 11, 1), date(2026, 11, 21))
            for span in Span:
                db.session.expire_all()
                whose = history.get_home(made.account, ID, NOW, zone="Asia/Tokyo")
                with counted(monkeypatch) as work:
                    shown = history.get_page(
                        whose, Period.around(span, date(2026, 11, 21)), NOW, compared=True
                    )
                    if span is Span.DAY:
                        history_power.of_day(shown, keep_days=90)
                asked[length, span] = len(work.statements)
        for span in Span:
            assert asked["a day", span] == asked["three years", span] <= 5


def test_half_hours_that_are_not_written_yet_count(home: Installation) -> None:
    start = datetime(2026, 11, 22, 8, 30, tzinfo=UTC).timestamp()
    kept = HalfHour(start, home.id, 77, {"pv_wh": Energy(42.0, 1800, 0, COUNTER)})
    before = page(home, Span.DAY, date(2026, 11, 22)).figures.wh("pv_wh") or 0.0
    with transaction():
        state = PollState(gateway_id=home.gateway_id, next_poll_at=NOW, half_hours=[kept.to_json()])
        db.session.add(state)
    today = page(home, Span.DAY, date(2026, 11, 22))
    assert today.figures.wh("pv_wh") == before + 42
    assert today.half_hours[start].soc_pct == 77


# ---- figures --------------------------------------------------------------------------------


def figures(elapsed_s: int = DAY_S, **wh: float) -> Figures:
    energy = {f"{name}_wh": Energy(value, DAY_S, 0, COUNTER) for name, value in wh.items()}
    return Figures(Total(energy, None), elapsed_s)


def test_what_is_not_known_has_no_rate() -> None:
    nothing = Figures(Total(), DAY_S)
    assert nothing.self_share is None
    assert nothing.sufficiency is None
    assert nothing.wh("pv_wh") is None
    assert nothing.coverage("pv_wh") == Coverage(0, 0, DAY_S)
    assert nothing.shares == (0, 0, 100)
    # a night without sun has no share of it
    assert Figures(Total({"pv_wh": measured(0.0)}, 0.0), 1800).self_share is None
    assert figures(load=1000).sufficiency is None


def test_rates_stay_between_0_and_100() -> None:
    # meters of two makes need not agree
    assert figures(load=1000, import_=0.0).sufficiency is None
    one = figures(load=1000)
    one.total.energy["import_wh"] = Energy(1100, DAY_S, 0, COUNTER)
    assert one.sufficiency == 0
    more = Figures(Total({"pv_wh": measured(100.0)}, 120.0), 1800)
    assert more.self_share == 100


def test_shares_are_whole_and_sum_to_100() -> None:
    assert Coverage(9700, 300, 0).shares == (97, 3, 0)
    assert Coverage(1, 1, 1).shares == (34, 33, 33)
    assert Coverage(0, 0, 0).shares is None
    # more was covered than has passed: a device's clock runs ahead
    assert Coverage.of(Energy(1.0, 2000, 500, COUNTER), 1800) == Coverage(1800, 0, 0)


def whole_day(**wh: float) -> Figures:
    names = {"bought": "import_wh", "sold": "export_wh"}
    return Figures(
        Total(
            {
                names.get(name, f"{name}_wh"): Energy(value, DAY_S, 0, COUNTER)
                for name, value in wh.items()
            }
        ),
        DAY_S,
    )


def test_figures_that_do_not_balance_are_noted_where_consumption_is_measured() -> None:
    fair = {"pv": 12_000, "bought": 3000, "sold": 5000, "load": 9900}
    assert whole_day(**fair).balance_gap_wh is None
    assert whole_day(**fair | {"load": 5000}).balance_gap_wh == 5000
    # how much is worth a note is the device profile's to say
    assert replace(whole_day(**fair | {"load": 5000}), balance_tolerance=0.5).balance_gap_wh is None
    assert whole_day(**fair | {"load": 14_000}).balance_gap_wh == -4000
    # what a battery took and gave counts, too
    assert whole_day(**fair | {"load": 5000, "charge": 4800, "discharge": 0}).balance_gap_wh is None
    # small figures differ by the steps of their counters
    assert whole_day(pv=0, bought=700, sold=0, load=200).balance_gap_wh is None


def test_nothing_is_compared_that_was_computed_or_is_half_unknown() -> None:
    apart = whole_day(pv=12_000, bought=3000, sold=5000, load=5000)
    energy = apart.total.energy
    computed = energy | {"load_wh": energy["load_wh"]._replace(methods=BALANCE)}
    assert Figures(Total(computed), DAY_S).balance_gap_wh is None
    short = energy | {"pv_wh": energy["pv_wh"]._replace(measured_s=DAY_S / 2)}
    assert Figures(Total(short), DAY_S).balance_gap_wh is None
    missing = {name: one for name, one in energy.items() if name != "export_wh"}
    assert Figures(Total(missing), DAY_S).balance_gap_wh is None


# ---- power ----------------------------------------------------------------------------------


def test_samples_become_means_of_five_minutes(home: Installation) -> None:
    noon = datetime(2026, 11, 21, 3, tzinfo=UTC)
    with transaction():
        for minute, pv_w, grid_w in ((0, 1000, -400), (1, 2000, 200), (5, 5000, None)):
            db.session.add(
                Reading(
                    gateway_id=home.gateway_id,
                    taken_at=noon + timedelta(minutes=minute),
                    pv_w=pv_w,
                    grid_w=grid_w,
                    soc_pct=50,
                    counters={},
                )
            )
    power = history_power.of_day(page(home, Span.DAY, date(2026, 11, 21)), keep_days=90)
    assert len(power.starts) == 288
    first = power.means[noon.timestamp()]
    assert first["pv"] == 1500
    assert first["sold"] == 200
    assert first["bought"] == 100
    assert first["load"] is None
    second = power.means[noon.timestamp() + 300]
    assert (second["pv"], second["sold"], second["bought"]) == (5000, None, None)
    # within a half hour that has samples they alone tell, a measured one without any has its mean
    assert noon.timestamp() + 600 not in power.means
    assert power.means[noon.timestamp() - 600]["pv"] == 1000


def test_a_day_whose_samples_are_gone_shows_its_half_hours_as_power(home: Installation) -> None:
    old = page(home, Span.DAY, date(2026, 10, 7))
    power = history_power.of_day(old, keep_days=5)
    assert len(power.starts) == 48
    sunny = power.means[power.starts[20]]
    assert (sunny["pv"], sunny["load"], sunny["battery"]) == (1000, 400, -600)
    assert sunny["soc"] == old.half_hours[power.starts[20]].soc_pct


# ---- who may read ---------------------------------------------------------------------------


def reads(actor: Account, **named: int) -> Home | None:
    try:
        return history.get_home(actor, ID, NOW, zone="Asia/Tokyo", **named)
    except NotFound:
        return None


def test_owner_linked_dealer_and_operator_read_and_nobody_else(home: Installation) -> None:
    with transaction():
        linked, other = DealerPersonFactory(), DealerPersonFactory()
        LinkFactory(installation=home, dealer=linked.dealer)
        ended = {"ended_at": NOW - timedelta(days=1), "how_ended": "unlinked"}
        LinkFactory(installation=home, dealer=other.dealer, slot=2, **ended)
        operator, stranger = OperatorFactory(), CustomerFactory()
    for actor in (home.account, linked, operator):
        found = reads(actor)
        assert found
        assert found.installation_id == home.id
        assert reads(actor, installation_id=home.id) == found
    for actor in (other, stranger):
        assert reads(actor) is None
        assert reads(actor, installation_id=home.id) is None


def test_the_former_owner_reads_up_to_the_hand_over_and_the_buyer_from_then_on(
    home: Installation,
) -> None:
    seller, handed = home.account, datetime(2026, 11, 1, 3, tzinfo=UTC)
    with transaction():
        home.closed_at = handed
        db.session.flush()
        bought = InstallationFactory(
            gateway=home.gateway, account=CustomerFactory(), opened_at=handed, claimed_sheet_id=None
        )
        write_history(bought, date(2026, 11, 2), date(2026, 11, 3))
        operator = OperatorFactory()
        linked = DealerPersonFactory()
        LinkFactory(installation=bought, dealer=linked.dealer)
    former, present = reads(seller), reads(bought.account)
    assert former
    assert present
    assert (former.installation_id, former.last_day(NOW)) == (home.id, date(2026, 11, 1))
    assert (present.installation_id, present.first_day()) == (bought.id, date(2026, 11, 1))
    assert reads(bought.account, installation_id=home.id) is None
    assert reads(seller, installation_id=bought.id) is None
    assert reads(linked, installation_id=home.id) is None
    assert reads(operator, installation_id=home.id) == former
    november = Period(Span.MONTH, date(2026, 11, 1))
    theirs = history.get_page(present, november, NOW, compared=True)
    assert theirs.figures.wh("pv_wh") == 24_000
    assert history.get_page(former, november, NOW, compared=False).figures.elapsed_s == DAY_S / 2


def test_a_gateway_that_is_free_shows_an_operator_nobodys_home(home: Installation) -> None:
    with transaction():
        home.closed_at = NOW
        operator = OperatorFactory()
    assert reads(operator) is None
    assert reads(home.account)


def test_an_owner_twice_reads_each_time_by_its_number(home: Installation) -> None:
    with transaction():
        home.closed_at = NOW - timedelta(days=9)
        db.session.flush()
        again = InstallationFactory(
            gateway=home.gateway, account=home.account, opened_at=NOW, claimed_sheet_id=None
        )
    present, before = reads(home.account), reads(home.account, installation_id=home.id)
    assert present
    assert before
    assert (present.installation_id, before.installation_id) == (again.id, home.id)


@pytest.mark.parametrize("public_id", ["HDM1", "HDM10000000\0", "x" * 99])
def test_what_is_no_gateway_is_not_found(home: Installation, public_id: str) -> None:
    with pytest.raises(NotFound):
        history.get_home(home.account, public_id, NOW, zone="Asia/Tokyo")


def test_a_quantity_that_is_unknown_stays_so(app: Flask) -> None:
    with app.app_context():
        with transaction():
            made = make_home()
            write_history(
                made,
                date(2026, 11, 20),
                date(2026, 11, 20),
                change=lambda place, one: without(one, "export_wh") if place < 20 else one,
            )
        day = page(made, Span.DAY, date(2026, 11, 20)).figures
        assert day.coverage("export_wh").missing_s == 20 * LENGTH_S
        assert day.coverage("pv_wh").missing_s == 0
        assert replace(day, total=Total()).self_wh is None
        assert energy_totals.days(made.gateway_id, 0, date(2026, 1, 1), date(2026, 12, 31)) == {}
