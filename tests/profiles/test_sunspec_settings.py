"""What a chain of SunSpec models offers to be set is told by the models themselves."""

from collections.abc import Generator, Mapping
from struct import pack

import pytest

from app.profiles import sunspec_models
from app.profiles.base import BadAnswer, Layout, LayoutChanged, ReadRequest
from app.profiles.settings import CannotSet, Choice, Key, Number, Settings, Value, WriteRequest
from app.profiles.sunspec_settings import SunSpecSettings

PROFILE = SunSpecSettings("sunspec")
LAYOUT = Layout("sunspec", "whatever was found before")
BASE = 40000

STORAGE: dict[str, int] = {
    "StorCtl_Mod": 0, "MinRsvPct": 1500, "MinRsvPct_SF": -2, "OutWRte": 10_000,
    "InWRte": 10_000, "InOutWRte_SF": -2, "InOutWRte_RvrtTms": 0, "ChaGriSet": 0,
}  # fmt: skip
BATTERY = {"SocRsvMax": 95, "SoCRsvMin": 20, "SoC_SF": 0, "SoCMin": 5, "SoCMax": 98}
POWER = {
    "WSetEna": 0, "WSetMod": 0, "WSet": 0, "WSet_SF": 1, "WSetEnaRvrt": 0, "WSetRvrtTms": 0,
}  # fmt: skip
RATED = {"WChaRteMax": 300, "W_SF": 1}


class Chain:
    """Registers of a chain of models; what is not given is not implemented."""

    def __init__(self, *models: tuple[int, Mapping[str, int]]) -> None:
        data = b"SunS"
        self.places: list[tuple[int, int]] = []
        for number, values in models:
            model = sunspec_models.model(number)
            self.places.append((number, BASE + len(data) // 2))
            body = bytearray(2 * model.length)
            for name, point in model.points.items():
                value = values.get(name, point.absent)
                if point.format and value is not None:
                    start = 2 * point.offset
                    body[start : start + 2 * point.size] = pack(f">{point.format}", value)
            body[:4] = pack(">HH", number, model.length - 2)
            data += bytes(body)
        self.data = bytearray(data + b"\xff\xff\0\0")

    def carry_out(
        self, walk: Generator[ReadRequest | WriteRequest, bytes, Settings | None]
    ) -> tuple[Settings | None, list[tuple[str, int]]]:
        """Carry a walk out; return what it returns, and what it wrote by point."""
        written: list[tuple[str, int]] = []
        try:
            request = next(walk)
            while True:
                start = 2 * (request.address - BASE)
                if isinstance(request, WriteRequest):
                    data = pack(f">{len(request.values)}H", *request.values)
                    self.data[start : start + len(data)] = data
                    written.append(self.point(request))
                    request = walk.send(b"")
                else:
                    request = walk.send(bytes(self.data[start : start + 2 * request.count]))
        except StopIteration as end:
            return end.value, written

    def point(self, request: WriteRequest) -> tuple[str, int]:
        for number, address in self.places:
            for name, point in sunspec_models.model(number).points.items():
                if (address + point.offset, point.size) == (request.address, len(request.values)):
                    return f"{number}.{name}", request.values[-1]
        raise AssertionError(f"{request} is no point")

    def read(self) -> Settings:
        settings, _ = self.carry_out(PROFILE.read_settings(LAYOUT))
        assert settings
        return settings

    def write(self, wanted: Mapping[Key, Value], hold_s: int | None = None) -> list[str]:
        _, written = self.carry_out(PROFILE.write_settings(LAYOUT, wanted, hold_s=hold_s))
        return [name for name, _ in written]


def test_all_that_the_models_implement_is_offered_and_read() -> None:
    settings = Chain((124, STORAGE), (802, BATTERY)).read()
    assert settings.offers == (
        Number("max_soc_pct", 5, 98),
        Number("min_soc_pct", 5, 98),
        Number("reserve_pct", 0, 100),
        Choice("mode", ("green", "charge", "standby"), ("charge", "standby"), 0xFFFE),
    )
    assert settings.values == {
        "max_soc_pct": 95, "min_soc_pct": 20, "reserve_pct": 15, "mode": "green",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "modes"),
    [
        ("InOutWRte_RvrtTms", ("green",)),
        ("OutWRte", ("green",)),
        ("InOutWRte_SF", ("green",)),
        ("ChaGriSet", ("green", "standby")),
        ("StorCtl_Mod", None),
    ],
)
def test_what_is_not_implemented_is_not_offered(
    missing: str, modes: tuple[str, ...] | None
) -> None:
    stands = {name: value for name, value in STORAGE.items() if name != missing}
    offers = {offer.key: offer for offer in Chain((124, stands)).read().offers}
    offer = offers.get("mode")
    assert (offer.values if isinstance(offer, Choice) else None) == modes
    assert "reserve_pct" in offers


def test_a_level_without_its_scale_factor_is_not_offered() -> None:
    stands = {**STORAGE, "MinRsvPct_SF": -0x8000}
    assert [offer.key for offer in Chain((124, stands)).read().offers] == ["mode"]


def test_a_coarse_scale_factor_makes_coarse_steps() -> None:
    chain = Chain((802, {"SocRsvMax": 9, "SoCRsvMin": 2, "SoC_SF": 1}))
    assert chain.read().offers[0] == Number("max_soc_pct", 0, 100, 10)
    with pytest.raises(CannotSet):
        chain.write({"max_soc_pct": 85})
    chain.write({"max_soc_pct": 80})
    assert chain.read().values["max_soc_pct"] == 80


@pytest.mark.parametrize(
    ("odd", "offered"),
    [
        ({"SoCMin": 60_000, "SoCMax": 65_534}, Number("max_soc_pct", 0, 100)),
        ({"SoCMin": 90, "SoCMax": 20}, None),
        ({"SoC_SF": 9, "SocRsvMax": 0}, None),
    ],
)
def test_bounds_that_cannot_be_are_none(odd: dict[str, int], offered: Number | None) -> None:
    offers = {offer.key: offer for offer in Chain((802, {**BATTERY, **odd})).read().offers}
    assert offers.get("max_soc_pct") == offered


@pytest.mark.parametrize("scale", [3, -4])
def test_a_limit_that_its_point_cannot_hold_is_never_written(scale: int) -> None:
    # as 0 it would be the opposite of charging, and 16 bits do not hold a million
    chain = Chain((124, {**STORAGE, "InOutWRte_SF": scale}))
    before = bytes(chain.data)
    with pytest.raises(CannotSet):
        chain.write({"mode": "charge"}, 600)
    assert chain.data == before


def test_the_timer_stands_before_a_limit_does_anything() -> None:
    chain = Chain((1, {}), (124, STORAGE))
    assert chain.write({"mode": "charge"}, 600) == [
        "124.InOutWRte_RvrtTms", "124.ChaGriSet", "124.InWRte", "124.OutWRte", "124.StorCtl_Mod",
    ]  # fmt: skip
    assert chain.read().values["mode"] == "charge"
    assert chain.write({"mode": "green"}) == ["124.StorCtl_Mod"]
    assert chain.read().values["mode"] == "green"


def test_a_limit_that_somebody_else_set_is_no_mode_of_ours() -> None:
    settings = Chain((124, {**STORAGE, "StorCtl_Mod": 2, "OutWRte": 5000})).read()
    assert "mode" not in settings.values


def test_without_limits_a_negative_power_charges() -> None:
    chain = Chain((702, RATED), (704, POWER))
    assert chain.read().offers == (Choice("mode", ("green", "charge"), ("charge",), 86_400),)
    assert chain.write({"mode": "charge"}, 600)[0] == "704.WSetRvrtTms"
    assert chain.write({"mode": "charge"}, 600)[-1] == "704.WSetEna"
    assert chain.read().values == {"mode": "charge"}
    (address,) = (at for number, at in chain.places if number == 704)
    power = sunspec_models.model(704).points["WSet"]
    start = 2 * (address + power.offset - BASE)
    # 3,000 W in steps of 10 W
    assert chain.data[start : start + 4] == pack(">i", -300)
    chain.write({"mode": "green"})
    assert chain.read().values == {"mode": "green"}


def test_nothing_charges_where_nobody_knows_with_how_much() -> None:
    assert Chain((704, POWER)).read().offers == (Choice("mode", ("green",), (), 86_400),)


def test_limits_are_used_where_there_are_both() -> None:
    chain = Chain((702, RATED), (704, POWER), (124, STORAGE))
    assert all(name.startswith("124.") for name in chain.write({"mode": "standby"}, 60))


def test_several_batteries_are_set_alike_and_unknown_while_they_differ() -> None:
    other = {**BATTERY, "SoCRsvMin": 30, "SoCMin": 10}
    chain = Chain((802, BATTERY), (802, other), (124, STORAGE), (124, STORAGE))
    settings = chain.read()
    assert "min_soc_pct" not in settings.values
    assert settings.values["max_soc_pct"] == 95
    assert Number("min_soc_pct", 10, 98) in settings.offers
    assert chain.write({"min_soc_pct": 40, "mode": "green"}) == [
        "802.SoCRsvMin", "802.SoCRsvMin", "124.StorCtl_Mod", "124.StorCtl_Mod",
    ]  # fmt: skip
    assert chain.read().values["min_soc_pct"] == 40


def test_a_value_the_device_does_not_offer_is_never_written() -> None:
    chain = Chain((124, STORAGE), (802, BATTERY))
    for wanted, hold_s in (
        ({"mode": "safe"}, None),
        ({"mode": "charge"}, None),
        ({"mode": "charge"}, 70_000),
        ({"min_soc_pct": 4}, None),
        ({"grid_charge_pct": 50}, None),
    ):
        before = bytes(chain.data)
        with pytest.raises(CannotSet):
            chain.write(wanted, hold_s)  # type: ignore[arg-type]
        assert chain.data == before


def test_a_device_without_any_of_these_models_offers_nothing() -> None:
    assert Chain((1, {})).read() == Settings((), {})


def test_another_profiles_layout_is_refused() -> None:
    with pytest.raises(LayoutChanged):
        next(PROFILE.read_settings(Layout("fronius-gen24", "")))


def test_what_is_no_sunspec_device_is_refused() -> None:
    chain = Chain((124, STORAGE))
    chain.data = bytearray(len(chain.data)) + bytearray(60_000)
    with pytest.raises(BadAnswer):
        chain.read()
