"""What a home's device makes of the registers that are written to it.

This is told by the documents of each maker, not by what the portal makes of them: a slip in a
profile is to be seen here. Addresses are those of holding registers.
"""

from collections.abc import Mapping
from struct import pack, unpack
from typing import Protocol

from . import registers
from .household import Config, Household, Times

Words = dict[int, int]

# a time of no day: without any, a home of the simulator has a night of its own
_NEVER: Times = (0, 0, 0)


class Dials(Protocol):
    """What a maker's device can be told by registers."""

    def begin(self, config: Config) -> Words:
        """Return what stands there when nobody has written anything yet."""

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        """Do as the registers say; `written` are those that were written just now."""

    def choose(self, words: Words, mode: str) -> None:
        """Turn to a mode, as somebody does at the device itself, if a register has it."""

    def lapse(self, home: Household) -> None:
        """End what was to be for a while only, in the registers."""


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
        charges = words[47100] == 1 and words[47246] == 0 and words[47083]
        _turn(
            home, "charge" if charges else None, words[47083] * 60, now_s, begins=47100 in written
        )

    def choose(self, words: Words, mode: str) -> None:
        for raw, name in self._MODES.items():
            if name == mode:
                words[47086], words[47100] = raw, 0

    def lapse(self, home: Household) -> None:
        home.words[47100] = 0


class _SunSpec:
    """Limits of 124 or, where they are none, the power of 704, until the reversion timer ends."""

    def begin(self, config: Config) -> Words:
        stands, places = registers.blank(config), registers.places_of(config)
        return {
            registers.BASE + offset: stands[offset]
            for name in _WRITABLE
            if name in places
            for offset in range(places[name][0], places[name][0] + places[name][1])
        }

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        places = registers.places_of(home.config)

        def told(name: str) -> int:
            return self._told(places, home.words, name)

        def is_new(name: str) -> bool:
            return name in places and registers.BASE + places[name][0] in written

        home.wishes.reserve = told("124.MinRsvPct") / 100 if "124.L" in places else 10
        if "802.L" in places:
            home.wishes.least, home.wishes.most = (
                told("802.SoCRsvMin") / 10, told("802.SocRsvMax") / 10,
            )  # fmt: skip
        limited, out, into = (told(f"124.{name}") for name in ("StorCtl_Mod", "OutWRte", "InWRte"))
        mode, for_s = None, told("124.InOutWRte_RvrtTms")
        if limited & 2 and out < 0 and told("124.ChaGriSet") == 1:
            mode = "charge"
        elif limited == 3 and out == into == 0:
            mode = "standby"
        elif told("704.WSetEna") and told("704.WSetMod") == 1 and told("704.WSet") < 0:
            mode, for_s = "charge", told("704.WSetRvrtTms")
        switched = is_new("124.StorCtl_Mod") or is_new("704.WSetEna")
        if switched and mode is None:
            home.usual = "green"
        _turn(home, mode, for_s, now_s, begins=switched)

    def choose(self, words: Words, mode: str) -> None:
        """Do nothing: no register tells of it."""

    def lapse(self, home: Household) -> None:
        places = registers.places_of(home.config)
        for name in ("124.StorCtl_Mod", "704.WSetEna"):
            if name in places:
                home.words[registers.BASE + places[name][0]] = 0

    def _told(self, places: Mapping[str, registers.Place], words: Words, name: str) -> int:
        if name not in places:
            return 0
        offset, size, form, _ = places[name]
        data = pack(f">{size}H", *(words[registers.BASE + offset + at] for at in range(size)))
        value: int = unpack(f">{form}", data)[0]
        return value


class _Sungrow:
    """13049 is the mode; while it is 2 (forced), 13050 says what is done."""

    def begin(self, config: Config) -> Words:
        return {
            13049: 0, 13050: 0xCC, 13051: 0, 13057: 1000, 13058: 50, 13099: 0,
            33046: config.battery_w // 10,
        }  # fmt: skip

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        words, wishes = home.words, home.wishes
        wishes.most, wishes.least = words[13057] / 10, words[13058] / 10
        wishes.reserve = words[13099]
        forced = {0xAA: "charge" if words[13051] else None, 0xCC: "standby"}.get(words[13050])
        if 13049 in written:
            home.usual = "green"
        _turn(home, forced if words[13049] == 2 else None, 0, now_s)

    def choose(self, words: Words, mode: str) -> None:
        words[13049] = 0

    def lapse(self, home: Household) -> None:
        """Do nothing: there is no timer."""


class _GoodWe:
    """47000 is the mode; 47511 takes precedence unless it is 1 (auto).

    In mode 3 (eco) four groups say when the battery is charged: of six registers each, or of four
    where the home is without the newer ones.
    """

    _MODES: Mapping[int, str] = {0: "green", 2: "safe", 3: "economic"}

    def begin(self, config: Config) -> Words:
        words = {47000: 0, 47511: 1, 47512: 0}
        # hour 48 is no time; power 100 %, charged to 100 %
        older, newer = (0x3000, 0x3000, 100, 0), (0x3000, 0x3000, 0, 100, 100, 0)
        words |= {47515 + at: older[at % 4] for at in range(16)}
        if "eco2" not in config.without:
            words |= {47547 + at: newer[at % 6] for at in range(24)}
        return words

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        words = home.words
        home.wishes.charge = self._charged(words) or [_NEVER]
        home.usual = self._MODES.get(words[47000], "green")
        forced = {8: "standby", 11: "charge" if words[47512] else None}.get(words[47511])
        _turn(home, forced, 0, now_s)

    def choose(self, words: Words, mode: str) -> None:
        for raw, name in self._MODES.items():
            if name == mode:
                words[47000], words[47511] = raw, 1

    def _charged(self, words: Words) -> list[Times]:
        """Return the times of the groups that are on and whose power is negative."""
        found = []
        is_newer = 47547 in words
        for first in range(47547, 47571, 6) if is_newer else range(47515, 47531, 4):
            start, end, third, fourth = (words[first + at] for at in range(4))
            switch, power = (third, fourth) if is_newer else (fourth, third)
            days = switch & 0x7F
            if switch >> 8 in (0xFF, 0xF9) and power & 0x8000 and start >> 8 < 24:
                minutes = [60 * (time >> 8) + (time & 0xFF) for time in (start, end)]
                # until the end of its last minute, as a day ends; bit 0 is Sunday
                last = 1440 if minutes[1] == 1439 else minutes[1]
                found.append((minutes[0], last, days >> 1 | (days & 1) << 6))
        return found

    def lapse(self, home: Household) -> None:
        """Do nothing: there is no timer."""


class _Victron:
    """2900 is what the battery is for, unless 2902 is 3; 2901 is how far it is used."""

    def begin(self, config: Config) -> Words:
        return {2900: 10, 2901: 100, 2902: 1}

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        home.wishes.least = home.words[2901] / 10
        home.wishes.reserve = 0
        home.usual = "safe" if home.words[2900] == 9 else "green"
        _turn(home, None, 0, now_s)

    def choose(self, words: Words, mode: str) -> None:
        words[2900] = 9 if mode == "safe" else 10

    def lapse(self, home: Household) -> None:
        """Do nothing: there is no timer."""


class _SolarEdge:
    """0xE004 is the mode; 4 is by remote command (0xE00D) for 0xE00B s, then as in 0xE00A."""

    _MODES: Mapping[int, str] = {1: "green", 2: "economic", 3: "safe"}
    _COMMANDS: Mapping[int, str] = {0: "standby", 3: "charge", 7: "green"}

    def begin(self, config: Config) -> Words:
        words = dict.fromkeys(range(0xE004, 0xE012), 0)
        words |= {0xE004: 1, 0xE00A: 7, 0xE00B: 3600, 0xE00D: 7}
        # low word first
        words[0xE009], words[0xE008] = unpack(">2H", pack(">f", 10))
        return words

    def heed(self, home: Household, written: set[int], now_s: float) -> None:
        words = home.words
        (home.wishes.reserve,) = unpack(">f", pack(">2H", words[0xE009], words[0xE008]))
        if words[0xE004] != 4:
            home.usual = self._MODES.get(words[0xE004], "green")
            _turn(home, None, 0, now_s)
            return
        home.usual = self._COMMANDS.get(words[0xE00A], "green")
        mode = self._COMMANDS.get(words[0xE00D])
        if mode == "charge" and not words[0xE005]:
            mode = None
        for_s = words[0xE00C] << 16 | words[0xE00B]
        _turn(home, mode, for_s, now_s, begins=bool(written & {0xE004, 0xE00D}))

    def choose(self, words: Words, mode: str) -> None:
        for raw, name in self._MODES.items():
            if name == mode:
                words[0xE004] = raw

    def lapse(self, home: Household) -> None:
        home.words[0xE00D] = home.words[0xE00A]


_WRITABLE = (
    "124.StorCtl_Mod", "124.MinRsvPct", "124.OutWRte", "124.InWRte", "124.InOutWRte_RvrtTms",
    "124.ChaGriSet", "704.WSetEna", "704.WSetMod", "704.WSet", "704.WSetEnaRvrt",
    "704.WSetRvrtTms", "802.SoCRsvMin", "802.SocRsvMax",
)  # fmt: skip


def _turn(
    home: Household, mode: str | None, for_s: int, now_s: float, *, begins: bool = True
) -> None:
    """Turn to a mode, for a while or, at 0 s, until told otherwise; None is as usual."""
    if mode is None:
        home.mode, home.until_s = home.usual, None
    elif begins:
        home.mode, home.until_s = mode, now_s + for_s if for_s else None


#: By dialect; a device that is not here cannot be told anything.
DIALS: dict[str, Dials] = {
    "huawei-sun2000": _Huawei(),
    "sungrow-sh": _Sungrow(),
    "goodwe-et": _GoodWe(),
    "victron-gx": _Victron(),
    "solaredge-storedge": _SolarEdge(),
    **dict.fromkeys(("10x", "10x-2", "7xx", "fronius-gen24"), _SunSpec()),
}


def blank(config: Config) -> Words:
    """Return the registers that can be written, as they are when nobody has written any."""
    dials = DIALS.get(config.dialect)
    if dials is None or {"battery", "battery1"} & set(config.without):
        return {}
    words = dials.begin(config)
    dials.choose(words, config.mode)
    return words


def words(home: Household) -> Words:
    """Return what stands in the registers that can be written."""
    home.words = home.words or blank(home.config)
    if home.lapsed and home.words:
        DIALS[home.config.dialect].lapse(home)
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
        DIALS[home.config.dialect].lapse(home)
        DIALS[home.config.dialect].choose(stands, mode)
