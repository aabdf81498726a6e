"""Fronius GEN24: SunSpec, its meter a device of its own behind the same gateway, at unit 200.

PV is 160's first two modules, the battery's charge and discharge the third and fourth, its charge
124:ChaState (evcc, fronius-gen24); the meter's + is import. The walk along the chain knows both.
Tried on: the modules of a GEN24 as fronius-modbus (farmio) has them in tests/test_mppt.py; there
is no public dump of a whole device.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from . import sunspec
from .base import (
    BALANCE_TOLERANCE,
    BadAnswer,
    Discovery,
    Layout,
    LayoutChanged,
    ReadRequest,
    Refused,
    Sample,
    Side,
)
from .sunspec import Elsewhere
from .sunspec_plan import METERS, Plan, compile_shape
from .sunspec_walk import discover

METER_UNIT = 200
_KEPT_APART = " | "
_BASE = 40000
_MARKER = b"SunS"


class Fronius:
    """The profile; see `Profile` for what each method promises."""

    name = "fronius-gen24"
    one_client = False
    balance_tolerance = BALANCE_TOLERANCE

    def discover(self) -> Generator[ReadRequest, bytes, Discovery]:
        """Walk along the chain of the inverter, then along that of its meter.

        Raises:
            BadAnswer: this is not a SunSpec device, or another maker's.
        """
        found = yield from discover()
        if not found.identity.manufacturer.casefold().startswith("fronius"):
            raise BadAnswer(f"not of Fronius: {found.identity.manufacturer[:40]}")
        meter = ""
        if not _has_meter(found.layout.shape):
            # there is none, or none that answers now: each poll looks for one
            with suppress(Refused, BadAnswer):
                meter = (yield from _behind(discover())).layout.shape
        shape = found.layout.shape + _KEPT_APART + meter
        return replace(found, layout=Layout(self.name, shape))

    def requests(self, layout: Layout) -> tuple[ReadRequest, ...]:
        """Return what one poll reads.

        Raises:
            LayoutChanged: the layout is not one of this profile.
        """
        inverter, meter = self._plans(layout)
        if meter is None:
            if _has_meter(layout.shape):
                return inverter.requests
            return (*inverter.requests, _request_behind(ReadRequest(3, _BASE, 2)))
        return inverter.requests + tuple(map(_request_behind, meter.requests))

    def sides(self, layout: Layout) -> Mapping[str, Side]:
        """Tell for each value on which side it is taken.

        Raises:
            LayoutChanged: the layout is not one of this profile.
        """
        return self._plans(layout)[0].sides

    def decode(self, layout: Layout, blocks: Sequence[bytes]) -> Sample:
        """Make a sample of the answers to `requests`; without the meter's, there is no `grid_w`.

        Raises:
            LayoutChanged: a model's header is not where it was, or a meter has come.
            BadAnswer: an answer does not fit its request.
        """
        inverter, meter = self._plans(layout)
        own = len(inverter.requests)
        values, rest = sunspec.unpack(inverter, blocks[:own]), blocks[own:]
        if meter is None:
            if any(block == _MARKER for block in rest):
                raise LayoutChanged("there is a meter now")
            return sunspec.make_sample(inverter, values)
        if not all(rest):
            return sunspec.make_sample(inverter, values)
        told = sunspec.unpack(meter, rest)
        counters = {
            quantity: counter
            for quantity, terms in meter.counters.items()
            if (counter := sunspec.count(told, terms))
        }
        grid = sunspec.sum_of(told, meter.grid)
        return sunspec.make_sample(inverter, values, Elsewhere(grid_w=grid, counters=counters))

    def _plans(self, layout: Layout) -> tuple[Plan, Plan | None]:
        inverter, kept, meter = layout.shape.partition(_KEPT_APART)
        if layout.profile != self.name or not kept:
            raise LayoutChanged("what was kept is no layout of a Fronius")
        return compile_shape(inverter), compile_shape(meter) if meter else None


def _has_meter(shape: str) -> bool:
    meters = {str(number) for family in METERS for number in family}
    return any(token.split("@")[0] in meters for token in shape.split())


def _request_behind(request: ReadRequest) -> ReadRequest:
    return replace(request, unit=METER_UNIT, optional=True)


def _behind(
    walk: Generator[ReadRequest, bytes, Discovery],
) -> Generator[ReadRequest, bytes, Discovery]:
    """Make a walk over the endpoint's device one over the meter."""
    request = next(walk)
    try:
        while True:
            try:
                answer = yield _request_behind(request)
            except Refused as refusal:
                request = walk.throw(refusal)
            else:
                request = walk.send(answer)
    except StopIteration as end:
        found: Discovery = end.value
        return found
