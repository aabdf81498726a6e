"""Half hours of energy: split from pieces, kept open while they may still grow, packed by day.

Pure functions. Moments are epoch seconds. A half hour is counted from the site's midnight and keyed
by its start; a day has 48 of them, 46 or 50 where the clock changes. The newest ones are kept as
small JSON with the gateway's poll state (`Open`) and written once nothing more can settle in them,
each gateway at its own time, so that not all of them write at once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import ceil
from operator import add as add_up
from struct import Struct
from typing import Any, NamedTuple
from zlib import compress, decompress
from zoneinfo import ZoneInfo

from ..profiles.base import QUANTITIES
from .energy import Piece, day_of
from .spreading import place_in

LENGTH_S = 1800
# a finished half hour waits at most so long before it is written
SPREAD_S = 1500.0
# energy is kept in tenths of a Wh, in 32 bits
TENTHS = 10
MOST_WH = (2**31 - 1) // TENTHS

COUNTER, POWER, BALANCE, HELD = 1, 2, 4, 8
METHODS = {"counter": COUNTER, "power": POWER, "balance": BALANCE}

#: The installation a stretch of time belongs to: since when, until when, its id (0 is nobody's).
Owner = tuple[float, float, int]

FOREVER = (float("-inf"), float("inf"))


class Energy(NamedTuple):
    """Wh of one quantity, how many seconds were measured and filled, and by what (bits)."""

    wh: float
    measured_s: float
    filled_s: float
    methods: int

    def __add__(self, other: "Energy") -> "Energy":  # type: ignore[override]
        """Return both together."""
        return Energy(
            self.wh + other.wh,
            self.measured_s + other.measured_s,
            self.filled_s + other.filled_s,
            self.methods | other.methods,
        )


NOTHING = Energy(0.0, 0.0, 0.0, 0)


@dataclass(slots=True)
class HalfHour:
    """One half hour of one installation. A quantity that is absent is unknown."""

    start: float
    installation_id: int
    #: state of charge at the start, in %
    soc_pct: int | None = None
    energy: dict[str, Energy] = field(default_factory=dict)

    @property
    def self_wh(self) -> float | None:
        """Return generation that was not sold."""
        if "pv_wh" not in self.energy or "export_wh" not in self.energy:
            return None
        return max(0.0, self.energy["pv_wh"].wh - self.energy["export_wh"].wh)

    def rounded(self) -> "HalfHour":
        """Return it as it will be written: parts of it must sum up as they are shown."""
        energy = {
            name: Energy(
                round(one.wh * TENTHS) / TENTHS,
                min(LENGTH_S, round(one.measured_s)),
                min(LENGTH_S - min(LENGTH_S, round(one.measured_s)), round(one.filled_s)),
                one.methods,
            )
            for name, one in self.energy.items()
            # what no building generates or uses in half an hour is unknown
            if 0 <= one.wh <= MOST_WH
        }
        return HalfHour(self.start, self.installation_id, self.soc_pct, energy)

    def to_json(self) -> list[Any]:
        """Return it as JSON can hold it."""
        return [
            self.start,
            self.installation_id,
            self.soc_pct,
            {name: list(energy) for name, energy in self.energy.items()},
        ]

    @classmethod
    def from_json(cls, kept: Sequence[Any]) -> "HalfHour":
        """Return the half hour that `to_json` wrote down."""
        start, installation_id, soc_pct, energy = kept
        return cls(
            start, installation_id, soc_pct, {name: Energy(*one) for name, one in energy.items()}
        )


Open = list[HalfHour]


# ---- the site's days ------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def day_bounds(day: date, zone: str) -> tuple[float, float]:
    """Return when a day of the site begins and ends (epoch seconds)."""
    there = ZoneInfo(zone)
    after = day + timedelta(days=1)
    return (
        datetime(day.year, day.month, day.day, tzinfo=there).timestamp(),
        datetime(after.year, after.month, after.day, tzinfo=there).timestamp(),
    )


def starts(day: date, zone: str) -> list[float]:
    """Return the starts of a day's half hours."""
    begins, ends = day_bounds(day, zone)
    return [begins + place * LENGTH_S for place in range(ceil((ends - begins) / LENGTH_S))]


def start_of(moment: float, zone: str) -> float:
    """Return the start of the half hour a moment lies in."""
    _, begins = day_of(datetime.fromtimestamp(moment, UTC), zone)
    return begins + (moment - begins) // LENGTH_S * LENGTH_S


def end_of(start: float, zone: str) -> float:
    """Return the end of the half hour that starts then."""
    # the last one of a day may be cut short where clocks change by less than an hour
    day, _ = day_of(datetime.fromtimestamp(start, UTC), zone)
    return min(start + LENGTH_S, day_bounds(day, zone)[1])


# ---- while they are open --------------------------------------------------------------------


def add(
    half_hours: Open, pieces: Iterable[Piece], zone: str, owners: Sequence[Owner]
) -> dict[tuple[float, int], HalfHour]:
    """Return the half hours with these pieces, each in its own half hour and for its own owner.

    `owners` are in order of time and do not overlap; time that no one owns is nobody's.
    """
    kept = {(one.start, one.installation_id): one for one in half_hours}
    span, parts = (0.0, 0.0), []
    for piece in pieces:
        # nearly always all pieces of a sample span the same minute, which lies in one half hour
        if span != (piece.start, piece.end):
            span = (piece.start, piece.end)
            parts = list(_cut(*span, zone, owners))
        method = METHODS[piece.method]
        if piece.filled and piece.method == "power":
            method |= HELD
        for start, since, until, owner in parts:
            one = kept.get((start, owner))
            if one is None:
                one = kept[start, owner] = HalfHour(start, owner)
            seconds = until - since
            wh = piece.wh if len(parts) == 1 else piece.between(since, until)
            sofar = one.energy.get(piece.quantity, NOTHING)
            one.energy[piece.quantity] = Energy(
                sofar.wh + wh,
                sofar.measured_s if piece.filled else sofar.measured_s + seconds,
                sofar.filled_s + seconds if piece.filled else sofar.filled_s,
                sofar.methods | method,
            )
    return kept


def _cut(
    since: float, until: float, zone: str, owners: Sequence[Owner]
) -> Iterator[tuple[float, float, float, int]]:
    """Yield (start of the half hour, since, until, owner) of the parts of a time."""
    while since < until:
        start = start_of(since, zone)
        owner, changes = owner_at(since, owners)
        part = min(until, end_of(start, zone), changes)
        yield start, since, part, owner
        since = part


def owner_at(moment: float, owners: Sequence[Owner]) -> tuple[int, float]:
    """Return whose a moment is, and until when that is so."""
    place = bisect_right(owners, moment, key=lambda owner: owner[0])
    if place and moment < owners[place - 1][1]:
        return owners[place - 1][2], owners[place - 1][1]
    return 0, owners[place][0] if place < len(owners) else float("inf")


def charge_at_start(
    before: tuple[float, float] | None, now: tuple[float, float], start: float, hold_s: float
) -> int | None:
    """Return the state of charge (%) at the start of the half hour the newest sample lies in.

    `before` and `now` are (moment, %) of the last sample and of this one, which is in it.
    """
    if before and before[0] <= start and start - before[0] <= hold_s:
        return round(before[1])
    if 0 <= now[0] - start <= hold_s:
        return round(now[1])
    return None


def split_ripe(
    half_hours: Iterable[HalfHour], settled_until: float, now: float, gateway_id: int, zone: str
) -> tuple[Open, Open]:
    """Return those to write, in which nothing more can settle, and those to keep open."""
    wait = place_in(SPREAD_S, gateway_id)
    ripe: Open = []
    kept: Open = []
    for one in half_hours:
        # a half hour is never longer than that
        is_young = now < one.start + wait
        end = one.start if is_young else end_of(one.start, zone)
        done = not is_young and end <= settled_until and end + wait <= now
        (ripe if done else kept).append(one)
    return ripe, kept


def settled_until(meters: Mapping[str, Any]) -> float:
    """Return up to when all energy is settled: no later sample adds to what lies before."""
    stood = [
        meters[quantity]["at"]
        for quantity in QUANTITIES
        if quantity in meters and "at" in meters[quantity]
    ]
    return float(min([meters["at"], *stood]))


# ---- packed by day --------------------------------------------------------------------------

# a value that is not known
UNKNOWN_WH, UNKNOWN_SOC = -1, 255


# a day has 48 half hours, 46 or 50
@lru_cache(maxsize=8)
def _layout(count: int) -> Struct:
    quantities = len(QUANTITIES)
    # like beside like: columns of zeroes and of 1800s shrink to nothing
    return Struct(f"<{count * quantities}i{2 * count * quantities}H{count * quantities}B{count}B")


def pack(half_hours: Mapping[float, HalfHour], day: date, zone: str) -> bytes:
    """Return a day's half hours, by start, as bytes. Energy is kept in tenths of a Wh."""
    slots = [
        half_hours[start].rounded() if start in half_hours else None for start in starts(day, zone)
    ]
    energy: list[int] = []
    measured: list[int] = []
    filled: list[int] = []
    methods: list[int] = []
    for quantity in QUANTITIES:
        for slot in slots:
            one = slot.energy.get(quantity) if slot else None
            energy.append(round(one.wh * TENTHS) if one else UNKNOWN_WH)
            measured.append(int(one.measured_s) if one else 0)
            filled.append(int(one.filled_s) if one else 0)
            methods.append(one.methods if one else 0)
    charge = [UNKNOWN_SOC if not slot or slot.soc_pct is None else slot.soc_pct for slot in slots]
    values = (*energy, *measured, *filled, *methods, *charge)
    return compress(_layout(len(slots)).pack(*values), 6)


def unpack(packed: bytes, day: date, zone: str, installation_id: int) -> dict[float, HalfHour]:
    """Return the half hours that `pack` made, by start; those nothing is known of are absent."""
    begins = starts(day, zone)
    count = len(begins)
    values = _layout(count).unpack(decompress(packed))
    size = count * len(QUANTITIES)
    charge = values[4 * size :]
    found: dict[float, HalfHour] = {}
    for place, start in enumerate(begins):
        energy = {}
        for number, quantity in enumerate(QUANTITIES):
            at = number * count + place
            if values[at] != UNKNOWN_WH:
                energy[quantity] = Energy(
                    values[at] / TENTHS,
                    values[size + at],
                    values[2 * size + at],
                    values[3 * size + at],
                )
        soc = None if charge[place] == UNKNOWN_SOC else charge[place]
        if energy or soc is not None:
            found[start] = HalfHour(start, installation_id, soc, energy)
    return found


class Column(NamedTuple):
    """One quantity of a day's half hours, each in its place."""

    #: of a Wh; UNKNOWN_WH where it is not known
    tenths: Sequence[int]
    #: measured and filled
    seconds: Sequence[int]
    methods: Sequence[int]


def unpack_columns(packed: bytes, day: date, zone: str, quantities: Sequence[str]) -> list[Column]:
    """Return quantities of what `pack` made; for many days, of which most is not asked for."""
    count = len(starts(day, zone))
    size = count * len(QUANTITIES)
    raw, (energy, seconds, methods) = decompress(packed), _column_layouts(count)
    found = []
    for quantity in quantities:
        at = QUANTITIES.index(quantity) * count
        measured = seconds.unpack_from(raw, 4 * size + 2 * at)
        filled = seconds.unpack_from(raw, 6 * size + 2 * at)
        found.append(
            Column(
                energy.unpack_from(raw, 4 * at),
                list(map(add_up, measured, filled)),
                methods.unpack_from(raw, 8 * size + at),
            )
        )
    return found


@lru_cache(maxsize=8)
def _column_layouts(count: int) -> tuple[Struct, Struct, Struct]:
    """Return how one quantity lies within `_layout`: energy, seconds, methods."""
    return Struct(f"<{count}i"), Struct(f"<{count}H"), Struct(f"<{count}B")


@dataclass(slots=True)
class Total:
    """Energy of a time: by quantity, and generation that was not sold. Absent is unknown."""

    energy: dict[str, Energy] = field(default_factory=dict)
    self_wh: float | None = None

    def add(self, energy: Mapping[str, Energy], self_wh: float | None) -> None:
        """Add what another time was worth."""
        for quantity, one in energy.items():
            sofar = self.energy.get(quantity)
            self.energy[quantity] = sofar + one if sofar else one
        if self_wh is not None:
            self.self_wh = (self.self_wh or 0.0) + self_wh


def total(half_hours: Iterable[HalfHour]) -> Total:
    """Return the sum of half hours."""
    summed = Total()
    for one in half_hours:
        summed.add(one.energy, one.self_wh)
    return summed
