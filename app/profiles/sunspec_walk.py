"""Finding out what a SunSpec device is: the walk along its chain of models."""

from collections.abc import Generator
from struct import unpack_from
from typing import TypeVar

from . import sunspec_models
from .base import (
    MAX_REGISTERS,
    BadAnswer,
    Discovery,
    Identity,
    Layout,
    Ratings,
    ReadRequest,
    Refused,
    Unit,
)
from .sunspec_models import Point
from .sunspec_plan import INVERTERS, Found, compile_shape, first_family

# Where SunSpec allows the marker, the usual place first.
_BASES = (40000, 50000, 0)
_MARKER = b"SunS"
_END = 0xFFFF

# A chain of a home's device has some ten models. Bounds, so that no device makes an endless walk.
_MAX_MODELS = 64
_MAX_PARTS = 20

# Illegal address, illegal value, device failure: how devices say "there is nothing here".
_NOTHING_HERE = (2, 3, 4)

# Signs are the maker's choice. Import > 0 (as Fronius has it) and discharge > 0 unless listed.
_EXPORT_IS_POSITIVE = ("solaredge",)  # evcc reads its 203:W with scale −1

T = TypeVar("T")
Reading = Generator[ReadRequest, bytes, T]


def discover() -> Reading[Discovery]:
    """Walk along the chain; see `Profile.discover`.

    Raises:
        BadAnswer: there is no marker, or the chain does not end, or nothing in it is of use.
        Refused: the device refused what it must have.
    """
    chain = yield from models()
    commons: dict[Found, Identity] = {}
    for found in chain:
        if found.number == 1:
            commons[found] = yield from _identity(found)
    units = _units(chain, commons)
    identity = units[0] if units else next(iter(commons.values()), Identity())
    useful: list[Found] = []
    ratings = _Ratings()
    for found in chain:
        if found.number in (160, 714):
            block = yield from contents(found)
            useful.append(found._replace(roles=_roles(found, block, identity, chain)))
        elif found.number in _USED:
            useful.append(found)
        if found.number in _RATINGS:
            ratings.learn(found, (yield from contents(found)))
    flags = ["grid-"] if identity.manufacturer.casefold().startswith(_EXPORT_IS_POSITIVE) else []
    shape = " ".join([*map(str, useful), *flags])
    plan = compile_shape(shape)
    return Discovery(
        Layout("sunspec", shape),
        identity,
        tuple(Unit(place, it.model, it.serial) for place, it in enumerate(units, start=1)),
        ratings.told(pv_shares_dc=bool(plan.battery) and plan.sides.get("pv_w") == "DC"),
    )


def models() -> Reading[list[Found]]:
    """Walk along the chain only; return all of its models.

    Raises:
        BadAnswer: there is no marker, or the chain does not end.
        Refused: the device refused what it must have.
    """
    return (yield from _chain((yield from _base()) + 2))


def _read(address: int, count: int) -> Reading[bytes]:
    parts = []
    while count > 0:
        piece = min(count, MAX_REGISTERS)
        answer = yield ReadRequest(3, address, piece)
        if len(answer) != 2 * piece:
            raise BadAnswer(f"{len(answer)} bytes where {2 * piece} were asked for")
        parts.append(answer)
        address, count = address + piece, count - piece
    return b"".join(parts)


def _base() -> Reading[int]:
    for base in _BASES:
        try:
            if (yield from _read(base, 2)) == _MARKER:
                return base
        except Refused as refusal:
            if refusal.code not in _NOTHING_HERE:
                raise
    raise BadAnswer("no SunSpec marker at 40000, 50000 or 0")


def _chain(address: int) -> Reading[list[Found]]:
    chain: list[Found] = []
    while len(chain) < _MAX_MODELS:
        if address > 0x10000 - 2:
            raise BadAnswer("the chain of models leaves the address space")
        number, length = unpack_from(">HH", (yield from _read(address, 2)))
        if number == _END:
            return chain
        if number == 0 or length == 0:
            raise BadAnswer(f"model {number} of length {length} at {address}")
        chain.append(Found(number, address, length))
        address += 2 + length
    raise BadAnswer(f"no end after {_MAX_MODELS} models")


def contents(found: Found) -> Reading[bytes]:
    """Read a model, but no more of it than its definition and a home can hold."""
    model = sunspec_models.model(found.number)
    most = model.length + _MAX_PARTS * model.group_length
    return (yield from _read(found.address, min(found.length + 2, most)))


def _identity(found: Found) -> Reading[Identity]:
    block = yield from contents(found)
    points = sunspec_models.model(1).points
    return Identity(*(_text(block, points[name]) for name in ("Mn", "Md", "SN", "Vr")))


def _text(block: bytes, point: Point, at: int = 0) -> str:
    """Return a text of a device: up to the first NUL, printable characters only."""
    start = 2 * (at + point.offset)
    raw = block[start : start + 2 * point.size].split(b"\0", 1)[0]
    text = raw.decode("utf-8", errors="replace").replace("\ufffd", "")
    return "".join(filter(str.isprintable, text)).strip()


def number(found: Found, block: bytes, name: str) -> float | None:
    """Return a point of the fixed part, scaled."""
    points = sunspec_models.model(found.number).points
    point, power = points[name], 0
    if point.scale:
        scale = raw_of(block, points[point.scale])
        if scale is None or not -10 <= scale <= 10:
            return None
        power = scale
    raw = raw_of(block, point)
    if raw is None:
        return None
    return float(raw * 10**power) if power >= 0 else raw / 10**-power


def raw_of(block: bytes, point: Point, at: int = 0) -> int | None:
    """Return a point as it stands in a model, or None if it is not implemented."""
    start = 2 * (at + point.offset)
    if point.format is None or start + 2 * point.size > len(block):
        return None
    (raw,) = unpack_from(f">{point.format}", block, start)
    return None if raw == point.absent else raw


def _units(chain: list[Found], commons: dict[Found, Identity]) -> list[Identity]:
    """Return the identities of those that convert power: a meter has a common model as well."""
    inverters = first_family(chain, INVERTERS)
    units: list[Identity] = []
    current: Identity | None = None
    for found in chain:
        current = commons.get(found, current)
        if found in inverters and current is not None:
            units.append(current)
            current = None
    return units


def _roles(found: Found, block: bytes, identity: Identity, chain: list[Found]) -> str:
    """Tell what hangs on each DC port (714) or module (160)."""
    model = sunspec_models.model(found.number)
    count = min((found.length + 2 - model.length) // model.group_length, _MAX_PARTS)
    told = raw_of(block, model.points["NPrt" if found.number == 714 else "N"])
    if told:
        count = min(count, told)
    places = [model.length + place * model.group_length for place in range(max(count, 0))]
    if found.number == 714:
        kinds: dict[int | None, str] = {0: "p", 1: "b"}
        return "".join(kinds.get(raw_of(block, model.group["PrtTyp"], at), "x") for at in places)
    names = [_text(block, model.group["IDStr"], at).casefold() for at in places]
    told = any("cha" in name and "channel" not in name for name in names)
    if len(names) == 4 and not told and identity.manufacturer.casefold() == "fronius":
        # the third and fourth are the battery's, where there is one (evcc, fronius-gen24); they
        # are nameless, or "unnamed 3" (fronius-modbus by farmio, tests/test_mppt.py)
        return "ppcd" if any(other.number == 124 for other in chain) else "pppp"
    return "".join(_module_role(name) for name in names)


def _module_role(name: str) -> str:
    if "discha" in name:
        return "d"
    return "c" if "cha" in name and "channel" not in name else "p"


#: Points of a model that rate something; of several, the largest counts.
_RATINGS: dict[int, dict[str, tuple[str, ...]]] = {
    120: {"inverter": ("WRtg",), "battery": ("MaxChaRte", "MaxDisChaRte"), "energy": ("WHRtg",)},
    124: {"battery": ("WChaMax",)},
    702: {"inverter": ("WMaxRtg",), "battery": ("WChaRteMaxRtg", "WDisChaRteMaxRtg")},
    713: {"energy": ("WHRtg",)},
    802: {"battery": ("WChaRteMax", "WDisChaRteMax"), "energy": ("WHRtg",)},
}

_USED = {101, 102, 103, 111, 112, 113, 124, 701, 713, 802, *range(201, 205), *range(211, 215)}


class _Ratings:
    """The largest of each rating that the models tell."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}

    def learn(self, found: Found, block: bytes) -> None:
        for what, names in _RATINGS[found.number].items():
            for name in names:
                value = number(found, block, name)
                if value is not None and 0 < value <= 1e6:
                    self.largest[what] = max(value, self.largest.get(what, 0.0))

    def told(self, *, pv_shares_dc: bool) -> Ratings:
        """Return the ratings; `pv_shares_dc`: PV can charge the battery past the inverter."""
        inverter, battery = self.largest.get("inverter"), self.largest.get("battery")
        pv = inverter
        if pv is not None and pv_shares_dc:
            pv += battery or 0.0
        return Ratings(pv, inverter, battery, self.largest.get("energy"))
