"""The driver against real servers, most of them hostile."""

import asyncio
import itertools
import logging
import random
import resource
import struct
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.drivers import lines, modbus
from app.drivers.modbus import Endpoint, Outcome, Target, poll, poll_many
from app.profiles.base import Layout

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TIMEOUT_S = 0.6


def chain(*models):
    registers = [0x5375, 0x6E53]
    for number, length, points in models:
        body = [number, length] + [0] * length
        for offset, value in points.items():
            body[offset] = value
        registers += body
    return dict(enumerate([*registers, 0xFFFF, 0], start=40000))


COMMON = (1, 66, {50: 0x4131})
INVERTER = (103, 50, {14: 1500, 31: 1600, 38: 4})
REGISTERS = chain(COMMON, INVERTER)


def frame(tid, unit, pdu, protocol=0, length=None):
    return struct.pack(">HHHB", tid, protocol, length or len(pdu) + 1, unit) + pdu


class Ask:
    """A request as the server got it, and the answer a good device would give."""

    def __init__(self, raw, registers):
        self.tid, _, _, self.unit, self.function, self.address, self.count = struct.unpack(
            ">HHHBBHH", raw
        )
        span = range(self.address, self.address + self.count)
        if all(at in registers for at in span):
            data = struct.pack(f">{self.count}H", *(registers[at] for at in span))
            self.pdu = struct.pack(">BB", self.function, len(data)) + data
        else:
            self.pdu = struct.pack(">BB", self.function | 0x80, 2)
        self.good = frame(self.tid, self.unit, self.pdu)


@asynccontextmanager
async def gateway(behave, registers=REGISTERS):
    """Serve `behave(ask, writer)` for each request; give the endpoint."""

    async def serve(reader, writer):
        try:
            while True:
                await behave(Ask(await reader.readexactly(12), registers), writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/1"
    finally:
        server.close()


async def good(ask, writer):
    writer.write(ask.good)


def writes(make):
    async def behave(ask, writer):
        writer.write(make(ask))

    return behave


async def silent(_ask, _writer):
    return


async def closes(_ask, writer):
    writer.close()


async def half_then_closes(ask, writer):
    writer.write(ask.good[:-1])
    writer.close()


async def drips(ask, writer):
    for byte in ask.good:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def never_ends(ask, writer):
    writer.write(ask.good[:9])
    while True:
        writer.write(b"\0" * 65536)
        await writer.drain()


async def floods_with_stale_answers(ask, writer):
    while True:
        writer.write(frame(ask.tid + 7 & 0xFFFF, ask.unit, ask.pdu) * 100)
        await writer.drain()


async def floods_slowly(ask, writer):
    while True:
        writer.write(frame(ask.tid + 7 & 0xFFFF, ask.unit, ask.pdu))
        await writer.drain()
        await asyncio.sleep(0.01)


HOSTILE = {
    "truncated": (writes(lambda a: a.good[:-1]), {Outcome.TIMEOUT}),
    "truncated and closed": (half_then_closes, {Outcome.UNREACHABLE}),
    "fewer registers": (
        writes(lambda a: frame(a.tid, a.unit, bytes([a.function, 2, 0, 1]))),
        {Outcome.BAD_ANSWER},
    ),
    "more registers": (
        writes(lambda a: frame(a.tid, a.unit, bytes([a.function, 8]) + bytes(8))),
        {Outcome.BAD_ANSWER},
    ),
    "oversized": (
        writes(lambda a: frame(a.tid, a.unit, bytes([a.function, 250]) + bytes(600))),
        {Outcome.TIMEOUT, Outcome.BAD_ANSWER},
    ),
    "byte count that lies": (
        writes(lambda a: frame(a.tid, a.unit, bytes([a.function, 200]) + bytes(4))),
        {Outcome.BAD_ANSWER},
    ),
    "no content": (writes(lambda a: frame(a.tid, a.unit, b"")), {Outcome.TIMEOUT}),
    "function only": (
        writes(lambda a: frame(a.tid, a.unit, bytes([a.function]))),
        {Outcome.BAD_ANSWER},
    ),
    "length zero": (writes(lambda a: frame(a.tid, a.unit, a.pdu, length=1)), {Outcome.TIMEOUT}),
    "other function": (
        writes(lambda a: frame(a.tid, a.unit, b"\x04" + a.pdu[1:])),
        {Outcome.BAD_ANSWER},
    ),
    "write answer": (
        writes(lambda a: frame(a.tid, a.unit, b"\x06\0\0\0\1")),
        {Outcome.BAD_ANSWER},
    ),
    "exception 4": (
        writes(lambda a: frame(a.tid, a.unit, bytes([a.function | 0x80, 4]))),
        {Outcome.EXCEPTION, Outcome.BAD_ANSWER},
    ),
    "exception 11": (
        writes(lambda a: frame(a.tid, a.unit, bytes([a.function | 0x80, 11]))),
        {Outcome.EXCEPTION},
    ),
    "wrong unit": (writes(lambda a: frame(a.tid, 9, a.pdu)), {Outcome.TIMEOUT}),
    "wrong transaction": (
        writes(lambda a: frame(a.tid + 1, a.unit, a.pdu)),
        {Outcome.TIMEOUT},
    ),
    "wrong protocol": (
        writes(lambda a: frame(a.tid, a.unit, a.pdu, protocol=7)),
        {Outcome.TIMEOUT},
    ),
    "another protocol": (
        writes(lambda _: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        {Outcome.TIMEOUT},
    ),
    "slow drip": (drips, {Outcome.TIMEOUT}),
    "never ends": (never_ends, {Outcome.BAD_ANSWER}),
    "flood of stale answers": (floods_with_stale_answers, {Outcome.BAD_ANSWER}),
    "slow flood": (floods_slowly, {Outcome.BAD_ANSWER, Outcome.TIMEOUT}),
    "silence": (silent, {Outcome.TIMEOUT}),
    "close": (closes, {Outcome.UNREACHABLE}),
    "random bytes": (
        writes(lambda a: random.Random(a.tid).randbytes(40)),
        {Outcome.TIMEOUT, Outcome.BAD_ANSWER},
    ),
}


def read(endpoint, **rest):
    target = Target(1, endpoint, "sunspec", **rest)
    return poll(target, timeout_s=TIMEOUT_S, now=lambda: NOW)


async def found_layout():
    async with gateway(good) as endpoint:
        return (await read(endpoint)).discovery.layout.to_json()


def test_a_gateway_is_discovered_and_read():
    async def main():
        async with gateway(good) as endpoint:
            return await read(endpoint)

    result = uvloop.run(main())
    assert (result.key, result.outcome, result.taken_at) == (1, Outcome.OK, NOW)
    assert result.sample.pv_w == 1600
    assert result.discovery.identity.serial == "A1"
    assert result.detail == ""


def test_a_known_layout_is_read_without_a_walk():
    asked = []

    async def counts(ask, writer):
        asked.append((ask.address, ask.count))
        writer.write(ask.good)

    async def main():
        layout = await found_layout()
        async with gateway(counts) as endpoint:
            return await read(endpoint, layout=layout)

    result = uvloop.run(main())
    assert result.sample.pv_w == 1600
    assert result.discovery is None
    assert len(asked) == 1


@pytest.mark.parametrize(
    "registers",
    [chain((64999, 3, {}), COMMON, INVERTER), chain(INVERTER), chain((1, 65, {}), INVERTER)],
    ids=["moved", "out of its registers", "shifted by one"],
)
def test_a_device_with_another_layout_is_discovered_again(registers):
    async def main():
        layout = await found_layout()
        async with gateway(good, registers) as endpoint:
            return await read(endpoint, layout=layout)

    result = uvloop.run(main())
    assert (result.outcome, result.sample.pv_w) == (Outcome.OK, 1600)
    assert isinstance(result.discovery.layout, Layout)


@pytest.mark.parametrize("layout", [[], {"profile": "sunspec", "shape": "x"}, "rubbish"])
def test_a_layout_that_is_none_is_discovered_again(layout):
    async def main():
        async with gateway(good) as endpoint:
            return await read(endpoint, layout=layout)

    assert uvloop.run(main()).discovery is not None


@pytest.mark.parametrize("known", [False, True], ids=["discovering", "polling"])
def test_each_hostile_gateway_ends_in_its_outcome_and_touches_no_other(known):
    async def main():
        layout = await found_layout() if known else None
        async with AsyncExitStack() as stack:
            targets = []
            for name, (behave, _) in HOSTILE.items():
                endpoint = await stack.enter_async_context(gateway(behave))
                targets.append(Target(name, endpoint, "sunspec", layout))
            for place in range(8):
                endpoint = await stack.enter_async_context(gateway(good))
                targets.insert(4 * place, Target(f"good {place}", endpoint, "sunspec", layout))
            began = time.monotonic()
            results = await poll_many(
                targets, concurrency=100, timeout_s=TIMEOUT_S, now=lambda: NOW
            )
            return targets, results, time.monotonic() - began

    targets, results, took = uvloop.run(main())
    assert [result.key for result in results] == [target.key for target in targets]
    for result in results:
        if result.key.startswith("good"):
            assert result.outcome is Outcome.OK, result
        else:
            assert result.outcome in HOSTILE[result.key][1], result
            assert result.sample is None
            assert result.discovery is None
            assert 0 < len(result.detail) <= 200
    # discovering may take four times as long on top
    assert took < (1 if known else 5) * TIMEOUT_S + 1.5


def test_a_connection_that_comes_at_the_very_end_of_the_time_limit_is_given_up(monkeypatch):
    connected = lines.Line.callback_connected

    def late(line):
        # the loop learns of the connection and of the end of the time limit at once
        time.sleep(1.2 * TIMEOUT_S)
        connected(line)

    monkeypatch.setattr(lines.Line, "callback_connected", late)

    async def main():
        layout = await found_layout_of_another()
        async with gateway(silent) as endpoint:
            return await asyncio.wait_for(read(endpoint, layout=layout), 20 * TIMEOUT_S)

    async def found_layout_of_another():
        with monkeypatch.context() as patch:
            patch.setattr(lines.Line, "callback_connected", connected)
            return await found_layout()

    assert uvloop.run(main()).outcome is Outcome.TIMEOUT


def test_a_flood_is_cut_off_early_and_holds_no_memory():
    async def main():
        layout = await found_layout()
        async with gateway(never_ends) as endpoint:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            began = time.monotonic()
            result = await read(endpoint, layout=layout)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return result, time.monotonic() - began, after - before

    result, took, grown_kib = uvloop.run(main())
    assert result.outcome is Outcome.BAD_ANSWER
    assert took < TIMEOUT_S
    assert grown_kib < 20_000


def test_a_chain_that_never_ends_ends():
    async def endless(ask, writer):
        if ask.count == 2 and ask.address != 40000:
            pdu = struct.pack(">BBHH", 3, 4, 64999, 1)
            writer.write(frame(ask.tid, ask.unit, pdu))
        else:
            writer.write(ask.good)

    async def main():
        async with gateway(endless) as endpoint:
            return await read(endpoint)

    assert uvloop.run(main()).outcome is Outcome.BAD_ANSWER


def test_a_refused_port_is_unreachable():
    async def main():
        async with gateway(good) as endpoint:
            pass
        return await read(endpoint)

    result = uvloop.run(main())
    assert (result.outcome, result.detail) == (Outcome.UNREACHABLE, "no connection")


@pytest.mark.parametrize(
    ("endpoint", "profile"),
    [("http://127.0.0.1/1", "sunspec"), ("", "sunspec"), ("tcp://127.0.0.1:1/1", "no-such")],
)
def test_a_target_that_cannot_be_polled_is_unreachable(endpoint, profile):
    target = Target(1, endpoint, profile)
    result = uvloop.run(poll(target, timeout_s=TIMEOUT_S, now=lambda: NOW))
    assert result.outcome is Outcome.UNREACHABLE
    assert result.detail.startswith("cannot be polled")


def test_a_fault_of_ours_stays_with_its_gateway(monkeypatch, caplog):
    read_by = modbus._read

    async def breaks(line, profile, layout):
        if line.unit == 7:
            raise ZeroDivisionError
        return await read_by(line, profile, layout)

    monkeypatch.setattr(modbus, "_read", breaks)

    async def main():
        async with gateway(good) as endpoint:
            targets = [Target(unit, f"{endpoint[:-1]}{unit}", "sunspec") for unit in (1, 7, 2)]
            return await poll_many(targets, concurrency=2, timeout_s=1, now=lambda: NOW)

    with caplog.at_level(logging.ERROR):
        results = uvloop.run(main())
    assert [result.outcome.value for result in results] == ["ok", "bad_answer", "ok"]
    assert "ZeroDivisionError" in caplog.text


def test_no_more_than_the_concurrency_are_asked_at_once():
    open_now, most = set(), []

    async def main():
        async def behave(ask, writer):
            open_now.add(writer)
            most.append(len(open_now))
            await asyncio.sleep(0.002)
            writer.write(ask.good)
            open_now.discard(writer)

        async with gateway(behave) as endpoint:
            targets = [Target(place, endpoint, "sunspec") for place in range(20)]
            return await poll_many(targets, concurrency=3, timeout_s=5, now=lambda: NOW)

    assert all(result.outcome is Outcome.OK for result in uvloop.run(main()))
    assert max(most) <= 3


def test_nothing_to_read_is_no_error():
    assert uvloop.run(poll_many([], concurrency=5, timeout_s=1, now=lambda: NOW)) == []


def test_pymodbus_and_asyncio_log_nothing(caplog):
    async def main():
        asyncio.get_running_loop().set_debug(False)
        async with AsyncExitStack() as stack:
            targets = [
                Target(name, await stack.enter_async_context(gateway(behave)), "sunspec")
                for name, (behave, _) in HOSTILE.items()
            ]
            await poll_many(targets, concurrency=50, timeout_s=0.1, now=lambda: NOW)

    with caplog.at_level(logging.DEBUG):
        uvloop.run(main())
    loud = {record.name for record in caplog.records if record.levelno > logging.DEBUG}
    assert loud == set()


# most examples wait for a deadline: more than this teach nothing for the minutes they cost
@settings(
    max_examples=min(settings.default.max_examples, 150),
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
@given(
    answers=st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.tuples(st.integers(0, 3), st.binary(min_size=1, max_size=300)),
        ),
        min_size=1,
        max_size=12,
    ),
    known=st.booleans(),
)
def test_whatever_a_gateway_sends_ends_in_an_outcome(answers, known):
    """Answer with raw rubbish, or with rubbish in a well-made frame that fits the request."""
    turns = itertools.cycle(answers)

    async def behave(ask, writer):
        match next(turns):
            case (0, _):
                writer.write(ask.good)
            case (how, junk):
                size = 2 * ask.count if how == 1 else len(junk)
                body = (junk * (size // len(junk) + 1))[:size]
                writer.write(frame(ask.tid, ask.unit, bytes([3, size & 0xFF]) + body))
            case junk:
                writer.write(junk)

    async def main():
        layout = await found_layout() if known else None
        async with gateway(behave) as endpoint:
            began = time.monotonic()
            target = Target(1, endpoint, "sunspec", layout)
            result = await poll(target, timeout_s=0.03, now=lambda: NOW)
            return result, time.monotonic() - began

    result, took = uvloop.run(main())
    assert isinstance(result.outcome, Outcome)
    assert (result.sample is not None) == (result.outcome is Outcome.OK)
    assert took < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp://10.0.0.1:1502/3", Endpoint("10.0.0.1", 1502, 3)),
        ("tcp://gateway.example.org", Endpoint("gateway.example.org", 502, 1)),
        ("tcp://[fd00::1]:502/247", Endpoint("fd00::1", 502, 247)),
        ("tls://10.0.0.1", Endpoint("10.0.0.1", 802, 1, tls=True)),
        ("tls://[fd00::1]:8802/9", Endpoint("fd00::1", 8802, 9, tls=True)),
        (
            "tls://10.0.0.1:802/1?name=Gateway-7.example.org",
            Endpoint("10.0.0.1", 802, 1, tls=True, name="gateway-7.example.org"),
        ),
        ("tcp://localhost:5020/0", Endpoint("localhost", 5020, 0)),
        ("relay:///7", Endpoint("", 0, 7)),
        ("relay:///", Endpoint("", 0, 1)),
    ],
)
def test_an_endpoint_is_parsed(text, expected):
    assert Endpoint.parse(text) == expected
    assert Endpoint.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "10.0.0.1:502/1", "udp://10.0.0.1/1", "tcp://10.0.0.1/1?name=x", "tls://10.0.0.1/1?name=",
        "tls://10.0.0.1/1?name=a b", "tls://10.0.0.1/1?name=a..b", "tls://10.0.0.1/1?verify=no",
        "tls://a@10.0.0.1/1?name=x", "tcp://", "tcp://:502/1", "tcp://a b/1",
        "tcp://host:0/1", "tcp://host:70000/1", "tcp://host:x/1", "tcp://host/256",
        "tcp://host/x", "tcp://host/1/2", "tcp://user@host/1", "tcp://host/1?x=1",
        "relay:", "relay:///256", "relay:///1/2", "relay://host/1", "relay:///x", "relay:///1?x",
        "tcp://a..b/1", "tcp://ホスト/1", "tcp://host/1#x", "tcp://[::1/1",
    ],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(ValueError):
        Endpoint.parse(text)
