"""How a home fared without the grid, from its samples: pure functions, moments in epoch seconds.

Between two samples that are near to each other, power tells the energy; where polls were lost, the
counters on both sides of the gap do, and what they do not know stays unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, Self

from .outage_rules import GAP_S

# less than this does not serve a home: an inverter's own losses, and the steps of its meter
NOTHING_W = 20.0
# and it lasts: a switch-over, or an idle moment, is shorter
DARK_S = 120.0
# a battery that stops above this was not empty
EMPTY_PCT = 15.0
# points of a course: as many as a phone's picture shows
MOST_POINTS = 100
STEPS_S = (60, 300, 600, 1800, 3600, 3 * 3600)

# how it went: served to the end; nothing came any more; not known to the end
HELD, EMPTY, UNKNOWN = "held", "empty", "unknown"


class Moment(NamedTuple):
    """A sample of the time without the grid."""

    at: float
    pv_w: float | None
    load_w: float | None
    battery_w: float | None
    soc_pct: float | None
    counters: Mapping[str, float]


class Point(NamedTuple):
    """Means over a step of the course; what is None is not known."""

    start: float
    soc_pct: float | None
    load_w: float | None
    pv_w: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a report shows besides the row's own moments."""

    how: str
    #: energy used and generated, as far as it is known
    used_wh: float | None = None
    pv_wh: float | None = None
    #: nothing came from panels and battery any more, from this moment on
    empty_at: float | None = None
    #: that was because the battery had nothing left
    was_drained: bool = False
    #: the last sample of it
    last_at: float | None = None
    last_soc: float | None = None
    #: seconds in which no sample came, and whether the energy of some of them is unknown
    silent_s: float = 0.0
    is_partial: bool = False
    step_s: int = STEPS_S[0]
    points: list[Point] = field(default_factory=list)
    #: what the rehearsal would have told: minutes, least, most
    foretold: tuple[int, int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        return asdict(self) | {"points": [list(point) for point in self.points]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the figures that `to_json` wrote down."""
        points = [Point(*point) for point in kept["points"]]
        foretold = kept["foretold"]
        return cls(**{**kept, "points": points, "foretold": foretold and tuple(foretold)})


def reckon(moments: Sequence[Moment], began: float, until: float | None) -> Figures:
    """Return the figures of samples that stand in order.

    `began` is the first moment without the grid, of which the sample may have been cleared since;
    `until` is when the grid was seen again; None while it is away, or if nobody knows.
    """
    if not moments:
        return Figures(UNKNOWN)
    is_partial = moments[0].at - began > GAP_S
    used, pv, silent = 0.0, 0.0, moments[0].at - began if is_partial else 0.0
    for before, after in pairwise(moments):
        lost = after.at - before.at > GAP_S
        silent += after.at - before.at if lost else 0.0
        between = _by_counters if lost else _by_power
        load_wh, pv_wh = between(before, after)
        used, pv = used + (load_wh or 0.0), pv + (pv_wh or 0.0)
        is_partial = is_partial or load_wh is None or pv_wh is None
    last = moments[-1]
    if until is not None and until - last.at > GAP_S:
        silent, is_partial = silent + until - last.at, True
    empty = _first_dark(moments)
    step_s = _step(last.at - moments[0].at)
    return Figures(
        EMPTY if empty else UNKNOWN if until is None or until - last.at > GAP_S else HELD,
        _known(used, moments, lambda one: one.load_w),
        _known(pv, moments, lambda one: one.pv_w),
        empty.at if empty else None,
        empty is not None and empty.soc_pct is not None and _is_low(empty, moments),
        last.at,
        last.soc_pct,
        silent,
        is_partial,
        step_s,
        _course(moments, step_s),
    )


def _known(
    wh: float, moments: Sequence[Moment], value: Callable[[Moment], float | None]
) -> float | None:
    return wh if any(value(one) is not None for one in moments) else None


def _is_dark(one: Moment) -> bool:
    """Tell whether nothing serves the home: without the grid there are panels and battery only."""
    if one.pv_w is None or one.battery_w is None:
        return False
    return one.pv_w + one.battery_w < NOTHING_W and (one.load_w or 0.0) < NOTHING_W


def _first_dark(moments: Sequence[Moment]) -> Moment | None:
    """Return from when on nothing served the home, for a while at least or to the end.

    An inverter that takes over gives nothing for a moment, and a home may use next to nothing.
    """
    first = None
    for one in moments:
        if not _is_dark(one):
            first = None
        elif first is None:
            first = one
        elif one.at - first.at >= DARK_S:
            return first
    return first


def _is_low(empty: Moment, moments: Sequence[Moment]) -> bool:
    """Tell whether the battery had come to its end: it is low, or was drawn down to a reserve."""
    assert empty.soc_pct is not None
    first = next((one.soc_pct for one in moments if one.soc_pct is not None), empty.soc_pct)
    return empty.soc_pct <= EMPTY_PCT or first - empty.soc_pct > 1.0


def _by_power(before: Moment, after: Moment) -> tuple[float | None, float | None]:
    hours = (after.at - before.at) / 3600
    pairs = ((before.load_w, after.load_w), (before.pv_w, after.pv_w))
    load, pv = (None if a is None or b is None else (a + b) / 2 * hours for a, b in pairs)
    return load, pv


def _by_counters(before: Moment, after: Moment) -> tuple[float | None, float | None]:
    """Return what was used and generated while no sample came."""

    def risen(name: str) -> float | None:
        if name not in before.counters or name not in after.counters:
            return None
        by = after.counters[name] - before.counters[name]
        # one that fell was reset, or has come to its end and begun anew
        return by if by >= 0 else None

    pv, charged, discharged = (risen(name) for name in ("pv_wh", "charge_wh", "discharge_wh"))
    if pv is None or charged is None or discharged is None:
        return None, pv
    # the grid may have come and gone meanwhile
    bought, sold = risen("import_wh") or 0.0, risen("export_wh") or 0.0
    return max(0.0, pv + discharged - charged + bought - sold), pv


def _step(seconds: float) -> int:
    return next((step for step in STEPS_S if seconds / step <= MOST_POINTS), STEPS_S[-1])


def _course(moments: Sequence[Moment], step_s: int) -> list[Point]:
    begins = moments[0].at
    slots: dict[int, list[Moment]] = {}
    for one in moments:
        slots.setdefault(int((one.at - begins) // step_s), []).append(one)
    return [
        Point(
            begins + place * step_s,
            _mean([one.soc_pct for one in slots.get(place, ())], 1),
            _mean([one.load_w for one in slots.get(place, ())], 0),
            _mean([one.pv_w for one in slots.get(place, ())], 0),
        )
        for place in range(max(slots) + 1)
    ]


def _mean(values: Sequence[float | None], digits: int) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), digits) if known else None
