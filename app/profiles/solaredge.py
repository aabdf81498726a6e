"""SolarEdge StorEdge: SunSpec, and a block of its own for batteries, low word first.

The battery hangs on the DC side before the point where the inverter measures: PV is what the
inverter takes in (103:DCW) and what charges the battery. The meter's + is export, which the walk
along the chain knows of this maker. The chain's first meter is taken for the grid's, as everywhere:
where it measures something else (issue827_u1.json is such a site), what it shows is not the grid.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

from . import sunspec
from .base import BadAnswer, Discovery, Layout, LayoutChanged, ReadRequest, Refused, Sample, Side
from .settings import Mode
from .sunspec import Elsewhere
from .sunspec_plan import compile_shape
from .sunspec_walk import discover
from .table_settings import Held, Level, SettingsTable, Way, Ways
from .tables import MAX_W, MAX_WH, Row, Table, TableProfile

_MULTI = "solaredge-modbus-multi, hub.py"
_BASES = (0xE100, 0xE200, 0xE400)
_KEPT_APART = " | "

_ROWS = tuple(
    row
    for number, base in enumerate(_BASES, start=1)
    for row in (
        Row(f"rated{number}_wh", base + 0x42, "f32", "Wh", _MULTI, low=1, high=1e6, once=True,
            part=f"battery{number}"),
        Row(f"battery{number}_w", base + 0x74, "f32", "W", f"{_MULTI}: + = charge", sign=-1,
            side="DC", low=-MAX_W, high=MAX_W, part=f"battery{number}"),
        Row(f"discharge{number}_wh", base + 0x76, "u64", "Wh", _MULTI, side="DC",
            low=0, high=MAX_WH, part=f"battery{number}"),
        Row(f"charge{number}_wh", base + 0x7A, "u64", "Wh", _MULTI, side="DC",
            low=0, high=MAX_WH, part=f"battery{number}"),
        Row(f"full{number}_wh", base + 0x7E, "f32", "Wh", f"{_MULTI}: most it holds now",
            low=1, high=1e6, part=f"battery{number}"),
        Row(f"soc{number}_pct", base + 0x84, "f32", "%", f"{_MULTI}: state of energy",
            low=0, high=100, part=f"battery{number}"),
    )
)  # fmt: skip

SOLAREDGE = Table(
    name="solaredge-storedge",
    maker="SolarEdge",
    source=f"{_MULTI} and const.py; evcc, solaredge-hybrid. What 103:DCW is, and the sign of the "
    "meter, are evcc's",
    tried_on="python-solaredged (frenck), tests/fixtures/community: issue755_u1.json and "
    "issue827_u1.json, two SE10K-RWS48 with a battery; they settle the sign of the battery",
    rows=_ROWS,
    low_word_first=True,
    gap=8,
    # what is missing is read all the same, as "not available"
    looks_again=False,
    # one Modbus TCP client at a time, says evcc
    one_client=True,
)


_CONST = "solaredge-modbus-multi, const.py"
_REMOTE, _SELF_USE, _OFF, _CHARGE = 4, 7, 0, 3
# it comes after these seconds to what it does by default
_AFTERWARDS = (("default", _SELF_USE), ("timeout_s", Held(1)))

SOLAREDGE_SETTINGS = SettingsTable(
    table=SOLAREDGE,
    rows=(
        Row("control", 0xE004, "u16", "code", f"{_CONST}: 1 maximum self-consumption, 3 backup "
            "only, 4 remote", part="battery1"),
        Row("from_grid", 0xE005, "u16", "code", f"{_CONST}: 1 charging from AC always allowed",
            part="battery1"),
        Row("reserve", 0xE008, "f32", "%", f"{_MULTI}: backup reserve", part="battery1"),
        Row("default", 0xE00A, "u16", "code", f"{_CONST}: 7 maximum self-consumption",
            part="battery1"),
        Row("timeout_s", 0xE00B, "u32", "code", f"{_MULTI}: seconds of a remote command",
            part="battery1"),
        Row("command", 0xE00D, "u16", "code", f"{_CONST}: 0 solar power only (off), 3 charge from "
            "solar power and grid, 7 maximum self-consumption", part="battery1"),
    ),
    items=(
        Level("reserve_pct", "reserve", 0, 100),
        Ways(
            (
                Way(
                    Mode.CHARGE,
                    {"control": _REMOTE, "command": _CHARGE},
                    (*_AFTERWARDS, ("from_grid", 1), ("command", _CHARGE), ("control", _REMOTE)),
                ),
                Way(Mode.GREEN, {"control": 1}, (("control", 1),)),
                Way(Mode.GREEN, {"control": _REMOTE, "command": _SELF_USE}, (("control", 1),)),
                Way(Mode.SAFE, {"control": 3}, (("control", 3),)),
                Way(
                    Mode.STANDBY,
                    {"control": _REMOTE, "command": _OFF},
                    (*_AFTERWARDS, ("command", _OFF), ("control", _REMOTE)),
                ),
            ),
            longest_s=86_400,
        ),
    ),
    left_out={
        "0xE004 value 2 (time of use)": "its times are not among the registers",
        "0xE005 values 2 and 3": "limits in kWh and in percent of production, not of what is "
        "stored",
    },
)  # fmt: skip


_CAPACITY = _ROWS[0]
_LOOK = ReadRequest(SOLAREDGE.function, _CAPACITY.address, _CAPACITY.width, optional=True)


def _has_capacity(block: bytes) -> bool:
    """Tell whether a battery says how much it holds; one that is not there gives no number."""
    if len(block) != 2 * _CAPACITY.width:
        return False
    raw, least, most = SOLAREDGE.raw(_CAPACITY, block), _CAPACITY.low, _CAPACITY.high
    return isinstance(raw, float) and (least or 0) <= raw <= (most or 0)


class SolarEdge:
    """The profile; see `Profile` for what each method promises."""

    name = SOLAREDGE.name
    one_client = SOLAREDGE.one_client
    balance_tolerance = SOLAREDGE.balance_tolerance

    def __init__(self) -> None:
        """Read batteries by their table."""
        self._batteries = TableProfile(SOLAREDGE)

    def discover(self) -> Generator[ReadRequest, bytes, Discovery]:
        """Walk along the chain, then look for batteries.

        Raises:
            BadAnswer: this is not a SunSpec device, or another maker's.
        """
        found = yield from discover()
        if not found.identity.manufacturer.casefold().startswith("solaredge"):
            raise BadAnswer(f"not of SolarEdge: {found.identity.manufacturer[:40]}")
        present, rated = [], 0.0
        for number, part in enumerate(SOLAREDGE.parts, start=1):
            try:
                told = yield from self._batteries.told(part)
            except Refused as refusal:
                if refusal.code not in (1, 2, 3):
                    raise
                continue
            if capacity := told.get(f"rated{number}_wh"):
                present.append(part)
                rated += float(capacity)
        shape = found.layout.shape + _KEPT_APART + " ".join(present)
        ratings = found.ratings
        if present:
            # PV charges batteries past the inverter; as much again is a bound
            pv = None if ratings.inverter_w is None else 2 * ratings.inverter_w
            ratings = replace(ratings, pv_w=pv, battery_wh=rated)
        return replace(found, layout=Layout(self.name, shape), ratings=ratings)

    def requests(self, layout: Layout) -> tuple[ReadRequest, ...]:
        """Return what one poll reads.

        Raises:
            LayoutChanged: the layout is not one of this profile.
        """
        chain, batteries = self._parts(layout)
        # where there is no battery, each poll looks whether one has come
        rest = self._batteries.requests(batteries) if batteries.shape else (_LOOK,)
        return compile_shape(chain).requests + rest

    def sides(self, layout: Layout) -> Mapping[str, Side]:
        """Tell for each value on which side it is taken.

        Raises:
            LayoutChanged: the layout is not one of this profile.
        """
        return compile_shape(self._parts(layout)[0]).sides

    def decode(self, layout: Layout, blocks: Sequence[bytes]) -> Sample:
        """Make a sample of the answers to `requests`.

        Raises:
            LayoutChanged: a model's header is not where it was.
            BadAnswer: an answer does not fit its request.
        """
        chain, batteries = self._parts(layout)
        plan = compile_shape(chain)
        own = len(plan.requests)
        values = sunspec.unpack(plan, blocks[:own])
        numbers = [part.removeprefix("battery") for part in batteries.shape.split()]
        if not numbers:
            if any(_has_capacity(block) for block in blocks[own:]):
                raise LayoutChanged("there is a battery now")
            return sunspec.make_sample(plan, values)
        read = self._batteries.values(batteries, blocks[own:])
        return sunspec.make_sample(plan, values, _stored(read, numbers))

    def _parts(self, layout: Layout) -> tuple[str, Layout]:
        chain, kept, batteries = layout.shape.partition(_KEPT_APART)
        if layout.profile != self.name or not kept:
            raise LayoutChanged("what was kept is no layout of a SolarEdge")
        return chain, Layout(self.name, batteries)


def _stored(read: Mapping[str, float | str], numbers: Sequence[str]) -> Elsewhere:
    """Return what all batteries hold and give together; unknown unless it is known of each."""

    def each(key: str) -> list[float]:
        known = [read.get(key.format(number)) for number in numbers]
        return [float(value) for value in known if value is not None]

    powers, levels, sizes = each("battery{}_w"), each("soc{}_pct"), each("full{}_wh")
    counters: dict[str, sunspec.Counter] = {}
    for way in ("charge", "discharge"):
        counted = each(way + "{}_wh")
        if len(counted) == len(numbers):
            # 64 bits never come to their end
            counters[f"{way}_wh"] = (sum(counted), 1.0, None)
    whole = len(numbers)
    if len(sizes) < whole:
        sizes = [1.0] * whole
    return Elsewhere(
        battery_w=sum(powers) if len(powers) == whole else None,
        soc_pct=sum(level * size for level, size in zip(levels, sizes, strict=True)) / sum(sizes)
        if len(levels) == whole
        else None,
        counters=counters,
        stores=True,
    )
