"""What counters and powers of one sample after another are worth: the energy rules 1–4.

Pure functions. Moments are epoch seconds. What is remembered between two samples is small JSON
(`Meters`): for each quantity where its counter stood, its last power, and a reading that is still
in doubt. What a sample settles comes out as pieces of energy.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, NotRequired, TypedDict

from ..profiles.base import QUANTITIES, Sample
from . import balance
from .energy import Piece, Stretch

Meters = dict[str, Any]

# an accepted step may be this much more than the limit allows (energy rule 4)
MARGIN = 1.2
# some meters move their counters in half-hour lumps: a lump is no jump
LUMP_S = 1800.0
# a counter that is away or in doubt this long is given up; power serves until it is back
GIVE_UP_S = 3600.0
TOLD_EVERY_S = 86400.0
# a rating beyond this is no home's, whatever the device says of itself
MOST_W = 1e6
# power is remembered by quarter hours, which no half hour of any zone cuts
QUARTER_S = 900.0


class Rebased(NamedTuple):
    """A counter that jumped or fell by what cannot be energy, and goes on from there."""

    quantity: str
    at: float
    before_wh: float
    after_wh: float


class Advanced(NamedTuple):
    """What a sample made of the meters, what it settled, and counters that began anew."""

    meters: Meters
    pieces: list[Piece]
    rebased: list[Rebased]


class Meter(TypedDict):
    """One quantity between two samples. All moments are epoch seconds."""

    # the last power, and when
    w: NotRequired[float]
    w_at: NotRequired[float]
    # the last accepted counter reading, when, and when the counter last moved
    wh: NotRequired[float]
    at: NotRequired[float]
    moved: NotRequired[float]
    # a reading that fell or jumped, and when: the next sample decides
    doubt: NotRequired[tuple[float, float]]
    # since when nothing was accepted, and what power says of that time
    unsettled: NotRequired[float]
    spare: NotRequired[list[Stretch]]
    # the counter's smallest step and what it wraps at: readings are kept without them
    res: NotRequired[float]
    size: NotRequired[float | None]
    # when it was last told that the counter began anew
    told: NotRequired[float]


def limits_w(
    ratings: Mapping[str, float | None] | None, contract_w: float, usual_w: float
) -> dict[str, float]:
    """Return what each quantity can be at most, in W (energy rule 4).

    `ratings` are what the device states (`pv_w`, `inverter_w`, `battery_w`); `contract_w` is the
    power of the site's contract (契約電流). What the device does not state is `usual_w` at most: a
    small contract says nothing of a roof.
    """
    stated = {name: min(w or 0.0, MOST_W) for name, w in (ratings or {}).items()}
    inverter = stated.get("inverter_w") or 0.0
    battery = stated.get("battery_w") or 0.0
    # on its DC side a hybrid inverter takes in what it gives out and what charges the battery
    pv = (stated.get("pv_w") or 0.0) or (inverter + battery) or usual_w
    battery = battery or inverter or usual_w
    return {
        "pv_wh": pv,
        # a home uses what it buys and what its own inverter gives, at the same time
        "load_wh": contract_w + inverter if inverter else max(contract_w, usual_w),
        "import_wh": contract_w,
        # the contract bounds what is bought; a roof and its inverters may sell more than that
        "export_wh": max(contract_w, inverter or usual_w, stated.get("pv_w") or 0.0),
        "charge_wh": battery,
        "discharge_wh": battery,
    }


def advance(
    meters: Meters, at: datetime, sample: Sample, limits: Mapping[str, float], hold_s: float
) -> Advanced:
    """Return the meters after a sample, and the energy it settled.

    `meters` is what the call before returned, `{}` at first, and is left as it is. A sample that is
    not newer than the last one changes nothing. `limits` are in W by quantity; `hold_s` is how long
    a power is held without a new one (two poll intervals).
    """
    moment = at.timestamp()
    last = meters.get("at", float("-inf"))
    if moment <= last:
        return Advanced(meters, [], [])
    after: Meters = {"at": moment}
    pieces: list[Piece] = []
    rebased: list[Rebased] = []
    powers = _powers(sample)
    for quantity in QUANTITIES:
        before: Meter = meters.get(quantity) or {}
        limit, w = limits[quantity], powers[quantity]
        if w is not None and not 0 <= w <= limit * MARGIN:
            w = None
        wh = sample.counters.get(quantity)
        if wh is not None and not 0 <= wh < float("inf"):
            wh = None
        if not before and w is None and wh is None:
            continue
        step = _Step(
            quantity,
            moment,
            limit,
            sample.resolution_wh.get(quantity, 1.0),
            sample.counter_size.get(quantity),
            hold_s,
            pieces,
            rebased,
        )
        after[quantity] = step.take(before, w, wh)
    if "at" in meters and "wh" not in after.get("load_wh", {}):
        has_battery = sample.battery_w is not None
        after["owed"] = balance.follow(
            meters,
            after,
            pieces,
            has_battery=has_battery,
            most_w=limits["load_wh"] * MARGIN,
            hold_s=hold_s,
        )
    return Advanced(after, pieces, rebased)


def _powers(sample: Sample) -> dict[str, float | None]:
    grid, battery = sample.grid_w, sample.battery_w
    return {
        "pv_wh": sample.pv_w,
        "load_wh": sample.load_w,
        "import_wh": None if grid is None else max(grid, 0.0),
        "export_wh": None if grid is None else max(-grid, 0.0),
        "charge_wh": None if battery is None else max(-battery, 0.0),
        "discharge_wh": None if battery is None else max(battery, 0.0),
    }


class _Step(NamedTuple):
    """One quantity at one sample; what is settled goes to `pieces`."""

    quantity: str
    moment: float
    limit_w: float
    resolution_wh: float
    size_wh: float | None
    hold_s: float
    pieces: list[Piece]
    rebased: list[Rebased]

    def take(self, before: Meter, w: float | None, wh: float | None) -> Meter:
        """Return the meter after the sample's power and counter."""
        after = before.copy()
        if wh is not None:
            after["res"], after["size"] = self.resolution_wh, self.size_wh
        powered = self._power(before, after, w)
        if "wh" not in before:
            self._emit_powered([powered] if powered else [])
            if wh is not None:
                self._stand(after, wh)
            return after
        if wh is not None and self._settle(before, after, wh):
            self._accept(before, after, wh, powered)
            return after
        self._wait(after, powered, wh)
        return after

    def _power(self, before: Meter, after: Meter, w: float | None) -> Stretch | None:
        """Return what power gives since it was last known."""
        if w is None:
            after.pop("w", None)
            after.pop("w_at", None)
        else:
            after["w"], after["w_at"] = w, self.moment
        if "w_at" not in before:
            return None
        start, last = before["w_at"], before["w"]
        if w is not None and self.moment - start <= self.hold_s:
            return start, self.moment, (last + w) / 2 * (self.moment - start) / 3600, False
        end = min(self.moment, start + self.hold_s)
        return start, end, last * (end - start) / 3600, True

    def _settle(self, before: Meter, after: Meter, wh: float) -> bool:
        """Tell whether `wh` follows from the last accepted reading, or from one in doubt.

        A reading in doubt that is confirmed becomes the last accepted one, and what its step was
        worth is settled.
        """
        stood, at = before["wh"], before["at"]
        if "doubt" in before:
            seen_at, seen = before["doubt"]
            confirmed = 0 <= wh - seen <= self._bound(seen_at, seen_at, self.moment)
            # a dip that came back to where it was is no reset
            if confirmed and (seen > stood or wh < stood):
                bound = self._bound(at, before["moved"], seen_at)
                counted = self._fallen(stood, seen, bound) if seen < stood else None
                # what power says of the time after it, the counter will say
                spare = [part for part in before.get("spare", []) if part[1] <= seen_at]
                if counted is None:
                    self._emit_powered(spare, filled=True)
                    # told once a day: a meter that does so all the time fills no log
                    if seen_at - before.get("told", float("-inf")) > TOLD_EVERY_S:
                        after["told"] = seen_at
                        self.rebased.append(Rebased(self.quantity, seen_at, stood, seen))
                else:
                    self._emit_counted(at, seen_at, counted, spare)
                after["wh"], after["at"] = seen, seen_at
                # what was lent before is not forgiven
                after["moved"] = max(seen_at, before["moved"])
                return True
        return 0 <= wh - stood <= self._bound(at, before["moved"], self.moment)

    def _fallen(self, stood: float, seen: float, bound: float) -> float | None:
        """Return what a confirmed fall counts: a wrap, a reset from 0, or None (nothing)."""
        if self.size_wh:
            wrapped = (seen - stood) % self.size_wh
            if wrapped <= bound:
                return wrapped
        return seen if seen <= bound else None

    def _bound(self, at: float, moved: float, until: float) -> float:
        """Return the most a counter may have moved, in Wh (energy rule 4)."""
        since = max(moved, at - LUMP_S)
        # who says that the counter steps by megawatt hours does not get them
        step = min(self.resolution_wh, self.limit_w * LUMP_S / 3600)
        return max(0.0, self.limit_w * (until - since) / 3600 * MARGIN + step)

    def _spent_until(self, at: float, moved: float, step: float) -> float:
        """Return up to when a step has used up what the counter may move by.

        Never before now; after now where one step of the resolution was lent: it is lent once.
        """
        spent_s = step * 3600 / (self.limit_w * MARGIN)
        return max(self.moment, max(moved, at - LUMP_S) + spent_s)

    def _accept(
        self,
        before: Meter,
        after: Meter,
        wh: float,
        powered: Stretch | None,
    ) -> None:
        step, start = wh - after["wh"], after["at"]
        told = [*before.get("spare", []), *([powered] if powered else [])]
        told = [part for part in told if part[0] >= start]
        moved = after["moved"]
        if step > self._bound(start, moved, self.moment):
            # it goes on from a jump faster than it may, all that it was lent being spent
            self._emit_powered(told, filled=True)
            step = 0.0
        else:
            self._emit_counted(start, self.moment, step, told)
        if step > 0:
            moved = self._spent_until(start, moved, step)
        self._stand(after, wh)
        after["moved"] = moved

    def _stand(self, after: Meter, wh: float) -> None:
        """Let the counter stand at `wh`; what came before is settled."""
        after["wh"], after["at"], after["moved"] = wh, self.moment, self.moment
        after.pop("doubt", None)
        after.pop("unsettled", None)
        after.pop("spare", None)

    def _wait(
        self,
        after: Meter,
        powered: Stretch | None,
        wh: float | None,
    ) -> None:
        """Keep what power says until a later reading decides, but not for ever."""
        spare = list(after.get("spare", []))
        if powered:
            start, end, more, held = powered
            # one that ends where the doubt began stays apart: it may be all that counts
            if (
                spare
                and spare[-1][1] == start
                and spare[-1][3] == held
                and spare[-1][0] // QUARTER_S == start // QUARTER_S
                and after.get("doubt", (None,))[0] != start
            ):
                first, _, sofar, _ = spare.pop()
                start, more = first, sofar + more
            spare.append((start, end, more, held))
        unsettled = after.setdefault("unsettled", self.moment)
        if self.moment - unsettled > GIVE_UP_S:
            # a counter that talks nonsense was refused; one that is merely away was not
            self._emit_powered(spare, filled="doubt" in after)
            for key in ("wh", "at", "moved", "doubt", "unsettled", "spare"):
                after.pop(key, None)  # type: ignore[misc]
            if wh is not None:
                self._stand(after, wh)
            return
        if spare:
            after["spare"] = spare
        if wh is not None:
            after["doubt"] = (self.moment, wh)

    def _emit_powered(self, powered: Iterable[Stretch], *, filled: bool = False) -> None:
        self.pieces.extend(
            Piece(self.quantity, start, end, wh, "power", held or filled)
            for start, end, wh, held in powered
        )

    def _emit_counted(self, start: float, end: float, wh: float, told: Sequence[Stretch]) -> None:
        # within two polls nothing is lost by spreading evenly
        is_gap = end - start > self.hold_s
        shape = tuple(told) if is_gap else ()
        self.pieces.append(Piece(self.quantity, start, end, wh, "counter", is_gap, shape))
