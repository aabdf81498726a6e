"""How the values of one SunSpec device are read: compiled once for each layout, used at every poll.

A shape is text such as `103@40069+50 160@40191+88:ppcd 203@40281+105 grid-`: models with address
and length, the roles of DC modules or ports (p PV, c charge, d discharge, b battery both ways,
x neither), and which signs differ from SunSpec's usual ones.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from . import sunspec_models
from .base import MAX_REGISTERS, LayoutChanged, ReadRequest, Side, State
from .sunspec_models import Point

# A device that shows itself in two families is counted once: the first family present wins.
INVERTERS = ((701,), (101, 102, 103), (111, 112, 113))
METERS = ((201, 202, 203, 204), (211, 212, 213, 214))
STORAGE = (713, 802, 124)

# A home, not a power station; what lies beyond is not a value. The energy rules judge finer.
_MAX_W = 1e6
_MAX_WH = 1e13

_STATES: Mapping[str, State] = {
    "OFF": State.OFF,
    "SLEEPING": State.STANDBY,
    "STARTING": State.STANDBY,
    "SHUTTING_DOWN": State.STANDBY,
    "STANDBY": State.STANDBY,
    "MPPT": State.RUNNING,
    "RUNNING": State.RUNNING,
    "THROTTLED": State.RUNNING,
    "FAULT": State.FAULT,
}


class Found(NamedTuple):
    """A model on the device. `length` is as its header says: without ID and length."""

    number: int
    address: int
    length: int
    roles: str = ""

    def __str__(self) -> str:
        """Return the model as it stands in a shape."""
        roles = f":{self.roles}" if self.roles else ""
        return f"{self.number}@{self.address}+{self.length}{roles}"


class Term(NamedTuple):
    """A number among the unpacked values; `scale` is the place of its power of ten, or -1."""

    place: int
    absent: int | None
    scale: int
    sign: int
    limit: float
    wraps: float | None


class Tie(NamedTuple):
    """Where an inverter tells whether the grid is there; -1 is nowhere."""

    state: int
    states: Mapping[int, State]
    #: a bit field, and its bit for "cut off from the grid"
    alarms: int
    cut_off: int
    #: 701's ConnSt and DERMode
    connected: int = -1
    mode: int = -1


@dataclass(slots=True)
class Plan:
    """What to read, and where among the unpacked registers each value is."""

    requests: tuple[ReadRequest, ...] = ()
    structs: tuple[Struct, ...] = ()
    #: place and value of each header word: proof that the layout still stands
    headers: tuple[tuple[int, int], ...] = ()
    pv: list[Term] = field(default_factory=list)
    battery: list[Term] = field(default_factory=list)
    grid: list[Term] = field(default_factory=list)
    ac: list[Term] = field(default_factory=list)
    soc: list[Term] = field(default_factory=list)
    counters: dict[str, list[Term]] = field(default_factory=dict)
    states: list[tuple[int, dict[int, State]]] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    #: place, the bits' names, and the number of the unit; 0 where there is one or it is not told
    alarms: list[tuple[int, dict[int, str], int]] = field(default_factory=list)
    #: by inverter, values of which at least one is there while it works, with what means "none"
    units: list[tuple[tuple[int, int | None], ...]] = field(default_factory=list)
    #: `pv` is all the inverter takes in on the DC side, the battery's part included
    pv_holds_battery: bool = False
    computed: frozenset[str] = frozenset()
    sides: dict[str, Side] = field(default_factory=dict)


# Gateways of one make share a shape; a fleet has a few hundred of them.
@lru_cache(maxsize=1024)
def compile_shape(shape: str) -> Plan:
    """Return the plan for a shape.

    Raises:
        LayoutChanged: it is no shape, or holds nothing to read.
    """
    models, flags = _parse(shape)
    return _Compiler(models, flags).plan()


_TOKEN = re.compile(r"(\d{1,5})@(\d{1,5})\+(\d{1,5})(?::([pcdbx]+))?")


def _parse(shape: str) -> tuple[list[Found], set[str]]:
    models, flags = [], set()
    for token in shape.split():
        if match := _TOKEN.fullmatch(token):
            number, address, length, roles = match.groups(default="")
            models.append(Found(int(number), int(address), int(length), roles))
        elif token in ("grid-", "battery-"):
            flags.add(token)
        else:
            raise LayoutChanged("what was kept is not a SunSpec layout")
    return models, flags


def first_family(models: Iterable[Found], families: Iterable[tuple[int, ...]]) -> list[Found]:
    """Return the models of the first family that is there."""
    present = list(models)
    for family in families:
        if members := [found for found in present if found.number in family]:
            return members
    return []


class _Compiler:
    """Choose the points that give each value, then lay them out in as few reads as possible."""

    def __init__(self, models: list[Found], flags: set[str]) -> None:
        self.models = models
        self.grid_sign = -1 if "grid-" in flags else 1
        self.battery_sign = -1 if "battery-" in flags else 1
        #: by model, the points wanted of it: address → struct format
        self.wanted: dict[Found, dict[int, Point]] = {}
        self.made = Plan()

    def plan(self) -> Plan:
        inverters = first_family(self.models, INVERTERS)
        self._inverters(inverters)
        self._dc(self._dc_models())
        self._storage()
        self._grid()
        self._pv_without_dc(inverters)
        made = self.made
        if not (made.pv or made.ac or made.grid or made.battery):
            raise LayoutChanged("the layout holds nothing to read")
        made.computed |= {"load_w"}
        made.sides.update(grid_w="AC", load_w="AC", battery_w="DC")
        self._lay_out()
        return made

    # ---- which points -------------------------------------------------------------------

    def _inverters(self, inverters: list[Found]) -> None:
        for number, found in enumerate(inverters, 1):
            self._add(self.made.ac, found, "W")
            points = sunspec_models.model(found.number).points
            state = points["InvSt" if found.number == 701 else "St"]
            alarms = points["Alrm" if found.number == 701 else "Evt1"]
            self._unit(found, (points["W"], state))
            if self._want(found, state, 0) is not None:
                names = {
                    raw: _STATES.get(name.removeprefix("gg"), State.UNKNOWN)
                    for raw, name in state.symbols.items()
                }
                self.made.states.append((found.address + state.offset, names))
                self._tie(found, found.address + state.offset, names, alarms)
            self._alarms(found, alarms, "inverter", unit_no=number if len(inverters) > 1 else 0)

    def _tie(self, found: Found, state: int, names: Mapping[int, State], alarms: Point) -> None:
        points = sunspec_models.model(found.number).points
        cut_off = next(bit for bit, name in alarms.symbols.items() if name == "GRID_DISCONNECT")
        told = [points.get(name) for name in ("ConnSt", "DERMode")]
        places = [self._want(found, point, 0) if point else None for point in (alarms, *told)]
        at, connected, mode = (-1 if place is None else place for place in places)
        self.made.ties.append(Tie(state, names, at, cut_off, connected, mode))

    def _unit(self, found: Found, points: tuple[Point, ...]) -> None:
        wanted = [(self._want(found, point, 0), point.absent) for point in points]
        places = tuple((at, absent) for at, absent in wanted if at is not None)
        if places:
            self.made.units.append(places)

    def _dc_models(self) -> list[Found]:
        useful = [found for found in self.models if found.roles.strip("x")]
        return first_family(useful, ((714,), (160,)))

    def _dc(self, models: list[Found]) -> None:
        made = self.made
        for found in models:
            model = sunspec_models.model(found.number)
            for place, role in enumerate(found.roles):
                at = model.length + place * model.group_length
                if found.number == 714:
                    # A port injects into the inverter with + (701's sign), absorbs with −.
                    power, given, taken = "DCW", "DCWhInj", "DCWhAbs"
                    alarms = model.group["DCAlrm"]
                else:
                    power = given = taken = "DCW"
                    given = taken = "DCWH"
                    alarms = model.group["DCEvt"]
                if role == "p":
                    self._add(made.pv, found, power, at=at)
                    self._count("pv_wh", found, given, at=at)
                elif role in "bd":
                    self._add(made.battery, found, power, at=at)
                    self._count("discharge_wh", found, given, at=at)
                elif role == "c":
                    self._add(made.battery, found, power, at=at, sign=-1)
                if role in "bc":
                    self._count("charge_wh", found, taken, at=at)
                if role != "x":
                    self._alarms(found, alarms, f"dc{place + 1}", at)
        if made.pv:
            made.sides["pv_w"] = "DC"

    def _storage(self) -> None:
        names = {713: "SoC", 802: "SoC", 124: "ChaState"}
        for found in first_family(self.models, ((713,), (802,), (124,))):
            self._add(self.made.soc, found, names[found.number], limit=100.0)
        known = bool(self.made.battery)
        for found in self.models:
            if found.number == 802:
                if not known:
                    self._add(self.made.battery, found, "W", sign=self.battery_sign)
                self._alarms(found, sunspec_models.model(802).points["Evt1"], "battery")

    def _grid(self) -> None:
        # The first meter of the chain stands at the grid; further ones measure something else.
        for found in first_family(self.models, METERS)[:1]:
            self._add(self.made.grid, found, "W", sign=self.grid_sign)
            self._count("import_wh", found, "TotWhImp")
            self._count("export_wh", found, "TotWhExp")

    def _pv_without_dc(self, inverters: list[Found]) -> None:
        made = self.made
        if made.pv:
            return
        stores = bool(made.battery) or any(found.number in STORAGE for found in self.models)
        for found in inverters:
            if "DCW" in sunspec_models.model(found.number).points:
                # DCW is taken after the battery where that hangs on the DC side
                self._add(made.pv, found, "DCW")
                made.sides["pv_w"] = "DC"
            elif not stores:
                self._add(made.pv, found, "W")
                made.sides["pv_w"] = "AC"
                made.computed |= {"pv_w"}
            if not stores:
                # lifetime AC energy is PV's alone only where no battery feeds into it
                self._count("pv_wh", found, "TotWhInj" if found.number == 701 else "WH")
        if made.pv and made.battery:
            made.pv_holds_battery = True
            made.computed |= {"pv_w"}

    # ---- points to terms (addresses until they are laid out) -------------------------------

    def _want(self, found: Found, point: Point, at: int) -> int | None:
        """Note a point to be read; return its address, or None if the model is too short."""
        offset = at + point.offset
        if offset + point.size > found.length + 2:
            return None
        self.wanted.setdefault(found, {})[found.address + offset] = point
        return found.address + offset

    def _term(
        self, found: Found, name: str, at: int | None, sign: int, limit: float
    ) -> Term | None:
        model = sunspec_models.model(found.number)
        point = model.points[name] if at is None else model.group[name]
        scale = -1
        if point.scale is not None:
            where = self._want(found, model.points[point.scale], 0)
            if where is None:
                return None
            scale = where
        address = self._want(found, point, at or 0)
        if address is None:
            return None
        return Term(address, point.absent, scale, sign, limit, point.size_of_counter)

    def _add(
        self,
        terms: list[Term],
        found: Found,
        name: str,
        *,
        at: int | None = None,
        sign: int = 1,
        limit: float = _MAX_W,
    ) -> None:
        if term := self._term(found, name, at, sign, limit):
            terms.append(term)

    def _count(self, quantity: str, found: Found, name: str, *, at: int | None = None) -> None:
        if term := self._term(found, name, at, 1, _MAX_WH):
            self.made.counters.setdefault(quantity, []).append(term)

    def _alarms(
        self, found: Found, point: Point, prefix: str, at: int = 0, *, unit_no: int = 0
    ) -> None:
        address = self._want(found, point, at)
        if address is not None:
            self.made.alarms.append((address, dict(_bit_names(point, prefix)), unit_no))

    # ---- the reads -----------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Make requests and structs of the wanted points; turn addresses into places."""
        spans: list[dict[int, str]] = []
        for found in sorted(self.wanted, key=lambda found: found.address):
            points = {found.address: "H", found.address + 1: "H"}
            points |= {where: point.format or "" for where, point in self.wanted[found].items()}
            for piece in _pieces(points):
                # A model is not torn between two reads if it fits into one: a scale factor that
                # changes between them would be wrong by a power of ten.
                if spans and _width({**spans[-1], **piece}) <= MAX_REGISTERS:
                    spans[-1].update(piece)
                else:
                    spans.append(piece)
        places: dict[int, int] = {-1: -1}
        made = self.made
        for span in spans:
            for address in sorted(span):
                places[address] = len(places) - 1
        made.requests = tuple(ReadRequest(3, min(span), _width(span)) for span in spans)
        made.structs = tuple(Struct(_format(span)) for span in spans)
        made.headers = tuple(
            header
            for found in self.wanted
            for header in (
                (places[found.address], found.number),
                (places[found.address + 1], found.length),
            )
        )
        for terms in (
            made.pv, made.battery, made.grid, made.ac, made.soc, *made.counters.values()
        ):  # fmt: skip
            terms[:] = [
                term._replace(place=places[term.place], scale=places[term.scale]) for term in terms
            ]
        made.states = [(places[address], names) for address, names in made.states]
        made.alarms = [(places[address], names, unit) for address, names, unit in made.alarms]
        made.ties = [
            tie._replace(
                state=places[tie.state],
                alarms=places[tie.alarms],
                connected=places[tie.connected],
                mode=places[tie.mode],
            )
            for tie in made.ties
        ]
        made.units = [
            tuple((places[address], absent) for address, absent in unit) for unit in made.units
        ]


def _bit_names(point: Point, prefix: str) -> Iterator[tuple[int, str]]:
    # The top bit of a SunSpec bit field means "not implemented", so it names nothing.
    for bit in range(31):
        name = point.symbols.get(bit, f"bit_{bit}").lower()
        # A warning is no fault yet, a reserved bit says nothing.
        if not (name.endswith("_warning") or name.startswith("reserved")):
            yield bit, f"{prefix}.{name}"


_SIZES = {"h": 1, "H": 1, "i": 2, "I": 2, "f": 2, "q": 4, "Q": 4, "d": 4}


def _width(points: Mapping[int, str]) -> int:
    return max(address + _SIZES[form] for address, form in points.items()) - min(points)


def _pieces(points: dict[int, str]) -> Iterator[dict[int, str]]:
    piece: dict[int, str] = {}
    for address in sorted(points):
        form = points[address]
        if piece and _width({**piece, address: form}) > MAX_REGISTERS:
            yield piece
            piece = {}
        piece[address] = form
    yield piece


def _format(points: Mapping[int, str]) -> str:
    parts, here = [">"], min(points)
    for address in sorted(points):
        parts.append("xx" * (address - here) + points[address])
        here = address + _SIZES[points[address]]
    return "".join(parts)
