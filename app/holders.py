"""Which relay holds which gateway: leases in Valkey, shared by relays, workers and commands.

A key per gateway says where its relay takes pollers and which of its connections it is; it runs
out unless the relay renews it. A channel tells relays what cannot wait for their next look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from redis.exceptions import RedisError

from .extensions import queues

log = structlog.get_logger()

CHANNEL = "relay:news"
# a hash: the relay's address → how many gateways it holds, and when it said so (seconds)
RELAYS = "relays"
# what is said on the channel: a word and the gateway
CHANGED = "changed"  # its credentials: look whether they are still good
TAKEN = "taken"  # another connection has it: the third word is that connection's lease
# a relay that did not show itself for so long is no more
GONE = timedelta(minutes=2)


@dataclass(frozen=True)
class Relay:
    """A relay as it last showed itself."""

    address: str
    held: int
    seen_at: datetime


def key(public_id: str) -> str:
    """Return the key of a gateway's lease; its value is the relay's address and a token."""
    return f"held:{public_id}"


def find(public_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return host and port of the relay that holds each gateway, in one round trip.

    A gateway that no relay holds is left out; so are all of them where Valkey does not answer.
    """
    if not public_ids:
        return {}
    try:
        found = cast("list[bytes | None]", _server().mget([key(one) for one in public_ids]))
    except RedisError as error:
        log.warning("queue_unreachable", queue="relay", error=type(error).__name__)
        return {}
    return {
        public_id: split_address(value.decode().partition(" ")[0])
        for public_id, value in zip(public_ids, found, strict=True)
        if value
    }


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host, int(port)


def tell_changed(public_ids: Iterable[str]) -> bool:
    """Tell all relays that credentials changed: what was revoked is cut off at once.

    Call it after the commit. False if Valkey does not answer: relays then find it within
    `RELAY_RECHECK_S` seconds.
    """
    try:
        pipeline = _server().pipeline(transaction=False)
        for public_id in public_ids:
            pipeline.publish(CHANNEL, f"{CHANGED} {public_id}")
        pipeline.execute()
    except RedisError as error:
        log.warning("queue_unreachable", queue="relay", error=type(error).__name__)
        return False
    return True


def relays(now: datetime) -> list[Relay]:
    """Return the relays that are at work, by address.

    Raises:
        RedisError: Valkey does not answer.
    """
    told = cast("dict[bytes, bytes]", _server().hgetall(RELAYS))
    found = []
    for address, value in sorted(told.items()):
        held, _, at = value.decode().partition(" ")
        seen_at = datetime.fromtimestamp(float(at), now.tzinfo)
        if now - seen_at < GONE:
            found.append(Relay(address.decode(), int(held), seen_at))
    return found


def _server() -> Any:
    return queues.get("default").connection
