"""Commands to a running simulator: one line over loopback, one line back.

    list                    all homes with their values, as JSON
    offline ID              the gateway no longer answers
    online ID               it answers again
    outage ID               the grid is away: the home lives on its panels and its battery
    grid ID                 it is back
    alarm ID BIT            a fault bit stands, by number (0–30) or name (OVER_TEMP)
    clear ID [BIT]          one bit is gone, or all
    silence ID UNIT         a unit behind the gateway gives no values any more, by its number
    wake ID UNIT            it gives them again
    reset-counters ID       the lifetime counters start from 0
    set-mode ID MODE        green, economic, safe, charge or standby
    refuse ID [after N]     the device says yes to writes and changes nothing, after N it obeys
    reject ID [after N]     it answers writes with an exception, after N it obeys
    obey ID                 it does as it is told again

ID is the home's 12 characters, or its place in the list, counted from 1.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from . import settings
from .household import MODES, Household

if TYPE_CHECKING:
    from .server import Simulator

_HOST = "127.0.0.1"
_LONGEST_LINE = 200

#: Bits of 701 Alrm and 103 Evt1, which agree.
BITS = (
    "GROUND_FAULT", "DC_OVER_VOLT", "AC_DISCONNECT", "DC_DISCONNECT", "GRID_DISCONNECT",
    "CABINET_OPEN", "MANUAL_SHUTDOWN", "OVER_TEMP", "OVER_FREQUENCY", "UNDER_FREQUENCY",
    "AC_OVER_VOLT", "AC_UNDER_VOLT", "BLOWN_STRING_FUSE", "UNDER_TEMP", "MEMORY_LOSS",
    "HW_TEST_FAILURE",
)  # fmt: skip


class Wrong(ValueError):
    """A command that cannot be carried out; the text says why."""


def carry_out(simulator: "Simulator", line: str) -> str:
    """Carry out one command; return what to answer.

    Raises:
        Wrong: it is no command, or the home is not known.
    """
    match line.split():
        case ["list"]:
            return json.dumps([_told(simulator, home) for home in simulator.homes.values()])
        case [verb, place, *words]:
            home = _home(simulator, place)
            # what happened until now happened under the old state
            home.advance(simulator.clock())
            _change(home, verb, words)
            simulator.save()
            return f"ok {home.config.id} {verb}"
    raise Wrong(
        "commands: list, offline, online, outage, grid, alarm, clear, silence, wake, "
        "reset-counters, set-mode, refuse, reject, obey"
    )


def _home(simulator: "Simulator", place: str) -> Household:
    if place in simulator.homes:
        return simulator.homes[place]
    homes = list(simulator.homes.values())
    if place.isascii() and place.isdigit() and 1 <= int(place) <= len(homes):
        return homes[int(place) - 1]
    raise Wrong(f"no home {place}")


def _change(home: Household, verb: str, words: list[str]) -> None:
    match verb, words:
        case "offline" | "online", []:
            home.online = verb == "online"
        case "outage" | "grid", []:
            home.islanded = verb == "outage"
        case "alarm", [bit]:
            home.alarms |= 1 << _bit(bit)
        case "clear", []:
            home.alarms = 0
        case "clear", [bit]:
            home.alarms &= ~(1 << _bit(bit))
        case "silence", [unit] if unit.isascii() and unit.isdigit():
            home.silent = sorted({*home.silent, int(unit)})
        case "wake", [unit] if unit.isascii() and unit.isdigit():
            home.silent = [other for other in home.silent if other != int(unit)]
        case "reset-counters", []:
            home.energy = dict.fromkeys(home.energy, 0.0)
        case "set-mode", [mode] if mode in MODES:
            settings.choose(home, mode)
        case "refuse" | "reject" | "obey", ([] | ["after", _]):
            home.manners, home.patience = verb, _count(words[-1] if words else "0")
        case _:
            raise Wrong(f"{verb} cannot be done with {' '.join(words) or 'nothing'}")


def _count(word: str) -> int:
    if word.isascii() and word.isdigit():
        return int(word)
    raise Wrong(f"no number {word}")


def _bit(word: str) -> int:
    if word.upper() in BITS:
        return BITS.index(word.upper())
    if word.isascii() and word.isdigit() and int(word) <= 30:
        return int(word)
    raise Wrong(f"no alarm bit {word}")


def _told(simulator: "Simulator", home: Household) -> dict[str, object]:
    now_s = simulator.clock()
    home.advance(now_s)
    flow = home.flow(now_s)
    return {
        "id": home.config.id,
        "endpoint": simulator.endpoints.get(home.config.id),
        "dialect": home.config.dialect,
        "model": home.config.model,
        "serial": home.config.serial or home.config.id,
        "mode": home.mode,
        "until_s": home.until_s,
        "wishes": asdict(home.wishes),
        "online": home.online,
        "islanded": home.islanded,
        "silent": home.silent,
        "alarms": [bit for bit in range(31) if home.alarms >> bit & 1],
        "pv_w": flow.pv_w,
        "load_w": flow.load_w,
        "battery_w": flow.battery_w,
        "grid_w": flow.grid_w,
        "soc_pct": round(home.stored * 100, 1),
        "energy_wh": {name: int(value) for name, value in home.energy.items()},
    }


async def serve(command: Callable[[str], str], port: int) -> asyncio.Server:
    """Take commands on loopback, one line each."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                try:
                    answer = command(line.decode(errors="replace"))
                except Wrong as wrong:
                    # A browser that was lured here speaks HTTP: it gets no second line.
                    writer.write(f"error: {wrong}\n".encode())
                    break
                writer.write(f"{answer}\n".encode())
                await writer.drain()
        except (ValueError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(talk, _HOST, port, limit=_LONGEST_LINE)


def send(port: int, line: str) -> str:
    """Send one command to a running simulator; return its answer.

    Raises:
        OSError: nobody listens there.
        Wrong: the simulator refused it.
    """
    with socket.create_connection((_HOST, port), timeout=10) as wire:
        wire.sendall(line.encode() + b"\n")
        with wire.makefile(encoding="utf-8") as answers:
            answer = answers.readline().strip()
    if answer.startswith("error: "):
        raise Wrong(answer.removeprefix("error: "))
    return answer
