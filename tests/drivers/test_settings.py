"""Writing to devices: what they answer is checked, and nothing is sent twice."""

import asyncio
import random
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop

from app.drivers import dialout
from app.drivers.dialout import Via
from app.drivers.modbus import Outcome, Target
from app.drivers.security import Trust
from app.drivers.settings import SettingsResult, read_settings, write_settings
from app.profiles.settings import CannotSet
from simulator.household import Config
from simulator.server import running_simulator

from .certificates import Authority
from .test_security import server_side

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TIMEOUT_S = 0.1
HOME = "SIM000000001"


def text(address: int, value: str, registers: int) -> dict[int, int]:
    words = struct.unpack(f">{registers}H", value.encode().ljust(2 * registers, b"\0"))
    return {address + place: word for place, word in enumerate(words)}


#: by profile, what is set, the registers it is read from, and the write that sets it
VICTRON = (
    "victron-gx",
    {"min_soc_pct": 30},
    {2901: 100, **text(800, "c0619ab00001", 6)},
    struct.pack(">BHH", 16, 2901, 1),
)
GOODWE = (
    "goodwe-et",
    {"mode": "standby"},
    {
        47000: 0, 47511: 1, 37006: 0, 37007: 50, **dict.fromkeys(range(35001, 35027), 0),
        35001: 6000, **text(35011, "GW6000-EH", 5),
    },
    struct.pack(">BHH", 6, 47511, 8),
)  # fmt: skip


def frame(raw: bytes, pdu: bytes, *, tid: int = 0, unit: int = 0) -> bytes:
    """Return an answer to a request, from another unit or transaction by so much."""
    got_tid, _, _, got_unit = struct.unpack(">HHHB", raw[:7])
    return struct.pack(">HHHB", got_tid + tid, 0, len(pdu) + 1, got_unit + unit) + pdu


Behave = Callable[[bytes, bytes, asyncio.StreamWriter], Awaitable[None]]


class Device:
    """A server that reads as it should; `behave` answers its writes."""

    def __init__(self, registers: dict[int, int], behave: Behave) -> None:
        self.registers, self.behave = registers, behave
        self.written: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(7)
                pdu = await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
                if pdu[0] in (6, 16):
                    self.written.append(pdu)
                    await self.behave(head + pdu, pdu, writer)
                else:
                    writer.write(frame(head, self.read(pdu)))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def read(self, pdu: bytes) -> bytes:
        _, address, count = struct.unpack(">BHH", pdu)
        span = range(address, address + count)
        if not all(at in self.registers for at in span):
            return bytes([pdu[0] | 0x80, 2])
        words = struct.pack(f">{count}H", *(self.registers[at] for at in span))
        return bytes([pdu[0], len(words)]) + words


@asynccontextmanager
async def listening(device: Device) -> AsyncIterator[str]:
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/1"
    finally:
        server.close()


def answers(make: Callable[[bytes, bytes], bytes]) -> Behave:
    async def behave(raw: bytes, pdu: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(make(raw, pdu))

    return behave


async def silent(_raw: bytes, _pdu: bytes, _writer: asyncio.StreamWriter) -> None:
    return


async def closes(_raw: bytes, _pdu: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def floods(raw: bytes, pdu: bytes, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(frame(raw, pdu[:5], tid=7) * 100)
        await writer.drain()


HOSTILE: dict[str, tuple[Behave, set[Outcome]]] = {
    "exception": (
        answers(lambda raw, pdu: frame(raw, bytes([pdu[0] | 0x80, 4]))),
        {Outcome.EXCEPTION},
    ),
    "other address": (
        answers(lambda raw, pdu: frame(raw, pdu[:1] + b"\0\1" + pdu[3:5])),
        {Outcome.BAD_ANSWER},
    ),
    "other value or count": (
        answers(lambda raw, pdu: frame(raw, pdu[:3] + b"\x12\x34")),
        {Outcome.BAD_ANSWER},
    ),
    "the other write": (
        answers(lambda raw, pdu: frame(raw, bytes([22 - pdu[0]]) + pdu[1:5])),
        {Outcome.BAD_ANSWER},
    ),
    "registers": (answers(lambda raw, _pdu: frame(raw, b"\3\2\0\1")), {Outcome.BAD_ANSWER}),
    "too long": (
        answers(lambda raw, pdu: frame(raw, pdu[:5] + b"\0\0")),
        {Outcome.BAD_ANSWER},
    ),
    "function only": (answers(lambda raw, pdu: frame(raw, pdu[:1])), {Outcome.BAD_ANSWER}),
    "truncated": (answers(lambda raw, pdu: frame(raw, pdu[:5])[:-1]), {Outcome.TIMEOUT}),
    "wrong transaction": (
        answers(lambda raw, pdu: frame(raw, pdu[:5], tid=1)),
        {Outcome.TIMEOUT},
    ),
    "wrong unit": (answers(lambda raw, pdu: frame(raw, pdu[:5], unit=1)), {Outcome.TIMEOUT}),
    "random bytes": (
        answers(lambda _raw, _pdu: random.Random(7).randbytes(40)),
        {Outcome.TIMEOUT, Outcome.BAD_ANSWER},
    ),
    "silence": (silent, {Outcome.TIMEOUT}),
    "close": (closes, {Outcome.UNREACHABLE}),
    "flood": (floods, {Outcome.BAD_ANSWER, Outcome.UNREACHABLE}),
}


@pytest.mark.parametrize("kind", [VICTRON, GOODWE], ids=["function 16", "function 6"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_to_a_write_ends_in_its_outcome_and_is_not_sent_again(
    kind: tuple[str, dict, dict, bytes], name: str
) -> None:
    profile, wanted, registers, sent = kind
    behave, outcomes = HOSTILE[name]
    device = Device(registers, behave)

    async def main() -> SettingsResult:
        async with listening(device) as endpoint:
            return await write_settings(
                Target(1, endpoint, profile),
                wanted,
                hold_s=None,
                timeout_s=TIMEOUT_S,
                now=lambda: NOW,
            )

    began = time.monotonic()
    result = uvloop.run(main())
    assert result.outcome in outcomes, result
    assert result.wrote
    assert 0 < len(result.detail) <= 200
    assert [pdu[:5] for pdu in device.written[:1]] == [sent]
    # what is written for a mode goes on after no failure
    assert len(device.written) == 1
    if result.settings:
        assert not wanted.items() & result.settings.values.items()
    assert time.monotonic() - began < 6 * TIMEOUT_S + 1.5


def test_a_device_that_cannot_be_reached_was_not_written_to() -> None:
    target = Target(1, "tcp://127.0.0.1:9/1", "victron-gx")
    for odd in (target, Target(1, "relay:///1", "victron-gx"), Target(1, "?", "victron-gx")):
        result = uvloop.run(
            write_settings(
                odd, {"min_soc_pct": 30}, hold_s=None, timeout_s=TIMEOUT_S, now=lambda: NOW
            )
        )
        assert result.outcome is Outcome.UNREACHABLE
        assert not result.wrote
        assert result.settings is None
        assert result.detail


def test_a_profile_that_can_set_nothing_is_not_asked() -> None:
    with pytest.raises(CannotSet):
        uvloop.run(
            read_settings(
                Target(1, "tcp://127.0.0.1:9/1", "solax-j1"), timeout_s=1, now=lambda: NOW
            )
        )


def test_a_device_that_answers_nothing_is_not_waited_for_as_long_as_a_slow_one() -> None:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")]) as running:
        target = Target(1, running.endpoints[HOME], "huawei-sun2000")
        running.command(f"offline {HOME}")
        begun = time.monotonic()
        result = uvloop.run(read_settings(target, timeout_s=1, now=lambda: NOW))
    assert result.outcome is Outcome.TIMEOUT
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize("layout", ["rubbish", {"profile": "goodwe-et", "shape": ""}])
def test_a_layout_that_fits_no_more_is_found_out_anew(layout: object) -> None:
    with running_simulator([Config(HOME, dialect="huawei-sun2000")]) as running:
        target = Target(1, running.endpoints[HOME], "huawei-sun2000", layout)
        result = uvloop.run(
            write_settings(target, {"reserve_pct": 40}, hold_s=None, timeout_s=2, now=lambda: NOW)
        )
        again = uvloop.run(read_settings(target, timeout_s=2, now=lambda: NOW))
    assert result.outcome is again.outcome is Outcome.OK, result.detail
    assert result.settings == again.settings
    assert result.settings
    assert result.settings.values["reserve_pct"] == 40


@pytest.mark.parametrize("there", ["goodwe-et", "victron-gx", "7xx"])
def test_another_makers_device_at_the_address_is_not_written_to(there: str) -> None:
    kept = {"profile": "huawei-sun2000", "shape": "battery"}
    with running_simulator([Config(HOME, dialect=there)]) as running:
        result = uvloop.run(
            write_settings(
                Target(1, running.endpoints[HOME], "huawei-sun2000", kept),
                {"reserve_pct": 40},
                hold_s=None,
                timeout_s=2,
                now=lambda: NOW,
            )
        )
    assert result.outcome in {Outcome.BAD_ANSWER, Outcome.EXCEPTION}
    assert not result.wrote
    assert result.settings is None


def test_settings_are_written_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    context = server_side(authority.sign("good", "127.0.0.1"))
    with running_simulator([Config(HOME)], tls=context) as running:
        target = Target(1, running.endpoints[HOME], "sunspec", None, HOME)
        written = {"reserve_pct": 40}
        result = uvloop.run(
            write_settings(
                target, written, hold_s=None, timeout_s=3, now=lambda: NOW,
                trust=Trust(authority.file),
            )
        )  # fmt: skip
    assert result.outcome is Outcome.OK, result.detail
    assert result.settings
    assert result.settings.values["reserve_pct"] == 40


Relay = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def write_through(relay: Relay) -> SettingsResult:
    """Write a reserve to a home that dialled in at what answers as its relay."""

    async def main() -> SettingsResult:
        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        via = Via("127.0.0.1", server.sockets[0].getsockname()[1], HOME, "secret")
        target = Target(1, "relay:///1", "sunspec", None, HOME, via)
        try:
            return await write_settings(
                target, {"reserve_pct": 40}, hold_s=None, timeout_s=3, now=lambda: NOW
            )
        finally:
            server.close()

    return uvloop.run(main())


def test_settings_are_written_through_the_relay_that_holds_a_gateway() -> None:
    with running_simulator([Config(HOME)]) as running:
        port = int(running.endpoints[HOME].split(":")[2].split("/")[0])

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            challenge = dialout.challenge()
            writer.write(dialout.greeting(challenge))
            asked = dialout.asked_for("secret", challenge, await reader.readline())
            assert asked
            assert asked.gateway == HOME
            writer.write(asked.ready)
            inner, outer = await asyncio.open_connection("127.0.0.1", port)

            async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(4096):
                    sink.write(data)
                sink.close()

            await asyncio.gather(pump(reader, outer), pump(inner, writer), return_exceptions=True)

        result = write_through(relay)
    assert result.outcome is Outcome.OK, result.detail
    assert result.settings
    assert result.settings.values["reserve_pct"] == 40


@pytest.mark.parametrize("knows", ["nothing", "another secret", "what it heard"], ids=str.split)
def test_who_poses_as_a_relay_gets_no_request(knows: str) -> None:
    heard = bytearray()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        challenge = dialout.challenge()
        writer.write(dialout.greeting(challenge))
        gateway, shown, theirs = (await reader.readline()).decode().split()
        proofs = {
            "nothing": "",
            "another secret": dialout.proof("other", "relay", theirs, challenge, gateway),
            "what it heard": shown,
        }
        writer.write(dialout.READY + proofs[knows].encode() + b"\n")
        heard.extend(await reader.read())
        writer.close()

    result = write_through(relay)
    assert (result.outcome, result.wrote) == (Outcome.UNREACHABLE, False)
    assert result.detail == "the relay does not know the secret"
    assert not heard
