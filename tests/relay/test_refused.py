"""What a gateway, or whoever says it is one, cannot do."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import asyncssh
import pytest
import uvloop
from flask import Flask
from structlog.testing import capture_logs

from app import clock, holders
from app.config import Settings
from app.drivers import dialout, modbus
from app.extensions import db, queues
from app.jobs import poll
from app.models import Gateway, PollState
from app.relay.guests import BURST_BYTES
from app.relay.pollers import MOST_STREAMS
from app.transaction import transaction
from tests.dialing import (
    SECRET,
    Running,
    add_gateway,
    running_relay,
    wait_until,
)
from tests.factories import SHEET_PASSWORD, SheetFactory
from tests.relay.conftest import Dial


def outcome(app: Flask, id_: int) -> str:
    with app.app_context():
        poll.poll_shard([id_])
        return db.session.get_one(PollState, id_).last_outcome


# ---- signing in -----------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["", "root", "HDM999999999", "x" * 900, "HDM'--", "ゲート"])
def test_strangers_do_not_come_in(relay: Running, client: Dial, user: str) -> None:
    stranger = client(user or "HDM000000000", secret="hds_" + "0" * 32).start(1)
    assert stranger.wait(10) == 255
    assert relay.held == []


def test_a_wrong_secret_is_refused_and_told_once(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    _id, gateway, secret = add_gateway(app)
    with capture_logs() as logs:
        for _ in range(3):
            assert client(gateway, secret=secret[:-1] + "x").start(device_port).wait(10) == 255
    refused = [log for log in logs if log["event"] == "dial_in_refused"]
    assert [log["gateway"] for log in refused] == [gateway]
    assert secret[:-1] not in str(logs)
    assert relay.held == []


def test_the_password_of_the_sheet_is_no_device_secret(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    id_, gateway, _secret = add_gateway(app)
    with app.app_context(), transaction():
        SheetFactory(gateway=db.session.get_one(Gateway, id_))
    assert client(gateway, secret=SHEET_PASSWORD).start(device_port).wait(10) == 255


def test_without_its_database_a_relay_lets_nobody_in_and_blames_nobody(
    app: Flask, relay: Running, client: Dial, device_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from app.domain import device_credentials

    _id, gateway, secret = add_gateway(app)

    def away(_ids: object) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(device_credentials, "standing", away)
    with capture_logs() as logs:
        for _ in range(2):
            assert client(gateway, secret=secret).start(device_port).wait(10) == 255
        monkeypatch.undo()
        client(gateway, secret=secret).start(device_port)
        wait_until(lambda: relay.held == [gateway])
    events = [log["event"] for log in logs if log["event"].startswith("relay_database")]
    assert events == ["relay_database_away", "relay_database_back"]


def test_who_does_not_finish_signing_in_is_hung_up_on(app: Flask, settings: Settings) -> None:
    with (
        running_relay(app, settings.model_copy(update={"relay_login_s": 1})) as relay,
        closing(socket.create_connection(("127.0.0.1", relay.settings.relay_port))) as slow,
    ):
        slow.settimeout(5)
        assert slow.recv(100).startswith(b"SSH-2.0-Hidamari")
        assert slow.recv(100) == b""


def test_an_address_that_keeps_failing_leaves_room_for_gateways_behind_it(
    app: Flask, settings: Settings, client: Dial, device_port: int
) -> None:
    changes = {"relay_free_failures": 5, "relay_most_signing_in": 50, "relay_login_s": 3}
    with running_relay(app, settings.model_copy(update=changes)) as relay:
        queues.init(settings.redis_url)
        address = ("127.0.0.1", settings.relay_port)
        for _ in range(6):
            with closing(socket.create_connection(address)) as failing:
                failing.recv(100)
        doors = relay.relay._doors
        wait_until(lambda: doors._is_suspect("127.0.0.1", relay.loop.time()))
        crowd = [socket.create_connection(address) for _ in range(20)]
        # four of them are let in, the others are not even greeted
        for one in crowd:
            one.settimeout(5)
        greeted = [one for one in crowd if one.recv(100)]
        assert len(greeted) == 4
        for one in crowd:
            one.close()
        _id, gateway, secret = add_gateway(app)
        client(gateway, secret=secret).start(device_port)
        wait_until(lambda: relay.held == [gateway])


def test_when_too_many_sign_in_the_others_wait_for_their_turn(
    app: Flask, settings: Settings, client: Dial, device_port: int
) -> None:
    changes = {"relay_most_signing_in": 2, "relay_login_s": 2, "relay_free_failures": 1000}
    with running_relay(app, settings.model_copy(update=changes)) as relay:
        address = ("127.0.0.1", settings.relay_port)
        idle = [socket.create_connection(address) for _ in range(4)]
        _id, gateway, secret = add_gateway(app)
        client(gateway, secret=secret).start(device_port)
        wait_until(lambda: relay.held == [gateway])
        for one in idle:
            one.close()


# ---- signed in, and asking for more ---------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ((), ()),
        (("-tt",), ()),
        ((), ("id",)),
        (("-s",), ("sftp",)),
        (("-N", "-W", "127.0.0.1:22"), ()),
        (("-A",), ("id",)),
        (("-X",), ("id",)),
        (("-N", "-w", "any:any"), ()),
        (("-N", "-R", "modbus:503:127.0.0.1:1"), ()),
        (("-N", "-R", "127.0.0.1:502:127.0.0.1:1"), ()),
        (("-N", "-R", "0:127.0.0.1:1"), ()),
        (("-N", "-R", "1080"), ()),
        (("-N", "-R", "/tmp/x.sock:127.0.0.1:1"), ()),
        (("-N", "-R", "modbus:502:127.0.0.1:1", "-R", "modbus:503:127.0.0.1:1"), ()),
    ],
    ids=lambda words: " ".join(words) or "none",
)
def test_nothing_but_the_one_forward_is_granted(
    app: Flask, relay: Running, client: Dial, options: tuple[str, ...], command: tuple[str, ...]
) -> None:
    _id, gateway, secret = add_gateway(app)
    one = client(gateway, secret=secret).run(*options, after=command)
    out, _err = one.communicate(timeout=15)
    assert one.returncode != 0
    assert out == ""
    wait_until(lambda: relay.held == [])


def test_a_connection_through_the_relay_is_refused(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    _id, gateway, secret = add_gateway(app)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inside = f"{port}:127.0.0.1:{relay.settings.relay_internal_port}"
    client(gateway, secret=secret).start(device_port, "-L", inside)
    wait_until(lambda: relay.held == [gateway])
    with closing(socket.create_connection(("127.0.0.1", port))) as through:
        through.settimeout(5)
        assert through.recv(100) == b""


def test_nobody_listens_for_a_gateway(
    app: Flask, relay: Running, client: Dial, device_port: int
) -> None:
    def listening() -> set[str]:
        found = set()
        for file in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
            with open(file) as table:
                rows = [line.split() for line in table][1:]
            mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in fds()}
            found |= {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine}
        return found

    def fds() -> list[str]:
        return [fd for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")]

    before = listening()
    _id, gateway, secret = add_gateway(app)
    client(gateway, secret=secret).start(device_port)
    wait_until(lambda: relay.held == [gateway])
    assert listening() == before


# ---- signed in, and hostile -----------------------------------------------------------------


@contextmanager
def hostile(settings: Settings, gateway: str, secret: str) -> Iterator[tuple]:
    """Dial in with a client that does what it likes; give its connection and its loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def dial():
        return await asyncssh.connect(
            "127.0.0.1",
            settings.relay_port,
            username=gateway,
            password=secret,
            known_hosts=None,
            config=None,
            client_keys=None,
        )

    def call(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=20)

    connection = call(dial())
    yield connection, call

    async def end():
        connection.abort()
        await connection.wait_closed()

    call(end())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def forwarding(behave):
    """Return the coroutine that asks for the forward and answers each stream by `behave`."""

    async def ask(connection):
        def opened(_host, _port):
            async def serve(reader, writer):
                await behave(reader, writer)

            return serve

        return await connection.start_server(opened, "modbus", 502)

    return ask


async def floods(_reader, writer):
    while True:
        writer.write(b"\0" * 30_000)
        await writer.drain()


async def says_nothing(reader, _writer):
    await reader.read()


async def talks_unasked(_reader, writer):
    writer.write(b"hello")


async def closes(_reader, writer):
    writer.close()


HOSTILE = {
    floods: {"bad_answer", "unreachable"},
    says_nothing: {"timeout"},
    talks_unasked: {"timeout", "unreachable", "bad_answer"},
    closes: {"unreachable"},
}


def test_each_hostile_gateway_ends_in_its_own_outcome_and_touches_no_other(
    app: Flask, settings: Settings, client: Dial, device_port: int
) -> None:
    quick = settings.model_copy(update={"poll_timeout_s": 1})
    app.extensions["settings"] = quick
    queues.init(settings.redis_url)
    with running_relay(app, quick), ExitStack() as stack:
        good_id, good, good_secret = add_gateway(app)
        client(good, secret=good_secret).start(device_port)
        bad_ids = {}
        for behave in HOSTILE:
            bad_ids[behave], bad, bad_secret = add_gateway(app)
            connection, call = stack.enter_context(hostile(settings, bad, bad_secret))
            call(forwarding(behave)(connection))
            wait_until(lambda bad=bad: holders.find([bad]))
        wait_until(lambda: holders.find([good]))
        with app.app_context():
            poll.poll_shard([*bad_ids.values(), good_id])
            states = {
                id_: db.session.get_one(PollState, id_).last_outcome
                for id_ in (good_id, *bad_ids.values())
            }
    assert states[good_id] == "ok"
    for behave, expected in HOSTILE.items():
        assert states[bad_ids[behave]] in expected, behave


def test_a_gateway_that_sends_more_than_it_has_to_say_is_hung_up_on(
    app: Flask, relay: Running
) -> None:
    _id, gateway, secret = add_gateway(app)
    with capture_logs() as logs, hostile(relay.settings, gateway, secret) as (connection, call):
        call(forwarding(says_nothing)(connection))
        wait_until(lambda: relay.held == [gateway])

        async def chatter():
            for _ in range(2 * BURST_BYTES // 30_000 + 1):
                connection.send_debug("x" * 30_000)

        call(chatter())
        wait_until(lambda: relay.held == [])
    (told,) = [log["reason"] for log in logs if log["event"] == "gateway_hung_up"]
    assert told == "it sent more than a gateway has to say"


def test_a_gateway_that_never_opens_or_closes_its_streams_runs_out_of_them(
    app: Flask, relay: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    _id, gateway, secret = add_gateway(app)
    via = dialout.Via(*holders.split_address(relay.settings.relay_address), gateway, SECRET)
    target = modbus.Target(1, "relay:///1", "sunspec", via=via)
    with hostile(relay.settings, gateway, secret) as (connection, call):
        call(forwarding(says_nothing)(connection))
        wait_until(lambda: relay.held == [gateway])
        # it says nothing to a request for a stream (90), neither yes nor no
        handlers = {**type(connection)._packet_handlers, 90: lambda *_: True}
        monkeypatch.setattr(type(connection), "_packet_handlers", handlers)
        polls = modbus.poll_many([target] * 10, concurrency=10, timeout_s=0.5, now=clock.now)
        results = uvloop.run(polls)
        assert relay.relay.held[gateway].streams == MOST_STREAMS
    outcomes = [result.outcome.value for result in results]
    assert outcomes.count("timeout") == MOST_STREAMS
    assert {result.detail for result in results if result.outcome == "unreachable"} == {
        "the relay said: the gateway is being polled"
    }


def test_a_gateway_that_asks_for_no_forward_holds_nothing(app: Flask, relay: Running) -> None:
    id_, gateway, secret = add_gateway(app)
    with hostile(relay.settings, gateway, secret):
        assert relay.held == []
        assert outcome(app, id_) == "unreachable"


# ---- the inner side -------------------------------------------------------------------------


def talk(relay: Running, answer) -> bytes:
    address = ("127.0.0.1", relay.settings.relay_internal_port)
    with closing(socket.create_connection(address)) as line:
        line.settimeout(5)
        hello, challenge = line.recv(100).decode().split()
        assert hello == dialout.HELLO
        line.sendall(answer(challenge))
        return line.recv(100)


def test_pollers_prove_that_they_know_the_shared_secret(app: Flask, relay: Running) -> None:
    def right(challenge: str) -> bytes:
        ours = dialout.challenge()
        proof = dialout.proof(SECRET, "poller", challenge, ours, "HDM000000001")
        return f"HDM000000001 {proof} {ours}\n".encode()

    assert talk(relay, right) == b"-the gateway is not here\n"
    heard = right(dialout.challenge())
    assert talk(relay, lambda _challenge: heard) == b"-it does not know you\n"
    assert talk(relay, lambda _: b"\n") == b"-it does not know you\n"
    assert talk(relay, lambda _: b"\xff\xfe \xff\n") == b"-it does not know you\n"


def test_a_poller_that_talks_too_much_is_hung_up_on(relay: Running) -> None:
    began = time.monotonic()
    with suppress(ConnectionError):
        assert talk(relay, lambda _: b"x" * 10_000) == b""
    assert time.monotonic() - began < 3


def test_a_relay_without_a_secret_or_a_host_key_does_not_start(app: Flask, settings) -> None:
    from app.relay.server import main

    app.extensions["settings"] = settings.model_copy(update={"relay_secret": ""})
    assert main(app) == 78
    app.extensions["settings"] = settings.model_copy(update={"relay_host_key": "/nowhere"})
    assert main(app) == 78
