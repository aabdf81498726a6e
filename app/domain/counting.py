"""What a gateway's sample adds to its half hours, and counting anew where one came late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from ..profiles.base import QUANTITIES, Sample
from . import half_hours
from .energy import Piece, day_of
from .energy_totals import Settled
from .half_hours import FOREVER, HalfHour, Owner
from .meters import GIVE_UP_S, Meters, Rebased, advance

# energy may settle this long after its samples: who owned the gateway then matters
SETTLES_WITHIN = timedelta(seconds=2 * GIVE_UP_S)


@dataclass(slots=True)
class Standing:
    """What is remembered of a gateway between two samples."""

    meters: Meters
    half_hours: half_hours.Open

    @classmethod
    def of(cls, meters: Meters, kept: Sequence[Any]) -> "Standing":
        """Return what was kept as JSON."""
        return cls(meters, [HalfHour.from_json(one) for one in kept])


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a gateway's energy is, by which clock, and what bounds it.

    `limits` are in W by quantity; a power is held for `hold_s` seconds without a new one.
    """

    gateway_id: int
    zone: str
    owners: Sequence[Owner]
    limits: Mapping[str, float]
    hold_s: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What a sample changed: the standing after it, what settled, and counters that began anew."""

    standing: Standing
    pieces: Sequence[Piece]
    settled: Settled
    rebased: Sequence[Rebased]


def count(standing: Standing, at: datetime, sample: Sample, place: Place) -> Counted:
    """Count a sample that is newer than all before it; `standing` is left as it is."""
    moment = at.timestamp()
    before = standing.meters.get("soc")
    meters, pieces, rebased = advance(standing.meters, at, sample, place.limits, place.hold_s)
    kept = half_hours.add(standing.half_hours, pieces, place.zone, place.owners)
    if sample.soc_pct is not None:
        meters["soc"] = (moment, sample.soc_pct)
        start = half_hours.start_of(moment, place.zone)
        owner, _ = half_hours.owner_at(moment, place.owners)
        newest = kept.setdefault((start, owner), HalfHour(start, owner))
        if newest.soc_pct is None:
            newest.soc_pct = half_hours.charge_at_start(before, meters["soc"], start, place.hold_s)
    elif before:
        meters["soc"] = before
    ripe, still_open = half_hours.split_ripe(
        kept.values(),
        half_hours.settled_until(meters),
        moment,
        place.gateway_id,
        place.zone,
    )
    return Counted(
        Standing(meters, still_open), pieces, Settled(place.gateway_id, place.zone, ripe), rebased
    )


def owned_lately(installation_id: int | None, opened_at: datetime | None) -> list[Owner]:
    """Return the owner of a gateway that has not changed hands since its last sample."""
    if installation_id is None or opened_at is None:
        return []
    return [(opened_at.timestamp(), FOREVER[1], installation_id)]


def changed_hands(
    counted_for_id: int | None,
    installation_id: int | None,
    opened_at: datetime | None,
    now: datetime,
) -> bool:
    """Tell whether energy that settles now may belong to somebody before the present owner."""
    if counted_for_id != installation_id:
        return True
    return opened_at is not None and now - opened_at < SETTLES_WITHIN


def begins_day(before: datetime | None, at: datetime, zone: str) -> bool:
    """Tell whether a sample is the first of its day at the site."""
    return before is None or day_of(before, zone)[0] != day_of(at, zone)[0]


def sample_of(reading: RowMapping, newest: Meters) -> Sample:
    """Return the sample a reading was made of.

    Readings are kept without how their counters step and wrap: the `newest` meters know.
    """
    counters = reading["counters"]
    scales = {name: newest.get(name, {}) for name in QUANTITIES if name in counters}
    return Sample(
        pv_w=reading["pv_w"],
        load_w=reading["load_w"],
        grid_w=reading["grid_w"],
        battery_w=reading["battery_w"],
        soc_pct=reading["soc_pct"],
        counters=dict(counters),
        resolution_wh={name: one.get("res", 1.0) for name, one in scales.items()},
        counter_size={name: one["size"] for name, one in scales.items() if one.get("size")},
    )
