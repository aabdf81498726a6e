"""An SMTP server that takes every mail and forgets it; prints its port when run as a module."""

import asyncio

from aiosmtpd.smtp import SMTP


class Forget:
    """Take a mail and answer 250."""

    async def handle_DATA(self, _server: object, _session: object, _envelope: object) -> str:
        return "250 OK"


async def serve() -> None:
    """Serve on a free port of the loopback."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Forget()), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
