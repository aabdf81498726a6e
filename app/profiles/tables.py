"""Devices whose registers are a fixed table: what a data file is written in, and its profile.

A table is frozen data: rows of registers and formulas over them. Everything else (which reads a
poll makes, what is computed, how the simulator answers) is derived from it. A row that no document
confirms says so in `guess`.
"""

import math
import re
import struct
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal

from .base import (
    BALANCE_TOLERANCE,
    MAX_REGISTERS,
    QUANTITIES,
    BadAnswer,
    Discovery,
    Identity,
    Layout,
    LayoutChanged,
    Ratings,
    ReadRequest,
    Refused,
    Sample,
    Side,
    State,
    Unit,
    worst,
)

Kind = Literal["u16", "i16", "u32", "i32", "u64", "f32", "text", "block"]
What = Literal["W", "Wh", "%", "text", "code", "state", "bits"]

_FORMATS: Mapping[str, str] = {
    "u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "f32": ">f",
}  # fmt: skip
_WIDTHS: Mapping[str, int] = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "u64": 4, "f32": 2}

#: The greatest value of a type means "not available", as most makers have it; a home never has it.
_ABSENT: Mapping[str, int] = {
    "u16": 0xFFFF, "i16": 0x7FFF, "u32": 0xFFFFFFFF, "i32": 0x7FFFFFFF, "u64": 2**64 - 1,
}  # fmt: skip

# A home, not a power station. The energy rules judge finer.
MAX_W = 100_000.0
MAX_WH = 1e11

POWERS = ("pv_w", "load_w", "grid_w", "battery_w")
_MAX_ALARMS = 50

# Illegal function, address or value: this device has no such registers.
_NOT_THERE = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Row:
    """One value: where its registers are, and what they mean.

    `key` is the portal's name where the row is a portal's value (`pv_w`, `import_wh`, …), else a
    name that formulas use. The value is `sign × raw × times / per` in `unit`; outside of `low` to
    `high` it is none. With `when`, it is one only while another row has a certain raw value.
    """

    key: str
    #: zero-based
    address: int
    kind: Kind
    unit: What
    source: str
    times: int = 1
    per: int = 1
    sign: int = 1
    side: Side | None = None
    low: float | None = None
    high: float | None = None
    #: the device gives the amount with either sign
    absolute: bool = False
    #: registers of a text, or of a block that something else takes apart
    length: int = 0
    #: where it is not the table's
    function: int | None = None
    when: tuple[str, int] | None = None
    #: the part of the device that has the row: those named may be missing as a whole
    part: str = ""
    #: read when the device is discovered, not at each poll
    once: bool = False
    states: Mapping[int, State] = field(default_factory=dict)
    #: raw values that tell whether the grid is there; with any other the device does not say
    ties: Mapping[int, bool] = field(default_factory=dict)
    #: names of bits, from bit 0 on; an empty name is a bit that means nothing here
    bits: tuple[str, ...] = ()
    #: what nobody has confirmed about this row; empty where the source says it all
    guess: str = ""

    @property
    def width(self) -> int:
        """Return how many registers it takes."""
        return self.length or _WIDTHS[self.kind]

    @property
    def step(self) -> float:
        """Return the smallest difference between two values."""
        return self.times / self.per


@dataclass(frozen=True, slots=True)
class Sum:
    """A value that is a sum. All terms must be known, or, `of_any`, those that are count.

    `computed` says that the value is derived from others, not a total of parts measured alike.
    """

    key: str
    plus: tuple[str, ...]
    side: Side
    of_any: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Turned:
    """A value whose size is in one row and whose direction is in two bits of another.

    With neither bit it is unknown, unless it is 0.
    """

    key: str
    size: str
    bits: str
    positive: int
    negative: int
    side: Side


@dataclass(frozen=True, slots=True)
class First:
    """A value that is the first known of several."""

    key: str
    of: tuple[str, ...]
    side: Side


Formula = Sum | Turned | First


@dataclass(frozen=True)
class Table:
    """A maker's family of devices."""

    name: str
    maker: str
    #: the documents all rows come from; a row adds what is its own
    source: str
    #: which public registers of a real device or test suite the table was tried on
    tried_on: str
    rows: tuple[Row, ...]
    formulas: tuple[Formula, ...] = ()
    #: text row → pattern, or number row → None (within its range): what must hold of the device
    proof: Mapping[str, str | None] = field(default_factory=dict)
    #: 3 holding registers, 4 input registers
    function: int = 3
    low_word_first: bool = False
    #: registers without meaning that one read may run over
    gap: int = 0
    most: int = MAX_REGISTERS
    #: each poll looks whether a part that was missing is there now
    looks_again: bool = True
    #: the maker allows one connection at a time
    one_client: bool = False
    balance_tolerance: float = BALANCE_TOLERANCE

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Return the names of the parts that a device may lack."""
        return tuple(dict.fromkeys(row.part for row in self.rows if row.part))

    def blocks(self, rows: Iterable[Row]) -> list[ReadRequest]:
        """Return the fewest reads that hold the rows."""
        spans: list[list[int]] = []
        for function, row in sorted(
            ((row.function or self.function, row) for row in rows),
            key=lambda each: (each[0], each[1].address),
        ):
            end = row.address + row.width
            last = spans[-1] if spans and spans[-1][0] == function else None
            if last and row.address - last[2] <= self.gap and end - last[1] <= self.most:
                last[2] = max(last[2], end)
            else:
                spans.append([function, row.address, end])
        return [ReadRequest(function, first, end - first) for function, first, end in spans]

    def raw(self, row: Row, data: bytes) -> float | str | None:
        """Return what a row's registers hold, or None for "not available"."""
        if row.kind == "text":
            text = data.split(b"\0", 1)[0].decode("utf-8", errors="replace").replace("\ufffd", "")
            return "".join(filter(str.isprintable, text)).strip()
        if self.low_word_first and len(data) > 2:
            data = b"".join(data[at : at + 2] for at in range(len(data) - 2, -1, -2))
        (raw,) = struct.unpack(_FORMATS[row.kind], data)
        number: float = raw
        return None if number == _ABSENT.get(row.kind) else number

    def words(self, row: Row, raw: float) -> tuple[int, ...]:
        """Return the registers that hold a number: what `raw` makes it of."""
        data = struct.pack(_FORMATS[row.kind], raw if row.kind == "f32" else int(raw))
        words = struct.unpack(f">{row.width}H", data)
        return words[::-1] if self.low_word_first else words


class TableProfile:
    """The profile of a table; see `Profile` for what each method promises."""

    def __init__(self, table: Table) -> None:
        """Serve one maker's table."""
        self.table, self.name, self.one_client = table, table.name, table.one_client
        self.balance_tolerance = table.balance_tolerance
        # parts come in a handful of combinations
        self._plan_of = lru_cache(maxsize=64)(lambda shape: _Plan(table, shape))

    def discover(self) -> Generator[ReadRequest, bytes, Discovery]:
        """Read who the device is, then find out which parts it has.

        Raises:
            BadAnswer: this is not a device of the table.
        """
        table = self.table
        told = yield from self.told("")
        for key, pattern in table.proof.items():
            value = told.get(key)
            if value is None or (pattern and not re.match(pattern, str(value))):
                raise BadAnswer(f"{key} is not that of {table.maker}: {str(value)[:40]}")
        present = []
        for part in table.parts:
            try:
                # that each poll's registers are there makes the part
                polled = self._plan_of(part).requests_of(part)
                for request in polled:
                    _answer = yield request
                if polled:
                    present.append(part)
                told |= yield from self.told(part)
            except Refused as refusal:
                if refusal.code not in _NOT_THERE:
                    raise
        shape = " ".join(present)
        identity = Identity(
            table.maker, *(str(told.get(key) or "") for key in ("model", "serial", "firmware"))
        )
        units = (Unit(1, identity.model, identity.serial),)
        return Discovery(Layout(self.name, shape), identity, units, _ratings(told))

    def told(self, part: str) -> Generator[ReadRequest, bytes, dict[str, float | str]]:
        """Read the rows of a part that are read once.

        Raises:
            Refused: the device has no such part.
        """
        rows = [row for row in self.table.rows if row.once and row.part == part]
        requests = self.table.blocks(rows)
        blocks = []
        for request in requests:
            blocks.append((yield request))
        return dict(_values(self.table, _Places(self.table, rows, requests), blocks))

    def requests(self, layout: Layout) -> tuple[ReadRequest, ...]:
        """Return what one poll reads.

        Raises:
            LayoutChanged: the layout is not one of this table.
        """
        return self._plan(layout).requests

    def sides(self, layout: Layout) -> Mapping[str, Side]:
        """Tell for each value on which side it is taken.

        Raises:
            LayoutChanged: the layout is not one of this table.
        """
        return self._plan(layout).sides

    def decode(self, layout: Layout, blocks: Sequence[bytes]) -> Sample:
        """Make a sample of the answers to `requests`.

        Raises:
            LayoutChanged: the layout is not one of this table.
            BadAnswer: an answer does not fit its request.
        """
        plan = self._plan(layout)
        values = self.values(layout, blocks)
        if any(blocks[len(plan.places.sizes) :]):
            raise LayoutChanged("a part is there that was missing")
        for formula in self.table.formulas:
            value = _formula(formula, values)
            if value is not None:
                values[formula.key] = value
        states: list[State] = []
        alarms: list[str] = []
        grid_tied = None
        for row in plan.polled:
            raw = values.get(row.key)
            if row.ties and raw is not None:
                grid_tied = row.ties.get(int(raw))
            if row.unit == "state" and raw is not None:
                states.append(row.states.get(int(raw), State.UNKNOWN))
            elif row.unit == "bits" and raw is not None:
                names = enumerate(row.bits)
                alarms += [name for bit, name in names if name and int(raw) >> bit & 1]
        counted = [row for row in plan.counters if row.key in values]
        return Sample(
            # an inverter that sleeps draws a few watts
            pv_w=_number(values, "pv_w", 0.0),
            load_w=_number(values, "load_w", 0.0),
            grid_w=_number(values, "grid_w"),
            battery_w=_number(values, "battery_w"),
            soc_pct=_number(values, "soc_pct"),
            state=worst(states),
            alarms=tuple(dict.fromkeys(alarms))[:_MAX_ALARMS],
            counters={row.key: float(values[row.key]) for row in counted},
            resolution_wh={row.key: row.step for row in counted},
            counter_size={
                row.key: row.step * 2.0 ** (16 * row.width)
                for row in counted
                if row.kind.startswith("u")
            },
            computed=plan.computed,
            grid_tied=grid_tied,
        )

    def values(self, layout: Layout, blocks: Sequence[bytes]) -> dict[str, float | str]:
        """Return what the rows hold, by their keys; what is not available is left out.

        Raises:
            LayoutChanged: the layout is not one of this table.
            BadAnswer: an answer does not fit its request.
        """
        plan = self._plan(layout)
        if len(blocks) != len(plan.requests):
            raise BadAnswer(f"{len(blocks)} answers to {len(plan.requests)} requests")
        return dict(_values(self.table, plan.places, blocks[: len(plan.places.sizes)]))

    def _plan(self, layout: Layout) -> "_Plan":
        if layout.profile != self.name:
            raise LayoutChanged(f"the layout is one of {layout.profile}")
        return self._plan_of(layout.shape)


class _Places:
    """Where among the answers each row is."""

    def __init__(self, table: Table, rows: Iterable[Row], requests: Sequence[ReadRequest]) -> None:
        self.sizes = [2 * request.count for request in requests]
        self.rows: list[tuple[Row, int, int, int]] = []
        for row in rows:
            for place, request in enumerate(requests):
                at = row.address - request.address
                function = row.function or table.function
                if function == request.function and at >= 0 and at + row.width <= request.count:
                    self.rows.append((row, place, 2 * at, 2 * (at + row.width)))
                    break


class _Plan:
    """What one poll of a device with certain parts reads."""

    def __init__(self, table: Table, shape: str) -> None:
        present = shape.split()
        if not set(present) <= set(table.parts):
            raise LayoutChanged(f"what was kept is no layout of {table.name}")
        self.polled = [
            row for row in table.rows if not row.once and (not row.part or row.part in present)
        ]
        self.table = table
        # A part is read by requests of its own: it may be refused as a whole.
        own = [request for part in ("", *present) for request in self.requests_of(part)]
        self.places = _Places(table, self.polled, own)
        # What is missing may have been away for a moment, or be bought later: each poll looks.
        absent = [part for part in table.parts if table.looks_again and part not in present]
        missing = [
            replace(request, optional=True)
            for part in absent
            for request in table.blocks(
                row for row in table.rows if row.part == part and not row.once
            )[:1]
        ]
        self.requests = (*own, *missing)
        self.counters = [row for row in self.polled if row.key in QUANTITIES]
        known = {row.key for row in self.polled}
        self.sides: dict[str, Side] = {
            row.key: row.side for row in self.polled if row.key in POWERS and row.side
        }
        for formula in table.formulas:
            if formula.key in POWERS and known & set(_terms(formula)):
                self.sides[formula.key] = formula.side
            known.add(formula.key)
        self.computed = frozenset(
            formula.key
            for formula in table.formulas
            if isinstance(formula, Sum) and formula.computed
        )

    def requests_of(self, part: str) -> list[ReadRequest]:
        return self.table.blocks(row for row in self.polled if row.part == part)


def _terms(formula: Formula) -> tuple[str, ...]:
    match formula:
        case Sum():
            return formula.plus
        case Turned():
            return (formula.size, formula.bits)
        case First():
            return formula.of


def _formula(formula: Formula, values: Mapping[str, float | str]) -> float | None:
    terms = [values.get(key) for key in _terms(formula)]
    known = [float(term) for term in terms if term is not None]
    match formula:
        case Sum():
            complete = known and (formula.of_any or len(known) == len(terms))
            return sum(known) if complete else None
        case Turned():
            if len(known) < 2:
                return None
            size, bits = known[0], int(known[1])
            positive, negative = bits >> formula.positive & 1, bits >> formula.negative & 1
            return size * (positive - negative) if positive != negative or not size else None
        case First():
            return known[0] if known else None


def _number(values: Mapping[str, float | str], key: str, least: float = -math.inf) -> float | None:
    value = values.get(key)
    return None if value is None else max(least, float(value))


def _values(
    table: Table, places: _Places, blocks: Sequence[bytes]
) -> Iterator[tuple[str, float | str]]:
    """Give the values that are there, by their keys.

    Raises:
        BadAnswer: an answer does not fit its request.
    """
    if [len(block) for block in blocks] != places.sizes:
        raise BadAnswer("the answers do not fit the requests")
    raws = {
        row.key: table.raw(row, blocks[place][start:end]) for row, place, start, end in places.rows
    }
    for row, *_ in places.rows:
        raw = raws[row.key]
        if raw is None or (row.when and raws.get(row.when[0]) != row.when[1]):
            continue
        if isinstance(raw, str):
            yield row.key, raw
            continue
        if row.absolute:
            raw = abs(raw)
        value = row.sign * raw * row.times / row.per
        # NaN and infinity fail this as well
        if row.low is None or row.high is None or row.low <= value <= row.high:
            yield row.key, value


def _ratings(told: Mapping[str, float | str]) -> Ratings:
    rated = {name: told.get(f"rated_{name}") for name in ("inverter", "battery", "battery_wh")}
    values = {name: float(value) for name, value in rated.items() if value}
    inverter, battery = values.get("inverter"), values.get("battery")
    # PV charges the battery past the inverter; without its rating, as much again is a bound
    pv = None if inverter is None else inverter + (battery or inverter)
    return Ratings(pv, inverter, battery, values.get("battery_wh"))
