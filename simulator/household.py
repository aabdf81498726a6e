"""A home: panels, a hybrid inverter with its battery, a family, a meter at the grid."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from zlib import crc32

from app.profiles import TABLES

from . import sky

SUNSPEC_DIALECTS = ("10x", "7xx", "10x-2", "solaredge-storedge", "fronius-gen24")
DIALECTS = (*SUNSPEC_DIALECTS, *TABLES)
MODES = ("green", "economic", "safe", "charge", "standby")

# Energy is summed on a fixed grid of seconds, so that a home that was killed and one that was
# not count the same; after a long pause a coarser one spares the work.
_STEP_S = 5
_COARSE_STEP_S = 300
_LONG_S = 600
_LONGEST_S = 3 * 86400

_CHARGE_EFFICIENCY = 0.95
_NIGHT = (23, 7)  # when the tariff of the economic mode is cheap


@dataclass(frozen=True)
class Config:
    """What a home is built of, in W and Wh, and where its gateway answers.

    `dialect` is "10x", "10x-2" (two inverters) or "7xx" (which SunSpec models the gateway speaks)
    or the name of another profile; such a device can be `without` some of its parts. Port 0 lets
    the system choose. Homes with the same port share a server and need different units.
    """

    id: str
    port: int = 0
    unit: int = 1
    dialect: str = "7xx"
    maker: str = "Hidamari"
    model: str = "HD-55"
    serial: str = ""
    firmware: str = "1.0.4"
    inverter_w: int = 5500
    panels_w: int = 6000
    battery_wh: int = 9800
    battery_w: int = 3000
    mode: str = "green"
    seed: int = 0
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ValueError(f"dialect of {self.id}: one of {', '.join(DIALECTS)}")
        if self.mode not in MODES:
            raise ValueError(f"mode of {self.id}: one of {', '.join(MODES)}")
        if not 1 <= self.unit <= 247:
            raise ValueError(f"unit of {self.id}: 1 to 247")

    @property
    def own_seed(self) -> int:
        """Return what makes this home differ from others."""
        return self.seed or crc32(self.id.encode())


@dataclass(frozen=True)
class Flow:
    """Power at one moment, in whole W: pv + grid + battery = load, always."""

    pv_w: int
    load_w: int
    battery_w: int  # discharge > 0
    grid_w: int  # import > 0


def _no_energy() -> dict[str, float]:
    return dict.fromkeys(("pv", "load", "import", "export", "charge", "discharge"), 0.0)


#: Start and end in minutes of the day, and a bit for each weekday, Monday first.
Times = tuple[int, int, int]


@dataclass
class Wishes:
    """What its device was told: how far the battery is used, in %, and when."""

    reserve: float = 10
    least: float = 0
    most: float = 100
    #: how far the grid may charge it
    grid: float = 100
    charge: list[Times] = field(default_factory=list)
    discharge: list[Times] = field(default_factory=list)


@dataclass
class Household:
    """A home and what it has come to: state of charge, counters in Wh, alarms, mode.

    `mode` holds until `until_s`, if that is not None; then the device goes back to `usual`.
    `words` are the registers that were written, by their address; `wishes` is what they mean.
    """

    config: Config
    at_s: float = 0.0
    stored: float = 0.5  # share of the battery's capacity
    mode: str = ""
    usual: str = ""
    until_s: float | None = None
    #: that was just now, and no register says so yet
    lapsed: bool = False
    words: dict[int, int] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    #: what it makes of a write: "obey"; "refuse" says yes and changes nothing; "reject" says no
    manners: str = "obey"
    #: writes that are obeyed all the same
    patience: int = 0
    online: bool = True
    #: the grid is away: it lives on its panels and its battery
    islanded: bool = False
    alarms: int = 0
    #: numbers of units that give no values though the gateway answers
    silent: list[int] = field(default_factory=list)
    energy: dict[str, float] = field(default_factory=_no_energy)

    @classmethod
    def begin(cls, config: Config, now_s: float) -> "Household":
        """Return a home that has lived for a while: with plausible counters and charge."""
        seed = config.own_seed
        years = 0.5 + 4 * sky.noise(seed, 0, 10)
        pv = 1150 * config.panels_w * years
        energy = _no_energy()
        energy |= {"pv": pv, "load": 4_800_000 * years, "charge": 0.32 * pv, "discharge": 0.3 * pv}
        energy["export"] = 0.5 * pv
        balance = energy["load"] + energy["export"] + energy["charge"]
        energy["import"] = max(0.0, balance - pv - energy["discharge"])
        energy["load"] = pv + energy["import"] + energy["discharge"] - energy["export"]
        energy["load"] -= energy["charge"]
        home = cls(
            config,
            at_s=_on_grid(now_s) - 86400,
            mode=config.mode,
            usual=config.mode,
            energy=energy,
        )
        home.advance(now_s)
        return home

    @classmethod
    def resume(cls, config: Config, kept: Mapping[str, Any]) -> "Household":
        """Return the home that `keep` wrote down."""
        home = cls(config, mode=config.mode, usual=config.mode)
        home.at_s, home.stored = float(kept["at_s"]), float(kept["stored"])
        home.online, home.alarms = bool(kept["online"]), int(kept["alarms"])
        home.silent = [int(unit) for unit in kept.get("silent", ())]
        home.islanded = bool(kept.get("islanded"))
        if kept["mode"] in MODES:
            home.mode = home.usual = kept["mode"]
        if "words" not in kept:
            # of a simulator that could not be set: it called safe by another name
            home.mode = home.usual = "safe" if home.mode == "standby" else home.mode
        else:
            home.usual, home.until_s = kept["usual"], kept["until_s"]
            home.lapsed = kept["lapsed"]
            home.words = {int(address): word for address, word in kept["words"].items()}
            home.wishes = Wishes(**kept["wishes"])
            home.manners, home.patience = kept["manners"], kept["patience"]
        home.energy |= {name: float(kept["energy"][name]) for name in home.energy}
        return home

    def keep(self) -> dict[str, Any]:
        """Return all that changes, as JSON can hold it."""
        kept = asdict(self)
        del kept["config"]
        return kept

    def advance(self, now_s: float) -> None:
        """Live until `now_s`: sum up energy, charge and discharge."""
        self.at_s = max(self.at_s, _on_grid(now_s) - _LONGEST_S)
        while self.at_s + _STEP_S <= now_s:
            step = _COARSE_STEP_S if now_s - self.at_s > _LONG_S else _STEP_S
            if self.until_s is not None and self.at_s >= self.until_s:
                self.mode, self.until_s, self.lapsed = self.usual, None, True
            self._live(self.flow(self.at_s + step / 2), step / 3600)
            self.at_s += step

    def skim(self, until_s: float, step_s: int) -> None:
        """Live until then in steps of a length of one's own: for years that nobody measured."""
        while self.at_s + step_s <= until_s:
            self._live(self.flow(self.at_s + step_s / 2), step_s / 3600)
            self.at_s += step_s

    def _live(self, flow: Flow, hours: float) -> None:
        energy = self.energy
        energy["pv"] += flow.pv_w * hours
        energy["load"] += flow.load_w * hours
        energy["import" if flow.grid_w > 0 else "export"] += abs(flow.grid_w) * hours
        energy["discharge" if flow.battery_w > 0 else "charge"] += abs(flow.battery_w) * hours
        drawn = flow.battery_w * (1 if flow.battery_w > 0 else _CHARGE_EFFICIENCY) * hours
        self.stored = min(1.0, max(0.0, self.stored - drawn / self.config.battery_wh))

    def flow(self, at_s: float) -> Flow:
        """Return the power of a moment; values move within a second."""
        config, seed = self.config, self.config.own_seed
        load = round(sky.consumption_w(seed, at_s))
        if self.islanded:
            return self._alone(load, at_s)
        if self.alarms:  # an inverter with a fault converts nothing
            return Flow(0, load, 0, load)
        pv = round(config.panels_w * sky.sunshine(seed, at_s))
        battery = round(self._battery_w(pv, load, at_s))
        pv = min(pv, config.inverter_w - battery)
        return Flow(pv, load, battery, load - pv - battery)

    def _alone(self, load: int, at_s: float) -> Flow:
        """Return the power of a moment without the grid: nothing is bought or sold.

        The battery serves the home down to its reserve or lower limit. What nobody uses or stores
        is not generated; what is asked for beyond what there is stays off.
        """
        config, wishes = self.config, self.wishes
        if self.alarms:
            return Flow(0, 0, 0, 0)
        sun = min(config.panels_w * sky.sunshine(config.own_seed, at_s), config.inverter_w)
        gives = max(0.0, self._above(max(wishes.reserve, wishes.least)))
        takes = max(0.0, -self._above(wishes.most))
        gives, takes = min(gives, config.battery_w), min(takes, config.battery_w)
        battery = round(max(-takes, min(load - sun, gives, config.inverter_w)))
        pv = min(round(sun), max(0, load - battery))
        return Flow(pv, pv + battery, battery, 0)

    def _battery_w(self, pv: float, load: float, at_s: float) -> float:
        """Return what the battery gives (> 0) or takes, as the mode wants and the charge allows."""
        config, wishes = self.config, self.wishes
        surplus = pv - load
        bought = self._bought_w(at_s)
        # Never more than five minutes' worth: it tapers off at both ends.
        gives = self._above(max(wishes.reserve, wishes.least))
        takes = max(0.0, -self._above(wishes.most))
        from_grid = max(0.0, -self._above(min(wishes.most, wishes.grid)))
        match self.mode:
            case "economic" if bought:
                wanted = -bought
            case "economic":
                # sell the sun
                wanted = max(0.0, -surplus) if self._gives_now(at_s) else 0.0
            case "safe":
                # stay full for an outage
                wanted = -bought if bought else min(0.0, -surplus)
            case "charge":
                wanted = -config.battery_w
            case "standby":
                wanted = 0.0
            case _:  # green: keep the home off the grid
                wanted = -surplus
        # what the sun does not give comes from the grid
        wanted = max(wanted, -max(0.0, surplus) - from_grid)
        limit = config.battery_w
        return max(-min(limit, takes), min(wanted, limit, max(0.0, gives), config.inverter_w))

    def _bought_w(self, at_s: float) -> float:
        """Return what is bought for the battery at this hour, whatever the sun gives."""
        if self.mode not in ("economic", "safe"):
            return 0.0
        share = 2 if self.mode == "economic" else 4
        if windows := self.wishes.charge:
            return self.config.battery_w / 2 if _within(windows, at_s) else 0.0
        hour = sky.hour_of_day(at_s)
        return self.config.battery_w / share if hour >= _NIGHT[0] or hour < _NIGHT[1] else 0.0

    def _gives_now(self, at_s: float) -> bool:
        return not self.wishes.discharge or _within(self.wishes.discharge, at_s)

    def _above(self, pct: float) -> float:
        """Return at how many W the charge comes down to `pct` within five minutes."""
        return (self.stored - pct / 100) * self.config.battery_wh * 12


def _within(windows: list[Times], at_s: float) -> bool:
    """Tell whether a moment is in one of the times of day."""
    day, minute = sky.day_and_minute(at_s)
    for start, end, days in windows:
        begun = days >> day & 1 and start <= minute < (end if end > start else 1440)
        over_midnight = end < start and days >> (day - 1) % 7 & 1 and minute < end
        if begun or over_midnight:
            return True
    return False


def _on_grid(at_s: float) -> float:
    return at_s // _STEP_S * _STEP_S
