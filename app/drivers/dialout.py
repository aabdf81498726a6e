"""What a poller and a relay say to each other before the relay hands a gateway's stream over.

The relay begins with a challenge; the poller names a gateway, proves that it knows the shared
secret, and challenges the relay; the relay proves that it knows it, too. What follows is the
gateway's own stream. Each of the three is one line. Nothing here does I/O.

Whoever listens where a relay did gets no request to a device, and answers none, unless it reaches a
relay itself and passes everything on. It is no encryption: the network between workers and relays
is a closed one.
"""

from dataclasses import dataclass, field
from hmac import compare_digest
from hmac import new as hmac
from re import compile as regex
from secrets import token_hex
from typing import Literal

HELLO = "HIDAMARI2"
# no line is longer: an ID of 12 characters, a proof of 64 and a challenge of 32
MOST_BYTES = 128
READY = b"+"
_CHALLENGE = regex("[0-9a-f]{32}")


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


def proof(
    secret: str, who: Literal["poller", "relay"], theirs: str, ours: str, gateway: str
) -> str:
    """Return what shows that one knows the shared secret, without telling it.

    It is over the other side's challenge and one's own, and says who shows it: what one side was
    heard to say proves nothing for the other.
    """
    said = f"{who} {theirs} {ours} {gateway}"
    return hmac(secret.encode(), said.encode(), "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """A gateway that a poller asks for, and the line by which the relay hands it over."""

    gateway: str
    ready: bytes = field(repr=False)


def asked_for(secret: str, challenge: str, line: bytes) -> Asked | None:
    """Return what a poller asks for, or None if it does not know the secret."""
    words = line.decode("ascii", "replace").strip().split(" ")
    if len(words) != 3:
        return None
    gateway, shown, theirs = words
    right = proof(secret, "poller", challenge, theirs, gateway)
    if not compare_digest(right.encode(), shown.encode()):
        return None
    own = proof(secret, "relay", theirs, challenge, gateway).encode()
    return Asked(gateway, READY + own + b"\n")


def refusal(reason: str) -> bytes:
    """Return the relay's last line."""
    return f"-{reason}\n".encode()


class Introduction:
    """The poller's side of it: give it what arrives, send what it returns, until `is_over`."""

    def __init__(self, via: Via) -> None:
        self._via, self._kept = via, b""
        self._challenge, self._ready = challenge(), b""
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; return what is to be sent.

        Raises:
            RelayRefused: The relay does not hand the gateway over, or is no relay of ours.
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
        if not self._ready:
            return self._ask(line)
        if not line.startswith(READY):
            # whoever says so has proved nothing yet: a line of its is shown and kept
            reason = "".join(filter(str.isprintable, line[1:].decode("ascii", "replace")))
            raise RelayRefused(f"the relay said: {reason}")
        if not compare_digest(line, self._ready):
            raise RelayRefused("the relay does not know the secret")
        self.is_over = True
        return b""

    def _ask(self, line: bytes) -> bytes:
        hello, _, theirs = line.decode("ascii", "replace").strip().partition(" ")
        if hello != HELLO or not _CHALLENGE.fullmatch(theirs):
            raise RelayRefused("what answers is no relay")
        via, ours = self._via, self._challenge
        self._ready = READY + proof(via.secret, "relay", ours, theirs, via.gateway).encode()
        shown = proof(via.secret, "poller", theirs, ours, via.gateway)
        return f"{via.gateway} {shown} {ours}\n".encode()
