"""Forecasts and plans of homes whose days are known."""

from datetime import date, timedelta

import numpy as np
import pytest

from app.planning.backtest import backtest, days_before
from app.planning.battery import Battery, Orders
from app.planning.day import Plan, least_cost, night_charge
from app.planning.forecasts import (
    LENGTH_S,
    SLOTS,
    Past,
    Site,
    Sky,
    TooLittleKnown,
    begins,
    forecast,
    local,
)
from app.planning.optimum import Prices
from app.planning.sun import Panels, clear_wh

ZONE = "Asia/Tokyo"
SITE = Site(ZONE, 35.7, 139.7)
TODAY = date(2026, 5, 14)  # a Thursday
BATTERY = Battery(9800, 3000, 3000)


def lived(days: int, *, sky: float | None = None, until: date = TODAY, weekend: float = 1) -> Past:
    """A home of 5 kW whose sky is clear by the day as `sky` says, else now this, now that."""
    since = begins(until - timedelta(days), ZONE)
    starts = since + LENGTH_S * np.arange(days * 48 - 2)
    clear = clear_wh(SITE.latitude, SITE.longitude, Panels(), starts)
    day = np.array([local(start, ZONE).toordinal() for start in starts])
    share = np.full(len(starts), sky) if sky is not None else 0.2 + 0.8 * (day % 5) / 4
    hour = np.array([local(start, ZONE).hour for start in starts])
    load = np.where((hour >= 18) | (hour < 1), 500.0, 200.0)
    off = np.array([local(start, ZONE).weekday() >= 5 for start in starts])
    return Past(since, 5 * share * clear, np.where(off, load * weekend, load))


def tariff(*, day: float = 36.0, night: float = 20.0, sell: float = 8.5) -> Prices:
    hour = np.array([local(begins(TODAY, ZONE) + LENGTH_S * n, ZONE).hour for n in range(SLOTS)])
    buy = np.where((hour >= 1) & (hour < 6), night, day)
    return Prices(buy, np.full(SLOTS, sell), night * 0.95)


NIGHT = tariff().buy == 20.0


def test_a_short_past_is_refused_and_says_how_short() -> None:
    with pytest.raises(TooLittleKnown) as refused:
        forecast(SITE, lived(10), TODAY)
    assert refused.value.days == 9


def test_a_forecast_of_even_days_is_that_day() -> None:
    told = forecast(SITE, lived(30, sky=0.7), TODAY)
    assert local(told.starts[0], ZONE).hour == 18
    clear = clear_wh(SITE.latitude, SITE.longitude, Panels(), told.starts)
    assert told.pv_wh.mean(axis=0) == pytest.approx(5 * 0.7 * clear, abs=60)
    assert told.load_wh.sum() / len(told.load_wh) == pytest.approx(16_800 + 600, rel=0.2)
    assert told.use_days >= 14
    assert told.sun_days >= 28


def test_weekends_are_forecast_from_weekends() -> None:
    past = lived(40, weekend=3)
    workday, day_off = (
        forecast(SITE, past, one).load_wh[:, 12:].mean() for one in (TODAY, TODAY + timedelta(1))
    )
    assert day_off > 2 * workday


def test_days_that_are_half_unknown_are_left_out() -> None:
    past = lived(40)
    past.load_wh[-20 * 48 :] = np.nan
    told = forecast(SITE, past, TODAY)
    assert told.use_days <= 15
    assert not np.isnan(told.load_wh).any()


def test_the_same_weeks_of_a_year_ago_are_brought_to_the_level_of_these() -> None:
    long = lived(400)
    old = len(long.load_wh) - 350 * 48
    long.load_wh[:old] *= 1.5
    told = forecast(SITE, long, TODAY)
    assert told.use_days > forecast(SITE, lived(60), TODAY).use_days
    assert told.load_wh.mean(axis=1).std() < 0.05 * told.load_wh.mean()


def test_a_weather_report_chooses_days_of_a_like_sky() -> None:
    past = lived(45)
    by_sky = {sky: forecast(SITE, past, TODAY, sky=sky).pv_wh.sum(axis=1).mean() for sky in Sky}
    plain = forecast(SITE, past, TODAY).pv_wh.sum(axis=1).mean()
    assert by_sky[Sky.WET] < by_sky[Sky.CLOUDY] < by_sky[Sky.SUNNY]
    assert by_sky[Sky.WET] < plain < by_sky[Sky.SUNNY]


def test_panels_without_a_past_go_by_their_size_and_a_home_without_any_has_no_sun() -> None:
    past = lived(30)
    dark = Past(past.since, np.full_like(past.pv_wh, np.nan), past.load_wh)
    told = forecast(Site(ZONE, 35.7, 139.7, Panels(kw=4)), dark, TODAY)
    assert told.sun_days == 0
    assert 4000 < told.pv_wh[:, 12:].sum(axis=1).mean() < 20_000
    assert forecast(SITE, dark, TODAY).pv_wh.sum() == 0


def test_before_a_dark_day_the_night_charges_and_before_a_bright_one_it_does_not() -> None:
    dark = forecast(SITE, lived(30, sky=0.05), TODAY)
    bright = forecast(SITE, lived(30, sky=1.0), TODAY)
    plan = night_charge(BATTERY, tariff(), 1000, dark, window=NIGHT)
    assert 0.2 <= plan.level <= 0.5
    assert plan.saving.mean > 10
    assert not plan.orders.grid_to[~NIGHT].any()
    assert night_charge(BATTERY, tariff(), 9000, bright, window=NIGHT).level == 0


def test_a_plan_costs_no_more_than_no_control_by_its_own_forecast() -> None:
    told = forecast(SITE, lived(45), TODAY)
    for stored in (1000, 5000, 9800):
        for prices in (tariff(), tariff(night=35.9), tariff(sell=40), tariff(night=5)):
            plan = least_cost(BATTERY, prices, stored, told)
            assert plan.plan_yen <= plan.baseline_yen + 1e-6
            assert plan.saving.low <= plan.saving.mean <= plan.saving.high


def test_a_tariff_without_differences_orders_nothing() -> None:
    told = forecast(SITE, lived(45), TODAY)
    plan = least_cost(BATTERY, tariff(day=30, night=30), 3000, told)
    assert not plan.acts
    assert plan.saving.mean == 0


def test_a_high_price_for_the_sun_has_it_sold() -> None:
    told = forecast(SITE, lived(45, sky=1.0), TODAY)
    plan = least_cost(BATTERY, tariff(sell=48, night=10), 2000, told)
    assert plan.saving.mean > 50
    assert plan.level > 0 or not plan.orders.may_store.all()


def test_held_back_days_cost_least_with_foresight() -> None:
    past = lived(60)

    def planner(day: date, told: object, stored: float) -> Plan:
        return least_cost(BATTERY, tariff(), stored, told)  # type: ignore[arg-type]

    days = days_before(TODAY, 7)
    score = backtest(SITE, past, BATTERY, lambda _day: tariff(), planner, days=days, stored_wh=3000)
    assert score is not None
    assert score.days == 7
    assert score.foresight_yen.sum() <= score.plan_yen.sum() + 20
    assert score.foresight_yen.sum() < score.baseline_yen.sum()
    assert score.saving.low <= score.saving.mean <= score.saving.high


def test_nothing_is_scored_where_nothing_could_be_planned() -> None:
    none = backtest(
        SITE, lived(9), BATTERY, lambda _day: tariff(), _never, days=[TODAY], stored_wh=0
    )
    assert none is None
    assert Orders.none(3).may_store.all()


def _never(*_asked: object) -> Plan:
    raise AssertionError
