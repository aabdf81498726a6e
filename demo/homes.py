"""The simulated homes: all that the demo can ever hand out stand ready behind one port."""

from secrets import choice
from typing import Any

from app.domain.provisioning import NewGateway
from app.domain.sheet_passwords import ALPHABET
from app.profiles import TABLES

from .folder import Folder

Home = dict[str, Any]

# one Modbus server holds at most 247 unit ids; each home costs some 10 ms at the start
HOMES = 60
KINDS: tuple[Home, ...] = (
    {"model": "HDM-55", "dialect": "7xx", "inverter_w": 5500, "panels_w": 6000, "battery_wh": 9800},
    {"model": "HDM-40", "dialect": "10x", "inverter_w": 4000, "panels_w": 4400, "battery_wh": 6500},
    {
        "model": "HDM-80",
        "dialect": "7xx",
        "inverter_w": 8000,
        "panels_w": 8800,
        "battery_wh": 16400,
    },
    # of a maker whose devices keep windows of charging and discharging
    {
        "model": "HDM-60",
        "dialect": "huawei-sun2000",
        "inverter_w": 6000,
        "panels_w": 6600,
        "battery_wh": 9800,
    },
)


def read(folder: Folder, port: int) -> list[Home]:
    """Return the homes as the simulator's configuration has them, at this start's port."""
    homes: list[Home] = folder.read("homes", {"households": []})["households"]
    for place in range(len(homes), HOMES):
        homes.append(_new(place))
    for home in homes:
        home["port"] = port
    folder.keep("homes", {"households": homes})
    return homes


def _new(place: int) -> Home:
    kind = KINDS[place % len(KINDS)]
    return {
        "id": "".join(choice(ALPHABET) for _ in range(12)),
        "unit": place + 1,
        "serial": f"{kind['model'].removeprefix('HDM-')}A{place + 10001}",
        **kind,
    }


def endpoint(home: Home) -> str:
    """Return where the home's gateway is read."""
    return f"tcp://127.0.0.1:{home['port']}/{home['unit']}"


def as_row(home: Home) -> NewGateway:
    """Return the home's gateway as an import would have it."""
    return NewGateway(
        line=home["unit"],
        id=home["id"],
        model=home["model"],
        serial=home["serial"],
        endpoint=endpoint(home),
        profile=home["dialect"] if home["dialect"] in TABLES else "sunspec",
    )
