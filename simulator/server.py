"""Many homes in one process, each behind a Modbus TCP server, with a control port on loopback."""

import asyncio
import contextlib
import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from app.profiles import TABLES
from app.profiles.fronius import METER_UNIT

from . import control, registers, settings, tables
from .household import Config, Household

_HOST = "127.0.0.1"
_SAVE_EVERY_S = 5
_READS = (_HOLDING, _INPUT) = (3, 4)
_STATE_FILE = "households.json"

logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)


class Simulator:
    """The homes, their servers, and the file they survive a restart in.

    Homes live only when they are read, and then up to the present second: a thousand homes that
    nobody looks at cost nothing. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        configs: Iterable[Config],
        *,
        state_dir: Path | None = None,
        host: str = _HOST,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.clock, self.tls = host, clock, tls
        self.state_file = state_dir / _STATE_FILE if state_dir else None
        kept = self._kept()
        self.homes: dict[str, Household] = {}
        for config in configs:
            if config.id in self.homes:
                raise ValueError(f"two homes have the ID {config.id}")
            known = kept.get(config.id)
            self.homes[config.id] = (
                Household.resume(config, known) if known else Household.begin(config, clock())
            )
        self.endpoints: dict[str, str] = {}
        self.servers: list[ModbusTcpServer] = []
        self._control: asyncio.Server | None = None
        self._saver: asyncio.Task[None] | None = None

    # ---- running -------------------------------------------------------------------------

    async def start(self, control_port: int | None = None) -> None:
        """Open all servers; `control_port` 0 lets the system choose, None opens none.

        Raises:
            OSError: a port cannot be had.
        """
        scheme = "tls" if self.tls else "tcp"
        for port, homes in self._by_port():
            devices = [device for home in homes for device in self._devices(home)]
            # An unknown unit, and a home that is offline, are answered by silence.
            server = self._server(devices, port)
            if not await server.listen():
                raise OSError(f"port {port} of {self.host} cannot be opened")
            self.servers.append(server)
            listening: Any = server.transport
            opened = listening.sockets[0].getsockname()[1]
            for home in homes:
                self.endpoints[home.config.id] = (
                    f"{scheme}://{self.host}:{opened}/{home.config.unit}"
                )
        if control_port is not None:
            self._control = await control.serve(self.command, control_port)
        if self.state_file:
            self._saver = asyncio.create_task(self._save_now_and_then())

    def _server(self, devices: list[SimDevice], port: int) -> ModbusTcpServer:
        address = (self.host, port)
        if self.tls is None:
            return ModbusTcpServer(devices, address=address, ignore_missing_devices=True)
        # Modbus/TCP Security frames as Modbus TCP does; pymodbus's own framing of TLS is older
        return ModbusTlsServer(
            devices,
            framer=FramerType.SOCKET,
            address=address,
            sslctx=self.tls,
            ignore_missing_devices=True,
        )

    @property
    def control_port(self) -> int | None:
        """Return the port that takes commands."""
        return self._control.sockets[0].getsockname()[1] if self._control else None

    async def stop(self) -> None:
        """Close all servers and write down where the homes stand."""
        if self._saver:
            self._saver.cancel()
        if self._control:
            self._control.close()
        for server in self.servers:
            await server.shutdown()  # type: ignore[no-untyped-call]
        self.save()

    def _by_port(self) -> list[tuple[int, list[Household]]]:
        shared: dict[int, list[Household]] = {}
        alone: list[tuple[int, list[Household]]] = []
        for home in self.homes.values():
            if home.config.port == 0:
                alone.append((0, [home]))
            else:
                shared.setdefault(home.config.port, []).append(home)
        return [*shared.items(), *alone]

    def _devices(self, home: Household) -> list[SimDevice]:
        """Return what answers for a home: one device, or with a meter of its own two."""
        dialect, unit = home.config.dialect, home.config.unit
        if dialect in TABLES:
            blocks = tables.simdata(home.config)
            return [SimDevice(unit, blocks, action=_Device(self, home, _by_table).answer)]
        writable = settings.blank(home.config)
        data = _registers(registers.BASE, registers.blank(home.config), writable)
        if dialect == "solaredge-storedge":
            data += tables.battery_data(home.config)
            data += map(tables.writable, writable)
        devices = [SimDevice(unit, data, action=_Device(self, home, _by_chain).answer)]
        if dialect == "fronius-gen24" and "meter" not in home.config.without:
            meter = _registers(registers.BASE, registers.blank(home.config, "meter"))
            reader = _Device(self, home, _by_meter, METER_UNIT)
            devices.append(SimDevice(METER_UNIT, meter, action=reader.answer))
        return devices

    # ---- surviving a restart ---------------------------------------------------------------

    def _kept(self) -> dict[str, dict[str, Any]]:
        if self.state_file is None or not self.state_file.exists():
            return {}
        kept: dict[str, dict[str, Any]] = json.loads(self.state_file.read_text())
        return kept

    def save(self) -> None:
        """Write all homes down, whole or not at all."""
        if self.state_file is None:
            return
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        # homes that are not configured now keep what they had
        states = self._kept() | {name: home.keep() for name, home in self.homes.items()}
        new = self.state_file.with_suffix(".new")
        with new.open("w") as file:
            json.dump(states, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.state_file)

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_EVERY_S)
            self.save()

    # ---- commands ------------------------------------------------------------------------

    def command(self, line: str) -> str:
        """Carry out a command line; return what to say.

        Raises:
            control.Wrong: it is no command, or the home is not known.
        """
        return control.carry_out(self, line)


def _registers(address: int, values: list[int], writable: Collection[int] = ()) -> list[SimData]:
    """Return registers in a row, by whether they can be written."""
    return [
        SimData(
            run[0],
            values=[values[at - address] for at in run],
            datatype=DataType.REGISTERS,
            readonly=readonly,
        )
        for readonly, run in (
            (readonly, list(run))
            for readonly, run in groupby(
                range(address, address + len(values)), lambda at: at not in writable
            )
        )
    ]


Refresh = Callable[[list[int], int, int, Household, float], None]


def _by_table(current: list[int], start: int, function: int, home: Household, now_s: float) -> None:
    tables.refresh(current, start, function, home, now_s)


def _by_chain(
    current: list[int], start: int, _function: int, home: Household, now_s: float
) -> None:
    registers.refresh(current, home, now_s)
    if home.config.dialect == "solaredge-storedge":
        tables.refresh_battery(current, start, home, now_s)


def _by_meter(
    current: list[int], _start: int, _function: int, home: Household, now_s: float
) -> None:
    registers.refresh(current, home, now_s, "meter")


class _Device:
    """Answer for a device: bring its registers up to date when they are read, once a second."""

    def __init__(
        self, simulator: Simulator, home: Household, refresh: Refresh, unit: int | None = None
    ) -> None:
        self.simulator, self.home, self.refresh, self.unit = simulator, home, refresh, unit
        self.shown: dict[int, object] = {}

    async def answer(self, *request: Any) -> ExcCodes | None:
        """Refresh, take what is written, or stay silent.

        `request` is what pymodbus tells an action: function code, start of the registers, address
        and count asked for, the registers, values to be written.
        """
        function, start, address, _, current_registers, written = request
        home = self.home
        if not home.online or self.unit in home.silent:
            raise NoSuchIdException("offline")
        now_s = self.simulator.clock()
        if written:
            return self._write(address, written, now_s)
        if function not in _READS:
            # pymodbus reads back what it echoes
            return None
        # All reads of one poll should see one moment, but a command is seen at once.
        moment = int(now_s), home.alarms, home.mode, tuple(home.silent), home.islanded
        if moment != self.shown.get(function):
            self.shown[function] = moment
            home.advance(now_s)
            self.refresh(current_registers, start, function, home, now_s)
            if function == _HOLDING and self.unit is None:
                for at, word in settings.words(home).items():
                    current_registers[at - start] = word
        return None

    def _write(self, address: int, values: list[int], now_s: float) -> ExcCodes | None:
        self.home.advance(now_s)
        self.shown.clear()
        accepted = settings.write(self.home, address, values, now_s)
        return None if accepted else ExcCodes.DEVICE_FAILURE


def fleet(count: int, base_port: int = 0, per_port: int = 1) -> list[Config]:
    """Return that many homes of all kinds; `per_port` of them share a server, unless port is 0."""
    if not 1 <= per_port <= 247:
        raise ValueError("a server holds 1 to 247 homes")
    configs = []
    for place in range(count):
        size = (4000, 5500, 8000)[place % 3]
        config = Config(
            id=f"SIM{place + 1:09d}",
            port=base_port + place // per_port if base_port else 0,
            unit=place % per_port + 1,
            dialect=("7xx", "10x")[place % 2],
            model=f"HD-{size // 100}",
            inverter_w=size,
            panels_w=size * 11 // 10,
            battery_wh=(6500, 9800, 16400)[place // 3 % 3],
            mode=("green", "green", "economic")[place % 3],
        )
        configs.append(replace(config, serial=f"{config.model}-{place + 10001}"))
    return configs


class Running:
    """A simulator in a thread of its own; `endpoints` are by ID."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self.simulator, self.loop = simulator, loop

    @property
    def endpoints(self) -> dict[str, str]:
        """Return where each home answers, as `tcp://host:port/unit`."""
        return self.simulator.endpoints

    @property
    def control_port(self) -> int:
        """Return the port that takes commands."""
        return self.simulator.control_port or 0

    def command(self, line: str) -> str:
        """Carry out a command such as `offline ID`; return what it says.

        Raises:
            control.Wrong: it is no command, or the home is not known.
        """
        return self._call(partial(self.simulator.command, line))

    def _call(self, action: Callable[[], str]) -> str:
        async def act() -> str:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self.loop).result(timeout=10)


@contextlib.contextmanager
def running_simulator(
    households: int | Iterable[Config] = 1,
    *,
    state_dir: Path | None = None,
    clock: Callable[[], float] = time.time,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Running]:
    """Run a simulator on free ports in a thread for as long as the block lasts."""
    configs = fleet(households) if isinstance(households, int) else households
    simulator = Simulator(configs, state_dir=state_dir, clock=clock, tls=tls)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulator.start(0), loop).result(timeout=30)
        yield Running(simulator, loop)
    finally:
        asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
