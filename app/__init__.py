"""The portal. `create_app` wires it, and loads it only then.

Whoever needs a part of it (the simulated homes its profiles, cron the names of its jobs) does not
wait for all the rest.
"""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from .config import Settings


def create_app(settings: "Settings | None" = None, *, commands: bool = True) -> "Flask":
    """Return the wired application, with the commands of `flask` unless nobody can type them.

    Raises:
        pydantic.ValidationError: A setting is missing or wrong; the message names it.
        ProgrammeWrong: The eco programme's file says what cannot be.
        GiftsWrong: The file of its gifts does.
        EmissionWrong: The file of emission factors does.
        BrokenTariff: A file of tariffs does.
    """
    collects = gc.isenabled()
    # nothing of what is loaded is garbage, and looking for it again and again takes a fifth longer
    gc.disable()
    try:
        from .wiring import wire  # noqa: PLC0415

        return wire(settings, commands=commands)
    finally:
        if collects:
            gc.enable()
