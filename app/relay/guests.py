"""The SSH side: a gateway signs in, asks for its one forward, and can do nothing else.

What arrives is hostile: it is bounded in bytes a second, in what is kept of it, and in time. A
request that is not named here is refused by asyncssh, whose answer to everything is no: sessions,
shells, subsystems, connections from here, tunnels, further forwards.
"""

import asyncio
from typing import Protocol

import asyncssh
from asyncssh.session import DataType

from ..domain import device_credentials
from ..domain.device_credentials import Standing
from .credentials import Away, Credentials

# `ssh -R modbus:502:…`: a name for what nobody listens on
FORWARD = ("modbus", 502)
# keys are offered one after another; OpenSSH's own server allows six tries
MOST_TRIES = 6
# a poll's answers are some hundred bytes, walking over a device some thousand
BURST_BYTES = 128 * 1024
BYTES_A_SECOND = 16 * 1024

_ALGORITHMS = {
    "kex_algs": ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"],
    "encryption_algs": [
        "aes128-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
    ],
    "mac_algs": ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-256"],
    "signature_algs": [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-256",
        "rsa-sha2-512",
    ],
    # what is compressed small may be large
    "compression_algs": ["none"],
}


class House(Protocol):
    """What a guest needs of the relay it comes to."""

    credentials: Credentials

    def came(self, guest: "Guest") -> None:
        """Take note of a connection that begins to sign in."""

    def refused(self, guest: "Guest", public_id: str) -> None:
        """Take note of one that showed what is not good."""

    def signed_in(self, guest: "Guest") -> None:
        """Take note of one that signed in."""

    def hold(self, guest: "Guest") -> None:
        """Take note of one that can be polled."""

    def left(self, guest: "Guest", reason: str) -> None:
        """Take note of one that is gone."""


def options(
    house: House, host_key: str, *, login_s: float, keepalive_s: float
) -> asyncssh.SSHServerConnectionOptions:
    """Return how the relay speaks SSH.

    Raises:
        OSError: The host key cannot be read.
        asyncssh.KeyImportError: It is none.
    """
    return asyncssh.SSHServerConnectionOptions(
        server_factory=lambda: Guest(house),
        server_host_keys=[host_key],
        server_version="Hidamari",
        login_timeout=login_s,
        keepalive_interval=keepalive_s,
        keepalive_count_max=2,
        allow_pty=False,
        agent_forwarding=False,
        x11_forwarding=False,
        gss_host=None,
        kbdint_auth=False,
        host_based_auth=False,
        **_ALGORITHMS,
    )


class Connection(asyncssh.SSHServerConnection):
    """A connection that is closed if more arrives than a gateway has to say."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHServerConnectionOptions,
        address: str,
    ) -> None:
        super().__init__(loop, options)
        self.address = address
        self._left, self._counted_at = float(BURST_BYTES), loop.time()

    def data_received(self, data: bytes, datatype: DataType = None) -> None:
        """Count what arrives, then take it."""
        now_s = self._loop.time()
        earned = (now_s - self._counted_at) * BYTES_A_SECOND
        self._left = min(self._left + earned, BURST_BYTES) - len(data)
        self._counted_at = now_s
        if self._left < 0:
            owner = self.get_owner()
            if isinstance(owner, Guest):
                owner.hang_up("it sent more than a gateway has to say")
            return
        super().data_received(data, datatype)


class Forward(asyncssh.SSHListener):
    """Stand for the forward that was asked for; nothing listens anywhere."""

    def __init__(self, guest: "Guest") -> None:
        super().__init__()
        self._guest = guest

    def close(self) -> None:
        """Close the connection with it: there is nothing else it is for."""
        # later: it is also closed with its connection, whose end has a reason of its own
        loop = asyncio.get_running_loop()
        loop.call_soon(self._guest.hang_up, "it took its forward back")

    async def wait_closed(self) -> None:
        """Return: there is nothing to wait for."""


class Guest(asyncssh.SSHServer):
    """One connection: somebody who signs in, then a gateway that can be polled."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.address = ""
        self.public_id = ""
        self.token = ""
        self.credential: Standing | None = None
        self.streams = 0
        # only what was taken is renewed: until then the lease is that of the relay before
        self.has_lease = self.was_refused_a_lease = False
        self.is_signed_in = self.is_held = self.is_our_fault = False
        self._tries = 0
        self._reason = ""
        self._no_forward: asyncio.TimerHandle | None = None

    # ---- signing in -----------------------------------------------------------------------

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection."""
        assert isinstance(conn, Connection)
        self.connection = conn
        self.address = conn.address
        self._house.came(self)

    def begin_auth(self, username: str) -> bool:
        """Ask everybody for a key or a secret."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Take device keys."""
        return True

    def password_auth_supported(self) -> bool:
        """Take device secrets."""
        return True

    def kbdint_auth_supported(self) -> bool:
        """Ask nothing else."""
        return False

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Tell whether it is a key of that gateway; asyncssh then has it sign."""
        return await self._is_good(username, "key", key.public_data)

    async def validate_password(self, username: str, password: str) -> bool:
        """Tell whether it is the secret of that gateway."""
        return await self._is_good(username, "secret", password.encode())

    async def _is_good(self, public_id: str, kind: str, shown: bytes) -> bool:
        self.credential = None
        self._tries += 1
        if self._tries > MOST_TRIES:
            self.hang_up("too many tries")
            return False
        try:
            known = await self._house.credentials.standing(public_id)
        except Away:
            # who it is cannot be told: nobody comes in, and nobody is blamed
            self.is_our_fault = True
            return False
        # what was tried last is what signs in: a key that was only offered proves nothing
        self.credential = device_credentials.matching(known, kind, shown)
        self.public_id = public_id
        if self.credential is None and kind == "secret":
            self._house.refused(self, public_id)
        return self.credential is not None

    def auth_completed(self) -> None:
        """Give it a moment to ask for its forward."""
        if self.credential is None or self.public_id != self.connection.get_extra_info("username"):
            self.hang_up("it signed in by nothing")
            return
        self.is_signed_in = True
        self._house.signed_in(self)
        self._no_forward = asyncio.get_running_loop().call_later(
            10, self.hang_up, "it asked for no forward"
        )

    # ---- being polled ---------------------------------------------------------------------

    def server_requested(self, listen_host: str, listen_port: int) -> asyncssh.SSHListener | bool:
        """Grant the one forward there is, once."""
        if not self.is_signed_in or self.is_held or (listen_host, listen_port) != FORWARD:
            return False
        if self._no_forward:
            self._no_forward.cancel()
        self.is_held = True
        self._house.hold(self)
        return Forward(self)

    def hang_up(self, reason: str) -> None:
        """Close at once; the first reason is the one that is told."""
        self._reason = self._reason or reason
        self.connection.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what was held."""
        if self._no_forward:
            self._no_forward.cancel()
        self._house.left(self, self._reason or (str(exc) if exc else "it hung up"))
