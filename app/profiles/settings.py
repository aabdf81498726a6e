"""What of a device can be set, in words that all makers share. Data and pure functions, no I/O.

A profile that can set something is `Settable`: it reads which settings its device offers and what
they stand at, and writes wanted ones. Like `discover`, both are generators that yield requests and
are sent answers; the driver executes them. Values are what JSON can hold.

| key | value |
| --- | --- |
| `mode` | a `Mode` |
| `charge_windows`, `discharge_windows` | windows, see `Window` |
| `reserve_pct` | what stays in the battery for an outage, % |
| `min_soc_pct`, `max_soc_pct` | how far the battery is used and charged day by day, % |
| `grid_charge_pct` | how far the grid may charge it, %; 0 is not at all |
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, TypedDict

from .base import Layout, ReadRequest

Key = Literal[
    "mode",
    "charge_windows",
    "discharge_windows",
    "reserve_pct",
    "min_soc_pct",
    "max_soc_pct",
    "grid_charge_pct",
]

DAY_MIN = 1440
#: bits of the weekdays, Monday first
EVERY_DAY = 0b1111111


class Mode(StrEnum):
    """What the battery is used for (運転モード)."""

    ECONOMIC = "economic"  # 経済: charged at night, sells by day
    GREEN = "green"  # グリーン: one's own sun first
    SAFE = "safe"  # 安心: full for an outage
    CHARGE = "charge"  # 強制充電: charged now
    STANDBY = "standby"  # 待機: neither charged nor used


class Window(TypedDict):
    """A time of day, in minutes from midnight of the device's clock; the end is not in it.

    `days` has a bit for each weekday on which it begins, Monday is bit 0. It crosses midnight
    where its end comes before its start.
    """

    start: int
    end: int
    days: int


Value = str | int | list[Window]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values. Those in `timed` the device keeps only for a while, then goes back."""

    key: Key
    values: tuple[str, ...]
    timed: tuple[str, ...] = ()
    #: how long at most, in seconds
    longest_s: int = 0

    def allows(self, value: object) -> bool:
        """Tell whether the device can be set to this."""
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `low` to `high` in steps."""

    key: Key
    low: int
    high: int
    step: int = 1
    #: what may stand besides, as 0 for "off"
    also: tuple[int, ...] = ()

    def allows(self, value: object) -> bool:
        """Tell whether the device can be set to this."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        fits = self.low <= value <= self.high and (value - self.low) % self.step == 0
        return fits or value in self.also


@dataclass(frozen=True, slots=True)
class Windows:
    """At most `most` times of day that do not overlap."""

    key: Key
    most: int
    across_midnight: bool = False
    weekdays: bool = False
    step_min: int = 1

    def allows(self, value: object) -> bool:
        """Tell whether the device can be set to this."""
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > self.most:
            return False
        return all(map(self._fits, value)) and not _overlap(value)

    def _fits(self, window: object) -> bool:
        if not isinstance(window, Mapping) or set(window) != {"start", "end", "days"}:
            return False
        start, end, days = window["start"], window["end"], window["days"]
        if not all(type(each) is int for each in (start, end, days)):
            return False
        return (
            0 <= start < DAY_MIN
            and 0 < end <= DAY_MIN
            and start != end
            and (start < end or self.across_midnight)
            and start % self.step_min == 0
            and end % self.step_min == 0
            and (0 < days <= EVERY_DAY if self.weekdays else days == EVERY_DAY)
        )


Offer = Choice | Number | Windows


@dataclass(frozen=True, slots=True)
class Settings:
    """What a device offers, and what stands there; a value that could not be read is absent."""

    offers: tuple[Offer, ...]
    values: Mapping[Key, Value]


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """`values` for the registers from the zero-based `address` on, by function 16 or, for one, 6.

    `unit` is another device behind the same gateway than the one of its endpoint.
    """

    address: int
    values: tuple[int, ...]
    unit: int | None = None
    function: Literal[6, 16] = 16


class CannotSet(Exception):
    """The device offers no such setting or value."""


class Settable(Protocol):
    """A profile whose devices can be set."""

    def read_settings(self, layout: Layout) -> Generator[ReadRequest, bytes, Settings]:
        """Yield reads, be sent answers, return what the device offers and what stands there.

        Raises:
            LayoutChanged: the device is laid out differently now.
            BadAnswer: an answer does not fit its request.
        """

    def write_settings(
        self, layout: Layout, wanted: Mapping[Key, Value], *, hold_s: int | None
    ) -> Generator[ReadRequest | WriteRequest, bytes, None]:
        """Yield what sets the device to `wanted`; the answer to a write is empty.

        Writing the same twice comes to the same. `hold_s` is how long values that the device keeps
        only for a while shall stand: its own timer ends them, also when nobody reaches it any more.

        Raises:
            CannotSet: the device offers no such setting or value.
            LayoutChanged: the device is laid out differently now.
            BadAnswer: an answer does not fit its request.
        """


def check(offers: Iterable[Offer], wanted: Mapping[Key, Value], hold_s: int | None) -> None:
    """Let through what a device that makes these offers can be set to.

    Raises:
        CannotSet: it offers no such setting or value, or not for that long.
    """
    known = {offer.key: offer for offer in offers}
    for key, value in wanted.items():
        offer = known.get(key)
        if offer is None or not offer.allows(value):
            raise CannotSet(f"{key} cannot be {value!r}"[:200])
        longest_s = offer.longest_s if isinstance(offer, Choice) and value in offer.timed else None
        if longest_s is not None and (hold_s is None or not 0 < hold_s <= longest_s):
            raise CannotSet(f"{key} can be {value} for 1 to {longest_s} s")


def offer_to_json(offer: Offer) -> dict[str, object]:
    """Return an offer as a dictionary that JSON can hold."""
    kind = type(offer).__name__
    return {"kind": kind, **{name: getattr(offer, name) for name in offer.__slots__}}


def offer_from_json(kept: Mapping[str, object]) -> Offer:
    """Return the offer that `offer_to_json` kept.

    Raises:
        KeyError: it is of no known kind.
    """
    kinds: dict[object, type[Offer]] = {
        "Choice": Choice, "Number": Number, "Windows": Windows,
    }  # fmt: skip
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
    }
    return kinds[values.pop("kind")](**values)  # type: ignore[arg-type]


def _overlap(windows: Sequence[Mapping[str, int]]) -> bool:
    """Tell whether two windows share a minute of a week."""
    taken: set[int] = set()
    for window in windows:
        length = (window["end"] - window["start"]) % DAY_MIN or DAY_MIN
        for day in range(7):
            if window["days"] >> day & 1:
                begins = day * DAY_MIN + window["start"]
                minutes = {(begins + minute) % (7 * DAY_MIN) for minute in range(length)}
                if taken & minutes:
                    return True
                taken |= minutes
    return False
