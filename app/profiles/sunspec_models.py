"""SunSpec's model definitions, as pysunspec2 ships them: where a point lies and what it is."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

#: `struct` format, and the value that means "not implemented" (SunSpec device information model,
#: 4.2). A float32 says it with NaN, which is unequal to everything and so needs no entry.
_TYPES: Mapping[str, tuple[str, int | None]] = {
    "int16": ("h", -0x8000),
    "uint16": ("H", 0xFFFF),
    "count": ("H", 0xFFFF),
    "acc16": ("H", 0),
    "enum16": ("H", 0xFFFF),
    "bitfield16": ("H", 0xFFFF),
    "sunssf": ("h", -0x8000),
    "int32": ("i", -0x80000000),
    "uint32": ("I", 0xFFFFFFFF),
    "acc32": ("I", 0),
    "enum32": ("I", 0xFFFFFFFF),
    "bitfield32": ("I", 0xFFFFFFFF),
    "int64": ("q", -0x8000000000000000),
    "uint64": ("Q", 0xFFFFFFFFFFFFFFFF),
    "acc64": ("Q", 0),
    "float32": ("f", None),
    "float64": ("d", None),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a model; `offset` counts registers from the model's ID, or from its group."""

    offset: int
    size: int
    #: for `struct`, big-endian; None for text
    format: str | None
    #: the raw value that means "not implemented"
    absent: int | None
    #: name of the point that holds the power of ten
    scale: str | None
    #: what the raw value wraps at, or None if it never does
    size_of_counter: float | None
    #: names of an enumeration's values or a bit field's bits
    symbols: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its fixed points, and the points of its repeated group, if it has one."""

    points: Mapping[str, Point]
    #: registers before the repeated group, ID and length included
    length: int
    group: Mapping[str, Point]
    group_length: int


@cache
def model(number: int) -> Model:
    """Read a model's definition, once.

    Raises:
        FileNotFoundError: pysunspec2 has no such model.
    """
    source = files("sunspec2").joinpath(f"models/json/model_{number}.json")
    top = json.loads(source.read_text(encoding="utf-8"))["group"]
    points = dict(_points(top))
    group: dict[str, Any] = next(iter(top.get("groups", ())), {})
    return Model(points, _length(top), dict(_points(group)), _length(group))


def _points(group: Mapping[str, Any]) -> Iterator[tuple[str, Point]]:
    offset = 0
    for point in group.get("points", ()):
        kind, size = point["type"], point["size"]
        form, absent = _TYPES.get(kind, (None, None))
        wraps = 2.0 ** (16 * size) if kind.startswith(("acc", "uint")) else None
        scale = point.get("sf") if isinstance(point.get("sf"), str) else None
        symbols = {symbol["value"]: symbol["name"] for symbol in point.get("symbols", ())}
        yield point["name"], Point(offset, size, form, absent, scale, wraps, symbols)
        offset += size


def _length(group: Mapping[str, Any]) -> int:
    return sum(point["size"] for point in group.get("points", ()))
