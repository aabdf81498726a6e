"""A connection to a gateway: requests go out, answers come in. The only import of pymodbus here.

What comes in is hostile: it ends in an answer, a refusal or an error of this line, in bounded
memory. How long it may take is the caller's to say.
"""

import asyncio
import logging
import ssl
from dataclasses import replace
from struct import unpack_from
from typing import Any

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from pymodbus.transaction import TransactionManager
from pymodbus.transport import CommParams, CommType

from ..profiles.base import BadAnswer, ReadRequest, Refused
from ..profiles.endpoints import Endpoint
from ..profiles.settings import WriteRequest
from .dialout import Introduction, RelayRefused, Via
from .security import reason

# It logs an error per odd frame, with a dump; a gateway's outcome says what is needed, once.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)

# An answer takes at most 259 bytes. A few stale ones may come before it, a flood may not.
_MAX_BYTES_PER_REQUEST = 1024

# A device behind the gateway that stays silent may not use up the time of all others.
_OPTIONAL_SHARE = 0.25


class _Registers(ModbusPDU):
    """An answer with registers, kept as bytes: the profile unpacks what it needs of them."""

    data = b""


class _Written(ModbusPDU):
    """An answer to a write: where, and the value (function 6) or how many (16)."""

    told = (0, 0)


class _Malformed(ModbusPDU):
    """A frame whose content is no answer to reading or writing registers."""


class _Answers(DecodePDU):
    """Take frames apart. Never raises: pymodbus's own would, inside the event loop's callback."""

    def decode(self, frame: bytes) -> ModbusPDU:
        function = frame[0]
        if function & 0x80 and len(frame) == 2:
            return ExceptionResponse(function & 0x7F, frame[1])
        if function in (3, 4) and len(frame) > 1 and len(frame) == 2 + frame[1]:
            answer = _Registers()
            answer.function_code = function
            answer.data = frame[2:]
            return answer
        if function in (6, 16) and len(frame) == 5:
            written = _Written()
            written.function_code = function
            written.told = unpack_from(">HH", frame, 1)
            return written
        return _Malformed()


# The framer keeps nothing between frames, so one serves all connections.
_FRAMER = FramerSocket(_Answers(False))


class Line(TransactionManager):
    """One connection to a gateway, one request at a time, no retries, no reconnecting."""

    def __init__(
        self, endpoint: Endpoint, timeout_s: float, context: ssl.SSLContext | None = None
    ) -> None:
        params = CommParams(
            comm_type=CommType.TCP if context is None else CommType.TLS,
            sslctx=context,
            host=endpoint.host,
            port=endpoint.port,
            reconnect_delay=0,
            timeout_connect=timeout_s,
        )
        super().__init__(params, _FRAMER, 0, False, None, None, None)
        self.unit = endpoint.unit
        self.name = endpoint.name or endpoint.host
        self.received = 0
        #: a write may have reached the device
        self.wrote = False
        #: why there is no connection any more
        self.end = "the connection was closed"
        self.patience_s = _OPTIONAL_SHARE * timeout_s

    async def reach(self) -> None:
        """Connect, by TLS if there is a context for it.

        Raises:
            ConnectionError: there is no connection, or not to whom it should be.
        """
        if self.comm_params.sslctx is not None:
            await self._connect_securely()
        elif not await self.connect():
            raise ConnectionError("no connection")

    async def _connect_securely(self) -> None:
        """Connect by TLS to a peer whose certificate is for the endpoint's name.

        Raises:
            ConnectionError: there is no connection, or not to whom it should be.
        """
        params = self.comm_params
        # with TLS 1.3 a peer refuses our certificate after the handshake, and not all say why
        self.end = "TLS: the connection was closed; our certificate may be missing or refused"
        try:
            async with asyncio.timeout(params.timeout_connect):
                await self.loop.create_connection(
                    self.handle_new_connection,
                    params.host,
                    params.port,
                    ssl=params.sslctx,
                    server_hostname=self.name,
                )
        except TimeoutError:
            raise ConnectionError("TLS: no handshake in time") from None
        except (OSError, ValueError) as failed:
            raise ConnectionError(f"TLS: {reason(failed)}") from failed

    async def ask(self, request: ReadRequest) -> bytes:
        """Return the registers asked for, as bytes.

        Raises:
            Refused: the device answered with a Modbus exception.
            BadAnswer: the answer is not one to this request.
            ConnectionError: the connection is closed.
        """
        kind = ReadHoldingRegistersRequest if request.function == 3 else ReadInputRegistersRequest
        answer = await self._exchange(
            kind(
                dev_id=self.unit if request.unit is None else request.unit,
                transaction_id=self.getNextTID(),
                address=request.address,
                count=request.count,
            )
        )
        if isinstance(answer, _Registers) and answer.function_code == request.function:
            if len(answer.data) != 2 * request.count:
                raise BadAnswer(
                    f"{len(answer.data)} bytes where {2 * request.count} were asked for"
                )
            return answer.data
        raise BadAnswer("the answer is not one to this request")

    async def write(self, request: WriteRequest) -> None:
        """Write registers. That the device says so does not mean that they stand there.

        Raises:
            Refused: the device answered with a Modbus exception.
            BadAnswer: the answer is not one to this request.
            ConnectionError: the connection is closed; the request may have arrived.
        """
        self.wrote = self.wrote or bool(self.transport)
        values = list(request.values)
        single = request.function == 6
        kind = WriteSingleRegisterRequest if single else WriteMultipleRegistersRequest
        answer = await self._exchange(
            kind(
                dev_id=self.unit if request.unit is None else request.unit,
                transaction_id=self.getNextTID(),
                address=request.address,
                count=len(values),
                registers=values,
            )
        )
        told = (request.address, values[0] if single else len(values))
        if not (
            isinstance(answer, _Written)
            and answer.function_code == request.function
            and answer.told == told
        ):
            raise BadAnswer("the answer is not one to this write")

    async def _exchange(self, asked: ModbusPDU) -> ModbusPDU:
        """Send a request, return the answer to it.

        Raises:
            Refused: it is a Modbus exception.
            BadAnswer: more came than an answer can hold.
            ConnectionError: the connection is closed.
        """
        if not self.transport:
            raise ConnectionError(self.end)
        self.received = 0
        self.response_future = self.loop.create_future()
        self.pdu_send(asked)
        answer: ModbusPDU = await self.response_future
        if isinstance(answer, ExceptionResponse):
            raise Refused(answer.exception_code)
        return answer

    async def ask_if_there(self, request: ReadRequest) -> bytes:
        """Return the registers asked for, or nothing if they are refused or nobody answers.

        Raises:
            BadAnswer: the answer is not one to this request.
            ConnectionError: the connection is closed.
        """
        try:
            async with asyncio.timeout(self.patience_s):
                return await self.ask(request)
        except (Refused, TimeoutError):
            return b""

    async def introduce(self) -> None:
        """Do what has to be done before the first request."""

    def hang_up(self) -> None:
        """Close at once: nothing is left to be sent, and a peer must not hold the socket."""
        transport: Any = self.transport
        if transport is not None:
            transport.abort()
        self.close()
        self._fail(ConnectionError("the connection was closed"))

    # ---- called by the event loop ---------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what came in; hang up on more than an answer can hold."""
        self.received += len(data)
        if self.received > _MAX_BYTES_PER_REQUEST:
            self._fail(BadAnswer("more bytes than an answer can hold"))
            self.hang_up()
            return
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for an answer that none will come."""
        super().connection_lost(exc)
        if isinstance(exc, ssl.SSLError):
            self.end = f"TLS: {reason(exc)}"
        self._fail(ConnectionError(self.end))

    def _fail(self, reason: Exception) -> None:
        future = self.response_future
        if not future.done():
            future.set_exception(reason)
            # nobody may be waiting for it any more
            future.exception()


class RelayedLine(Line):
    """A connection to a gateway that dials in, through the relay that holds it."""

    def __init__(self, endpoint: Endpoint, timeout_s: float, via: Via) -> None:
        super().__init__(replace(endpoint, host=via.host, port=via.port), timeout_s)
        self._introduction = Introduction(via)
        self._introduced: asyncio.Future[None] = self.loop.create_future()

    async def introduce(self) -> None:
        """Say which gateway is meant, and wait until the relay hands it over.

        Raises:
            RelayRefused: It does not.
            ConnectionError: The connection is closed.
        """
        await self._introduced

    def data_received(self, data: bytes) -> None:
        """Take the relay's part first, then the gateway's."""
        if self._introduction.is_over:
            super().data_received(data)
            return
        try:
            answer = self._introduction.feed(data)
        except RelayRefused as refused:
            self._fail(refused)
            self.hang_up()
            return
        if answer and self.transport:
            self.send(answer)
        elif self._introduction.is_over and not self._introduced.done():
            self._introduced.set_result(None)

    def _fail(self, reason: Exception) -> None:
        super()._fail(reason)
        if not self._introduced.done():
            self._introduced.set_exception(reason)
            self._introduced.exception()
