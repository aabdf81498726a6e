"""What a home's device makes of the registers that are written to it.

This is told by the documents of each maker, not by what the portal makes of them: a slip in a
profile is to be seen here. Addresses are those of holding registers.
"""

from collections.abc import Mapping
from typing import Protocol

from .household import Config, Household

Words = dict[int, int]


class Dials(Protocol):
    """What a maker's device can be told by registers."""

    def begin(self, config: Config) -> Words:
        """Return what stands there when nobody has written anything yet."""

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        """Do as the registers say; `written` are those that were written just now."""

    def choose(self, words: Words, mode: str) -> None:
        """Turn to a mode, as somebody does at the device itself, if a register has it."""

    def lapse(self, words: Words) -> None:
        """End what was to be for a while only."""


class _Huawei:
    """47086 is the mode; forcible charge (47100) takes precedence for as long as 47083 says."""

    _MODES: Mapping[int, str] = {2: "green", 5: "economic"}

    def begin(self, config: Config) -> Words:
        words = dict.fromkeys(range(47255, 47298), 0)
        words |= {
            47081: 1000, 47082: 0, 47083: 0, 47086: 2, 47087: 1, 47088: 1000, 47100: 0, 47101: 0,
            47102: 100, 47246: 0, 47247: 0, 47248: 0,
        }  # fmt: skip
        return words

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        words, wishes = home.words, home.wishes
        wishes.most, wishes.least, wishes.reserve = (words[at] / 10 for at in (47081, 47082, 47102))
        wishes.grid = words[47088] / 10 if words[47087] else 0
        wishes.charge, wishes.discharge = [], []
        for slot in range(min(words[47255], 14)):
            start, end, rest = (words[47256 + 3 * slot + place] for place in range(3))
            flag, days = rest >> 8, rest & 0x7F
            # bit 0 is Sunday
            (wishes.discharge if flag else wishes.charge).append(
                (start, end, days >> 1 | (days & 1) << 6)
            )
        home.usual = self._MODES.get(words[47086], "green")
        _force(home, 47100 in written, words[47100] == 1, words[47083] * 60, now_s)

    def choose(self, words: Words, mode: str) -> None:
        for raw, name in self._MODES.items():
            if name == mode:
                words[47086], words[47100] = raw, 0

    def lapse(self, words: Words) -> None:
        words[47100] = 0


def _force(home: Household, begins: bool, charges: bool, for_s: int, now_s: float) -> None:
    """Charge for a while, or go on as usual."""
    if charges and begins and for_s:
        home.mode, home.until_s = "charge", now_s + for_s
    elif not charges:
        home.mode, home.until_s = home.usual, None


#: By dialect; a device that is not here cannot be told anything.
DIALS: dict[str, Dials] = {"huawei-sun2000": _Huawei()}


def blank(config: Config) -> Words:
    """Return the registers that can be written, as they are when nobody has written any."""
    dials = DIALS.get(config.dialect)
    if dials is None or "battery" in config.without:
        return {}
    words = dials.begin(config)
    dials.choose(words, config.mode)
    return words


def words(home: Household) -> Words:
    """Return what stands in the registers that can be written."""
    home.words = home.words or blank(home.config)
    if home.lapsed and home.words:
        DIALS[home.config.dialect].lapse(home.words)
    home.lapsed = False
    return home.words


def write(home: Household, address: int, values: list[int], now_s: float) -> bool:
    """Take a write as the device's manners are; tell whether it was accepted."""
    stands = words(home)
    written = set(range(address, address + len(values)))
    if not written <= stands.keys():
        return False
    manners = home.manners if not home.patience else "obey"
    home.patience = max(0, home.patience - 1)
    if manners == "obey":
        stands.update(zip(sorted(written), values, strict=True))
        DIALS[home.config.dialect].heed(home, written, now_s)
    return manners != "reject"


def choose(home: Household, mode: str) -> None:
    """Turn to a mode, as somebody does at the device itself."""
    home.mode, home.usual, home.until_s = mode, mode, None
    if stands := words(home):
        DIALS[home.config.dialect].choose(stands, mode)
