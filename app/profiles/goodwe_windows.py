"""Eco mode groups of GoodWe: times at which the battery is charged, in two generations of blocks.

A group holds a start and an end, weekdays, a power and a switch; the newer one also how far it
charges, the months, and in its switch of what kind it is. What a group says that is not a time at
which the battery is charged (one that feeds the grid, one of some months, one of another kind)
belongs to somebody else: it stays, and its place is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, unpack
from typing import NamedTuple

from .settings import DAY_MIN, CannotSet, Key, Window, Windows

GROUPS = 4
KEY: Key = "charge_windows"
OFFER = Windows(KEY, most=GROUPS, weekdays=True)

# kinds of a group: eco mode, and the same on platform 745, whose power is in tenths of a percent
_ECO, _ECO_745 = 0, 6
_FULL_PCT = {_ECO: 100, _ECO_745: 1000}
_ALL_MONTHS = {_ECO: 0, _ECO_745: 0x0FFF}
# no hour of a day: the group has no time
_NO_HOUR = 48
# the last minute of a day is what they call its end
_LAST = (23, 59)


class _Group(NamedTuple):
    """A group as it stands: times, then the switch, weekdays with Sunday first, and the rest."""

    start: tuple[int, int]
    end: tuple[int, int]
    switch: int
    days: int
    power: int
    soc: int
    months: int

    @property
    def kind(self) -> int | None:
        """Return of which kind it is, if it is one of eco mode."""
        kind = -1 - self.switch if self.switch < 0 else self.switch
        return kind if kind in _FULL_PCT else None

    @property
    def window(self) -> Window | None:
        """Return the time of day that it is on, if it is one."""
        (start_h, start_m), (end_h, end_m) = self.start, self.end
        start, end = 60 * start_h + start_m, 60 * end_h + end_m
        if self.end == _LAST:
            end = DAY_MIN
        fits = start_h < 24 and start_m < 60 and end_h < 24 and end_m < 60 and start < end
        # the maker's week begins on Sunday
        ours = (self.days >> 1 | self.days << 6) & 0b1111111
        if self.kind is None or self.switch >= 0 or not fits or not ours:
            return None
        return Window(start=start, end=end, days=ours)

    @property
    def is_free(self) -> bool:
        """Tell whether a time of charging may stand here: one does, or nothing is switched on."""
        all_year = self.months <= 0 or self.months == 0x0FFF
        charges = self.window is not None and self.power < 0 and all_year
        return self.kind is not None and (self.switch >= 0 or charges)


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one generation, of which each takes so many registers."""

    is_newer: bool

    @property
    def width(self) -> int:
        """Return how many registers a group takes."""
        return 6 if self.is_newer else 4

    @property
    def _form(self) -> Struct:
        return Struct(">4BbBhhh" if self.is_newer else ">4BhbB")

    def windows(self, block: bytes) -> dict[Key, list[Window]]:
        """Return the times of charging; nothing where no group is one of eco mode."""
        groups = self._groups(block)
        if not any(group.kind is not None for group in groups):
            return {}
        windows = (group.window for group in groups if group.is_free)
        return {KEY: [window for window in windows if window is not None]}

    def registers(self, windows: Mapping[Key, Sequence[Window]], block: bytes) -> tuple[int, ...]:
        """Return the block with these times of charging in it, and all else as it stands.

        Raises:
            CannotSet: they do not fit in beside what else stands there.
        """
        groups, wanted = self._groups(block), list(windows[KEY])
        places = [place for place, group in enumerate(groups) if group.is_free]
        others = [
            group.window for group in groups if not group.is_free and group.window is not None
        ]
        if len(wanted) > len(places) or not OFFER.allows([*wanted, *others]):
            raise CannotSet("the windows do not fit in beside what else stands there")
        kind = max((group.kind for group in groups if group.kind is not None), default=_ECO)
        stood = [groups[place] for place in places]
        for place, window in zip(places, wanted, strict=False):
            # as strong and as far as before, where it stood before
            same = next((group for group in stood if group.window == window), None)
            groups[place] = self._charging(window, kind, same)
        for place in places[len(wanted) :]:
            if groups[place].window is not None:
                groups[place] = _off(kind)
        data = b"".join(map(self._packed, groups))
        return unpack(f">{len(data) // 2}H", data)

    def _groups(self, block: bytes) -> list[_Group]:
        found = []
        for fields in self._form.iter_unpack(block):
            start, end = fields[:2], fields[2:4]
            if self.is_newer:
                switch, days, power, soc, months = fields[4:]
            else:
                (power, switch, days), soc, months = fields[4:], 100, 0
            found.append(_Group(start, end, switch, days, power, soc, months))
        return found

    def _packed(self, group: _Group) -> bytes:
        start, end, switch, days, power, soc, months = group
        if self.is_newer:
            return self._form.pack(*start, *end, switch, days, power, soc, months)
        return self._form.pack(*start, *end, power, switch, days)

    def _charging(self, window: Window, kind: int, same: _Group | None) -> _Group:
        if window["end"] == DAY_MIN - 1:
            raise CannotSet("23:59 is what the device calls the end of the day")
        end = _LAST if window["end"] == DAY_MIN else divmod(window["end"], 60)
        days = (window["days"] << 1 | window["days"] >> 6) & 0b1111111
        return _Group(
            divmod(window["start"], 60),
            end,
            -1 - kind,
            days,
            same.power if same else -_FULL_PCT[kind],
            same.soc if same else 100,
            _ALL_MONTHS[kind],
        )


def _off(kind: int) -> _Group:
    no_time = (_NO_HOUR, 0)
    return _Group(no_time, no_time, kind, 0, _FULL_PCT[kind], 100, 0)
