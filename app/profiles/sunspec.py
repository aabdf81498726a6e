"""SunSpec: devices that describe themselves by a chain of numbered models.

Understood are the inverters 101–103, 111–113 and 701, the DC sides 160 and 714, the storage
models 124, 713 and 802, the ratings 120 and 702, the meters 201–204 and 211–214; all others are
skipped. Values and offsets come from SunSpec's model definitions.

| value | from | side |
| --- | --- | --- |
| `pv_w` | 714 ports of type PV, or 160 modules, or DCW, or W where no battery is | DC (W: AC) |
| `battery_w` | 714 ports of type ESS, or 160 modules named charge/discharge, or 802 W | DC |
| `grid_w` | the first meter's W, import > 0 unless the maker is known to turn it | AC |
| `load_w` | computed: the inverter's AC power + `grid_w` | AC |

Consumption has no counter of its own in SunSpec: it is the balance of the others.
Meter events are left out: they tell of the grid, not of the system.

Whether the grid is there: 103 Evt1 and 701 Alrm have a bit for "disconnected from the grid". 701
says it besides by ConnSt (told apart from an inverter that merely sleeps) and by DERMode, which is
"grid forming" while the device provides the grid itself.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .base import (
    BALANCE_TOLERANCE,
    BadAnswer,
    Discovery,
    Layout,
    LayoutChanged,
    ReadRequest,
    Sample,
    Side,
    State,
    worst,
)
from .sunspec_plan import Plan, Term, Tie, compile_shape
from .sunspec_walk import discover

#: Power of ten → what to multiply and divide by: 653 / 10 is exact where 653 * 0.1 is not.
_SCALES = {power: (10 ** max(power, 0), 10 ** max(-power, 0)) for power in range(-10, 11)}

# The top bit means "not implemented", whatever the others say.
_ABSENT_BITS = 0x80000000

# 701's ConnSt and DERMode, and what an enumeration says in place of a value
_DISCONNECTED, _CONNECTED, _NO_ENUM = 0, 1, 0xFFFF
_FOLLOWING, _FORMING = 1, 2

# Names of alarms that are kept: a device of many parts repeats itself, a hostile one never ends.
_MAX_ALARMS = 50

# A float32 has 24 significant bits: a counter moves in steps of its size / 2^23.
_FLOAT_STEPS = 2.0**23

#: What a lifetime counter shows, its smallest step and what it wraps at, in Wh.
Counter = tuple[float, float, float | None]


class SunSpec:
    """The profile; see `Profile` for what each method promises."""

    name = "sunspec"
    one_client = False
    balance_tolerance = BALANCE_TOLERANCE

    def discover(self) -> Generator[ReadRequest, bytes, Discovery]:
        """Walk along the device's chain of models.

        Raises:
            BadAnswer: this is not a SunSpec device, or nothing in it is of use.
        """
        return discover()

    def requests(self, layout: Layout) -> tuple[ReadRequest, ...]:
        """Return what one poll reads.

        Raises:
            LayoutChanged: the layout is not SunSpec's.
        """
        return _plan(layout).requests

    def sides(self, layout: Layout) -> Mapping[str, Side]:
        """Tell for each value on which side it is taken.

        Raises:
            LayoutChanged: the layout is not SunSpec's.
        """
        return _plan(layout).sides

    def decode(self, layout: Layout, blocks: Sequence[bytes]) -> Sample:
        """Make a sample of the answers to `requests`.

        Raises:
            LayoutChanged: a model's header is not where it was.
            BadAnswer: an answer does not fit its request.
        """
        plan = _plan(layout)
        return make_sample(plan, unpack(plan, blocks))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is known from other registers than the chain's. A battery there is DC-coupled."""

    battery_w: float | None = None
    soc_pct: float | None = None
    grid_w: float | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)
    stores: bool = False


_NOTHING_ELSE = Elsewhere()


def make_sample(plan: Plan, values: list[Any], also: Elsewhere | None = None) -> Sample:
    """Make a sample of a chain's values and, `also`, of those that are kept elsewhere."""
    silent = _silent(values, plan)
    # what is the sum over all units is not known while one of them is silent
    add = _whole_sum if silent else sum_of
    also = also or _NOTHING_ELSE
    battery = also.battery_w if also.stores else add(values, plan.battery)
    pv = add(values, plan.pv)
    if pv is not None:
        if also.stores:
            pv = None if battery is None else pv - battery
        elif plan.pv_holds_battery and battery is not None:
            pv -= battery
        if pv is not None:
            pv = max(0.0, pv)  # an inverter that sleeps draws a few watts
    grid = add(values, plan.grid) if plan.grid else also.grid_w
    load = None
    if grid is not None:
        inverter = add(values, plan.ac)
        if inverter is None and pv is not None and not silent:
            stores = plan.battery or also.stores
            inverter = None if stores and battery is None else pv + (battery or 0.0)
        if inverter is not None:
            load = max(0.0, inverter + grid)
    counters: dict[str, float] = {}
    steps: dict[str, float] = {}
    sizes: dict[str, float] = {}

    def keep(quantity: str, counter: Counter) -> None:
        counters[quantity], steps[quantity], size = counter
        if size is not None:
            sizes[quantity] = size

    for quantity, known in also.counters.items():
        keep(quantity, known)
    for quantity, terms in plan.counters.items():
        if also.stores and quantity == "pv_wh":
            continue  # what the inverter gives out is PV's alone only where no battery feeds in
        if silent and _whole_sum(values, terms) is None:
            continue
        if counter := count(values, terms):
            keep(quantity, counter)
    alarms = _alarms(values, plan)
    return Sample(
        pv,
        load,
        grid,
        battery,
        also.soc_pct if also.stores else _mean(values, plan.soc),
        _state(values, plan),
        tuple(dict.fromkeys(code for _unit_no, code in alarms))[:_MAX_ALARMS],
        counters,
        steps,
        sizes,
        plan.computed | {"pv_w"} if also.stores else plan.computed,
        silent,
        _grid_tied(values, plan),
        tuple((unit_no, code) for unit_no, code in alarms if unit_no)[:_MAX_ALARMS],
    )


def _plan(layout: Layout) -> Plan:
    if layout.profile != SunSpec.name:
        raise LayoutChanged(f"the layout is one of {layout.profile}")
    return compile_shape(layout.shape)


def unpack(plan: Plan, blocks: Sequence[bytes]) -> list[Any]:
    """Return all values that the answers hold, in the order of the plan.

    Raises:
        LayoutChanged: a model's header is not where it was.
        BadAnswer: an answer does not fit its request.
    """
    values: list[Any] = []
    if len(blocks) != len(plan.structs):
        raise BadAnswer(f"{len(blocks)} answers to {len(plan.structs)} requests")
    for struct, block in zip(plan.structs, blocks, strict=True):
        if len(block) != struct.size:
            raise BadAnswer(f"{len(block)} bytes where {struct.size} were asked for")
        values += struct.unpack(block)
    for place, expected in plan.headers:
        if values[place] != expected:
            raise LayoutChanged("the models are no longer where they were")
    return values


def _value(values: list[Any], term: Term) -> float | None:
    """Return a number in its unit and the portal's sign, or None if the device has none."""
    place, absent, scale, sign, limit, _ = term
    raw = values[place]
    if raw == absent:
        return None
    if scale >= 0:
        factors = _SCALES.get(values[scale])
        if factors is None:
            return None
        raw = raw * factors[0] / factors[1]
    # NaN and infinity fail this as well
    return float(sign * raw) if -limit <= raw <= limit else None


def sum_of(values: list[Any], terms: list[Term]) -> float | None:
    """Return the sum of those that are there, or None if none is."""
    total = None
    for term in terms:
        value = _value(values, term)
        if value is not None:
            total = value if total is None else total + value
    return total


def _whole_sum(values: list[Any], terms: list[Term]) -> float | None:
    parts = [_value(values, term) for term in terms]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _mean(values: list[Any], terms: list[Term]) -> float | None:
    known = [value for term in terms if (value := _value(values, term)) is not None and value >= 0]
    return sum(known) / len(known) if known else None


def count(values: list[Any], terms: list[Term]) -> Counter | None:
    """Add up a lifetime counter: its value, its smallest step, what it wraps at, all in Wh.

    The sum wraps where one of its parts does, by the same size.
    """
    total, step, size = None, 1.0, None
    for term in terms:
        value = _value(values, term)
        if value is None or value < 0:
            continue
        total = value if total is None else total + value
        if term.scale < 0:
            step = max(1.0, total / _FLOAT_STEPS)
            continue
        up, down = _SCALES[values[term.scale]]
        step = up / down
        size = None if term.wraps is None else term.wraps * up / down
    return None if total is None else (total, step, size)


def _silent(values: list[Any], plan: Plan) -> tuple[int, ...]:
    """Return the numbers of the inverters that give no values."""
    silent: list[int] = []
    for number, places in enumerate(plan.units, start=1):
        for at, absent in places:
            value = values[at]
            # a float says it by NaN, which equals nothing
            if value != absent and not (absent is None and math.isnan(value)):
                break
        else:
            silent.append(number)
    return tuple(silent)


def _state(values: list[Any], plan: Plan) -> State:
    return worst([names.get(values[place], State.UNKNOWN) for place, names in plan.states])


def _grid_tied(values: list[Any], plan: Plan) -> bool | None:
    """Tell whether the grid is there: for several inverters, whether it is for any of them."""
    told = [_tied(values, tie) for tie in plan.ties]
    return True if True in told else False if False in told else None


def _tied(values: list[Any], tie: Tie) -> bool | None:
    state = values[tie.state]
    if state == _NO_ENUM:
        return None
    bits = values[tie.alarms] if tie.alarms >= 0 else _ABSENT_BITS
    if not bits & _ABSENT_BITS and bits >> tie.cut_off & 1:
        return False
    mode = values[tie.mode] if tie.mode >= 0 else _ABSENT_BITS
    follows = not mode & _ABSENT_BITS and mode & _FOLLOWING
    forms = not mode & _ABSENT_BITS and mode & _FORMING and not follows
    connected = values[tie.connected] if tie.connected >= 0 else _NO_ENUM
    if connected == _CONNECTED:
        return True
    if connected == _DISCONNECTED:
        # one that sleeps opens its relay as well: only while it works does that tell of the grid
        return False if forms or tie.states.get(state) is State.RUNNING else None
    if forms:
        return False
    # whoever has the bit says with it that the grid is there
    return True if follows or not bits & _ABSENT_BITS else None


def _alarms(values: list[Any], plan: Plan) -> list[tuple[int, str]]:
    """Return what stands, each with the number of its unit, 0 where that is not told."""
    standing: list[tuple[int, str]] = []
    for place, names, unit_no in plan.alarms:
        bits = values[place]
        if bits and not bits & _ABSENT_BITS:
            standing += [(unit_no, name) for bit, name in names.items() if bits >> bit & 1]
    return list(dict.fromkeys(standing))
