"""What can be set of devices that describe themselves by SunSpec models.

| setting | model, points |
| --- | --- |
| `reserve_pct` | 124 MinRsvPct |
| `min_soc_pct`, `max_soc_pct` | 802 SoCRsvMin, SocRsvMax |
| `mode` green | 124 without limits (StorCtl_Mod 0); 704 without a set power |
| `mode` charge, for a while | 124 a negative OutWRte, ChaGriSet; without a 124, 704 WSet |
| `mode` standby, for a while | 124 with both limits at 0 |

What is for a while has the device's own reversion timer: it ends even if nobody reaches the device
any more. Points are found by walking along the chain each time, so that nothing is written where
something else stands by now. Of several models of a kind all are set alike.
"""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from struct import error, pack, unpack
from typing import TypeGuard

from . import sunspec_models
from .base import Layout, LayoutChanged, ReadRequest
from .settings import (
    CannotSet,
    Choice,
    Key,
    Mode,
    Number,
    Offer,
    Settings,
    Value,
    WriteRequest,
    check,
)
from .sunspec_plan import Found
from .sunspec_walk import Reading, contents, models, number, raw_of

_LEVELS: tuple[tuple[Key, int, str], ...] = (
    ("max_soc_pct", 802, "SocRsvMax"),
    ("min_soc_pct", 802, "SoCRsvMin"),
    ("reserve_pct", 124, "MinRsvPct"),
)
#: by model, what a level lies between
_BOUNDS = {802: ("SoCMin", "SoCMax"), 124: ("", "")}

#: bits of StorCtl_Mod
_DISCHARGE, _BOTH = 0b10, 0b11
_FROM_GRID = 1
_WATTS = 1


class _Model:
    """A model on the device, and what stands in it."""

    def __init__(self, found: Found, block: bytes) -> None:
        self.found, self.block = found, block
        self.points = sunspec_models.model(found.number).points

    def has(self, *names: str) -> bool:
        """Tell whether the device implements all these points."""
        return all(self.value(name) is not None for name in names)

    def value(self, name: str) -> float | None:
        """Return what stands there, in its unit; None if there is nothing."""
        if name not in self.points:
            return None
        return number(self.found, self.block, name)

    def step(self, name: str) -> float:
        """Return the smallest difference between two values."""
        scale = self.points[name].scale
        power = raw_of(self.block, self.points[scale]) if scale else 0
        return 10.0 ** (power or 0)

    def write(self, name: str, value: float) -> WriteRequest:
        """Return what makes it stand there.

        Raises:
            CannotSet: the point cannot hold it.
        """
        point, raw = self.points[name], round(value / self.step(name))
        try:
            if value and not raw:
                raise CannotSet(f"{name} is too coarse for {value:g}")
            data = pack(f">{point.format}", raw)
        except error:
            raise CannotSet(f"{name} cannot hold {value:g}") from None
        words = unpack(f">{point.size}H", data)
        return WriteRequest(self.found.address + point.offset, words)


class _Limits:
    """The mode by 124: what charges and discharges the battery at most."""

    longest_s = 0xFFFE  # 16 bits, of which the last value means "not implemented"

    def __init__(self, it: _Model) -> None:
        self.it = it

    def modes(self) -> Iterator[Mode]:
        if not self.it.has("StorCtl_Mod"):
            return
        yield Mode.GREEN
        if self.it.has("OutWRte", "InWRte", "InOutWRte_RvrtTms"):
            if self.it.has("ChaGriSet"):
                yield Mode.CHARGE
            yield Mode.STANDBY

    def mode(self) -> Mode | None:
        out, into = self.it.value("OutWRte"), self.it.value("InWRte")
        limited = int(self.it.value("StorCtl_Mod") or 0) & _BOTH
        if not limited:
            return Mode.GREEN
        if limited & _DISCHARGE and out is not None and out < 0:
            return Mode.CHARGE
        return Mode.STANDBY if limited == _BOTH and out == into == 0 else None

    def writes(self, mode: str, hold_s: int) -> Iterator[WriteRequest]:
        it = self.it
        if mode == Mode.GREEN:
            yield it.write("StorCtl_Mod", 0)
            return
        charges = mode == Mode.CHARGE
        # the timer first and the switch last: no state between them lasts
        yield it.write("InOutWRte_RvrtTms", hold_s)
        if charges:
            yield it.write("ChaGriSet", _FROM_GRID)
        yield it.write("InWRte", 100 if charges else 0)
        yield it.write("OutWRte", -100 if charges else 0)
        yield it.write("StorCtl_Mod", _DISCHARGE if charges else _BOTH)


class _Power:
    """The mode by 704: a set power, which "may be negative for charging".

    There is no standby: at 0 W the sun would charge the battery.
    """

    longest_s = 86_400

    def __init__(self, it: _Model, rate_w: float | None) -> None:
        self.it, self.rate_w = it, rate_w

    def modes(self) -> Iterator[Mode]:
        if not self.it.has("WSetEna"):
            return
        yield Mode.GREEN
        if self.rate_w and self.it.has("WSetMod", "WSet", "WSetEnaRvrt", "WSetRvrtTms"):
            yield Mode.CHARGE

    def mode(self) -> Mode | None:
        if not self.it.value("WSetEna"):
            return Mode.GREEN
        power = self.it.value("WSet")
        charges = self.it.value("WSetMod") == _WATTS and power is not None and power < 0
        return Mode.CHARGE if charges else None

    def writes(self, mode: str, hold_s: int) -> Iterator[WriteRequest]:
        it = self.it
        if mode == Mode.GREEN:
            yield it.write("WSetEna", 0)
            return
        yield it.write("WSetRvrtTms", hold_s)
        yield it.write("WSetEnaRvrt", 0)
        yield it.write("WSetMod", _WATTS)
        yield it.write("WSet", -(self.rate_w or 0))
        yield it.write("WSetEna", 1)


class _Device:
    """All of a chain's models that bear on settings."""

    def __init__(self, models: Mapping[int, Sequence[_Model]]) -> None:
        self.models = models
        rated = [rate for it in models.get(702, ()) if (rate := it.value("WChaRteMax"))]
        self.controls: list[_Limits] | list[_Power] = [
            _Limits(it) for it in models.get(124, ())
        ] or [_Power(it, min(rated, default=None)) for it in models.get(704, ())]

    def offers(self) -> Iterator[Offer]:
        for key, model, name in _LEVELS:
            each = self.models.get(model, ())
            if not each or not all(it.has(name) for it in each):
                continue
            least, most = ([it.value(bound) for it in each] for bound in _BOUNDS[model])
            # a device may say anything: what is no share of a battery is no bound
            low = max((math.ceil(bound) for bound in least if _is_share(bound)), default=0)
            high = min((math.floor(bound) for bound in most if _is_share(bound)), default=100)
            step = max(math.ceil(it.step(name)) for it in each)
            if low + step <= high:
                yield Number(key, low, high, step)
        if self.controls:
            offered = [set(control.modes()) for control in self.controls]
            modes = [mode.value for mode in Mode if all(mode in each for each in offered)]
            if modes:
                timed = tuple(mode for mode in modes if mode != Mode.GREEN)
                yield Choice("mode", tuple(modes), timed, self.controls[0].longest_s)

    def values(self) -> dict[Key, Value]:
        """Return what stands there; what several models do not agree on is unknown."""
        values: dict[Key, Value] = {}
        for key, model, name in _LEVELS:
            levels = {it.value(name) for it in self.models.get(model, ())}
            if len(levels) == 1 and (level := levels.pop()) is not None and 0 <= level <= 100:
                values[key] = round(level)
        modes = {control.mode() for control in self.controls}
        if len(modes) == 1 and (mode := modes.pop()):
            values["mode"] = mode.value
        return values

    def writes(self, wanted: Mapping[Key, Value], hold_s: int | None) -> Iterator[WriteRequest]:
        for key, model, name in _LEVELS:
            value = wanted.get(key)
            if isinstance(value, int):
                yield from (it.write(name, value) for it in self.models[model])
        mode = wanted.get("mode")
        if isinstance(mode, str):
            for control in self.controls:
                yield from control.writes(mode, hold_s or 0)


def _is_share(value: float | None) -> TypeGuard[float]:
    return value is not None and 0 <= value <= 100


class SunSpecSettings:
    """Sets what a chain of models offers; see `Settable` for what each method promises."""

    def __init__(self, name: str) -> None:
        """Serve the profile of that name."""
        self.name = name

    def read_settings(self, layout: Layout) -> Generator[ReadRequest, bytes, Settings]:
        """Walk along the chain and read its models.

        Raises:
            LayoutChanged: the layout is not one of this profile.
            BadAnswer: this is not a SunSpec device.
        """
        device = yield from self._device(layout)
        return Settings(tuple(device.offers()), device.values())

    def write_settings(
        self, layout: Layout, wanted: Mapping[Key, Value], *, hold_s: int | None
    ) -> Generator[ReadRequest | WriteRequest, bytes, None]:
        """Walk along the chain, then write to its models.

        Raises:
            CannotSet: the device offers no such setting or value.
            LayoutChanged: the layout is not one of this profile.
            BadAnswer: this is not a SunSpec device.
        """
        device = yield from self._device(layout)
        check(device.offers(), wanted, hold_s)
        # all of them are known before the first is sent
        requests = list(device.writes(wanted, hold_s))
        while requests:
            yield requests.pop(0)

    def _device(self, layout: Layout) -> Reading["_Device"]:
        if layout.profile != self.name:
            raise LayoutChanged(f"the layout is one of {layout.profile}")
        chain = yield from models()
        found: dict[int, list[_Model]] = {}
        for each in chain:
            if each.number in (124, 702, 704, 802):
                block = yield from contents(each)
                found.setdefault(each.number, []).append(_Model(each, block))
        return _Device(found)
