"""The inner side: a poller names a gateway, proves that it is one of ours, and gets its stream."""

import asyncio
from collections.abc import Callable

import asyncssh
from asyncssh.session import DataType

from ..drivers import dialout
from .guests import FORWARD, Guest

# naming a gateway, and opening its stream; pollers give up sooner
PATIENCE_S = 10.0
# no poll takes longer, not even of a device that is walked over anew
MOST_S = 120.0
# streams of one gateway at a time: those that are being polled, and those that it was asked to
# open or to close and did not. One whose device is dead takes minutes to say so.
MOST_STREAMS = 8
# what a gateway may send that its poller did not take yet
MOST_KEPT_BYTES = 16 * 1024
WINDOW_BYTES = 8 * 1024
PACKET_BYTES = 2 * 1024

Find = Callable[[str], Guest | None]


class Stream(asyncssh.SSHTCPSession[bytes]):
    """Carry what a gateway says to its poller."""

    def __init__(self, guest: Guest, poller: asyncio.Transport) -> None:
        self._guest, self._poller = guest, poller

    def data_received(self, data: bytes, datatype: DataType) -> None:
        """Pass it on. A poller takes what it gets at once, or it is gone."""
        self._poller.write(data)
        if self._poller.get_write_buffer_size() > MOST_KEPT_BYTES:
            self._poller.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close: the poller's connection is this stream. Only now the gateway has closed it."""
        self._guest.streams -= 1
        self._poller.close()


class Poller(asyncio.Protocol):
    """One connection of a poller."""

    def __init__(self, find: Find, secret: str) -> None:
        self._find, self._secret = find, secret
        self._challenge = dialout.challenge()
        self._kept = b""
        self._opening: asyncio.Task[None] | None = None
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a challenge."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.call_later(PATIENCE_S, transport.abort)
        transport.write(dialout.greeting(self._challenge))

    def data_received(self, data: bytes) -> None:
        """Take the poller's line; what follows is for the gateway."""
        if self._channel:
            self._channel.write(data)
            return
        self._kept += data
        if self._opening or len(self._kept) > dialout.MOST_BYTES:
            # it speaks before it was told to
            self._transport.abort()
        elif b"\n" in self._kept:
            self._opening = self._loop.create_task(self._open())

    def eof_received(self) -> None:
        """Close both ways."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the gateway's stream."""
        self._end.cancel()
        if self._channel:
            self._channel.abort()

    async def _open(self) -> None:
        asked = dialout.asked_for(self._secret, self._challenge, self._kept)
        if asked is None:
            self._refuse("it does not know you")
            return
        guest = self._find(asked.gateway)
        if guest is None:
            self._refuse("the gateway is not here")
            return
        if guest.streams >= MOST_STREAMS:
            self._refuse("the gateway is being polled")
            return
        guest.streams += 1
        try:
            # never cancelled: a stream that opens after its poller left has to be closed
            channel, _stream = await guest.connection.create_connection(
                lambda: Stream(guest, self._transport),
                *FORWARD,
                window=WINDOW_BYTES,
                max_pktsize=PACKET_BYTES,
            )
        except asyncssh.ChannelOpenError:
            guest.streams -= 1
            self._refuse("the gateway opens no connection to its device")
            return
        if self._transport.is_closing():
            channel.abort()
            return
        self._end.cancel()
        self._end = self._loop.call_later(MOST_S, self._transport.abort)
        # nothing was awaited since the stream opened: this is the first that the poller hears
        self._transport.write(asked.ready)
        self._channel = channel

    def _refuse(self, reason: str) -> None:
        self._transport.write(dialout.refusal(reason))
        self._transport.close()
