"""What a device can be set to is told by its profile, and nothing else is let through."""

import json

import pytest

from app.profiles.settings import (
    EVERY_DAY,
    CannotSet,
    Choice,
    Key,
    Number,
    Offer,
    Value,
    Window,
    Windows,
    check,
    offer_from_json,
    offer_to_json,
)

MODE = Choice("mode", ("green", "charge"), timed=("charge",), longest_s=43_200)
RESERVE = Number("reserve_pct", 10, 90, 5, also=(0,))
NIGHT = Windows("charge_windows", most=2, across_midnight=True, weekdays=True, step_min=30)
DAYTIME = Windows("charge_windows", most=1)


def window(start: int, end: int, days: int = EVERY_DAY) -> Window:
    return {"start": start, "end": end, "days": days}


@pytest.mark.parametrize(
    ("offer", "value"),
    [
        (MODE, "green"),
        (RESERVE, 10),
        (RESERVE, 0),
        (NIGHT, []),
        (NIGHT, [window(1380, 420)]),
        (NIGHT, [window(0, 1440, 0b1), window(0, 1440, 0b10)]),
        (DAYTIME, [window(1, 1440)]),
    ],
)
def test_a_value_the_device_knows_is_allowed(offer: Offer, value: object) -> None:
    assert offer.allows(value)


@pytest.mark.parametrize(
    ("offer", "value"),
    [
        (MODE, "safe"),
        (MODE, 1),
        (RESERVE, 12),
        (RESERVE, 95),
        (RESERVE, True),
        (RESERVE, "10"),
        (NIGHT, [window(1380, 420)] * 2),
        # Sunday's night reaches into Monday's
        (NIGHT, [window(1380, 420, 0b1000000), window(60, 120, 0b1)]),
        (NIGHT, [window(0, 45)]),
        (NIGHT, [window(60, 60)]),
        (NIGHT, [window(60, 90, 0)]),
        (NIGHT, "night"),
        (NIGHT, [{"start": 0, "end": 60}]),
        (NIGHT, [{"start": 0.0, "end": 60, "days": 1}]),
        (DAYTIME, [window(1380, 420)]),
        (DAYTIME, [window(60, 90, 0b1)]),
        (DAYTIME, [window(0, 60), window(120, 180)]),
    ],
)
def test_any_other_value_is_not(offer: Offer, value: object) -> None:
    assert not offer.allows(value)


def test_what_a_device_offers_is_let_through() -> None:
    offers = (MODE, RESERVE, NIGHT)
    check(offers, {"mode": "green", "reserve_pct": 0, "charge_windows": []}, None)
    check(offers, {"mode": "charge"}, 43_200)
    check((), {}, None)


@pytest.mark.parametrize(
    ("wanted", "hold_s"),
    [
        ({"mode": "safe"}, None),
        ({"min_soc_pct": 10}, None),
        ({"mode": "green", "reserve_pct": 12}, None),
        ({"mode": "charge"}, None),
        ({"mode": "charge"}, 0),
        ({"mode": "charge"}, 43_201),
    ],
)
def test_anything_else_and_any_other_time_is_not(
    wanted: dict[Key, Value], hold_s: int | None
) -> None:
    with pytest.raises(CannotSet):
        check((MODE, RESERVE, NIGHT), wanted, hold_s)


@pytest.mark.parametrize("offer", [MODE, RESERVE, NIGHT])
def test_an_offer_comes_back_from_json_as_it_was(offer: Offer) -> None:
    assert offer_from_json(json.loads(json.dumps(offer_to_json(offer)))) == offer
