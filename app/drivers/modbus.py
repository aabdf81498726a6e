"""Reading gateways over Modbus TCP, many at a time, each over a line of its own (`lines.py`).

What a gateway answers is hostile input: whatever it does ends in an outcome for that gateway, in
bounded time and memory, and touches no other.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from .. import profiles
from ..profiles.base import (
    BadAnswer,
    Discovery,
    Layout,
    LayoutChanged,
    Profile,
    ReadRequest,
    Refused,
    Sample,
)
from ..profiles.endpoints import Endpoint
from ..profiles.settings import WriteRequest
from .dialout import Via
from .lines import Line, RelayedLine
from .security import Trust, Unready

_log = logging.getLogger(__name__)

# A walk along the chain takes some 15 requests where a poll takes 3.
_DISCOVERY_TIMEOUTS = 4

# Illegal data address: a device that keeps something else there now.
_ILLEGAL_ADDRESS = 2

# Gateway target device failed to respond: how a gateway speaks of a device behind it.
_NO_ANSWER_BEHIND = 11

_MAX_DETAIL = 200

# Nobody is trusted until the configuration names an authority.
NO_TRUST = Trust()

Told = TypeVar("Told")


class Outcome(StrEnum):
    """How one attempt to read a gateway ended."""

    OK = "ok"
    UNREACHABLE = "unreachable"  # no connection, or it was closed before the answer
    TIMEOUT = "timeout"  # connected, but the answer was not whole in time
    EXCEPTION = "exception"  # the device refused with a Modbus exception
    BAD_ANSWER = "bad_answer"  # it answered what cannot be


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway to read. `layout` is what an earlier discovery found, as `to_json` gave it.

    `gateway` is its ID, by which the portal's certificate for it is found; `via` is the relay that
    holds a gateway which dials in, if one does. `serial` is the device's serial number, if it is
    known: nothing is written to one that tells another.
    """

    key: Hashable
    endpoint: str
    profile: str
    layout: object = None
    gateway: str = ""
    via: Via | None = None
    serial: str = ""


@dataclass(frozen=True, slots=True)
class PollResult:
    """What came of reading a gateway.

    `taken_at` is when the attempt ended: the time of the sample, if there is one. `discovery` is
    there if the device was walked over, so that its layout, identity and units are to be kept.
    `took_s` is how long it was.
    """

    key: Hashable
    outcome: Outcome
    taken_at: datetime
    sample: Sample | None = None
    discovery: Discovery | None = None
    detail: str = ""
    took_s: float = 0.0


async def poll_many(
    targets: Sequence[Target],
    *,
    concurrency: int,
    timeout_s: float,
    now: Callable[[], datetime],
    trust: Trust = NO_TRUST,
) -> list[PollResult]:
    """Read gateways, at most `concurrency` at a time; results stand in the order of the targets.

    `timeout_s` is per gateway, from connecting to the last answer; see `poll`. Those that share a
    device which allows one client at a time are read one after the other.
    """
    results: dict[int, PollResult] = {}
    todo = iter(enumerate(targets))
    seats = _shared_seats(targets)

    async def work() -> None:
        for place, target in todo:
            seat = seats.get(place) if seats else None
            if seat is None:
                results[place] = await poll(target, timeout_s=timeout_s, now=now, trust=trust)
            else:
                async with seat:
                    results[place] = await poll(target, timeout_s=timeout_s, now=now, trust=trust)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(targets))):
            group.create_task(work())
    return [results[place] for place in range(len(targets))]


def seat_of(endpoint: str, profile: str) -> str | None:
    """Return the address at which a device allows one client at a time; None if it allows many.

    None too for one that dials in: no other gateway can name it.
    """
    try:
        where = Endpoint.parse(endpoint)
        one_client = profiles.get(profile).one_client
    except (ValueError, KeyError):
        return None  # it is not polled: `poll` says why
    return where.address if one_client and not where.is_relayed else None


def _shared_seats(targets: Sequence[Target]) -> dict[int, asyncio.Lock]:
    """Return the lock of each target, by its place, whose device another target names as well."""
    places = {
        place: seat
        for place, target in enumerate(targets)
        if (seat := seat_of(target.endpoint, target.profile))
    }
    count = Counter(places.values())
    locks = {seat: asyncio.Lock() for seat, users in count.items() if users > 1}
    return {place: locks[seat] for place, seat in places.items() if seat in locks}


async def poll(
    target: Target, *, timeout_s: float, now: Callable[[], datetime], trust: Trust = NO_TRUST
) -> PollResult:
    """Read one gateway over a connection of its own: connect, discover if need be, read, close.

    All of it takes at most `timeout_s`, or five times that if the device must be discovered.
    Every failure is an outcome, none is an exception.
    """
    try:
        line, profile = line_to(target, timeout_s, trust)
    except (ValueError, KeyError, Unready) as wrong:
        detail = f"cannot be polled: {wrong}"[:_MAX_DETAIL]
        return PollResult(target.key, Outcome.UNREACHABLE, now(), detail=detail)
    sample: Sample | None = None
    discovery: Discovery | None = None
    outcome, detail = Outcome.OK, ""
    begun = asyncio.get_running_loop().time()
    deadline = begun + timeout_s
    try:
        # It keeps its own time limit, and no other may surround it: it waits by `wait_for`, which
        # on Python 3.11 loses a time-out that comes as the connection does, and with it our limit.
        await line.reach()
        async with asyncio.timeout_at(deadline):
            await line.introduce()
            sample = await _read_as_before(line, profile, target.layout)
        if sample is None:
            async with asyncio.timeout(_DISCOVERY_TIMEOUTS * timeout_s):
                discovery = await carry_out(line, profile.discover())
                sample = await _read(line, profile, discovery.layout)
    except Exception as error:
        outcome, detail = outcome_of(error, target)
    finally:
        line.hang_up()
    if outcome is not Outcome.OK:
        sample = discovery = None
    took_s = asyncio.get_running_loop().time() - begun
    return PollResult(target.key, outcome, now(), sample, discovery, detail[:_MAX_DETAIL], took_s)


def line_to(target: Target, timeout_s: float, trust: Trust) -> tuple[Line, Profile]:
    """Return the line to a gateway, not connected yet, and the profile of what answers there.

    Raises:
        ValueError: It has no endpoint, or dials in and no relay holds it.
        KeyError: There is no such profile.
        Unready: It cannot be spoken to by TLS.
    """
    endpoint = Endpoint.parse(target.endpoint)
    profile = profiles.get(target.profile)
    if not endpoint.is_relayed:
        context = trust.context(target.gateway) if endpoint.tls else None
        return Line(endpoint, timeout_s, context), profile
    if target.via is None:
        raise ValueError("it has not dialled in")
    return RelayedLine(endpoint, timeout_s, target.via), profile


def outcome_of(error: Exception, target: Target) -> tuple[Outcome, str]:
    """Return how an attempt ended that ended in an error, and what is to be said about it."""
    match error:
        case TimeoutError():
            return Outcome.TIMEOUT, "no whole answer in time"
        case Refused():
            return Outcome.EXCEPTION, _told(error)
        case BadAnswer():
            return Outcome.BAD_ANSWER, _told(error)
        case OSError():
            return Outcome.UNREACHABLE, _told(error)
    # a fault of ours must not end the reading of all the others
    _log.error("talking to a gateway failed", exc_info=error, extra={"gateway": target.key})
    return Outcome.BAD_ANSWER, f"not understood: {type(error).__name__}"


def _told(error: Exception) -> str:
    # whatever somebody else had a part in, a database must be able to keep
    return "".join(filter(str.isprintable, str(error)))[:_MAX_DETAIL]


async def _read_as_before(line: Line, profile: Profile, kept: object) -> Sample | None:
    """Read by the layout of an earlier discovery; None if there is none or it no longer fits."""
    if kept is None:
        return None
    try:
        return await _read(line, profile, Layout.from_json(kept))
    except LayoutChanged:
        return None
    except Refused as refusal:
        if refusal.code != _ILLEGAL_ADDRESS:
            raise
        return None


async def _read(line: Line, profile: Profile, layout: Layout) -> Sample:
    blocks = [
        await line.ask_if_there(request) if request.optional else await line.ask(request)
        for request in profile.requests(layout)
    ]
    return profile.decode(layout, blocks)


async def carry_out(line: Line, walk: Generator[ReadRequest | WriteRequest, bytes, Told]) -> Told:
    """Do what a profile's walk asks for; return what it returns.

    Raises:
        Refused: The device refused what the walk does not do without.
        BadAnswer: An answer does not fit its request, or the walk makes no sense of it.
        ConnectionError: The connection is closed.
    """
    try:
        request = next(walk)
        while True:
            try:
                answer = await _answer(line, request)
            except Refused as refusal:
                request = walk.throw(refusal)
            else:
                request = walk.send(answer)
    except StopIteration as end:
        told: Told = end.value
        return told


async def _answer(line: Line, request: ReadRequest | WriteRequest) -> bytes:
    if isinstance(request, WriteRequest):
        await line.write(request)
        return b""
    if not request.optional:
        return await line.ask(request)
    answer = await line.ask_if_there(request)
    if not answer:
        raise Refused(_NO_ANSWER_BEHIND)
    return answer
