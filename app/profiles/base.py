"""What every device profile yields, and how it asks for registers without doing I/O.

A profile is a table of meanings. It yields read requests, somebody else executes them, the profile
makes values of the answers. Signs and units are those of the portal: `grid_w` import > 0,
`battery_w` discharge > 0, power in W, energy in Wh. Unknown is None or absent, never 0.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, Self

#: Lifetime counters a sample may hold, in Wh.
QUANTITIES = ("pv_wh", "load_wh", "import_wh", "export_wh", "charge_wh", "discharge_wh")

#: A Modbus answer holds no more registers than this.
MAX_REGISTERS = 125

#: Energy rule 6, where a maker states nothing: an inverter loses a few per cent between its two
#: sides, and meters of the class that homes have differ by some more. Less is no news.
BALANCE_TOLERANCE = 0.1

#: Where a value is taken: before the inverter (direct current) or behind it.
Side = Literal["AC", "DC"]


class BadAnswer(Exception):
    """What the device answered cannot be what the profile describes."""


class LayoutChanged(BadAnswer):
    """The device no longer has the layout it was discovered with: discover it again."""


class Refused(Exception):
    """The device answered a request with a Modbus exception."""

    def __init__(self, code: int) -> None:
        """Keep the exception code of the answer (1 illegal function, 2 illegal address, …)."""
        super().__init__(f"Modbus exception {code}")
        self.code = code


class State(StrEnum):
    """What the power conditioner says it is doing."""

    RUNNING = "running"
    STANDBY = "standby"
    OFF = "off"
    FAULT = "fault"
    UNKNOWN = "unknown"


#: Of several inverters the worst speaks for all.
_WORST_FIRST = (State.FAULT, State.RUNNING, State.STANDBY, State.OFF)


def worst(states: Collection[State]) -> State:
    """Return the state that speaks for all; unknown if none is known."""
    for state in _WORST_FIRST:
        if state in states:
            return state
    return State.UNKNOWN


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """`count` registers from the zero-based `address`; function 3 is holding, 4 is input.

    `unit` is another device behind the same gateway than the one of its endpoint. Without an answer
    to a request that is `optional`, the block is empty and the rest is read on.
    """

    function: int
    address: int
    count: int
    unit: int | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a device keeps its values: all that a poll needs, so that it need not look again.

    `shape` is text of the profile's own; gateways of one make share it.
    """

    profile: str
    shape: str

    def to_json(self) -> dict[str, str]:
        """Return the layout as a dictionary that JSON can hold."""
        return {"profile": self.profile, "shape": self.shape}

    @classmethod
    def from_json(cls, kept: object) -> Self:
        """Return the layout that `to_json` kept.

        Raises:
            LayoutChanged: it is not a layout; discovering again mends that.
        """
        if isinstance(kept, Mapping):
            profile, shape = kept.get("profile"), kept.get("shape")
            if isinstance(profile, str) and isinstance(shape, str):
                return cls(profile, shape)
        raise LayoutChanged("what was kept is not a layout")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the device says of itself; a text it does not give is empty."""

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A power conditioner behind the gateway."""

    unit_no: int
    model: str
    serial: str


@dataclass(frozen=True, slots=True)
class Ratings:
    """What the device can do at most, in W and Wh; None where it does not say."""

    pv_w: float | None = None
    inverter_w: float | None = None
    battery_w: float | None = None
    battery_wh: float | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a profile found out by walking over the device."""

    layout: Layout
    identity: Identity
    units: tuple[Unit, ...]
    ratings: Ratings


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one moment.

    `counters` and `resolution_wh` (a counter's smallest step) share their keys, a subset of
    `QUANTITIES`; `counter_size` (what it wraps at) lacks those that never do. `computed` names the
    values that are derived from others instead of measured. `silent_units` are those of the
    device's units that gave no values: what is the sum over all of them is then unknown.
    `grid_tied` is False where the device says that the grid is away, None where it says nothing.
    `unit_alarms` are those of `alarms` of which a device of several units says whose they are, each
    with the unit's number.
    """

    pv_w: float | None = None
    load_w: float | None = None
    grid_w: float | None = None
    battery_w: float | None = None
    soc_pct: float | None = None
    state: State = State.UNKNOWN
    alarms: tuple[str, ...] = ()
    counters: dict[str, float] = field(default_factory=dict)
    resolution_wh: dict[str, float] = field(default_factory=dict)
    counter_size: dict[str, float] = field(default_factory=dict)
    computed: frozenset[str] = frozenset()
    silent_units: tuple[int, ...] = ()
    grid_tied: bool | None = None
    unit_alarms: tuple[tuple[int, str], ...] = ()


class Profile(Protocol):
    """A device description that asks and understands, but never talks to anything itself.

    Answers are the registers as bytes, two per register, high byte first, as on the wire.
    """

    name: str
    #: the maker allows one connection to the device at a time
    one_client: bool
    #: by which part of all energy in and out may differ where consumption is measured
    balance_tolerance: float

    def discover(self) -> Generator[ReadRequest, bytes, Discovery]:
        """Walk over the device: yield requests, be sent answers, return what was found.

        `Refused` is thrown in where the device answers with a Modbus exception; one that the
        profile does not expect comes out again.

        Raises:
            BadAnswer: this is not a device of the profile.
        """

    def requests(self, layout: Layout) -> tuple[ReadRequest, ...]:
        """Return what one poll reads.

        Raises:
            LayoutChanged: the layout is not one of this profile.
        """

    def decode(self, layout: Layout, blocks: Sequence[bytes]) -> Sample:
        """Make a sample of the answers to `requests`, in their order.

        Raises:
            LayoutChanged: the device is laid out differently now.
            BadAnswer: an answer does not fit its request.
        """

    def sides(self, layout: Layout) -> Mapping[str, Side]:
        """Tell for each value on which side of the inverter it is taken.

        Raises:
            LayoutChanged: the layout is not one of this profile.
        """
