"""The relay's process: two doors, one for gateways and one for pollers, and what joins them."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Collection, Coroutine
from contextlib import suppress
from functools import partial
from secrets import token_hex

import asyncssh
import structlog
from flask import Flask

from .. import holders
from ..config import Settings
from ..extensions import network_address
from .credentials import Away, Credentials
from .doors import Doors
from .guests import Connection, Guest, options
from .leases import Leases
from .pollers import Poller

# It says what every stranger did; what matters is said once, by `House`.
logging.getLogger("asyncssh").setLevel(logging.CRITICAL + 1)
log = structlog.get_logger()

BACKLOG = 4096
# gateways that have just dialled in are looked after together, that often
NEWS_S = 1.0
ACCEPT_AGAIN_S = 0.2
CANCEL_AGAIN_S = 0.2
# refusals that were told of, so that each is told once
MOST_TOLD = 10_000


class Relay:
    """Hold gateways, and hand their streams to pollers."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.settings = settings
        self.credentials = Credentials(app)
        self.held: dict[str, Guest] = {}
        self._guests: set[Guest] = set()
        self._signing_in: set[Guest] = set()
        self._doors = Doors(
            most=settings.relay_most_signing_in, free_failures=settings.relay_free_failures
        )
        self._leases = Leases(
            settings.redis_url or "redis://localhost:6379/0",
            address=settings.relay_address,
            lease_s=settings.relay_lease_s,
        )
        # tokens of another life of this relay never count as ours
        self._life, self._count = token_hex(8), 0
        self._new: set[Guest] = set()
        self._told: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._listeners: list[socket.socket] = []
        self._is_stopping = False
        # something that has to go on ended: a supervisor's fresh start is better than half a relay
        self.broke = asyncio.Event()

    # ---- running --------------------------------------------------------------------------

    async def start(self) -> None:
        """Open both doors.

        Raises:
            OSError: A port is taken, or the host key cannot be read.
            asyncssh.KeyImportError: The host key is none.
        """
        settings, loop = self.settings, asyncio.get_running_loop()
        self._options = options(
            self,
            str(settings.relay_host_key_file),
            login_s=settings.relay_login_s,
            keepalive_s=settings.relay_keepalive_s,
        )
        self._servers.append(
            await loop.create_server(
                lambda: Poller(self.held.get, settings.relay_secret),
                settings.relay_internal_host,
                settings.relay_internal_port,
                backlog=BACKLOG,
            )
        )
        listener = await listen(settings.relay_host, settings.relay_port)
        self._listeners.append(listener)
        for work in (
            self.credentials.answer(),
            self._accept(listener),
            self._renew_again_and_again(),
            self._recheck_again_and_again(),
            self._look_after_new_again_and_again(),
            self._leases.listen(self._heard, self._recheck),
        ):
            self._spawn(work).add_done_callback(lambda _task: self.broke.set())
        log.info("relay_started", address=settings.relay_address, port=settings.relay_port)

    async def stop(self) -> None:
        """Close both doors and let go of all gateways, which then dial in elsewhere."""
        self._is_stopping = True
        left = set(self._tasks)
        while left:
            for task in left:
                task.cancel()
            # again and again: a time limit of the queue server's client that ends just then takes
            # the cancellation for its own
            _done, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            listener.close()
        held = len(self.held)
        await self._leases.release({one.public_id: one.token for one in self.held.values()})
        for guest in list(self._guests):
            guest.hang_up("the relay stops")
        await self._leases.leave()
        log.info("relay_stopped", held=held)

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            log.error("relay_task_failed", exc_info=fault)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._doors.wait()
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError:
                # out of file descriptors, most likely: those who wait do so in the system's queue
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            address = network_address(peer[0])
            if not self._doors.enter(address, loop.time()):
                connection.close()
                continue
            try:
                await loop.connect_accepted_socket(
                    partial(Connection, loop, self._options, address), connection
                )
            except OSError:
                self._doors.leave(address)
                connection.close()

    # ---- what guests tell -----------------------------------------------------------------

    def came(self, guest: Guest) -> None:
        """Take note of a connection that begins to sign in."""
        self._guests.add(guest)
        self._signing_in.add(guest)

    def refused(self, guest: Guest, public_id: str) -> None:
        """Say once of an address and a gateway that a secret was not good."""
        told = (guest.address, public_id[:12])
        if told not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(told)
            log.warning("dial_in_refused", gateway=public_id[:12], address=guest.address)

    def signed_in(self, guest: Guest) -> None:
        """Give its place at the door to the next."""
        self._signing_in.discard(guest)
        self._doors.leave(guest.address)
        self._told.discard((guest.address, guest.public_id))

    def hold(self, guest: Guest) -> None:
        """Hold a gateway: pollers reach it from now on. The newer of two connections stays."""
        assert guest.credential
        self._count += 1
        guest.token = f"{self._life}:{self._count}"
        before = self.held.get(guest.public_id)
        self.held[guest.public_id] = guest
        self._new.add(guest)
        self._spawn(self._take([guest]))
        if before:
            before.hang_up("it dialled in again")
        else:
            log.info("gateway_dialled_in", gateway=guest.public_id, address=guest.address)

    def left(self, guest: Guest, reason: str) -> None:
        """Let go of a connection that is gone."""
        self._guests.discard(guest)
        if guest in self._signing_in:
            self._signing_in.discard(guest)
            self._doors.leave(guest.address)
            if not guest.is_our_fault and not self._is_stopping:
                self._doors.failed(guest.address, asyncio.get_running_loop().time())
        if self.held.get(guest.public_id) is guest:
            del self.held[guest.public_id]
            if not self._is_stopping:
                self._spawn(self._leases.release({guest.public_id: guest.token}))
                log.info("gateway_hung_up", gateway=guest.public_id, reason=reason[:200])

    # ---- what is done again and again -----------------------------------------------------

    async def _renew_again_and_again(self) -> None:
        while True:
            held = {one.public_id: one.token for one in self.held.values() if one.has_lease}
            untaken = [one for one in self.held.values() if one.was_refused_a_lease]
            for public_id in await self._leases.renew(held):
                self._taken(public_id, held[public_id])
            await self._take(untaken)
            await asyncio.sleep(self.settings.relay_lease_s / 3)

    async def _take(self, guests: Collection[Guest]) -> None:
        for guest in guests:
            if self.held.get(guest.public_id) is guest:
                guest.has_lease = await self._leases.take(guest.public_id, guest.token)
                guest.was_refused_a_lease = not guest.has_lease

    async def _recheck_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self.settings.relay_recheck_s)
            await self._recheck()

    async def _recheck(self, public_id: str | None = None) -> None:
        """Cut off whose credential is good no more: of one gateway, or of all."""
        with suppress(Away):  # said by itself; the next round asks again
            await self._cut_off_revoked(
                [one for one in self._guests if public_id in (None, one.public_id)]
            )

    async def _look_after_new_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(NEWS_S)
            if self._new:
                new, self._new = self._new, set()
                try:
                    # what was revoked while it signed in was not heard of by its connection
                    await self._cut_off_revoked(new)
                    ids = {one.credential.gateway_id for one in new if one.credential}
                    await self.credentials.ask_soon(ids)
                except Away:
                    self._new |= new

    async def _cut_off_revoked(self, guests: Collection[Guest]) -> None:
        shown = {one: one.credential.id for one in guests if one.credential}
        revoked = await self.credentials.revoked(set(shown.values()))
        for guest, credential_id in shown.items():
            if credential_id in revoked:
                guest.hang_up("its key or secret was revoked")

    async def _heard(self, word: str, public_id: str, value: str) -> None:
        if word == holders.CHANGED:
            await self._recheck(public_id)
        elif word == holders.TAKEN and not value.startswith(f"{self.settings.relay_address} "):
            guest = self.held.get(public_id)
            if guest:
                self._taken(public_id, guest.token)

    def _taken(self, public_id: str, token: str) -> None:
        """Close a connection whose gateway has a newer one elsewhere."""
        guest = self.held.get(public_id)
        if guest and guest.token == token:
            guest.hang_up("it dialled in at another relay")


async def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens where gateways dial in.

    Raises:
        OSError: The port is taken, or the host is no address of this machine.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _kind, _protocol, _name, address = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address[0] == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def main(app: Flask) -> int:
    """Run a relay until told to stop.

    Returns:
        The process's exit code: 78 if its settings do not allow a start, 1 if a part of it failed.
    """
    settings: Settings = app.extensions["settings"]
    if not settings.relay_secret:
        sys.stderr.write("RELAY_SECRET must be set: pollers prove themselves by it\n")
        return 78
    try:
        return asyncio.run(_run(app, settings))
    except (OSError, asyncssh.KeyImportError) as error:
        sys.stderr.write(f"the relay cannot start: {error}\n")
        return 78


async def _run(app: Flask, settings: Settings) -> int:
    relay, asked, loop = Relay(app, settings), asyncio.Event(), asyncio.get_running_loop()
    await relay.start()

    def stop() -> None:
        asked.set()
        relay.broke.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await relay.broke.wait()
    await relay.stop()
    return 0 if asked.is_set() else 1
