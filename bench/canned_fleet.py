"""Many gateways in one process: quick ones, slow ones and dead ones, out of one register image.

Run as `python -m bench.canned_fleet IMAGE.bin`: it prints its port and serves until it is ended.
Unit 1 answers at once, unit 2 begins to after 2 s, unit 3 never does. It listens on several
loopback addresses, or a client would run out of ports: each connection keeps one for a minute.
"""

import asyncio
import sys
from pathlib import Path

from .canned_gateway import CannedGateway

ADDRESSES = 20
QUICK, SLOW, DEAD = 1, 2, 3
SLOW_S = 2.0


class FleetGateway(CannedGateway):
    """Answers as its unit does."""

    woken = False

    def data_received(self, data: bytes) -> None:
        unit = data[6] if len(data) > 6 else DEAD
        if unit == QUICK or (unit == SLOW and self.woken):
            super().data_received(data)
        elif unit == SLOW:
            asyncio.get_running_loop().call_later(SLOW_S, self._late, data)

    def _late(self, data: bytes) -> None:
        self.woken = True
        if not self.transport.is_closing():
            super().data_received(data)


async def serve(image: bytes) -> None:
    """Serve `image` on one free port of all addresses and print the port."""
    CannedGateway.image = image
    loop = asyncio.get_running_loop()
    port = 0
    servers = []
    for number in range(1, ADDRESSES + 1):
        server = await loop.create_server(FleetGateway, f"127.0.0.{number}", port, backlog=4096)
        port = server.sockets[0].getsockname()[1]
        servers.append(server)
    print(port, flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).read_bytes()))
