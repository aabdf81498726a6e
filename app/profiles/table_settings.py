"""Settings of devices whose registers are a fixed table: what a data file says of them.

Like the table itself this is frozen data: rows that can be written, and what the portal's keys are
in terms of them. One part of it is `Settable` for all makers. A row that no document confirms has
no place here.
"""

import math
import struct
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from .base import BadAnswer, Layout, LayoutChanged, ReadRequest, Refused
from .settings import (
    CannotSet,
    Choice,
    Key,
    Mode,
    Number,
    Offer,
    Settings,
    Value,
    Window,
    Windows,
    WriteRequest,
    check,
)
from .tables import Row, Table

# Illegal function, address or value: this device has no such registers.
_NOT_THERE = (1, 2, 3)

#: a row, and the raw number or the registers to be written there
Write = tuple[str, float | tuple[int, ...]]
Decode = Callable[[bytes], dict[Key, list[Window]]]
Encode = Callable[[Mapping[Key, Sequence[Window]], bytes], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Level:
    """A number of percent in one row.

    With a `switch`, another row turns it on (1) and off (0), and off is 0. With `rest`, the row
    holds what lacks to 100.
    """

    key: Key
    row: str
    low: int
    high: int
    switch: str = ""
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Same:
    """A raw value that says as much as another row of the device does, in the same unit."""

    row: str


@dataclass(frozen=True, slots=True)
class Held:
    """A raw value that says how long, in steps of so many seconds; the device counts it down."""

    step_s: int


@dataclass(frozen=True, slots=True)
class Way:
    """A mode: the raw values it is told by, and what is written for it, in this order."""

    mode: Mode
    told: Mapping[str, int]
    writes: tuple[tuple[str, int | Same | Held], ...]

    @property
    def is_timed(self) -> bool:
        """Tell whether the device ends it by itself."""
        return any(isinstance(value, Held) for _, value in self.writes)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the rows that must be readable for it."""
        same = (value.row for _, value in self.writes if isinstance(value, Same))
        return (*self.told, *same)


@dataclass(frozen=True, slots=True)
class Ways:
    """The modes; of those that fit what stands there the first is it.

    Of several ways for one mode the first is written.
    """

    ways: tuple[Way, ...]
    #: how long at most, in seconds
    longest_s: int = 0
    #: raw values of rows, of which one must stand: else a mode has no effect
    only_if: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slots:
    """Windows that share some blocks of registers, each written by itself where it changes.

    `windows` makes them of all the registers as bytes; what it does not tell is not offered.
    `registers` is the other way round, and is given what stands there, too; it raises `CannotSet`
    where windows do not go together. A device that has the row `unless` has these for show only.
    """

    rows: tuple[str, ...]
    offers: tuple[Windows, ...]
    windows: Decode
    registers: Encode
    unless: str = ""


Item = Level | Ways | Slots


@dataclass(frozen=True)
class SettingsTable:
    """What of a maker's family of devices can be set, in the order in which it is written."""

    table: Table
    rows: tuple[Row, ...]
    items: tuple[Item, ...]
    #: by which function a single register is written
    single: Literal[6, 16] = 16
    #: what documents speak of but do not confirm enough for it to be written, and why
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Stand:
    """What stands in the rows of an item; those that the device lacks are absent."""

    raws: dict[str, float] = field(default_factory=dict)
    blocks: dict[str, bytes] = field(default_factory=dict)


class TableSettings:
    """Reads and writes the settings of a table; see `Settable` for what each method promises."""

    def __init__(self, settings: SettingsTable) -> None:
        """Serve one maker's devices."""
        # what lies between is not of these settings: a device may refuse to read it
        self.settings, self.table = settings, replace(settings.table, gap=0)
        self.rows = {row.key: row for row in (*settings.table.rows, *settings.rows)}

    def read_settings(self, layout: Layout) -> Generator[ReadRequest, bytes, Settings]:
        """Read all items that the device has.

        Raises:
            LayoutChanged: the layout is not one of this table.
            BadAnswer: an answer does not fit its request.
        """
        offers: list[Offer] = []
        values: dict[Key, Value] = {}
        for item in self.settings.items:
            stand = yield from self._read(layout, item)
            offers += _offers(item, stand)
            values.update(self._values(item, stand))
        return Settings(tuple(offers), values)

    def write_settings(
        self, layout: Layout, wanted: Mapping[Key, Value], *, hold_s: int | None
    ) -> Generator[ReadRequest | WriteRequest, bytes, None]:
        """Read what bears on it, then write.

        Raises:
            CannotSet: the device offers no such setting or value.
            LayoutChanged: the layout is not one of this table.
            BadAnswer: an answer does not fit its request.
        """
        offers: list[Offer] = []
        found: list[tuple[Item, _Stand]] = []
        for item in self.settings.items:
            if wanted.keys() & _keys(item):
                stand = yield from self._read(layout, item)
                offers += _offers(item, stand)
                found.append((item, stand))
        check(offers, wanted, hold_s)
        # all of them are known before the first is sent: what cannot be set is found out now
        requests = [
            self._request(*write)
            for item, stand in found
            for write in self._writes(item, stand, wanted, hold_s)
        ]
        while requests:
            yield requests.pop(0)

    def _request(self, key: str, raw: float | tuple[int, ...]) -> WriteRequest:
        row = self.rows[key]
        try:
            words = raw if isinstance(raw, tuple) else self.table.words(row, raw)
        except struct.error:
            raise CannotSet(f"{key} cannot hold {raw}") from None
        function = self.settings.single if len(words) == 1 else 16
        return WriteRequest(row.address, words, function=function)

    def _read(self, layout: Layout, item: Item) -> Generator[ReadRequest, bytes, _Stand]:
        if layout.profile != self.table.name:
            raise LayoutChanged(f"the layout is one of {layout.profile}")
        present = {"", *layout.shape.split()}
        rows = [self.rows[key] for key in _told_by(item) if self.rows[key].part in present]
        stand = _Stand()
        for request in self.table.blocks(rows):
            try:
                block = yield request
            except Refused as refusal:
                if refusal.code not in _NOT_THERE:
                    raise
                continue
            if len(block) != 2 * request.count:
                raise BadAnswer("the answers do not fit the requests")
            for row in rows:
                at = 2 * (row.address - request.address)
                function = row.function or self.table.function
                if function == request.function and 0 <= at < len(block):
                    self._keep(stand, row, block[at : at + 2 * row.width])
        return stand

    def _keep(self, stand: _Stand, row: Row, data: bytes) -> None:
        if row.kind == "block":
            stand.blocks[row.key] = data
        elif isinstance(raw := self.table.raw(row, data), int | float) and math.isfinite(raw):
            value = raw * row.times / row.per
            if row.low is None or row.high is None or row.low <= value <= row.high:
                stand.raws[row.key] = raw

    def _values(self, item: Item, stand: _Stand) -> Mapping[Key, Value]:
        match item:
            case Level():
                if item.switch and stand.raws.get(item.switch) == 0:
                    return {item.key: 0}
                row = self.rows[item.row]
                if item.row in stand.raws:
                    value = round(stand.raws[item.row] * row.times / row.per)
                    if 0 <= value <= 100:
                        return {item.key: 100 - value if item.rest else value}
            case Ways() if _has_effect(item, stand):
                for way in item.ways:
                    if all(stand.raws.get(key) == raw for key, raw in way.told.items()):
                        return {"mode": way.mode.value}
            case Slots():
                return dict(_windows(item, stand))
        return {}

    def _writes(
        self, item: Item, stand: _Stand, wanted: Mapping[Key, Value], hold_s: int | None
    ) -> Iterator[Write]:
        match item:
            case Level():
                value = wanted[item.key]
                if isinstance(value, int):
                    yield from self._level(item, value)
            case Ways():
                way = next(way for way in item.ways if way.mode.value == wanted["mode"])
                for key, told in way.writes:
                    yield key, self._raw(key, told, stand, hold_s)
            case Slots():
                windows = _windows(item, stand)
                for key in windows.keys() & wanted.keys():
                    if isinstance(value := wanted[key], list):
                        windows[key] = value
                # another item has them, where this one tells none
                yield from self._slots(item, stand, windows) if windows else ()

    def _level(self, item: Level, value: int) -> Iterator[Write]:
        if item.switch and value == 0:
            yield item.switch, 0
            return
        row = self.rows[item.row]
        yield item.row, round((100 - value if item.rest else value) * row.per / row.times)
        if item.switch:
            yield item.switch, 1

    def _slots(
        self, item: Slots, stand: _Stand, windows: Mapping[Key, Sequence[Window]]
    ) -> Iterator[Write]:
        stands = [stand.blocks[row] for row in item.rows]
        words = item.registers(windows, b"".join(stands))
        for row, before in zip(item.rows, stands, strict=True):
            width = self.rows[row].width
            block, words = words[:width], words[width:]
            if struct.pack(f">{width}H", *block) != before:
                yield row, block

    def _raw(self, key: str, told: int | Same | Held, stand: _Stand, hold_s: int | None) -> float:
        match told:
            case Same():
                row, source = self.rows[key], self.rows[told.row]
                amount = stand.raws[told.row] * source.times / source.per
                return amount * row.per // row.times
            case Held():
                return math.ceil((hold_s or 0) / told.step_s)
            case _:
                return told


def _keys(item: Item) -> set[Key]:
    match item:
        case Level():
            return {item.key}
        case Ways():
            return {"mode"}
        case Slots():
            return {offer.key for offer in item.offers}


def _told_by(item: Item) -> tuple[str, ...]:
    """Return the rows that say where an item stands and what it can be."""
    match item:
        case Level():
            return (item.row, item.switch) if item.switch else (item.row,)
        case Ways():
            needed = (key for way in item.ways for key in way.needs)
            return tuple(dict.fromkeys((*needed, *item.only_if)))
        case Slots():
            return (*item.rows, item.unless) if item.unless else item.rows


def _has_effect(item: Ways, stand: _Stand) -> bool:
    return all(stand.raws.get(key) in raws for key, raws in item.only_if.items())


def _windows(item: Slots, stand: _Stand) -> dict[Key, list[Window]]:
    if item.unless in stand.blocks or not stand.blocks.keys() >= set(item.rows):
        return {}
    return item.windows(b"".join(stand.blocks[row] for row in item.rows))


def _offers(item: Item, stand: _Stand) -> Iterator[Offer]:
    match item:
        case Level():
            if all(key in stand.raws for key in _told_by(item)):
                yield Number(item.key, item.low, item.high, also=(0,) if item.switch else ())
        case Ways() if _has_effect(item, stand):
            ways = [way for way in item.ways if stand.raws.keys() >= set(way.needs)]
            modes = [mode for mode in Mode if any(way.mode == mode for way in ways)]
            if modes:
                timed = tuple(mode.value for mode in modes if mode in _timed(ways))
                yield Choice("mode", tuple(mode.value for mode in modes), timed, item.longest_s)
        case Slots():
            told = _windows(item, stand)
            yield from (offer for offer in item.offers if offer.key in told)


def _timed(ways: Sequence[Way]) -> set[Mode]:
    return {way.mode for way in ways if way.is_timed}
