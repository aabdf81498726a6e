"""What a poller and a relay say to each other before the relay hands a gateway's stream over.

The relay begins with a challenge; the poller names a gateway and proves that it knows the shared
secret; the relay answers with a sign. What follows is the gateway's own stream. Each of the three
is one line. Nothing here does I/O.
"""

from dataclasses import dataclass, field
from hmac import compare_digest
from hmac import new as hmac
from secrets import token_hex

HELLO = "HIDAMARI1"
# no line is longer: a challenge of 32 characters, an ID of 12 and a proof of 64
MOST_BYTES = 128
READY = b"+"


@dataclass(frozen=True, slots=True)
class Via:
    """The relay that holds a gateway, and what a poller needs to be let through."""

    host: str
    port: int
    gateway: str
    secret: str = field(repr=False)

    @property
    def name(self) -> str:
        """Return what gateways that are lost together may have in common."""
        return f"{self.host}:{self.port}"[:64]


class RelayRefused(ConnectionError):
    """Say why the relay does not hand the gateway over."""


def challenge() -> str:
    """Return a challenge that nobody heard before."""
    return token_hex(16)


def greeting(challenge: str) -> bytes:
    """Return the relay's first line."""
    return f"{HELLO} {challenge}\n".encode()


def request(via: Via, line: bytes) -> bytes:
    """Return the poller's line for the relay's first one.

    Raises:
        RelayRefused: What answers is no relay.
    """
    hello, _, challenge = line.decode("ascii", "replace").strip().partition(" ")
    if hello != HELLO or len(challenge) != 32:
        raise RelayRefused("what answers is no relay")
    return f"{via.gateway} {proof(via.secret, challenge, via.gateway)}\n".encode()


def proof(secret: str, challenge: str, gateway: str) -> str:
    """Return what shows that one knows the shared secret, without telling it."""
    return hmac(secret.encode(), f"{challenge} {gateway}".encode(), "sha256").hexdigest()


def asked_for(secret: str, challenge: str, line: bytes) -> str | None:
    """Return the gateway a poller asks for, or None if it does not know the secret."""
    gateway, _, shown = line.decode("ascii", "replace").strip().partition(" ")
    right = proof(secret, challenge, gateway)
    return gateway if compare_digest(right.encode(), shown.encode()) else None


def refusal(reason: str) -> bytes:
    """Return the relay's last line."""
    return f"-{reason}\n".encode()


class Introduction:
    """The poller's side of it: give it what arrives, send what it returns, until `is_over`."""

    def __init__(self, via: Via) -> None:
        self._via, self._kept, self._asked = via, b"", False
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; return what is to be sent.

        Raises:
            RelayRefused: The relay does not hand the gateway over, or is no relay.
        """
        self._kept += data
        if b"\n" not in self._kept:
            if len(self._kept) > MOST_BYTES:
                raise RelayRefused("what answers is no relay")
            return b""
        line, _, rest = self._kept.partition(b"\n")
        if rest or len(line) > MOST_BYTES:
            # a gateway says nothing unasked
            raise RelayRefused("more than an answer of the relay")
        self._kept = b""
        if not self._asked:
            self._asked = True
            return request(self._via, line)
        if line != READY:
            reason = line[1:].decode("ascii", "replace")
            raise RelayRefused(f"the relay said: {reason}")
        self.is_over = True
        return b""
