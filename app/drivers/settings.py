"""Setting gateways over Modbus TCP: reading what can be set, writing it, and reading it back.

What a gateway answers is as hostile here as when it is polled (`modbus.py`): it ends in an outcome,
in bounded time. Nothing is written twice by itself. Whoever calls holds the device's seat, where
its maker allows one client at a time (`seat_of`, `domain/seats.py`).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .. import profiles
from ..profiles.base import BadAnswer, Layout, Profile, Refused
from ..profiles.settings import CannotSet, Key, Settable, Settings, Value
from .lines import Line
from .modbus import NO_TRUST, Outcome, Target, carry_out, line_to, outcome_of
from .security import Trust, Unready

# A device takes longer to keep a value than to tell one, and there are some forty requests.
_TIMEOUTS = 5

# of a serial number so much is known
_SERIAL = 64


class OtherDevice(Exception):
    """What answers is a device of the same kind, but not the one whose settings are wanted."""


@dataclass(frozen=True, slots=True)
class SettingsResult:
    """What came of reading or writing settings.

    `settings` is what stood there at the end, `taken_at` when that was. `wrote` says that a write
    may have reached the device, whatever came of it: to try again is then the caller's question.
    """

    outcome: Outcome
    taken_at: datetime
    settings: Settings | None = None
    detail: str = ""
    wrote: bool = False


async def read_settings(
    target: Target, *, timeout_s: float, now: Callable[[], datetime], trust: Trust = NO_TRUST
) -> SettingsResult:
    """Read what a gateway offers and what it stands at, over a connection of its own.

    Before, the device is walked over, whatever layout is known: it must be one of the profile, and
    tell the serial number that is known, if it tells one.
    Connecting takes at most `timeout_s`, and so does each answer; all of them five times that.

    Raises:
        CannotSet: its profile can set nothing.
        OtherDevice: it tells another serial number.
    """
    return await _attend(target, None, timeout_s, now, trust)


async def write_settings(
    target: Target,
    wanted: Mapping[Key, Value],
    *,
    hold_s: int | None,
    timeout_s: float,
    now: Callable[[], datetime],
    trust: Trust = NO_TRUST,
) -> SettingsResult:
    """Write settings, then read over the same connection what stands there: the caller compares.

    The device is recognised before, and time is limited, as in `read_settings`.
    `hold_s` is how long what the device keeps only for a while shall stand. A device that refuses
    midway is read back all the same.

    Raises:
        CannotSet: the device, or its profile, offers no such setting or value. Nothing was written.
        OtherDevice: it tells another serial number. Nothing was written.
    """
    return await _attend(target, _Wish(wanted, hold_s), timeout_s, now, trust)


@dataclass(frozen=True, slots=True)
class _Wish:
    values: Mapping[Key, Value]
    hold_s: int | None


async def _attend(
    target: Target,
    wish: _Wish | None,
    timeout_s: float,
    now: Callable[[], datetime],
    trust: Trust,
) -> SettingsResult:
    settable = profiles.settable(target.profile)
    if settable is None:
        raise CannotSet(f"{target.profile} can set nothing")
    try:
        line, profile = line_to(target, timeout_s, trust)
    except (ValueError, KeyError, Unready) as wrong:
        return SettingsResult(Outcome.UNREACHABLE, now(), detail=f"cannot be asked: {wrong}"[:200])
    # who answers nothing holds up a worker no longer than a poll does
    line.answer_s = timeout_s
    visit = _Visit(line, profile, settable, wish, target.serial)
    settings: Settings | None = None
    outcome, detail = Outcome.OK, ""
    try:
        # it keeps its own time limit, see `poll`
        await line.reach()
        async with asyncio.timeout(_TIMEOUTS * timeout_s):
            await line.introduce()
            try:
                await visit.begin()
            except (Refused, BadAnswer) as error:
                if not line.wrote:
                    raise
                outcome, detail = outcome_of(error, target)
            settings = await visit.read()
    except (CannotSet, OtherDevice):
        raise
    except Exception as error:
        if outcome is Outcome.OK:
            outcome, detail = outcome_of(error, target)
    finally:
        line.hang_up()
    return SettingsResult(outcome, now(), settings, detail, line.wrote)


class _Visit:
    """One connection's worth of setting and reading."""

    def __init__(
        self, line: Line, profile: Profile, settable: Settable, wish: _Wish | None, serial: str
    ) -> None:
        self.line, self.profile, self.settable, self.wish = line, profile, settable, wish
        self.serial = serial
        self.layout: Layout | None = None

    async def begin(self) -> None:
        """Look who is there, then write what is wanted."""
        # An address may be another device's by now: its settings must be neither shown nor changed.
        found = await carry_out(self.line, self.profile.discover())
        told = found.identity.serial[:_SERIAL]
        if self.serial and told and told != self.serial:
            raise OtherDevice(f"it tells the serial number {told}, not {self.serial}")
        self.layout = found.layout
        if self.wish is not None:
            walk = self.settable.write_settings(
                self.layout, self.wish.values, hold_s=self.wish.hold_s
            )
            await carry_out(self.line, walk)

    async def read(self) -> Settings | None:
        """Return what stands there now."""
        if self.layout is None:
            return None
        return await carry_out(self.line, self.settable.read_settings(self.layout))
