"""A Modbus TCP server that answers reads out of a fixed register image, as cheaply as asyncio can.

Run as `python -m bench.canned_gateway IMAGE.bin`: it prints its port and serves until it is ended.
The image is the registers from address 0 on, two bytes each, high byte first.
"""

import asyncio
import struct
import sys
from pathlib import Path


class CannedGateway(asyncio.Protocol):
    """Answers function 3 and 4 for any unit; anything else gets exception 1."""

    image: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        waiting = self.waiting + data
        answers = []
        while len(waiting) >= 12:
            transaction, _protocol, _length, unit, function, address, count = struct.unpack_from(
                ">HHHBBHH", waiting
            )
            waiting = waiting[12:]
            registers = self.image[2 * address : 2 * (address + count)]
            if function in (3, 4) and len(registers) == 2 * count:
                head = struct.pack(
                    ">HHHBBB", transaction, 0, 3 + len(registers), unit, function, len(registers)
                )
                answers.append(head + registers)
            else:
                answers.append(struct.pack(">HHHBBB", transaction, 0, 3, unit, function | 0x80, 2))
        self.waiting = waiting
        if answers:
            self.transport.write(b"".join(answers))  # type: ignore[attr-defined]


async def serve(image: bytes) -> None:
    """Serve `image` on a free port of the loopback and print the port."""
    CannedGateway.image = image
    loop = asyncio.get_running_loop()
    server = await loop.create_server(CannedGateway, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).read_bytes()))
